//! Choosing what is judged: hosts, times, tunnels, and filter expressions as tcpdump takes them.

use super::common::Packets;
use crate::capture::Filter;
use crate::packet::{Time, TunnelView};
use crate::pipeline::{HiddenCounts, Moment, Network, Options, Window};
use crate::report::text::counted;
use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};

/// Arguments that choose packets.
#[derive(Debug, clap::Args)]
pub(super) struct Choose {
    #[command(flatten)]
    packets: Packets,
    /// Who is inside: flow records then say inbound, outbound, internal or external; may be repeated.
    #[arg(help_heading = "Choosing", long, value_name = "CIDR")]
    local: Vec<Network>,
    /// Judge from this time on: 2026-11-20T20:00:00Z, or since the capture's first frame: +90s, 5m.
    #[arg(help_heading = "Choosing", long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Judge what comes before this time; forms as for --since.
    #[arg(help_heading = "Choosing", long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    /// Judge only the frames that this tcpdump expression takes; it may also follow the files.
    #[arg(help_heading = "Choosing", long, value_name = "EXPRESSION", conflicts_with = "expression")]
    filter: Option<String>,
    /// A tcpdump expression, whatever its first word looks like.
    #[arg(last = true, value_name = "EXPRESSION")]
    expression: Vec<String>,
}

/// Layers of tunnelled packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TunnelArg {
    /// The innermost: a packet that carries others is not judged itself.
    Inner,
    /// The outermost: no tunnel is opened.
    Outer,
    /// All.
    #[default]
    Both,
}

impl From<TunnelArg> for TunnelView {
    fn from(layers: TunnelArg) -> Self {
        match layers {
            TunnelArg::Inner => Self::Inner,
            TunnelArg::Outer => Self::Outer,
            TunnelArg::Both => Self::Both,
        }
    }
}

impl Choose {
    /// Tells captures from expression in the words of the command line, and sets the options.
    ///
    /// # Errors
    /// In words for the user.
    pub(super) fn apply(&self, words: &[PathBuf], options: &mut Options) -> Result<Vec<PathBuf>, String> {
        let (inputs, trailing) = split(words, |path| path.exists())?;
        let dashed = (!self.expression.is_empty()).then(|| self.expression.join(" "));
        let mut given = [self.filter.clone(), dashed, trailing].into_iter().flatten();
        if let Some(expression) = given.next() {
            if given.next().is_some() {
                return Err("two filter expressions; join them with \"and\" or \"or\"".to_owned());
            }
            options.filter = Some(Filter::new(&expression).map_err(|text| refused(&expression, &text))?);
        }
        self.packets.apply(options);
        options.local.clone_from(&self.local);
        options.window = Window { since: self.since, until: self.until };
        Ok(inputs)
    }

    /// What may have left packets out at the user's wish, in words; empty: nothing.
    pub(super) fn said(&self, options: &Options) -> String {
        let filter = options.filter.as_ref().map(|filter| format!("\"{}\"", filter.expression()));
        let flags = [
            (options.ports.is_some(), "--ports"),
            (!self.packets.hosts.is_empty(), "--host"),
            (self.since.is_some(), "--since"),
            (self.until.is_some(), "--until"),
        ];
        let flags = flags.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag.to_owned());
        flags.chain(filter).collect::<Vec<_>>().join(" and ")
    }
}

/// Why an expression was refused.
fn refused(expression: &str, text: &str) -> String {
    let file = expression.split_whitespace().find(|word| Path::new(word).is_file());
    let hint = file.map(|file| format!(" ({file} is a file: captures come before the expression)"));
    format!("the filter expression {expression:?}: {text}{}", hint.unwrap_or_default())
}

/// The hint about what a port filter could not see.
pub(super) fn hint(hidden: HiddenCounts, options: &Options) -> Option<String> {
    let filter = options.filter.as_ref()?;
    let HiddenCounts { tagged, tunnelled, fragments } = hidden;
    let counts = [(tagged, "VLAN-tagged frame"), (tunnelled, "tunnelled frame"), (fragments, "later fragment")];
    let said: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(*n, what)).collect();
    if said.is_empty() {
        return None;
    }
    let said = said.join(" and ");
    Some(format!("hint: \"{}\" cannot see the port of {said}, left out; --ports sees it", filter.expression()))
}

/// Splits words into captures and what begins a filter expression.
///
/// Captures come first: what exists, and "-". The expression begins at the first word that does not exist and that an
/// expression can begin with. Other words are captures that will turn out not to be there.
fn split(words: &[PathBuf], exists: impl Fn(&Path) -> bool) -> Result<(Vec<PathBuf>, Option<String>), String> {
    let is_input = |word: &Path| word.as_os_str() == "-" || exists(word);
    let begins = words.iter().position(|word| !is_input(word) && word.to_str().is_some_and(begins_expression));
    let Some(begins) = begins else { return Ok((words.to_vec(), None)) };
    let (inputs, expression) = words.split_at(begins);
    if let Some(missing) = inputs.iter().find(|word| !is_input(word)) {
        let missing = missing.display();
        return Err(format!("{missing} is no file, and no filter expression begins so; use --filter if it is one"));
    }
    let expression: Option<Vec<&str>> = expression.iter().map(|word| word.to_str()).collect();
    let expression = expression.ok_or("the filter expression is not UTF-8")?;
    Ok((inputs.to_vec(), Some(expression.join(" "))))
}

/// Whether a word can begin an expression of pcap-filter(7) and looks like no file name.
fn begins_expression(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "aarp",
        "ah",
        "arp",
        "atalk",
        "broadcast",
        "carp",
        "clnp",
        "decnet",
        "dst",
        "esis",
        "esp",
        "ether",
        "fddi",
        "gateway",
        "geneve",
        "greater",
        "host",
        "icmp",
        "icmp6",
        "ifindex",
        "igmp",
        "igrp",
        "inbound",
        "ip",
        "ip6",
        "isis",
        "iso",
        "lat",
        "len",
        "less",
        "link",
        "llc",
        "mopdl",
        "moprc",
        "mpls",
        "multicast",
        "net",
        "not",
        "outbound",
        "pim",
        "port",
        "portrange",
        "ppp",
        "pppoed",
        "pppoes",
        "proto",
        "protochain",
        "rarp",
        "sctp",
        "slip",
        "src",
        "stp",
        "tcp",
        "tr",
        "type",
        "udp",
        "vlan",
        "vrrp",
        "vxlan",
        "wlan",
    ];
    if word.starts_with(['(', '!']) {
        return true;
    }
    let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
    let (first, rest) = word.split_at(end);
    WORDS.contains(&first) && (rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || "[<>=".contains(c)))
}

/// "10s", "5m": a length of time in nanoseconds, not 0.
pub(super) fn period(text: &str) -> Result<i64, String> {
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| i64::try_from(duration.as_nanos()).ok());
    duration.filter(|&nanoseconds| nanoseconds > 0).ok_or_else(|| "say 10s, 5m, 1h".to_owned())
}

/// "2026-11-20T20:00:00Z" or "+90s", "5m", "1h30m".
fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(duration) = text.strip_prefix('+').unwrap_or(text).parse::<SignedDuration>() {
        let nanoseconds = i64::try_from(duration.as_nanos()).map_err(|_| "too long".to_owned())?;
        return match nanoseconds >= 0 {
            true => Ok(Moment::After(nanoseconds)),
            false => Err("a time before the capture's first frame".to_owned()),
        };
    }
    let forms = "say 2026-11-20T20:00:00Z (RFC 3339, with Z or an offset), or +90s, 5m, 1h30m after the first frame";
    let timestamp: Timestamp = text.parse().map_err(|_| forms.to_owned())?;
    i64::try_from(timestamp.as_nanosecond()).map(|ns| Moment::At(Time(ns))).map_err(|_| forms.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_words(words: &[&str]) -> Result<(usize, Option<String>), String> {
        let words: Vec<PathBuf> = words.iter().map(PathBuf::from).collect();
        let exists = |path: &Path| path.extension().is_some_and(|e| e == "pcap") || path == Path::new("tcp");
        split(&words, exists).map(|(inputs, expression)| (inputs.len(), expression))
    }

    #[test]
    fn captures_come_first_then_the_expression() {
        let expression = |text: &str| Some(text.to_owned());
        assert_eq!(split_words(&["a.pcap", "udp", "port", "1197"]), Ok((1, expression("udp port 1197"))));
        assert_eq!(
            split_words(&["-", "(udp or tcp) and not port 22"]),
            Ok((1, expression("(udp or tcp) and not port 22")))
        );
        assert_eq!(split_words(&["a.pcap", "tcp[13] & 2 != 0"]), Ok((1, expression("tcp[13] & 2 != 0"))));
        assert_eq!(split_words(&["udp"]), Ok((0, expression("udp"))));
        // A file named like a keyword is a file.
        assert_eq!(split_words(&["tcp", "udp"]), Ok((1, expression("udp"))));
    }

    #[test]
    fn a_missing_file_is_no_expression() {
        assert_eq!(split_words(&["a.pcap", "missing.cap", "b.pcap"]), Ok((3, None)));
        assert_eq!(split_words(&["udp.cap"]), Ok((1, None)));
        assert!(split_words(&["a.pcap", "upd", "port", "53"]).unwrap_err().starts_with("upd is no file"));
    }

    #[test]
    fn moments() {
        assert_eq!(moment("+90s"), Ok(Moment::After(90_000_000_000)));
        assert_eq!(moment("1h30m"), Ok(Moment::After(5_400_000_000_000)));
        assert_eq!(moment("1970-01-01T00:00:01.5Z"), Ok(Moment::At(Time(1_500_000_000))));
        assert_eq!(moment("1970-01-01T01:00:00+01:00"), Ok(Moment::At(Time(0))));
        for wrong in ["", "90", "-5s", "2026-11-20", "2026-11-20T20:00:00", "noon"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
