//! rsync's daemon protocol (873): each side begins with "@RSYNCD: " and a version (rsync's csprotocol.txt).

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::Joined;
use super::{Bits, Family, text};

/// Nine fixed bytes and a digit. From a client alone it may be a probe.
static SIDES: [Family; 2] = [
    Family { id: "rsync.client-greeting", cap: Bits::whole(24) },
    Family { id: "rsync.server-greeting", cap: Bits::whole(32) },
];

/// The recogniser.
pub(super) struct Rsync;

impl Dialogue for Rsync {
    const NAME: &'static str = "rsync";
    const REFERENCE: &'static str = "rsync";

    fn client(&self, bytes: &[u8]) -> Opening {
        greeting(bytes, Role::Client, 24)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        greeting(bytes, Role::Server, 32)
    }

    /// Behind a list of modules or before a transfer the server says so in a line of the same form.
    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let later =
            |segment: &[u8]| [&b"@RSYNCD: OK\n"[..], b"@RSYNCD: EXIT\n"].iter().any(|line| segment.starts_with(line));
        match role == Role::Server && bytes.segments().any(later) {
            true => Said::new(&SIDES[1], 24, "a segment begins with a line of the rsync daemon's protocol").into(),
            false => Opening::Neutral,
        }
    }
}

fn greeting(bytes: &[u8], role: Role, bits: i32) -> Opening {
    text::start(bytes, b"@RSYNCD: ").then(|| {
        let version =
            text::line(bytes).and_then(|(line, _)| line.get(9..)).and_then(|v| v.split(|&b| b == b' ').next());
        let said = Said::new(role.of(&SIDES), bits, "greeting of the rsync daemon's protocol");
        match version {
            Some(version) => said.variant(String::from_utf8_lossy(version).into_owned()).into(),
            None => said.unfinished(bytes.len() < 64).into(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn greetings() {
        let finding = found(&Rsync, b"@RSYNCD: 31.0\nmodule\n", b"@RSYNCD: 31.0 sha512 md5\n").unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(56), Some("31.0")));
        assert!(excluded(&Rsync, b"", b"@RSYNC: "));
    }
}
