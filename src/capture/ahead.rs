//! A file read ahead of whoever takes its blocks, by a thread of its own: to copy bytes out of the page cache takes about as
//! long as to parse them.

use super::{Block, CaptureError, CaptureFile, Dropped, Fault, Source};
use crossbeam_channel::{Receiver, Sender, bounded};

/// Blocks that are read before they are wanted.
const AHEAD: usize = 3;

/// A capture file that is read ahead.
pub struct Ahead {
    full: Receiver<Ready>,
    empty: Sender<Block>,
    bytes_read: u64,
    dropped: Dropped,
}

/// What a call of [`CaptureFile::next_block`] gave, and what the file said then.
struct Ready {
    block: Block,
    more: Result<bool, CaptureError>,
    bytes_read: u64,
    dropped: Dropped,
}

impl Ahead {
    /// Starts to read.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(mut file: CaptureFile) -> Result<Self, CaptureError> {
        let (full_in, full) = bounded(AHEAD);
        // One more may be on its way back than is under way.
        let (empty, blocks) = bounded::<Block>(AHEAD + 1);
        let (path, bytes_read, dropped) = (file.path().to_string(), file.bytes_read(), file.dropped());
        let read = move || {
            let mut going = true;
            while going {
                let mut block = blocks.try_recv().unwrap_or_default();
                let more = file.next_block(&mut block);
                going = matches!(more, Ok(true));
                let ready = Ready { block, more, bytes_read: file.bytes_read(), dropped: file.dropped() };
                // Fails when nobody wants any more.
                going &= full_in.send(ready).is_ok();
            }
        };
        let started = std::thread::Builder::new().name("read".into()).spawn(read);
        let fail = |error| CaptureError { path, packet: None, offset: None, fault: Fault::Read(error) };
        started.map_err(fail).map(|_| Self { full, empty, bytes_read, dropped })
    }
}

impl Source for Ahead {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        let Ok(ready) = self.full.recv() else {
            // The end, or a fault, was told before.
            block.clear();
            return Ok(false);
        };
        (self.bytes_read, self.dropped) = (ready.bytes_read, ready.dropped);
        // Fails when the file is at its end.
        let _ = self.empty.try_send(std::mem::replace(block, ready.block));
        ready.more
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    fn dropped(&self) -> Dropped {
        self.dropped
    }
}
