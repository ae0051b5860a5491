//! The verdict rules, example by example.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use portproof::packet::{Endpoint, Ip, Transport};
use portproof::protocol::{self, ProtocolSet};
use portproof::registry::Registry;
use portproof::verdict::serve::{self, Ends};
use portproof::verdict::{Answered, Judgement, MatchBy, Observation, Reason, ServerBy, Verdict, judge, proto};

const TCP: Transport = Transport::Tcp;
const UDP: Transport = Transport::Udp;

fn excluding(names: &[&str]) -> ProtocolSet {
    let mut set = ProtocolSet::default();
    names.iter().for_each(|name| set.insert(protocol::index(name).expect("a recogniser")));
    set
}

fn judged(port: u16, transport: Transport, change: impl FnOnce(&mut Observation<'_>)) -> Judgement {
    let nobody = ProtocolSet::EMPTY;
    let mut seen = Observation {
        protocol: None,
        server_spoke: false,
        answered: Answered::Seen,
        obstacle: None,
        shortage: None,
        excluded: &nobody,
        complete: true,
    };
    change(&mut seen);
    judge(&seen, Registry::embedded().claim(port, proto(transport)))
}

fn speaking(port: u16, transport: Transport, name: &'static str) -> (Verdict, Option<Reason>, Option<MatchBy>) {
    let judgement = judged(port, transport, |seen| {
        seen.protocol = Some(name);
        seen.server_spoke = true;
    });
    (judgement.verdict, judgement.reason, judgement.match_by)
}

fn unknown(port: u16, transport: Transport, excluded: &[&str]) -> (Verdict, Option<Reason>) {
    let excluded = excluding(excluded);
    let mut seen = Observation {
        protocol: None,
        server_spoke: false,
        answered: Answered::Seen,
        obstacle: None,
        shortage: None,
        excluded: &excluded,
        complete: true,
    };
    let claim = Registry::embedded().claim(port, proto(transport));
    let whole = judge(&seen, claim);
    seen.complete = false;
    assert_ne!(judge(&seen, claim).verdict, Verdict::Contradicted, "an incomplete exchange contradicts nothing");
    (whole.verdict, whole.reason)
}

#[test]
fn openvpn_squats_on_the_ports_next_to_its_own() {
    assert_eq!(speaking(1194, UDP, "openvpn"), (Verdict::Match, None, Some(MatchBy::Service)));
    for port in [1195, 1196, 1197, 1198] {
        assert_eq!(speaking(port, UDP, "openvpn"), (Verdict::Mismatch, None, None), "{port}");
    }
    assert_eq!(speaking(443, TCP, "openvpn").0, Verdict::Mismatch);
}

#[test]
fn wireguard_or_tls_on_openvpns_port_is_a_mismatch() {
    assert_eq!(speaking(1194, UDP, "wireguard").0, Verdict::Mismatch);
    assert_eq!(speaking(1194, TCP, "tls").0, Verdict::Mismatch);
}

#[test]
fn the_drafts_ports_are_matched_by_esp_and_not_by_ike_alone() {
    for port in [2797, 2746, 4500] {
        assert_eq!(speaking(port, UDP, "esp-in-udp"), (Verdict::Match, None, Some(MatchBy::Service)), "{port}");
    }
    assert_eq!(speaking(2797, UDP, "ike").0, Verdict::Unverifiable);
    assert_eq!(speaking(1197, UDP, "esp-in-udp").0, Verdict::Mismatch);
}

#[test]
fn what_has_no_public_format_is_never_matched_or_contradicted() {
    for (port, transport) in [(2897, TCP), (1197, UDP), (1196, UDP)] {
        let (verdict, reason) = unknown(port, transport, &[]);
        assert_eq!((verdict, reason), (Verdict::Unverifiable, Some(Reason::NoPublicFormat)), "{port}");
        assert_eq!(speaking(port, transport, "tls").1, Some(Reason::Carrier), "{port}");
    }
}

#[test]
fn edp_matches_on_3197() {
    assert_eq!(speaking(3197, TCP, "edp").0, Verdict::Match);
    assert_eq!(speaking(3197, TCP, "http").0, Verdict::Mismatch);
}

#[test]
fn an_envelope_is_a_match_by_wrapper_where_the_service_runs_inside() {
    assert_eq!(speaking(993, TCP, "tls"), (Verdict::Match, None, Some(MatchBy::Wrapper)));
    assert_eq!(speaking(443, TCP, "tls"), (Verdict::Match, None, Some(MatchBy::Service)));
    assert_eq!(speaking(443, TCP, "http").0, Verdict::Mismatch);
    assert_eq!(speaking(443, UDP, "quic").0, Verdict::Match);
}

#[test]
fn a_name_on_a_port_without_assignment_is_unregistered() {
    assert_eq!(speaking(51820, UDP, "wireguard").0, Verdict::Unregistered);
    // 22 is assigned for TCP and others; find a port assigned for TCP only.
    let tcp_only = (1..49151)
        .find(|&port| Registry::embedded().claim(port, proto(UDP)).state.name() == "assigned-other-transport");
    assert_eq!(speaking(tcp_only.expect("a port for TCP only"), UDP, "dns").0, Verdict::Unregistered);
}

#[test]
fn a_claim_is_contradicted_only_when_everything_that_satisfies_it_is_excluded() {
    assert_eq!(unknown(22, TCP, &["ssh"]), (Verdict::Contradicted, None));
    assert_eq!(unknown(22, TCP, &[]), (Verdict::Unverifiable, Some(Reason::NotExcluded)));
    assert_eq!(unknown(50000, TCP, &["ssh"]), (Verdict::Unverifiable, Some(Reason::NoClaim)));
}

#[test]
fn a_client_alone_never_decides() {
    let asked = judged(1197, UDP, |seen| {
        seen.protocol = Some("openvpn");
        seen.answered = Answered::No;
    });
    assert_eq!((asked.verdict, asked.reason), (Verdict::Insufficient, Some(Reason::Unanswered)));
    // The server's bytes were there, and they were something else.
    let other = judged(22, TCP, |seen| seen.protocol = Some("http"));
    assert_eq!((other.verdict, other.reason), (Verdict::Unverifiable, Some(Reason::NotExcluded)));
    // The server spoke, but not in this capture.
    let unseen = judged(22, TCP, |seen| {
        seen.protocol = Some("ssh");
        seen.answered = Answered::Implied;
    });
    assert_eq!((unseen.verdict, unseen.reason), (Verdict::Insufficient, Some(Reason::Lossy)));
}

#[test]
fn multicast_needs_no_answer() {
    let announced = judged(5353, UDP, |seen| {
        seen.protocol = Some("mdns");
        seen.answered = Answered::NotExpected;
        seen.server_spoke = true;
    });
    assert_eq!(announced.verdict, Verdict::Match);
}

#[test]
fn an_obstacle_comes_before_all_else() {
    let keepalives = judged(4500, UDP, |seen| {
        seen.protocol = Some("esp-in-udp");
        seen.server_spoke = true;
        seen.obstacle = Some(Reason::KeepaliveOnly);
    });
    assert_eq!((keepalives.verdict, keepalives.reason), (Verdict::Insufficient, Some(Reason::KeepaliveOnly)));
}

#[test]
fn the_serving_end_is_told_by_the_best_sign() {
    let end = |n, port| Endpoint { ip: Ip::v4([10, 0, 0, n]), port };
    let ends = |from, to| Ends {
        transport: UDP,
        originator: end(1, from),
        responder: end(2, to),
        syn: false,
        recogniser: None,
        fan_in: None,
    };
    use portproof::flow::Dir::{Originator, Responder};
    let told = |ends: &Ends| serve::server(ends, Registry::embedded());
    assert_eq!(told(&Ends { syn: true, recogniser: Some(Originator), ..ends(5, 6) }), (Responder, ServerBy::Syn));
    assert_eq!(told(&Ends { recogniser: Some(Originator), ..ends(5, 6) }), (Originator, ServerBy::Recogniser));
    assert_eq!(told(&Ends { fan_in: Some(Originator), ..ends(60000, 50000) }), (Originator, ServerBy::FanIn));
    assert_eq!(told(&ends(1197, 50000)), (Originator, ServerBy::Assigned));
    assert_eq!(told(&ends(4500, 4500)), (Responder, ServerBy::First));
    // Linux's ephemeral ports overlap 244 named rows: such a name proves nothing.
    assert_eq!(told(&ends(33434, 50000)), (Responder, ServerBy::Nobody));
}
