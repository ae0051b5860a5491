//! Subversion's own protocol (3690): lists in parentheses, the server's greeting first (Subversion's ra_svn protocol).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// "( 2 ( edit-pipeline": long fixed text. From a client alone it may be a probe.
static CLIENT: Family = Family { id: "svn.client-answer", cap: Bits::whole(24) };
/// "( success ( ": twelve fixed bytes and two small numbers.
static SERVER: Family = Family { id: "svn.server-greeting", cap: Bits::whole(32) };

/// The recogniser.
pub(super) struct Svn;

impl Dialogue for Svn {
    const NAME: &'static str = "svn";
    const REFERENCE: &'static str = "Subversion ra_svn";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, b"( 2 ( ").then(|| {
            let url = bytes.split(|&b| b == b' ').find(|w| text::contains(w, b":svn://"));
            let url = url.and_then(|u| u.splitn(2, |&b| b == b':').nth(1));
            Said::new(&CLIENT, 24, "client answers in Subversion's lists").detail("url", url).into()
        })
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        text::start(bytes, b"( success ( ")
            .then(|| Said::new(&SERVER, 32, "server greets in Subversion's lists").into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn greeting() {
        let finding =
            found(&Svn, b"( 2 ( edit-pipeline ) 13:svn://a.io/r ) ", b"( success ( 2 2 ( ) ( edit-pipeline ) ) ) ")
                .unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(56), "svn://a.io/r"));
        assert!(excluded(&Svn, b"", b"( failure"));
    }
}
