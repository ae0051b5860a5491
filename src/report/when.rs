//! Points in time as text, always in UTC.

use crate::packet::Time;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

fn civil(time: Time) -> DateTime {
    TimeZone::UTC.to_datetime(Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or_default())
}

/// RFC 3339 with microseconds, or nanoseconds where the capture has them: "2026-11-20T20:00:00.123456Z".
pub fn rfc3339(time: Time) -> String {
    let at = civil(time);
    let (date, nanos) = (at.date(), at.subsec_nanosecond());
    let (fraction, digits) = if nanos % 1000 == 0 { (nanos / 1000, 6) } else { (nanos, 9) };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{fraction:0digits$}Z",
        date.year(),
        date.month(),
        date.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// From the first to the last packet, for reading: "2026-11-20 20:00:00-20:04:12 UTC", with the day twice if it changes.
pub fn span(first: Time, last: Time) -> String {
    let (first, last) = (civil(first), civil(last));
    let clock = |at: DateTime| format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
    match (first.date() == last.date(), clock(first) == clock(last)) {
        (true, true) => format!("{} {} UTC", first.date(), clock(first)),
        (true, false) => format!("{} {}-{} UTC", first.date(), clock(first), clock(last)),
        (false, _) => format!("{} {} - {} {} UTC", first.date(), clock(first), last.date(), clock(last)),
    }
}

/// The time of day, for reading: "20:00:00".
pub fn clock(time: Time) -> String {
    let at = civil(time);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// A duration for reading, from nanoseconds: "0.4 s", "12 s", "4 min 12 s", "3 h 20 min", "2 d 4 h".
pub fn duration(nanos: i64) -> String {
    let seconds = nanos.max(0) / 1_000_000_000;
    match seconds {
        0..10 => format!("{:.1} s", nanos.max(0) as f64 / 1e9),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_795_204_800_000_000_000;

    #[test]
    fn microseconds_unless_the_capture_has_more() {
        assert_eq!(rfc3339(Time(AT + 123_456_000)), "2026-11-20T20:00:00.123456Z");
        assert_eq!(rfc3339(Time(AT + 123_456_789)), "2026-11-20T20:00:00.123456789Z");
        assert_eq!(rfc3339(Time(-1_000)), "1969-12-31T23:59:59.999999Z");
        assert_eq!(rfc3339(Time(i64::MAX)), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(rfc3339(Time(i64::MIN)), "1677-09-21T00:12:43.145224192Z");
    }

    #[test]
    fn the_day_is_said_once_unless_it_changes() {
        let second = 1_000_000_000;
        assert_eq!(span(Time(AT), Time(AT + 252 * second)), "2026-11-20 20:00:00-20:04:12 UTC");
        assert_eq!(span(Time(AT), Time(AT + 5)), "2026-11-20 20:00:00 UTC");
        assert_eq!(span(Time(AT), Time(AT + 14400 * second)), "2026-11-20 20:00:00 - 2026-11-21 00:00:00 UTC");
    }

    #[test]
    fn durations_have_two_places() {
        let of = |seconds: i64| duration(seconds * 1_000_000_000);
        assert_eq!(
            [of(0), of(12), of(252), of(12_000), of(187_200)],
            ["0.0 s", "12 s", "4 min 12 s", "3 h 20 min", "2 d 4 h"]
        );
    }
}
