//! The evidence as an account: items, sum, prior, rivals, odds.

use super::page::Page;
use crate::protocol::evidence::{Band, Bits, Evidence, PRIOR, sum};
use crate::protocol::{ALL, Decision, ProtocolSet, index};
use crate::verdict::FlowRecord;
use std::io;

/// What was found, what spoke against it, and what it comes to.
pub(super) fn write(page: &mut Page<'_>, flow: &FlowRecord<'_>) -> io::Result<()> {
    page.section("What it speaks")?;
    let Some(decision) = flow.decision else {
        return page.text("Nothing was said: no packet of this flow has a payload.");
    };
    let Some(name) = decision.protocol.or(decision.suspected) else {
        page.text("Unknown: nothing that was seen speaks for a protocol strongly enough to name it.")?;
        note(page, flow)?;
        losers(page, decision)?;
        return excluded(page, flow, decision);
    };
    let variant = decision.variant.as_deref().map(|v| format!(", {v}")).unwrap_or_default();
    let reference = index(name).and_then(|n| ALL.get(n)).map(|p| format!(" ({})", p.reference())).unwrap_or_default();
    let also =
        if decision.also.is_empty() { String::new() } else { format!(", with {} beside it", decision.also.join(", ")) };
    match decision.protocol {
        Some(_) => page.text(&format!("{name}{variant}{also}{reference}. What speaks for it, in bits:"))?,
        None => {
            page.text(&format!("Unknown. Perhaps {name}{variant}{reference}, but too little speaks for it, in bits:"))?
        }
    }
    account(page, decision)?;
    note(page, flow)?;
    for (what, value) in &decision.details {
        page.item("- ", &format!("{what}: {value}"))?;
    }
    if decision.protocol.is_some() {
        let text = match decision.decided_at {
            0 => "What another flow announced decided this.".to_owned(),
            n => format!(
                "This was decided after {} of the flow; the rest changed nothing.",
                crate::cli::text::counted(n, "payload")
            ),
        };
        page.text(&text)?;
    }
    losers(page, decision)?;
    if decision.protocol.is_none() { excluded(page, flow, decision) } else { Ok(()) }
}

/// That nothing shows in the bytes, where it is so.
fn note(page: &mut Page<'_>, flow: &FlowRecord<'_>) -> io::Result<()> {
    match flow.note() {
        Some(_) => page.text(
            "Fully encrypted, no structure found: the bytes are as even as random ones, and no constant, counter, \
             length or text is among them.",
        ),
        None => Ok(()),
    }
}

fn account(page: &mut Page<'_>, decision: &Decision) -> io::Result<()> {
    let mut items: Vec<&Evidence> = decision.evidence.iter().collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.bits));
    for item in items {
        let cap = item.family.cap;
        let capped =
            if item.bits > cap { format!("; counts {cap}, which is all this can prove") } else { String::new() };
        let text = format!("{}{} [{}{capped}]", item.text, frames(&item.frames), item.family.id);
        page.item(&weight(item.bits.min(cap)), &text)?;
    }
    let total = sum(&decision.evidence);
    page.item(&weight(total), "together")?;
    page.item(&weight(PRIOR), "prior: before anything is seen, any protocol is improbable on any port")?;
    let against = decision.odds - total - PRIOR;
    if against < Bits::ZERO {
        // A companion is in the list, but weighs nothing against.
        let rival = decision.rivals.iter().find(|rival| !decision.also.contains(&rival.protocol));
        let rival = rival.map_or("a rival", |rival| rival.protocol);
        page.item(&weight(against), &format!("the strongest rival, {rival}"))?;
    }
    let band = match decision.band {
        Some(band) => format!("{band}{}", next(band)),
        None => "below likely (2^4), so nothing is named".to_owned(),
    };
    page.item(&weight(decision.odds), &format!("odds of {}: {band}", odds(decision.odds)))
}

/// "  +20.0  ".
fn weight(bits: Bits) -> String {
    format!("{:>+7.1}  ", bits.as_f64())
}

fn next(band: Band) -> &'static str {
    match band {
        Band::Likely => " (confident from 2^10)",
        Band::Confident => " (certain from 2^20)",
        Band::Certain => " (from 2^20)",
    }
}

/// Odds in words: "about 1,000 to 1 (2^10)".
fn odds(bits: Bits) -> String {
    let power = bits.as_f64();
    let count = power.abs().exp2();
    let figure = match power.abs() {
        0.0..20.0 => crate::cli::text::thousands(count.round() as u64),
        20.0..30.0 => format!("{:.0} million", count / 1e6),
        30.0..40.0 => format!("{:.0} billion", count / 1e9),
        _ => "more than a trillion".to_owned(),
    };
    match power < 0.0 {
        false => format!("about {figure} to 1 (2^{power:.1})").replace("about more", "more"),
        true => format!("1 to about {figure} (2^{power:.1})").replace("about more", "more"),
    }
}

fn frames(frames: &[u64]) -> String {
    let list = || frames.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    match frames {
        [] => String::new(),
        [only] => format!(", frame {only}"),
        _ => format!(", frames {}", list()),
    }
}

/// The other candidates.
fn losers(page: &mut Page<'_>, decision: &Decision) -> io::Result<()> {
    for rival in decision.rivals.iter().filter(|rival| rival.bits > Bits::ZERO).take(3) {
        let role = if decision.also.contains(&rival.protocol) { "Goes along" } else { "Weaker" };
        let why: Vec<String> = rival.evidence.iter().map(|e| format!("{}{}", e.text, frames(&e.frames))).collect();
        page.text(&format!("{role}: {} with {} bits: {}.", rival.protocol, rival.bits, why.join("; ")))?;
    }
    Ok(())
}

/// Which of the protocols that would satisfy the claim are excluded.
fn excluded(page: &mut Page<'_>, flow: &FlowRecord<'_>, decision: &Decision) -> io::Result<()> {
    let is = |name: &str| index(name).is_some_and(|n| decision.excluded.contains(n));
    for (service, row) in flow.claim.by_service() {
        let Some(row) = row else { continue };
        for name in &row.satisfied_by {
            let text = match (index(name), is(name)) {
                (None, _) => format!("{name}, which would satisfy {service}, has no recogniser yet."),
                (_, true) => format!("{name}, which would satisfy {service}, is excluded: these bytes cannot be it."),
                (_, false) => format!("{name}, which would satisfy {service}, was not seen, but is not excluded."),
            };
            page.text(&text)?;
        }
    }
    let count = excluded_count(&decision.excluded);
    let rest = ALL.len() - count;
    page.text(&format!("Of {} recognisers {count} rule themselves out; {rest} saw nothing of theirs.", ALL.len()))
}

fn excluded_count(set: &ProtocolSet) -> usize {
    (0..ALL.len()).filter(|n| set.contains(*n)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_said_in_words() {
        assert_eq!(odds(Bits::whole(10)), "about 1,024 to 1 (2^10.0)");
        assert_eq!(odds(Bits::whole(27)), "about 134 million to 1 (2^27.0)");
        assert_eq!(odds(Bits::whole(-3)), "1 to about 8 (2^-3.0)");
        assert_eq!(odds(Bits::whole(60)), "more than a trillion to 1 (2^60.0)");
    }
}
