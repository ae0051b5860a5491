//! What can be wrong with a capture, said in one line: which file, which packet, which byte, what, and what to do.

use std::fmt;
use std::io;

/// Trouble with one capture. It ends that input; the packets before it stay valid.
#[derive(Debug)]
pub struct CaptureError {
    /// The file as it was named, or `-`.
    pub path: String,
    /// Number of the packet that could not be read, from 1.
    pub packet: Option<u64>,
    /// Where in the (decompressed) capture the fault lies, bytes from its start.
    pub offset: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a capture.
#[derive(Debug)]
pub enum Fault {
    /// The file cannot be opened.
    Open(io::Error),
    /// A directory was named where a file is needed.
    Directory,
    /// The file has no bytes.
    Empty,
    /// The content is of no known format; the text says what it looks like and what to do.
    NotACapture(String),
    /// A capture, but of a kind that is not read; the text says which and what to do.
    Unsupported(String),
    /// The operating system failed to read.
    Read(io::Error),
    /// The capture ends in the middle of something; the text says of what.
    Cut(String),
    /// The capture contradicts itself; the text says how.
    Damaged(String),
    /// An interface was deleted or failed; the text says which of it.
    Interface(String),
}

impl CaptureError {
    /// True when the capture was cut or damaged on the way: what came before the fault was read and stays valid (exit
    /// code 3). False when there is nothing to judge or the system failed (exit code 2).
    pub fn is_damage(&self) -> bool {
        matches!(self.fault, Fault::Cut(_) | Fault::Damaged(_))
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names come from outside: a control character in one must not reach the terminal.
        write!(f, "{}: ", self.path.escape_debug())?;
        match (self.packet, self.offset) {
            (Some(packet), Some(offset)) => write!(f, "packet {packet}, byte {offset}: ")?,
            (Some(packet), None) => write!(f, "packet {packet}: ")?,
            (None, Some(offset)) => write!(f, "byte {offset}: ")?,
            (None, None) => {}
        }
        match &self.fault {
            Fault::Open(error) => write!(f, "cannot be opened: {}", plain(error)),
            Fault::Directory => f.write_str("is a directory, not a capture; name the files in it"),
            Fault::Empty => f.write_str("is empty, there is nothing to read"),
            Fault::NotACapture(what) => write!(f, "is no capture: {what}"),
            Fault::Unsupported(what) => f.write_str(what),
            Fault::Read(error) => write!(f, "cannot be read on: {}", plain(error)),
            Fault::Cut(what) => write!(f, "{what}; everything before it was read"),
            Fault::Damaged(what) => write!(f, "{what}; everything before it was read, nothing after it"),
            Fault::Interface(what) => write!(f, "{what}; what it had received is judged"),
        }
    }
}

impl std::error::Error for CaptureError {}

/// The system's words without Rust's "(os error 2)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or(&text).to_string(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_names_file_packet_and_byte() {
        let error = CaptureError {
            path: "a\n.pcap".into(),
            packet: Some(7),
            offset: Some(640),
            fault: Fault::Cut("the file ends 3 bytes into a packet of 90".into()),
        };
        assert_eq!(
            error.to_string(),
            "a\\n.pcap: packet 7, byte 640: the file ends 3 bytes into a packet of 90; everything before it was read"
        );
        assert!(error.is_damage());
    }

    #[test]
    fn the_systems_number_is_left_out() {
        let error = CaptureError {
            path: "a.pcap".into(),
            packet: None,
            offset: None,
            fault: Fault::Open(io::Error::from_raw_os_error(2)),
        };
        assert_eq!(error.to_string(), "a.pcap: cannot be opened: No such file or directory");
        assert!(!error.is_damage());
    }
}
