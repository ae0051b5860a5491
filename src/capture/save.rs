//! Packets saved as pcapng, with a comment on those that decided something.
//!
//! ```text
//! section header: type 0x0a0d0d0a, length, magic 0x1a2b3c4d, version 1.0, section length unknown, options, length
//! interface description, one a link type: type 1, length, link type, 0, snaplen 0, options (time unit 1 ns), length
//! enhanced packet: type 6, length, interface, time (high, low), captured, wire length, bytes, options (comment), length
//! ```
//! draft-ietf-opsawg-pcapng-03, sections 4.1 to 4.3. Files are rotated as tcpdump(1) does.

use crate::packet::{Frame, LinkType, Time};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// When a new file is begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rotation {
    /// When it has more bytes than this.
    pub bytes: Option<u64>,
    /// When it is this old, nanoseconds of packet time. The name is then a format of strftime(3), in UTC.
    pub age: Option<i64>,
    /// By size: so many files in turn (by size and age: in each such time), the oldest is overwritten. By age alone: it is
    /// over after so many.
    pub files: Option<u32>,
}

/// A file, or a row of files, that packets are saved to.
#[derive(Debug)]
pub struct Saver {
    path: PathBuf,
    rotation: Rotation,
    out: BufWriter<File>,
    links: Vec<LinkType>,
    written: u64,
    /// When the first file was begun, or the latest that was for age.
    begun: Time,
    /// Files begun for size (since the last for age), and for age.
    nth: u32,
    ages: u32,
    over: bool,
    buffer: Vec<u8>,
}

impl Saver {
    /// Begins the first file.
    ///
    /// # Errors
    /// Those of the file system, with the file's name.
    pub fn create(path: &Path, rotation: Rotation, now: Time) -> io::Result<Self> {
        let out = BufWriter::with_capacity(1 << 18, opened(&name(path, rotation, now, 0), false)?);
        let mut saver = Self {
            path: path.to_owned(),
            rotation,
            out,
            links: Vec::new(),
            written: 0,
            begun: now,
            nth: 0,
            ages: 1,
            over: false,
            buffer: Vec::new(),
        };
        saver.header()?;
        Ok(saver)
    }

    /// Whether as many files were written as were asked for.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Adds a frame; an empty comment is none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&mut self, frame: &Frame<'_>, comment: &str) -> io::Result<()> {
        self.rotate(frame.time)?;
        if self.over {
            return Ok(());
        }
        let interface = match self.links.iter().position(|link| *link == frame.link) {
            Some(place) => place as u32,
            None => {
                let mut body = Vec::from((frame.link.0 as u16).to_le_bytes());
                body.extend([0; 6]);
                option(&mut body, 9, &[9]);
                end(&mut body);
                self.block(1, &body)?;
                self.links.push(frame.link);
                self.links.len() as u32 - 1
            }
        };
        let mut body = std::mem::take(&mut self.buffer);
        body.clear();
        let time = frame.time.0.max(0) as u64;
        for word in [interface, (time >> 32) as u32, time as u32, frame.data.len() as u32, frame.wire_len] {
            body.extend(word.to_le_bytes());
        }
        body.extend(frame.data);
        pad(&mut body);
        if !comment.is_empty() {
            option(&mut body, 1, comment.as_bytes());
            end(&mut body);
        }
        let written = self.block(6, &body);
        self.buffer = body;
        written
    }

    /// Hands everything to the file system.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Opens the file anew under its name, which another program may have moved away. If nobody has, a new section goes to
    /// its end.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.begin(true)
    }

    fn rotate(&mut self, now: Time) -> io::Result<()> {
        if self.rotation.age.is_some_and(|age| now.since(self.begun) >= age) {
            (self.begun, self.nth) = (now, 0);
            if self.rotation.bytes.is_none() && self.rotation.files.is_some_and(|files| self.ages >= files) {
                self.over = true;
                return self.flush();
            }
            self.ages += 1;
            return self.begin(false);
        }
        if self.rotation.bytes.is_some_and(|bytes| self.written > bytes) {
            self.nth = (self.nth + 1) % self.rotation.files.unwrap_or(u32::MAX).max(1);
            return self.begin(false);
        }
        Ok(())
    }

    fn begin(&mut self, append: bool) -> io::Result<()> {
        self.flush()?;
        let file = opened(&name(&self.path, self.rotation, self.begun, self.nth), append)?;
        self.written = file.metadata()?.len();
        self.out = BufWriter::with_capacity(1 << 18, file);
        self.links.clear();
        self.header()
    }

    fn header(&mut self) -> io::Result<()> {
        let mut body = Vec::from(0x1a2b_3c4du32.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        option(&mut body, 4, concat!("portproof ", env!("CARGO_PKG_VERSION")).as_bytes());
        end(&mut body);
        self.block(0x0a0d_0d0a, &body)
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = (body.len() as u32 + 12).to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length)?;
        self.out.write_all(body)?;
        self.out.write_all(&length)?;
        self.written += body.len() as u64 + 12;
        Ok(())
    }
}

/// A new file, in place of any that has its name; or the end of that.
fn opened(path: &Path, append: bool) -> io::Result<File> {
    let file = OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(path);
    file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// The name of a file: as given; with the time at which the latest was begun for age; with a number for size, of as many
/// digits as all need.
fn name(path: &Path, rotation: Rotation, begun: Time, nth: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if rotation.age.is_some() {
        let at = Timestamp::from_nanosecond(i128::from(begun.0)).unwrap_or_default();
        // What is no format is a name.
        if let Ok(text) = jiff::fmt::strtime::format(path.to_string_lossy().as_bytes(), TimeZone::UTC.to_datetime(at)) {
            name = text.into();
        }
    }
    match (rotation.bytes, rotation.files) {
        (Some(_), Some(files)) => {
            let digits = files.saturating_sub(1).to_string().len();
            name.push(format!("{nth:0digits$}"));
        }
        (Some(_), None) if nth > 0 => name.push(nth.to_string()),
        _ => {}
    }
    name.into()
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..value.len().min(4096)).unwrap_or_default();
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Block, CaptureFile};

    fn frame(second: i64, data: &[u8]) -> Frame<'_> {
        Frame { number: 1, time: Time(second * 1_000_000_000 + 5), link: LinkType(1), wire_len: 100, data }
    }

    fn read(path: &Path) -> Vec<(i64, u32, Vec<u8>)> {
        let mut file = CaptureFile::open(path).unwrap();
        let (mut block, mut frames) = (Block::default(), Vec::new());
        while file.next_block(&mut block).unwrap() {
            frames.extend(block.frames.iter().map(|f| (f.time.0, f.wire_len, block.frame(f).data.to_vec())));
        }
        frames
    }

    #[test]
    fn what_is_saved_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcapng");
        let mut saver = Saver::create(&path, Rotation::default(), Time(0)).unwrap();
        saver.write(&frame(7, b"first"), "").unwrap();
        saver.write(&Frame { link: LinkType(101), ..frame(8, b"second!!") }, "it says so").unwrap();
        saver.flush().unwrap();
        let expected = [(7_000_000_005, 100, b"first".to_vec()), (8_000_000_005, 100, b"second!!".to_vec())];
        assert_eq!(read(&path), expected);
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.windows(10).any(|w| w == b"it says so") && bytes.len().is_multiple_of(4));
    }

    #[test]
    fn files_turn_by_size() {
        let dir = tempfile::tempdir().unwrap();
        let names = |rotation: Rotation, count: i64| {
            let mut saver = Saver::create(&dir.path().join("f"), rotation, Time(0)).unwrap();
            (0..count).for_each(|n| saver.write(&frame(n, &[0; 50]), "").unwrap());
            saver.flush().unwrap();
            let mut names: Vec<String> = std::fs::read_dir(dir.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names.iter().for_each(|name| std::fs::remove_file(dir.path().join(name)).unwrap());
            names
        };
        let bytes = Some(150);
        assert_eq!(names(Rotation { bytes, ..Rotation::default() }, 3), ["f", "f1", "f2"]);
        let ring = Rotation { bytes, files: Some(11), ..Rotation::default() };
        assert_eq!(names(ring, 3), ["f00", "f01", "f02"]);
        assert_eq!(names(Rotation { files: Some(2), ..ring }, 9), ["f0", "f1"]);
    }

    /// As tcpdump 4.99.3 names them: the time at which a period began, and in each period the same numbers in turn.
    #[test]
    fn files_turn_by_size_in_each_period() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation { bytes: Some(150), age: Some(10_000_000_000), files: Some(2) };
        let mut saver = Saver::create(&dir.path().join("%S-"), rotation, Time(0)).unwrap();
        for second in [1, 2, 3, 12, 13] {
            saver.write(&frame(second, &[0; 50]), "").unwrap();
        }
        saver.flush().unwrap();
        let times = |name: &str| read(&dir.path().join(name)).iter().map(|f| f.0 / 1_000_000_000).collect::<Vec<_>>();
        assert_eq!(["00-0", "00-1", "12-0", "12-1"].map(times), [vec![3], vec![2], vec![12], vec![13]]);
        assert_eq!((std::fs::read_dir(dir.path()).unwrap().count(), saver.is_over()), (4, false));
    }

    #[test]
    fn what_is_opened_anew_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("f"), dir.path().join("moved"));
        let mut saver = Saver::create(&path, Rotation::default(), Time(0)).unwrap();
        saver.write(&frame(1, b"a"), "").unwrap();
        saver.reopen().unwrap();
        saver.write(&frame(2, b"b"), "").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        saver.reopen().unwrap();
        saver.write(&frame(3, b"c"), "").unwrap();
        saver.flush().unwrap();
        let bytes = |path| read(path).into_iter().flat_map(|(_, _, bytes)| bytes).collect::<Vec<_>>();
        assert_eq!((bytes(&moved), bytes(&path)), (b"ab".to_vec(), b"c".to_vec()));
    }

    #[test]
    fn files_turn_by_age_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation { age: Some(10_000_000_000), files: Some(2), bytes: None };
        let mut saver = Saver::create(&dir.path().join("%H%M%S"), rotation, Time(0)).unwrap();
        for second in [0, 5, 12, 15, 30] {
            assert!(!saver.is_over());
            saver.write(&frame(second, b"x"), "").unwrap();
        }
        assert!(saver.is_over());
        let times = |name: &str| read(&dir.path().join(name)).iter().map(|f| f.0 / 1_000_000_000).collect::<Vec<_>>();
        assert_eq!((times("000000"), times("000012")), (vec![0, 5], vec![12, 15]));
    }
}
