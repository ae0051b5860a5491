//! A capture file or stream, read in blocks of about 256 KiB.
//!
//! The bytes go by one `read` from the file into the block that travels to the workers; only the packet that straddles
//! two blocks is copied. The format is recognised by content, never by name.

use super::framing::{Next, Scan};
use super::pcap::{FILE_HEADER, Pcap};
use super::{Block, CaptureError, Fault, FrameRef};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a block, unless one frame needs more.
const BLOCK: usize = 256 << 10;

/// An open capture file or stream.
pub struct CaptureFile {
    path: String,
    reader: Box<dyn Read + Send>,
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

enum Format {
    Pcap(Pcap),
}

impl Format {
    fn scan(&mut self, bytes: &[u8], packets: &mut u64, frames: &mut Vec<FrameRef>) -> Scan {
        match self {
            Self::Pcap(pcap) => pcap.scan(bytes, packets, frames),
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
        let consumed = Arc::new(AtomicU64::new(0));
        let reader = Counted { reader, count: Arc::clone(&consumed) };
        Self::recognise(&name, Box::new(reader), consumed).map_err(|fault| CaptureError {
            path: name,
            packet: None,
            offset: None,
            fault,
        })
    }

    fn recognise(name: &str, mut reader: Box<dyn Read + Send>, consumed: Arc<AtomicU64>) -> Result<Self, Fault> {
        let mut start = Vec::new();
        read_at_least(&mut reader, &mut start, 4)?;
        if start.is_empty() {
            return Err(Fault::Empty);
        }
        let (format, used) = match start.first_chunk() {
            Some(&magic) if Pcap::knows(magic) => {
                read_at_least(&mut reader, &mut start, FILE_HEADER)?;
                let Some(header) = start.first_chunk() else {
                    return Err(Fault::Cut(format!("the file ends within its header of {FILE_HEADER} bytes")));
                };
                let (pcap, used) = Pcap::new(header).map_err(Fault::Unsupported)?;
                (Format::Pcap(pcap), used)
            }
            _ => return Err(Fault::NotACapture("it starts like none of the formats that are read".into())),
        };
        read_at_least(&mut reader, &mut start, used)?;
        Ok(Self {
            path: name.to_string(),
            reader,
            format,
            carry: start.get(used..).unwrap_or_default().to_vec(),
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
                    return Err(self.error(Fault::Read(error)));
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

    /// The file's size in bytes, where it has one.
    pub fn size(&self) -> Option<u64> {
        self.size
    }
}

/// Reads until `bytes` has at least `wanted` bytes or the input ends.
fn read_at_least(reader: &mut dyn Read, bytes: &mut Vec<u8>, wanted: usize) -> Result<(), Fault> {
    let mut buffer = [0; 4096];
    while bytes.len() < wanted {
        match read_some(reader, &mut buffer).map_err(Fault::Read)? {
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
