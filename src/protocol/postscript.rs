//! PostScript sent straight to a printer: "%!PS" first (PostScript Language Document Structuring Conventions, section 3).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// Four to eleven fixed bytes. The printer stays silent, and a client alone may be a probe; the same bytes begin a file.
static HEADER: Family = Family { id: "postscript.header", cap: Bits::whole(22) };

/// The recogniser.
pub(super) struct Postscript;

impl Dialogue for Postscript {
    const NAME: &'static str = "postscript";
    const REFERENCE: &'static str = "Adobe PLRM";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, b"%!PS").then(|| {
            let adobe = text::start(bytes, b"%!PS-Adobe-") == text::Start::Same;
            Said::new(&HEADER, if adobe { 22 } else { 16 }, "client begins with a PostScript header")
                .unfinished(bytes.len() < 11)
                .into()
        })
    }

    /// Printers answer, if at all, in words of their own ("%%[ … ]%%").
    fn server(&self, _bytes: &[u8], _client: &[u8]) -> Opening {
        Opening::Neutral
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::found;
    use super::*;

    #[test]
    fn a_document() {
        assert_eq!(found(&Postscript, b"%!PS-Adobe-3.0\n", b"").unwrap().bits(), Bits::whole(22));
        assert!(found(&Postscript, b"%!", b"").is_none());
    }
}
