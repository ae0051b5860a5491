//! `portproof port`: what the registry claims of ports or services. No capture is needed.

mod json;
mod text;

use std::io::{self, Write};

use clap::ValueEnum;

use super::registry::store;
use super::text::{Screen, escape};
use crate::protocol;
use crate::registry::{Claim, Lore, Proto, Registry, Row, State, lore, satisfying};

/// Arguments of `portproof port`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port, range or service name: 1197, 2797/udp, 3100-3200, esp-encap.
    #[arg(required = true, value_name = "PORT|RANGE|SERVICE")]
    targets: Vec<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For reading.
    #[default]
    Text,
    /// JSON Lines: one object for each port and transport, or run of ports with the same claim.
    Jsonl,
}

/// What an argument asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Ports { first: u16, last: u16, proto: Option<Proto> },
    Service { name: String, proto: Option<Proto> },
}

/// A port, or a run of ports with the same claim, on one transport or on both.
#[derive(Debug)]
struct Found<'a> {
    first: u16,
    last: u16,
    protos: Vec<Proto>,
    claim: &'a Claim,
    /// The registry's rows; for a run those of its first port.
    rows: Vec<Row<'a>>,
    lore: Vec<Lore>,
}

/// Whether traffic could ever confirm one service's claim.
enum Confirm<'a> {
    /// Seen, these protocols confirm it. The second list are those that prove only the envelope, the third those
    /// without a recogniser yet.
    By { protocols: &'a [&'static str], wrapper: &'a [&'static str], to_come: Vec<&'static str>, note: &'a str },
    /// Nothing can: no format is public, and why we think so.
    Never(&'a str),
    /// No recogniser and no knowledge of the format.
    NotYet,
}

/// Prints what is asked for; the result is the exit code: 2 if an argument names nothing.
///
/// # Errors
/// Those of `out`.
pub fn run(args: &Args, out: &mut dyn Write) -> io::Result<u8> {
    print(args, &store::load().said(), Screen::of_stdout(), out, &mut io::stderr())
}

fn print(args: &Args, registry: &Registry, screen: Screen, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let mut code = 0;
    let mut printed = 0;
    for argument in &args.targets {
        let Some(target) = target(argument) else {
            let shown = escape(argument);
            writeln!(
                err,
                "portproof: \"{shown}\" is no port (0-65535), range or service name, with /tcp or /udp or without"
            )?;
            code = 2;
            continue;
        };
        let found = match &target {
            Target::Ports { first, last, proto } => runs(registry, *first, *last, *proto),
            Target::Service { name, proto } => service(registry, name, *proto),
        };
        if let (Target::Service { name, .. }, true) = (&target, found.is_empty()) {
            code = code.max(unknown_service(registry, name, err)?);
            continue;
        }
        let list = matches!(target, Target::Ports { first, last, .. } if first != last);
        match args.output {
            Output::Jsonl => json::write(&found, registry, out)?,
            Output::Text => {
                if printed > 0 {
                    writeln!(out)?;
                }
                if list { text::list(&found, screen, out)? } else { text::details(&found, screen, out)? }
            }
        }
        printed += 1;
    }
    if printed > 0 && args.output == Output::Text {
        writeln!(out, "\nRegistry: IANA, {}.", escape(registry.date()))?;
    }
    Ok(code)
}

/// Reads an argument. What is no port is a service name; those have at least one letter (RFC 6335, section 5.1).
fn target(argument: &str) -> Option<Target> {
    let (body, proto) = match argument.rsplit_once('/') {
        Some((body, "tcp")) => (body, Some(Proto::Tcp)),
        Some((body, "udp")) => (body, Some(Proto::Udp)),
        _ => (argument, None),
    };
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| !text.starts_with('+'));
    if let Some(port) = number(body) {
        return Some(Target::Ports { first: port, last: port, proto });
    }
    if let Some((first, last)) = body.split_once('-')
        && let (Some(first), Some(last)) = (number(first), number(last))
    {
        return (first <= last).then_some(Target::Ports { first, last, proto });
    }
    // "1197/sctp" is no name, though "914c/g" is one.
    let portlike = body.split_once('/').is_some_and(|(port, _)| number(port).is_some());
    let named = !portlike && body.contains(|c: char| c.is_ascii_alphabetic()) && !body.contains(char::is_whitespace);
    named.then(|| Target::Service { name: body.to_owned(), proto })
}

/// The ports from first to last, neighbours with the same claim folded into runs.
fn runs(registry: &Registry, first: u16, last: u16, proto: Option<Proto>) -> Vec<Found<'_>> {
    let protos: &[Proto] = match proto {
        Some(Proto::Tcp) => &[Proto::Tcp],
        Some(Proto::Udp) => &[Proto::Udp],
        None => &[Proto::Tcp, Proto::Udp],
    };
    let mut found: Vec<Found<'_>> = Vec::new();
    // The places in `found` of the port before: a port continues them only if all its claims are the same.
    let mut open = 0..0;
    for port in first..=last {
        let mut here: Vec<(Vec<Proto>, &Claim)> = Vec::new();
        for proto in protos {
            let claim = registry.claim(port, *proto);
            match here.iter_mut().find(|(_, same)| same.registered() == claim.registered()) {
                Some((protos, _)) => protos.push(*proto),
                None => here.push((vec![*proto], claim)),
            }
        }
        let before = found.get_mut(open.clone()).unwrap_or_default();
        let same = |run: &Found<'_>, now: &(Vec<Proto>, &Claim)| {
            run.protos == now.0 && run.claim.registered() == now.1.registered()
        };
        if before.len() == here.len() && before.iter().zip(&here).all(|(run, now)| same(run, now)) {
            before.iter_mut().for_each(|run| run.last = port);
            continue;
        }
        open = found.len()..found.len() + here.len();
        found.extend(here.into_iter().map(|(protos, claim)| look_up(registry, port, protos, claim)));
    }
    found
}

fn look_up<'a>(registry: &'a Registry, port: u16, protos: Vec<Proto>, claim: &'a Claim) -> Found<'a> {
    let other = claim.state == State::AssignedOtherTransport;
    // The other transport's rows tell the story; beside it "Reserved" without a note says nothing.
    let counts = |row: &Row<'_>| match other {
        true => {
            row.state == State::Assigned
                || (!row.note.is_empty() && protos.iter().any(|proto| row.transports.cover(*proto)))
        }
        false => protos.iter().any(|proto| row.transports.cover(*proto)),
    };
    let rows = registry.rows(port).filter(counts).collect();
    let mut said: Vec<Lore> = Vec::new();
    for row in protos.iter().flat_map(|proto| lore(port, *proto)) {
        if !said.contains(&row) {
            said.push(row);
        }
    }
    // What is said of the port itself before what is said of many.
    said.sort_by_key(|row| row.last - row.first);
    Found { first: port, last: port, protos, claim, rows, lore: said }
}

/// The ports of a service.
fn service<'a>(registry: &'a Registry, name: &str, proto: Option<Proto>) -> Vec<Found<'a>> {
    let mut spans: Vec<(u16, u16)> = registry.by_service(name).filter_map(|row| row.ports).collect();
    spans.sort_unstable();
    spans.dedup();
    let found = spans.into_iter().flat_map(|(first, last)| runs(registry, first, last, proto));
    found.filter(|run| run.claim.services.iter().any(|service| service.eq_ignore_ascii_case(name))).collect()
}

/// Says why a name leads to no port. A name registered without one is no mistake.
fn unknown_service(registry: &Registry, name: &str, err: &mut dyn Write) -> io::Result<u8> {
    let shown = escape(name);
    if let Some(row) = registry.by_service(name).next() {
        let description = super::text::fold(row.description);
        if row.ports.is_none() {
            writeln!(err, "portproof: {shown} ({description}) is registered without a port: it claims none")?;
        } else {
            writeln!(err, "portproof: {shown} ({description}) is not assigned on that transport")?;
        }
        return Ok(2);
    }
    let lower = name.to_ascii_lowercase();
    let mut near: Vec<&str> =
        registry.all().map(|row| row.name).filter(|known| known.to_ascii_lowercase().contains(&lower)).collect();
    near.dedup();
    near.truncate(5);
    write!(err, "portproof: no service is registered as {shown:?}")?;
    if !near.is_empty() {
        write!(err, "; there are {}", escape(&near.join(", ")))?;
    }
    writeln!(err)?;
    Ok(2)
}

/// Whether traffic could confirm the claim of a service on a transport.
/// Whether traffic could ever confirm one service's claim, in words.
pub(super) fn confirmation(service: &str, proto: Proto) -> String {
    text::sentence(&confirm(service, proto))
}

fn confirm(service: &str, proto: Proto) -> Confirm<'static> {
    match satisfying(service, proto) {
        None => Confirm::NotYet,
        Some(row) => match row.no_public_format {
            Some(reason) => Confirm::Never(reason),
            None => {
                let known = |name: &&&str| protocol::ALL.iter().any(|protocol| protocol.name() == **name);
                let to_come = row.satisfied_by.iter().filter(|name| !known(name)).copied().collect();
                Confirm::By { protocols: &row.satisfied_by, wrapper: &row.wrapper, to_come, note: row.note }
            }
        },
    }
}

#[cfg(test)]
mod tests;
