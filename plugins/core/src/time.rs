//! Points and spans of time.
//!
//! Everything inside a pipeline is signed running time in nanoseconds; UTC appears only where
//! something leaves the process, as RFC 3339 with milliseconds.

use jiff::{Timestamp, tz::TimeZone};

/// Nanoseconds, signed: a point is a running time, a span is the difference of two.
pub type Nanos = i64;

/// One millisecond.
pub const MILLISECOND: Nanos = 1_000_000;
/// One second.
pub const SECOND: Nanos = 1_000_000_000;

/// A span in seconds, for JSON and messages; exact to the nanosecond below about 100 days.
pub fn seconds(span: Nanos) -> f64 {
    span as f64 / SECOND as f64
}

/// RFC 3339 in UTC with milliseconds, rounded down: `1970-01-01T00:00:06.000Z`.
///
/// `unix` is nanoseconds since 1970-01-01T00:00:00Z; every `i64` lies within the calendar.
pub fn rfc3339(unix: Nanos) -> String {
    strftime("%Y-%m-%dT%H:%M:%S.%3fZ", unix)
        .expect("a fixed format without locale parts always prints")
}

/// The instant an RFC 3339 text names, in nanoseconds since 1970-01-01T00:00:00Z.
///
/// `None` for anything else, and for years that do not fit an `i64` (before 1678, after 2261).
pub fn parse_rfc3339(text: &str) -> Option<Nanos> {
    let timestamp: Timestamp = text.parse().ok()?;
    Nanos::try_from(timestamp.as_nanosecond()).ok()
}

/// `strftime` in UTC of an instant in nanoseconds since 1970-01-01T00:00:00Z.
///
/// # Errors
/// The library's own sentence where `format` holds an unknown conversion.
pub fn strftime(format: &str, unix: Nanos) -> Result<String, jiff::Error> {
    let timestamp = Timestamp::from_nanosecond(i128::from(unix))
        .expect("292 years around 1970 lie within the calendar");
    jiff::fmt::strtime::format(format, &timestamp.to_zoned(TimeZone::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_prints_with_milliseconds_rounded_down() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(6 * SECOND + 999_999), "1970-01-01T00:00:06.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn rfc3339_is_read_with_any_offset_and_precision() {
        assert_eq!(parse_rfc3339("1970-01-01T01:00:06+01:00"), Some(6 * SECOND));
        assert_eq!(parse_rfc3339("1970-01-01T00:00:00.000000007Z"), Some(7));
        assert_eq!(parse_rfc3339("yesterday"), None);
        assert_eq!(parse_rfc3339("1970-01-01T00:00:00"), None);
    }

    #[test]
    fn every_instant_of_an_i64_prints() {
        for unix in [Nanos::MIN, Nanos::MAX] {
            assert!(rfc3339(unix).ends_with('Z'));
        }
    }
}
