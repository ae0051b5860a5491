//! Values of options: sets of ports, lists of verdicts.

use crate::packet::Transport;
use crate::pipeline::PortSet;
use crate::protocol::Band;
use crate::report::text::Colour;
use crate::verdict::Verdict;
use clap::ValueEnum;

/// "1194-1200,2797/udp" as a set of ports.
pub(super) fn ports(text: &str) -> Result<PortSet, String> {
    let ranges = text.split(',').map(|item| port_range(item.trim())).collect::<Result<_, _>>()?;
    Ok(PortSet { ranges })
}

fn port_range(item: &str) -> Result<(u16, u16, Option<Transport>), String> {
    let (numbers, transport) = match item.split_once('/') {
        None => (item, None),
        Some((numbers, "udp")) => (numbers, Some(Transport::Udp)),
        Some((numbers, "tcp")) => (numbers, Some(Transport::Tcp)),
        Some((_, other)) => return Err(format!("{other:?} is neither udp nor tcp")),
    };
    let number = |text: &str| text.parse::<u16>().map_err(|_| format!("{text:?} is no port (0-65535)"));
    let (first, last) = match numbers.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(numbers)?, number(numbers)?),
    };
    if first > last {
        return Err(format!("{first} comes after {last}"));
    }
    Ok((first, last, transport))
}

/// A port, with its transport or without: "1197/udp", "1197".
pub(super) fn port(text: &str) -> Result<(u16, Option<Transport>), String> {
    match port_range(text)? {
        (first, last, transport) if first == last => Ok((first, transport)),
        _ => Err("one port, not a range".to_owned()),
    }
}

/// A verdict by its name.
pub(super) fn verdict(text: &str) -> Result<Verdict, String> {
    Verdict::ALL.into_iter().find(|verdict| verdict.name() == text).ok_or_else(|| {
        let names: Vec<_> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
        format!("not one of {}", names.join(", "))
    })
}

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For reading.
    #[default]
    Table,
    /// JSON Lines: one object a line for each flow, port, kind of traffic without ports, and a summary.
    Jsonl,
    /// Comma-separated values (RFC 4180) with a header: one record for each port of each capture.
    Csv,
}

/// What a row of the table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    /// A port and transport, whoever serves it.
    #[default]
    Port,
    /// A port and transport of one server.
    Endpoint,
    /// A flow.
    Flow,
}

impl From<By> for crate::report::By {
    fn from(by: By) -> Self {
        match by {
            By::Port => Self::Port,
            By::Endpoint => Self::Endpoint,
            By::Flow => Self::Flow,
        }
    }
}

/// How sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MinBand {
    /// Odds of at least 16 to 1.
    Likely,
    /// Odds of at least a thousand to 1.
    Confident,
    /// Odds of at least a million to 1.
    Certain,
}

impl From<MinBand> for Band {
    fn from(band: MinBand) -> Self {
        match band {
            MinBand::Likely => Self::Likely,
            MinBand::Confident => Self::Confident,
            MinBand::Certain => Self::Certain,
        }
    }
}

/// When to write colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColourArg {
    /// On a terminal; `NO_COLOR` and `CLICOLOR_FORCE` are heeded.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<ColourArg> for Colour {
    fn from(colour: ColourArg) -> Self {
        match colour {
            ColourArg::Auto => Self::Auto,
            ColourArg::Always => Self::Always,
            ColourArg::Never => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_ports() {
        let set = ports("1194-1200,2797/udp").unwrap();
        assert!(set.contains(1194, Transport::Tcp) && set.contains(1200, Transport::Udp));
        assert!(set.contains(2797, Transport::Udp) && !set.contains(2797, Transport::Tcp));
        assert!(!set.contains(1201, Transport::Udp));
        for wrong in ["", "1194-", "2-1", "65536", "53/sctp", "domain", "1,,2"] {
            assert!(ports(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn one_port_is_no_range() {
        assert_eq!(port("1197/udp"), Ok((1197, Some(Transport::Udp))));
        assert_eq!(port("1197"), Ok((1197, None)));
        assert!(port("1-2/udp").is_err());
    }
}
