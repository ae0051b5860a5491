//! Filter expressions as tcpdump takes them, compiled by libpcap for each link type that is seen.
//!
//! An expression that cannot match on a link type (`ether host` on raw IP) does not compile there: it is false for all
//! its frames. Filters run over the captured bytes with the true length on the wire, so that `greater 1000` means the
//! packet and not what the snaplen left of it.

use crate::packet::{Frame, LinkType};
use pcap::{BpfInstruction, Capture, Error, Linktype};
use std::ffi::{c_uint, c_void};
use std::fmt;
use std::sync::Arc;

/// Link types by which an expression is tried before anything is read: one of each kind of addressing there is.
const TRIED: [u32; 9] = [1, 101, 113, 276, 0, 9, 105, 127, 10];

/// Link types for which an expression is compiled before anything is read, since it may name what only a file or the
/// network can tell: all that frames are read of.
const READ: [u32; 34] = [
    0, 1, 6, 7, 9, 10, 11, 12, 14, 50, 51, 100, 101, 104, 105, 106, 107, 108, 109, 113, 117, 119, 127, 129, 138, 149,
    163, 166, 192, 204, 228, 229, 239, 276,
];

/// An expression that compiles for at least one link type.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: String,
    compiled: Arc<[(LinkType, Option<Program>)]>,
}

/// The instructions of a compiled expression.
type Program = Box<[Instruction]>;

/// pcap/bpf.h: struct bpf_insn. The crate's type cannot be copied out of the program that owns it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

impl Filter {
    /// Checks an expression.
    ///
    /// # Errors
    /// libpcap's message, if it compiles for no link type.
    pub fn new(expression: &str) -> Result<Self, String> {
        let mut results = TRIED.iter().map(|&link| compile(expression, LinkType(link)));
        let ethernet = results.next();
        match ethernet {
            Some(Err(message)) if !results.any(|result| result.is_ok()) => Err(message),
            _ => {
                let compiled = |link| (LinkType(link), compile(expression, LinkType(link)).ok());
                Ok(Self { expression: expression.to_owned(), compiled: READ.into_iter().map(compiled).collect() })
            }
        }
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The ports that a `port` or `portrange` of the expression names; empty if it asks for none. A port given by its
    /// service name counts as all ports.
    pub fn ports(&self) -> Vec<(u16, u16)> {
        let words: Vec<&str> = self.expression.split(|c: char| !(c.is_alphanumeric() || c == '-')).collect();
        let named = words.windows(2).filter_map(|pair| match pair {
            ["port" | "portrange", value] => Some(*value),
            _ => None,
        });
        named
            .map(|value| {
                let (first, last) = value.split_once('-').unwrap_or((value, value));
                first.parse().ok().zip(last.parse().ok()).unwrap_or((0, u16::MAX))
            })
            .collect()
    }
}

/// A filter's programs for the link types met so far.
pub struct Programs {
    filter: Filter,
    /// Of link types that are not read.
    compiled: Vec<(LinkType, Option<Program>)>,
}

impl Programs {
    /// No program yet.
    pub fn new(filter: Filter) -> Self {
        Self { filter, compiled: Vec::new() }
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether the filter is true for the frame.
    pub fn takes(&mut self, frame: &Frame<'_>) -> bool {
        if let Some((_, program)) = self.filter.compiled.iter().find(|(link, _)| *link == frame.link) {
            return program.as_ref().is_some_and(|program| run(program, frame));
        }
        let place = match self.compiled.iter().position(|(link, _)| *link == frame.link) {
            Some(place) => place,
            None => {
                self.compiled.push((frame.link, compile(&self.filter.expression, frame.link).ok()));
                self.compiled.len() - 1
            }
        };
        let program = self.compiled.get(place).and_then(|(_, program)| program.as_ref());
        program.is_some_and(|program| run(program, frame))
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links: Vec<_> = self.compiled.iter().map(|(link, program)| (link, program.is_some())).collect();
        f.debug_struct("Programs").field("filter", &self.filter).field("compiled", &links).finish()
    }
}

fn compile(expression: &str, link: LinkType) -> Result<Program, String> {
    let text = |error| match error {
        Error::PcapError(text) => text,
        other => other.to_string(),
    };
    Capture::dead(Linktype(dlt(link)))
        .and_then(|dead| dead.compile(expression, true))
        .map(|program| copied(program.get_instructions()))
        .map_err(text)
}

/// The number under which libpcap's compiler knows a link type: files and compiler differ in a few (pcap-linktype(7)).
fn dlt(link: LinkType) -> i32 {
    match link.0 {
        100 => 11, // LINKTYPE_ATM_RFC1483
        101 => 12, // LINKTYPE_RAW
        106 => 19, // LINKTYPE_ATM_CLIP
        other => i32::try_from(other).unwrap_or(-1),
    }
}

#[allow(unsafe_code, reason = "the crate's instructions have no accessors")]
fn copied(instructions: &[BpfInstruction]) -> Program {
    const { assert!(size_of::<BpfInstruction>() == size_of::<Instruction>()) };
    // SAFETY: BpfInstruction is a transparent wrapper of struct bpf_insn, which Instruction has the layout of, any bits
    // of which are valid; the slice lives until the copy is made.
    unsafe { std::slice::from_raw_parts(instructions.as_ptr().cast::<Instruction>(), instructions.len()) }.into()
}

/// Runs a program over a frame.
#[allow(unsafe_code, reason = "the crate's own call takes the captured length for the length on the wire")]
fn run(program: &[Instruction], frame: &Frame<'_>) -> bool {
    // pcap/bpf.h: u_int bpf_filter(const struct bpf_insn *, const u_char *, u_int wirelen, u_int buflen)
    unsafe extern "C" {
        fn bpf_filter(program: *const c_void, packet: *const u8, wire_len: c_uint, captured: c_uint) -> c_uint;
    }
    let captured = c_uint::try_from(frame.data.len()).unwrap_or(0);
    // SAFETY: the instructions are libpcap's own output, in the kernel's and libpcap's layout: its jumps stay inside and every path ends in a return. bpf_filter reads at most `captured` bytes of the packet, which
    // `data` holds, compares `wire_len` only as a number, keeps no pointer, and writes nothing but its own stack.
    unsafe { bpf_filter(program.as_ptr().cast(), frame.data.as_ptr(), frame.wire_len, captured) != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Time;

    fn frame(link: u32, wire_len: u32, data: &[u8]) -> Frame<'_> {
        Frame { number: 1, time: Time(0), link: LinkType(link), wire_len, data }
    }

    /// A UDP datagram from port 5 to port 1197 in IPv4.
    fn datagram() -> Vec<u8> {
        let mut ip = vec![0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        ip.extend([0, 5, 0x04, 0xad, 0, 12, 0, 0, 1, 2, 3, 4]);
        ip
    }

    #[test]
    fn each_link_type_has_its_own_program() {
        let mut programs = Programs::new(Filter::new("udp port 1197").unwrap());
        let ip = datagram();
        let ethernet = [&[0; 12][..], &[8, 0], &ip].concat();
        assert!(programs.takes(&frame(101, 32, &ip)));
        assert!(programs.takes(&frame(1, 46, &ethernet)));
        assert!(!programs.takes(&frame(1, 32, &ip)));
        let mut others = Programs::new(Filter::new("udp port 1198").unwrap());
        assert!(!others.takes(&frame(101, 32, &ip)) && !others.takes(&frame(1, 46, &ethernet)));
    }

    #[test]
    fn lengths_are_those_on_the_wire() {
        let mut programs = Programs::new(Filter::new("greater 1000").unwrap());
        let ip = datagram();
        assert!(programs.takes(&frame(101, 1000, &ip)));
        assert!(!programs.takes(&frame(101, 999, &ip)));
    }

    #[test]
    fn what_cannot_match_on_a_link_type_is_false_there() {
        let mut programs = Programs::new(Filter::new("ether host 00:00:00:00:00:00").unwrap());
        let ethernet = [&[0; 12][..], &[8, 0], &datagram()].concat();
        assert!(programs.takes(&frame(1, 46, &ethernet)));
        assert!(!programs.takes(&frame(101, 32, &datagram())));
    }

    #[test]
    fn nonsense_is_refused_with_libpcaps_words() {
        assert!(Filter::new("udp prot 1197").unwrap_err().contains("syntax error"));
        assert!(Filter::new("port 70000").is_err());
        assert!(Filter::new("\0").is_err());
    }

    #[test]
    fn ports_named_in_an_expression() {
        let ports = |text: &str| Filter::new(text).unwrap().ports();
        assert_eq!(ports("udp port 1197 or (src portrange 20-30)"), [(1197, 1197), (20, 30)]);
        assert_eq!(ports("port domain"), [(0, 65535)]);
        assert!(ports("udp and host 10.0.0.1").is_empty());
    }
}
