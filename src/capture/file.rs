//! A capture file or stream, read in blocks of about 512 KiB.
//!
//! The bytes go by one `read` from the file into the block that travels to the workers; only the packet that straddles
//! two blocks is copied. The format is recognised by content, never by name.

use super::compress::{Compression, Decompressed};
use super::framing::{Next, Scan};
use super::pcap::{FILE_HEADER, Pcap};
use super::pcapng::{self, Pcapng};
use super::{Block, CaptureError, Fault, FrameRef};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a block, unless one frame needs more.
const BLOCK: usize = 512 << 10;
/// Bytes by which the format is recognised: the longest file header.
const SNIFFED: usize = FILE_HEADER + 4;

/// An open capture file or stream.
pub struct CaptureFile {
    path: String,
    reader: Box<dyn Read + Send>,
    compression: Option<Compression>,
    format: Format,
    /// Bytes read but not yet dealt with: the start of the next block.
    carry: Vec<u8>,
    /// Where in the capture `carry` starts.
    offset: u64,
    /// Bytes still to be passed over.
    skip: u64,
    packets: u64,
    /// The fault that is to be reported once the frames before it were handed out.
    fault: Option<Fault>,
    ended: bool,
    consumed: Arc<AtomicU64>,
    size: Option<u64>,
}

/// Packets that were on the wire and are not in the capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dropped {
    /// Dropped by the interface for want of resources.
    pub interface: u64,
    /// Dropped by the operating system.
    pub kernel: u64,
}

impl std::ops::Add for Dropped {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            interface: self.interface.saturating_add(other.interface),
            kernel: self.kernel.saturating_add(other.kernel),
        }
    }
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Format {
    fn scan(&mut self, bytes: &[u8], packets: &mut u64, frames: &mut Vec<FrameRef>) -> Scan {
        match self {
            Self::Pcap(pcap) => pcap.scan(bytes, packets, frames),
            Self::Pcapng(pcapng) => pcapng.scan(bytes, packets, frames),
        }
    }
}

impl CaptureFile {
    /// Opens the capture at `path`; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened or is no capture.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        let fail = |fault| CaptureError { path: name.clone(), packet: None, offset: None, fault };
        if path.as_os_str() == "-" {
            return Self::from_reader(name, Box::new(io::stdin()));
        }
        let file = File::open(path).map_err(|error| fail(Fault::Open(error)))?;
        let metadata = file.metadata().map_err(|error| fail(Fault::Open(error)))?;
        if metadata.is_dir() {
            return Err(fail(Fault::Directory));
        }
        let mut capture = Self::from_reader(name, Box::new(file))?;
        capture.size = metadata.is_file().then_some(metadata.len());
        Ok(capture)
    }

    /// Reads a capture from `reader`; `name` is used in errors.
    ///
    /// # Errors
    /// When it cannot be read or is no capture.
    pub fn from_reader(name: String, reader: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        Self::recognise(reader).map(|capture| Self { path: name.clone(), ..capture }).map_err(|fault| CaptureError {
            path: name,
            packet: None,
            offset: None,
            fault,
        })
    }

    fn recognise(reader: Box<dyn Read + Send>) -> Result<Self, Fault> {
        let consumed = Arc::new(AtomicU64::new(0));
        let mut reader: Box<dyn Read + Send> = Box::new(Counted { reader, count: Arc::clone(&consumed) });
        let mut start = Vec::new();
        read_at_least(&mut reader, &mut start, SNIFFED).map_err(Fault::Read)?;
        let compression = Compression::recognise(&start);
        if let Some(compression) = compression {
            let whole = Box::new(io::Cursor::new(std::mem::take(&mut start)).chain(reader));
            let count = Arc::clone(&consumed);
            reader = Box::new(Decompressed::start(compression, whole, count).map_err(Fault::Read)?);
            read_at_least(&mut reader, &mut start, SNIFFED)
                .map_err(|error| compression.fault(&error).unwrap_or(Fault::Read(error)))?;
        }
        let (format, used) = format(&start)?;
        Ok(Self {
            path: String::new(),
            reader,
            compression,
            format,
            carry: start.split_off(used),
            offset: used as u64,
            skip: 0,
            packets: 0,
            fault: None,
            ended: false,
            consumed,
            size: None,
        })
    }

    /// Fills `block` with the next frames. `false`: there are no more, and the block is empty.
    ///
    /// # Errors
    /// When the capture is cut or damaged or reading fails. All frames before the fault were handed out by earlier
    /// calls; the block is empty and later calls return `false`.
    pub fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.frames.clear();
        if let Some(fault) = self.fault.take() {
            return Err(self.error(fault));
        }
        if self.ended {
            return Ok(false);
        }
        // The vector stays at its full length: only new memory is ever zeroed.
        let mut wanted = BLOCK.max(self.carry.len());
        if block.bytes.len() < wanted {
            block.bytes.resize(wanted, 0);
        }
        let mut filled = self.carry.len();
        if let Some(start) = block.bytes.get_mut(..filled) {
            start.copy_from_slice(&self.carry);
        }
        self.carry.clear();
        loop {
            let scan = self.scan(block, filled);
            let rest = block.bytes.get(scan.used..filled).unwrap_or_default();
            let missing = match scan.next {
                Next::More(need) => need.saturating_sub(rest.len()).max(1),
                Next::Skip(bytes) => {
                    self.skip = bytes;
                    0
                }
                Next::Damaged(text) => {
                    self.ended = true;
                    self.fault = Some(Fault::Damaged(text));
                    0
                }
            };
            if !block.frames.is_empty() || self.fault.is_some() {
                self.carry.extend_from_slice(rest);
                self.offset += scan.used as u64;
                return match self.fault.take() {
                    Some(fault) if block.frames.is_empty() => Err(self.error(fault)),
                    fault => {
                        self.fault = fault;
                        Ok(true)
                    }
                };
            }
            // Nothing whole yet: make room and read on. Room grows as bytes arrive, whatever a length field claims.
            self.offset += scan.used as u64;
            block.bytes.copy_within(scan.used..filled, 0);
            filled -= scan.used;
            if filled == block.bytes.len() {
                wanted = block.bytes.len() * 2;
                block.bytes.resize(wanted, 0);
            }
            let space = block.bytes.get_mut(filled..).unwrap_or_default();
            match read_some(&mut self.reader, space) {
                Ok(0) => {
                    self.ended = true;
                    return match filled as u64 + self.skip {
                        0 => Ok(false),
                        _ => Err(self.error(Fault::Cut(format!(
                            "the capture ends in the middle of a packet, {missing} bytes are missing"
                        )))),
                    };
                }
                Ok(count) => filled += count,
                Err(error) => {
                    self.ended = true;
                    let fault = self.compression.and_then(|compression| compression.fault(&error));
                    return Err(self.error(fault.unwrap_or(Fault::Read(error))));
                }
            }
        }
    }

    /// Passes over what is to be skipped, then looks for frames.
    fn scan(&mut self, block: &mut Block, filled: usize) -> Scan {
        let skipped = self.skip.min(filled as u64);
        self.skip -= skipped;
        let skipped = skipped as usize;
        let bytes = block.bytes.get(skipped..filled).unwrap_or_default();
        let mut scan = self.format.scan(bytes, &mut self.packets, &mut block.frames);
        for frame in &mut block.frames {
            frame.start += skipped as u32;
        }
        scan.used += skipped;
        scan
    }

    fn error(&self, fault: Fault) -> CaptureError {
        CaptureError { path: self.path.clone(), packet: Some(self.packets + 1), offset: Some(self.offset), fault }
    }

    /// Bytes read from the file so far, compressed ones if it is compressed.
    pub fn bytes_read(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Packets that never reached the capture, as far as it says.
    pub fn dropped(&self) -> Dropped {
        match &self.format {
            Format::Pcap(_) => Dropped::default(),
            Format::Pcapng(pcapng) => pcapng.dropped(),
        }
    }

    /// The name that errors give.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file's size in bytes, where it has one.
    pub fn size(&self) -> Option<u64> {
        self.size
    }
}

/// Recognises the format by the first bytes. Returns it with the length of the file header.
fn format(start: &[u8]) -> Result<(Format, usize), Fault> {
    let Some(&magic) = start.first_chunk() else {
        return Err(match start {
            [] => Fault::Empty,
            _ => Fault::NotACapture(format!("it has only {} bytes", start.len())),
        });
    };
    if magic == pcapng::SECTION_HEADER {
        return Ok((Format::Pcapng(Pcapng::default()), 0));
    }
    if Pcap::knows(magic) {
        let Some(header) = start.first_chunk() else {
            return Err(Fault::NotACapture(format!("it ends within the file header of {FILE_HEADER} bytes")));
        };
        let (pcap, used) = Pcap::new(header).map_err(Fault::Unsupported)?;
        return Ok((Format::Pcap(pcap), used.min(start.len())));
    }
    Err(unknown(start))
}

/// Says what a file that is no capture looks like, and what to do.
fn unknown(start: &[u8]) -> Fault {
    let convert = "convert it with `editcap -F pcapng`";
    let what = match start {
        [b'B', b'Z', b'h', ..] => "bzip2 data are not read; decompress them first".to_string(),
        [b'P', b'K', 3, 4, ..] => "zip archives are not read; unpack it first".to_string(),
        [0x02, 0x21, 0x4c, 0x18, ..] => "the old lz4 format is not read; decompress it first".to_string(),
        [b's', b'n', b'o', b'o', b'p', 0, ..] => format!("a Solaris snoop capture; {convert}"),
        [b'G', b'M', b'B', b'U', ..] | [b'R', b'T', b'S', b'S', ..] => {
            format!("a Microsoft Network Monitor capture; {convert}")
        }
        [b'i', b'p', b't', b'r', b'a', b'c', b'e', ..] => format!("an AIX iptrace capture; {convert}"),
        [b'T', b'R', b'S', b'N', ..] | [b'X', b'C', b'P', 0, ..] => format!("a Sniffer capture; {convert}"),
        [0x7f, b'E', b'L', b'F', ..] => "it is a program".to_string(),
        _ if start.iter().all(|&b| b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b)) => {
            "it looks like text".to_string()
        }
        _ => "neither pcap nor pcapng, nor one of them in gzip, zstd, xz or lz4".to_string(),
    };
    Fault::NotACapture(what)
}

/// Reads until `bytes` has at least `wanted` bytes or the input ends.
fn read_at_least(reader: &mut dyn Read, bytes: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while bytes.len() < wanted {
        match read_some(reader, &mut buffer)? {
            0 => break,
            count => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
    Ok(())
}

/// One `read`, repeated when a signal interrupts it.
fn read_some(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Counts what passes, for a progress bar.
struct Counted {
    reader: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
