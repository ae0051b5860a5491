//! ONC RPC messages, version 2 (RFC 5531 section 9), with the record mark that TCP puts in front (section 11).
//!
//! ```text
//! L | length (31 bits)                                          TCP only; L: last fragment
//! XID (4) | 0 call  | RPC version 2 | program (4) | version (4) | procedure (4) | credentials: flavour (4) length (4) …
//! XID (4) | 1 reply | 0 accepted | verifier: flavour (4) length (4) … | accept status 0..5
//! XID (4) | 1 reply | 1 denied   | 0 mismatch, 1 authentication | …
//! ```

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// A call.
    Call {
        /// Transaction ID.
        xid: u32,
        /// Program number, e.g. 100000 for the port mapper, 100003 for NFS.
        program: u32,
        /// The program's version.
        version: u32,
    },
    /// A reply.
    Reply {
        /// Transaction ID of the call.
        xid: u32,
    },
}

impl Message {
    /// The message at the start of `bytes`, without a record mark.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let word = |n: usize| Some(u32::from_be_bytes(*bytes.get(n * 4..)?.first_chunk()?));
        let xid = word(0)?;
        match (word(1)?, word(2)?) {
            (0, 2) => {
                let (program, version, procedure) = (word(3)?, word(4)?, word(5)?);
                // IANA gives out programs from 100000, users take from 0x20000000, and transient ones from 0x40000000.
                let known = (100_000..400_000).contains(&program) || (0x2000_0000..0x6000_0000).contains(&program);
                let credentials = word(6).is_none_or(|flavour| flavour < 7 || flavour == 390_000)
                    && word(7).is_none_or(|length| length <= 400);
                (known && version < 1000 && procedure < 1000 && credentials).then_some(Self::Call {
                    xid,
                    program,
                    version,
                })
            }
            (1, 0) => {
                let verifier = word(3)? < 7 && word(4)? <= 400;
                let status = word(5 + word(4)?.div_ceil(4) as usize).is_none_or(|status| status <= 5);
                (verifier && status).then_some(Self::Reply { xid })
            }
            (1, 1) => (word(3)? <= 1).then_some(Self::Reply { xid }),
            _ => None,
        }
    }

    /// The message behind a record mark.
    pub fn marked(bytes: &[u8]) -> Option<Self> {
        let (mark, rest) = bytes.split_first_chunk()?;
        let length = u32::from_be_bytes(*mark) & 0x7fff_ffff;
        (24..1 << 24).contains(&length).then(|| Self::new(rest))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_replies() {
        let words = |w: &[u32]| w.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>();
        let call = words(&[7, 0, 2, 100_000, 2, 0, 0, 0, 0, 0]);
        assert_eq!(Message::new(&call), Some(Message::Call { xid: 7, program: 100_000, version: 2 }));
        assert_eq!(Message::new(&words(&[7, 1, 0, 0, 0, 0])), Some(Message::Reply { xid: 7 }));
        assert_eq!(Message::new(&words(&[7, 0, 2, 9, 2, 0])), None);
        assert!(Message::marked(&[words(&[0x8000_0028]), call].concat()).is_some());
    }
}
