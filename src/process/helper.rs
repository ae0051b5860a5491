//! Attribution by a small process of its own.
//!
//! Whoever captures gives up its privileges and lives in a Landlock domain, from which no other process's descriptors
//! can be read. So a helper is started before that: the same program, told to answer questions about flows on its
//! standard input, one line of JSON each, and nothing else. It ends when its input does.
//!
//! ```text
//! {"transport":"udp","server":{"ip":"10.0.0.1","port":1197},"client":{"ip":"10.0.0.2","port":40000}}
//! {"side":"server","owners":[{"pid":812,"command":"openvpn","uid":65534,"user":"nobody","container":null}]}
//! ```

use super::here::is_here;
use super::{Owner, Snapshot};
use crate::packet::{Endpoint, Transport};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

mod asked;
pub use asked::Helper;

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "owner-helper";

/// A snapshot serves this long.
const FRESH: Duration = Duration::from_secs(5);
/// Where it knows nothing of a flow, a new one is taken after this long already: what was asked for is young.
const FRESH_ENOUGH: Duration = Duration::from_millis(250);

/// One end, as the lines have it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct End {
    ip: IpAddr,
    port: u16,
}

impl From<Endpoint> for End {
    fn from(end: Endpoint) -> Self {
        Self { ip: end.ip.to_std(), port: end.port }
    }
}

impl From<End> for Endpoint {
    fn from(end: End) -> Self {
        Self { ip: end.ip.into(), port: end.port }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Question {
    transport: Name,
    server: End,
    client: End,
}

impl Question {
    /// Whether an end is on this machine at all.
    fn concerns_us(&self) -> bool {
        is_here(self.server.ip) || is_here(self.client.ip)
    }
}

/// A transport by its name.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Tcp,
    Udp,
}

/// Which end of a flow is on this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The end whose port is judged.
    Server,
    /// The end that asked.
    Client,
}

/// Who owns a flow on this machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attribution {
    /// Whose end it is; the server's if both are here.
    pub side: Side,
    /// The processes, by number.
    pub owners: Vec<Owner>,
}

/// Answers questions until the input ends.
///
/// # Errors
/// Those of input and output, and a question that is none.
pub fn serve(input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut looked: Option<(Instant, Snapshot)> = None;
    for line in input.lines() {
        let question: Question = serde_json::from_str(&line?)?;
        let age = looked.as_ref().map(|(at, _)| at.elapsed());
        let mut answer = match &looked {
            Some((_, snapshot)) if age.is_some_and(|age| age < FRESH) => answer(snapshot, &question),
            _ => None,
        };
        if answer.is_none() && age.is_none_or(|age| age >= FRESH_ENOUGH) && question.concerns_us() {
            // A kernel that lists nothing today may do so tomorrow; until then nobody is known.
            let snapshot = Snapshot::take().unwrap_or_default();
            answer = self::answer(&snapshot, &question);
            looked = Some((Instant::now(), snapshot));
        }
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(snapshot: &Snapshot, question: &Question) -> Option<Attribution> {
    let transport = match question.transport {
        Name::Tcp => Transport::Tcp,
        Name::Udp => Transport::Udp,
    };
    let (server, client) = (question.server, question.client);
    [(Side::Server, server, client), (Side::Client, client, server)].into_iter().find_map(|(side, local, peer)| {
        let owners = snapshot.owners_of(transport, local.into(), peer.into());
        (!owners.is_empty() && is_here(local.ip)).then(|| Attribution { side, owners: owners.to_vec() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_question_is_answered_in_one_line() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let question = |server: &str| {
            let client = r#"{"ip":"192.0.2.7","port":4000}"#;
            format!(r#"{{"transport":"tcp","server":{{"ip":"{server}","port":{port}}},"client":{client}}}"#)
        };
        let mut output = Vec::new();
        let input = format!("{}\n{}\n", question("127.0.0.1"), question("192.0.2.1"));
        serve(input.as_bytes(), &mut output).unwrap();
        let output = String::from_utf8(output).unwrap();
        let answers: Vec<Option<Attribution>> =
            output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let own = answers[0].as_ref().unwrap();
        assert_eq!((own.side, own.owners[0].pid), (Side::Server, std::process::id()));
        assert_eq!(answers[1..], [None]);
    }

    #[test]
    fn what_is_no_question_ends_it() {
        assert!(serve(&b"{}\n"[..], Vec::new()).is_err());
        assert!(serve(&b""[..], Vec::new()).is_ok());
    }
}
