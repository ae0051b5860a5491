use super::*;

fn shown(targets: &[&str], output: Output) -> (String, String, u8) {
    let args = Args { targets: targets.iter().map(|target| (*target).to_owned()).collect(), output };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = print(&args, Registry::embedded(), Screen::PLAIN, &mut out, &mut err).unwrap();
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code)
}

fn text(target: &str) -> String {
    shown(&[target], Output::Text).0
}

#[test]
fn arguments() {
    let ports = |first, last, proto| Some(Target::Ports { first, last, proto });
    assert_eq!(target("1197"), ports(1197, 1197, None));
    assert_eq!(target("2797/udp"), ports(2797, 2797, Some(Proto::Udp)));
    assert_eq!(target("3100-3200"), ports(3100, 3200, None));
    assert_eq!(target("esp-encap"), Some(Target::Service { name: "esp-encap".into(), proto: None }));
    assert_eq!(target("914c/g"), Some(Target::Service { name: "914c/g".into(), proto: None }));
    assert_eq!(target("https/udp"), Some(Target::Service { name: "https".into(), proto: Some(Proto::Udp) }));
    for wrong in ["", "70000", "9-8", "+1", "1197/sctp", "-", "a b"] {
        assert_eq!(target(wrong), None, "{wrong}");
    }
}

#[test]
fn carrius_rshell_can_never_be_confirmed() {
    let page = text("1197");
    assert!(page.starts_with("1197/tcp+udp  assigned to carrius-rshell (user port)\n"), "{page}");
    for part in ["Carrius Remote Access", "[Gerry_Dubois]", "2005-08", "No. ", "Lore, not evidence", "udp: PIA strong"]
    {
        assert!(page.contains(part), "{part} in\n{page}");
    }
}

#[test]
fn transports_that_differ_are_said_apart() {
    let page = text("2408");
    assert!(page.contains("2408/tcp  assigned to railgun-webaccl"), "{page}");
    assert!(page.contains("2408/udp  assigned on tcp only, to railgun-webaccl"), "{page}");
    assert!(page.contains("There is none on udp."), "{page}");
}

#[test]
fn nothing_is_wider_than_80_columns_but_a_single_word() {
    for port in [21, 80, 443, 1194, 1195, 1197, 1434, 2797, 2897, 3197, 4500, 6000, 8801, 44818, 51820] {
        for line in text(&port.to_string()).lines() {
            assert!(line.chars().count() <= 80 || line.split_whitespace().count() == 1, "{line}");
        }
    }
}

#[test]
fn a_range_folds_runs_of_the_same_state() {
    let page = text("49150-65535");
    assert!(page.contains("49152-65535/tcp+udp dynamic\n"), "{page}");
    let page = text("6000-6070");
    assert!(page.contains("6000-6063/tcp+udp assigned"), "{page}");
}

#[test]
fn the_list_of_all_ports_covers_each_once() {
    let found = runs(Registry::embedded(), 0, u16::MAX, None);
    for proto in [Proto::Tcp, Proto::Udp] {
        let mut next = 0_u32;
        for run in found.iter().filter(|run| run.protos.contains(&proto)) {
            assert_eq!(u32::from(run.first), next);
            assert_eq!(Registry::embedded().claim(run.last, proto).registered(), run.claim.registered());
            next = u32::from(run.last) + 1;
        }
        assert_eq!(next, 65_536);
    }
    assert!(found.len() < 8_000, "{}", found.len());
}

#[test]
fn a_service_leads_to_its_ports() {
    assert!(text("ESP-encap").starts_with("2797/tcp+udp  assigned to esp-encap"));
    let (out, err, code) = shown(&["jmap", "no-such-service-here", "esp-enc"], Output::Text);
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(err.contains("jmap (JSON Meta Application Protocol) is registered without a port"), "{err}");
    assert!(err.contains("no service is registered as \"no-such-service-here\"\n"), "{err}");
    assert!(err.contains("there are ah-esp-encap, esp-encap"), "{err}");
}

#[test]
fn json_lines_hold_everything() {
    let (out, _, code) = shown(&["1197/udp"], Output::Jsonl);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!((&value["port"], &value["transport"], &value["range"]), (&1197.into(), &"udp".into(), &"user".into()));
    assert_eq!(value["claim"]["state"], "assigned");
    assert_eq!(value["claim"]["services"][0], "carrius-rshell");
    assert_eq!(value["rows"][0]["assignee"], "[Gerry_Dubois]");
    assert_eq!(value["lore"].as_array().unwrap().len(), 2);
    let (out, _, _) = shown(&["3100-3200"], Output::Jsonl);
    for line in out.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}
