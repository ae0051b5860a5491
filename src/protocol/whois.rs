//! WHOIS: one line of query, an answer of "name: value" lines or comments with the words of registries (RFC 3912).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// The field names of registries; two of them together are theirs alone.
static ANSWER: Family = Family { id: "whois.answer", cap: Bits::whole(26) };

const FIELDS: &[&[u8]] = &[
    b"\ndomain:",
    b"Domain Name:",
    b"\nrefer:",
    b"inetnum:",
    b"NetRange:",
    b"\naut-num:",
    b"Registrar:",
    b"Registry Domain ID:",
    b"Registrant",
    b"\nnserver:",
    b"Name Server:",
    b"% IANA WHOIS",
    b"% This is the RIPE Database",
    b"No match for",
    b"NetName:",
    b"netname:",
    b"as-block:",
    b"whois:",
    b"% No entries found",
    b"WHOIS Terms of Use",
    b"# ARIN WHOIS",
];

/// The recogniser.
pub(super) struct Whois;

impl Dialogue for Whois {
    const NAME: &'static str = "whois";
    const REFERENCE: &'static str = "RFC 3912";

    /// A line with a name, which proves nothing.
    fn client(&self, bytes: &[u8]) -> Opening {
        if bytes.len() < 512 && text::is_text(bytes) { Opening::Neutral } else { Opening::Foreign }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
        let lines = text::lines(client).take(2).count();
        if text::is_coded(bytes) || client.len() >= 512 || lines > 1 || !text::is_text(client) || !text::is_text(head) {
            return Opening::Foreign;
        }
        if lines == 0 {
            // The rest of the client's line may be on its way.
            return if head.len() < 4096 { Opening::Short } else { Opening::Foreign };
        }
        match FIELDS.iter().filter(|f| text::contains(head, f)).count() {
            2.. => Said::new(&ANSWER, 26, "server answers one line with the fields of a registry").into(),
            1 => Said::new(&ANSWER, 14, "server answers one line with a field of a registry")
                .unfinished(head.len() < 4096)
                .into(),
            _ if head.len() < 4096 => Opening::Short,
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn an_answer() {
        let server = b"% IANA WHOIS server\r\n\r\nrefer:        whois.verisign-grs.com\r\n\r\ndomain:       COM\r\n";
        assert!(found(&Whois, b"com\r\n", server).is_some());
        assert!(excluded(&Whois, b"com\r\norg\r\n", server));
    }
}
