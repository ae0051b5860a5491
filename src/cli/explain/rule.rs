//! How the verdict follows, and what would settle it where it leaves something open. The rules are `verdict::judge`'s.

use crate::protocol::Band;
use crate::registry::State;
use crate::verdict::{Answered, FlowRecord, MatchBy, Reason, Verdict};

/// By which rule the verdict follows.
pub(super) fn follows(flow: &FlowRecord<'_>) -> String {
    let name = flow.protocol();
    let (judged, transport) = flow.judged();
    let port = format!("{}/{transport}", judged.port);
    let services = flow.claim.services.join(" or ");
    let verdict = flow.judgement.verdict;
    let because = match (verdict, flow.judgement.reason) {
        (_, None) if let Some(by) = flow.announced => {
            format!("flow {} announced the port, and its verdict on {port} is that of all that belongs to it", by.by)
        }
        (Verdict::Match, _) if flow.judgement.match_by == Some(MatchBy::Wrapper) => format!(
            "the server side spoke {name}, and {services} runs inside {name}. That proves the envelope, not what is in it"
        ),
        (Verdict::Match, _) => format!("the server side spoke {name}, and that is what {services} means"),
        (Verdict::Mismatch, _) => {
            format!("the server side spoke {name}, and {port} is assigned to {services}, which {name} cannot be")
        }
        (Verdict::Unregistered, _) => {
            let state = match flow.claim.state {
                State::AssignedOtherTransport => format!("assigned for {} only", flow.claim.other_transports),
                State::Dynamic => "in the dynamic range".to_owned(),
                state => state.name().to_owned(),
            };
            format!(
                "{name} is named, the server side spoke it, and {port} is {state}: there is no claim to compare with"
            )
        }
        (Verdict::Contradicted, _) => format!(
            "nothing is named, the exchange was seen whole, and every protocol that would satisfy {services} is \
             excluded by the bytes"
        ),
        (_, Some(reason)) => open(flow, reason, &services, &port),
        (_, None) => "no other rule fits".to_owned(),
    };
    format!("{}. So: {verdict}.", capital(&because))
}

fn open(flow: &FlowRecord<'_>, reason: Reason, services: &str, port: &str) -> String {
    let name = flow.protocol();
    match reason {
        Reason::Unanswered => "the server side decides what a port serves, and it never answered".into(),
        Reason::Refused => "the server side refused: nothing is served".into(),
        Reason::NoPayload => "no packet of the flow has a payload".into(),
        Reason::KeepaliveOnly => "keepalives alone say nothing of the service".into(),
        Reason::Few => "too few bytes were exchanged to tell".into(),
        Reason::Lossy if flow.answered == Answered::Implied => {
            "only the client's side was seen, and a client's bytes alone never decide".into()
        }
        Reason::Lossy => "the bytes that would decide are missing from the capture".into(),
        Reason::Truncated => "the snaplen cut off the bytes that would decide".into(),
        Reason::NoServerSide => "the ends are peers; neither port is the server's, so there is no claim to test".into(),
        Reason::Carrier => {
            format!("the server side spoke {name}, which is an envelope, and {services} may run inside it")
        }
        Reason::NoClaim => format!("nothing is named, and the registry claims nothing of {port}"),
        Reason::NoPublicFormat => {
            format!("nothing is named, and {services} has no public format: nobody can say what it looks like")
        }
        Reason::NoRecogniser => format!("nothing is named, and there is no recogniser for {services} yet"),
        Reason::NotExcluded if flow.decision.is_some_and(|d| d.protocol.is_some()) => {
            format!(
                "the server side spoke {name}, which belongs beside {services} and by itself proves and contradicts nothing"
            )
        }
        Reason::NotExcluded => format!("nothing is named, and {services} can neither be seen nor be excluded here"),
    }
}

/// What would settle what is open; `None` where nothing is.
pub(super) fn settles(flow: &FlowRecord<'_>) -> Option<String> {
    let (port, transport) = (flow.server.port, flow.transport);
    let flag = if transport.name() == "udp" { "u" } else { "t" };
    let process = format!("on the server, `ss -ln{flag}p 'sport = :{port}'` names the process");
    let band = flow.decision.and_then(|d| d.band);
    let text = match flow.judgement.reason {
        Some(Reason::Unanswered | Reason::Refused | Reason::NoPayload) => {
            "A capture in which the server side answers a client that it accepts".to_owned()
        }
        Some(Reason::KeepaliveOnly) => "A capture that goes on until data flows".to_owned(),
        Some(Reason::Few) => "A longer capture, from the start of the session".to_owned(),
        Some(Reason::Lossy) => "A capture of both directions without drops".to_owned(),
        Some(Reason::Truncated) => "A capture of whole packets (tcpdump -s 0)".to_owned(),
        Some(Reason::NoServerSide) => "The start of the session, which shows who opened it".to_owned(),
        Some(Reason::Carrier | Reason::NoPublicFormat | Reason::NoClaim | Reason::NoRecogniser) => {
            format!("Not this traffic; {process}")
        }
        Some(Reason::NotExcluded) => format!("A capture from the start of the session; or {process}"),
        None if band == Some(Band::Likely) => {
            format!("The start of the session, which says more than its middle; or {process}")
        }
        None if flow.judgement.verdict == Verdict::Contradicted => format!("What it is instead: {process}"),
        None => return None,
    };
    Some(format!("{}.", capital(&text)))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let start = chars.next().map(|c| c.to_ascii_uppercase());
    start.into_iter().chain(chars).collect()
}
