//! Echo: the server sends back what it gets (RFC 862).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};

/// All bytes of the answer are the question's, 32 or more. Terminals, mirrors and loops do that too, so it is likely at best.
static ECHO: Family = Family { id: "echo.same-bytes", cap: Bits::whole(16) };

/// The recogniser.
pub(super) struct Echo;

impl Dialogue for Echo {
    const NAME: &'static str = "echo";
    const REFERENCE: &'static str = "RFC 862";

    /// Anything may be sent.
    fn client(&self, _bytes: &[u8]) -> Opening {
        Opening::Neutral
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let length = bytes.len().min(client.len());
        match bytes.get(..length) == client.get(..length) {
            false => Opening::Foreign,
            // Both sides of many protocols greet alike, but then differ.
            true if length < 32 || bytes.len() > client.len() => Opening::Short,
            true => Said::new(&ECHO, 16, format!("server sends back the client's first {length} bytes"))
                .unfinished(length < 256)
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn the_same_bytes() {
        assert!(found(&Echo, &[7; 40], &[7; 40]).is_some());
        assert!(found(&Echo, &[7; 10], &[7; 10]).is_none());
        assert!(excluded(&Echo, b"abc", b"abd"));
    }
}
