//! The back door of MyDoom (3127 to 3198): five fixed bytes, then a program that it stores and runs. The worm's other
//! dialogue there is plain SOCKS4, which is recognised as that.

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// Five fixed bytes: 40 bits by chance. It is what an attacker sends, to anything: below certain.
static UPLOAD: Family = Family { id: "mydoom.upload-header", cap: Bits::whole(20) };
/// The DOS header "MZ" follows: 16 bits by chance, of the same sender.
static PROGRAM: Family = Family { id: "mydoom.program", cap: Bits::whole(6) };

/// The recogniser.
pub(super) struct Mydoom;

impl Dialogue for Mydoom {
    const NAME: &'static str = "mydoom";
    const REFERENCE: &'static str = "W32.Mydoom";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, &[0x85, 0x13, 0x3c, 0x9e, 0xa2]).then(|| {
            let said = Said::new(&UPLOAD, 20, "client opens with the header of MyDoom's upload command");
            match bytes.get(5..) {
                Some([b'M', b'Z', ..]) => said.and(&PROGRAM, 6, 5, "a Windows program follows").into(),
                Some([] | [b'M']) => said.unfinished(true).into(),
                _ => said.into(),
            }
        })
    }

    /// The back door takes the program without a word.
    fn server(&self, _bytes: &[u8], _client: &[u8]) -> Opening {
        Opening::Neutral
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::found;
    use super::*;

    #[test]
    fn an_upload() {
        let finding = found(&Mydoom, &[0x85, 0x13, 0x3c, 0x9e, 0xa2, b'M', b'Z', 0x90], b"").unwrap();
        assert_eq!((finding.bits(), finding.spoke), (Bits::whole(26), [true, false]));
        assert!(found(&Mydoom, &[0x85, 0x13, 0x3c, 0x9e, 0xa3], b"").is_none());
    }
}
