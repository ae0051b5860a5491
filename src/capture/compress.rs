//! Compressed captures: gzip (RFC 1952), zstd (RFC 8878), xz and lz4, each also of several members in a row.
//!
//! Decompression is far slower than everything else, so it has a thread of its own; buffers go there and back.

use super::Fault;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of one buffer of decompressed data.
const CHUNK: usize = 256 << 10;
/// Buffers under way between the threads.
const CHUNKS: usize = 4;
/// Most memory a file may ask for, KiB: what `zstd --long` and `xz -9` need at most by default.
const MEMORY_KIB: u32 = 128 << 10;
/// The expansion that is believed. Packets have time stamps, so a capture of nothing but zeros stays below 300; gzip cannot
/// go beyond 1032.
const MAX_EXPANSION: u64 = 1_100;
/// Expansion is not judged before this much came out, bytes.
const EXPANSION_FROM: u64 = 64 << 20;

/// The formats of compression that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Xz,
    Lz4,
}

impl Compression {
    /// Recognises the first bytes of a compressed file.
    pub(super) fn recognise(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            _ => None,
        }
    }

    /// The format's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
        }
    }

    /// What an error while decompressing says of the capture. `None`: it is the system's, not the data's.
    pub(super) fn fault(self, error: &io::Error) -> Option<Fault> {
        let name = self.name();
        match error.kind() {
            _ if error.raw_os_error().is_some() => None,
            io::ErrorKind::UnexpectedEof => Some(Fault::Cut(format!("the {name} data end too early"))),
            io::ErrorKind::OutOfMemory => {
                Some(Fault::Damaged(format!("the {name} data need more memory than {} MiB", MEMORY_KIB >> 10)))
            }
            _ => Some(Fault::Damaged(format!("the {name} data are damaged: {}", first_line(&error.to_string())))),
        }
    }

    fn decoder(self, reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read>> {
        let reader = io::BufReader::with_capacity(64 << 10, reader);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
                decoder.window_log_max(27)?; // 128 MiB
                Box::new(decoder)
            }
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(reader, true, MEMORY_KIB)),
            Self::Lz4 => Box::new(Frames { decoder: lz4_flex::frame::FrameDecoder::new(reader), empty: 0 }),
        })
    }
}

/// The decompressed bytes, made by another thread.
pub(super) struct Decompressed {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Decompressed {
    /// Starts the thread. `consumed` counts the compressed bytes read from `reader`.
    pub(super) fn start(
        compression: Compression,
        reader: Box<dyn Read + Send>,
        consumed: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let (full_in, full) = bounded(CHUNKS);
        let (empty, empty_out) = bounded(CHUNKS);
        std::thread::Builder::new().name("decompress".into()).spawn(move || {
            // A failed send means that nobody reads any more.
            let _ = match compression.decoder(reader) {
                Ok(mut decoder) => run(&mut *decoder, &full_in, &empty_out, &consumed),
                Err(error) => full_in.send(Err(error)).map_err(|_| ()),
            };
        })?;
        Ok(Self { full, empty, chunk: Vec::new(), at: 0 })
    }
}

/// Decompresses until the end, an error, or until nobody reads any more (`Err`).
fn run(
    decoder: &mut dyn Read,
    full: &Sender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
    consumed: &AtomicU64,
) -> Result<(), ()> {
    let mut produced = 0;
    loop {
        let mut chunk: Vec<u8> = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        match decoder.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                produced += count as u64;
                chunk.truncate(count);
                full.send(Ok(chunk)).map_err(drop)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return full.send(Err(error)).map_err(drop),
        }
        if produced > EXPANSION_FROM && produced / MAX_EXPANSION > consumed.load(Ordering::Relaxed) {
            let text = format!("they expand more than {MAX_EXPANSION}-fold, as no capture does");
            return full.send(Err(io::Error::new(io::ErrorKind::InvalidData, text))).map_err(drop);
        }
    }
}

impl Read for Decompressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            let used = std::mem::take(&mut self.chunk);
            self.at = 0;
            if used.capacity() > 0 {
                let _ = self.empty.try_send(used); // no room: it is freed
            }
            match self.full.recv() {
                Ok(chunk) => self.chunk = chunk?,
                Err(_) => return Ok(0), // the thread is done
            }
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

/// Reads lz4 frames in a row; the decoder returns 0 between two of them and at the end.
struct Frames<R: Read> {
    decoder: R,
    empty: u8,
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.empty < 2 {
            match self.decoder.read(buffer)? {
                0 => self.empty += 1,
                count => {
                    self.empty = 0;
                    return Ok(count);
                }
            }
        }
        Ok(0)
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("unknown error")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn compress(compression: Compression, data: &[u8]) -> Vec<u8> {
        match compression {
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::stream::encode_all(data, 1).unwrap(),
            Compression::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Xz => {
                let options = lzma_rust2::XzOptions::with_preset(1);
                let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    fn decompress(compression: Compression, bytes: Vec<u8>) -> (Vec<u8>, io::Result<usize>) {
        let consumed = Arc::new(AtomicU64::new(bytes.len() as u64));
        let mut reader = Decompressed::start(compression, Box::new(Cursor::new(bytes)), consumed).unwrap();
        let mut out = Vec::new();
        let result = reader.read_to_end(&mut out);
        (out, result)
    }

    const ALL: [Compression; 4] = [Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Lz4];

    #[test]
    fn several_members_in_a_row_are_one_stream() {
        let data: Vec<u8> = (0..700_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        for compression in ALL {
            let (first, second) = data.split_at(1_000_001);
            let mut bytes = compress(compression, first);
            assert_eq!(Compression::recognise(&bytes), Some(compression));
            bytes.extend(compress(compression, second));
            let (out, result) = decompress(compression, bytes);
            assert!(result.is_ok(), "{compression:?} {result:?}");
            assert!(out == data, "{compression:?}: {} bytes", out.len());
        }
    }

    #[test]
    fn a_cut_stream_gives_what_is_there_and_says_that_it_is_cut() {
        let data: Vec<u8> = (0..700_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
        for compression in ALL {
            let mut bytes = compress(compression, &data);
            bytes.truncate(bytes.len() / 2);
            let (out, result) = decompress(compression, bytes);
            let error = result.unwrap_err();
            assert!(matches!(compression.fault(&error), Some(Fault::Cut(_))), "{compression:?} {error:?}");
            assert!(out.len() > data.len() / 4 && data.starts_with(&out), "{compression:?}: {} bytes", out.len());
        }
    }

    #[test]
    fn damage_is_said() {
        let data: Vec<u8> = (0..700_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        for compression in [Compression::Gzip, Compression::Xz] {
            let mut bytes = compress(compression, &data);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x55;
            bytes[middle + 1] ^= 0x55;
            let (_, result) = decompress(compression, bytes);
            assert!(matches!(compression.fault(&result.unwrap_err()), Some(Fault::Damaged(_))), "{compression:?}");
        }
    }

    #[test]
    fn an_expansion_beyond_belief_ends_the_input() {
        let bytes = zstd::stream::encode_all(io::repeat(0).take(200 << 20), 1).unwrap();
        let (out, result) = decompress(Compression::Zstd, bytes);
        assert!(out.len() < 70 << 20);
        assert!(result.unwrap_err().to_string().contains("expand"));
    }
}
