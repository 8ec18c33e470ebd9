//! What the status of a reply means under Azure's HTTP contract: 200 with inferences, 204 for
//! nothing found, 503 for a pause, anything else for a fault.

use super::RemoteError;
use super::error::excerpt;
use crate::time::{Nanos, SECOND};

/// The longest pause that a server is granted.
const LONGEST: Nanos = 3600 * SECOND;

/// The JSON in a reply; `None` where nothing was found.
///
/// # Errors
/// What the status means.
pub fn azure(
    status: u16,
    retry_after: Option<Nanos>,
    body: &[u8],
) -> Result<Option<&[u8]>, RemoteError> {
    match status {
        204 => Ok(None),
        200 => Ok(Some(body)),
        503 | 429 => Err(RemoteError::Busy(retry_after)),
        401 | 403 | 407 => Err(RemoteError::Credentials(status)),
        status => Err(RemoteError::Status {
            status,
            text: excerpt(body),
        }),
    }
}

/// The pause in a `Retry-After` header: seconds, or a date, which `utc` is subtracted from
/// (nanoseconds since 1970). Never more than an hour.
pub fn retry_after(value: &str, utc: Nanos) -> Option<Nanos> {
    let value = value.trim();
    let wait = match value.parse::<u32>() {
        Ok(seconds) => Nanos::from(seconds) * SECOND,
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(value).ok()?;
            let date = Nanos::try_from(date.timestamp().as_nanosecond()).ok()?;
            date.saturating_sub(utc)
        }
    };
    Some(wait.clamp(0, LONGEST))
}

/// A GUID of these random bits, as the contract's `x-ms-client-request-id` wants one.
pub fn request_id(first: u64, second: u64) -> String {
    let bits = u128::from(first) << 64 | u128::from(second);
    let uuid = uuid::Builder::from_random_bytes(bits.to_be_bytes());
    uuid.into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        assert_eq!(retry_after("7", 0), Some(7 * SECOND));
        let date = "Thu, 01 Jan 1970 00:01:00 GMT";
        assert_eq!(retry_after(date, 50 * SECOND), Some(10 * SECOND));
        assert_eq!(retry_after(date, 70 * SECOND), Some(0));
        assert_eq!(retry_after("4000000000", 0), Some(LONGEST));
        for nonsense in ["", "soon", "-1", "99999999999999999999"] {
            assert_eq!(retry_after(nonsense, 0), None, "{nonsense}");
        }
    }

    #[test]
    fn a_status_says_what_came_of_the_frame() {
        assert_eq!(azure(200, None, b"{}"), Ok(Some(b"{}".as_slice())));
        assert_eq!(azure(204, None, b""), Ok(None));
        assert_eq!(azure(503, Some(1), b""), Err(RemoteError::Busy(Some(1))));
        assert_eq!(azure(401, None, b""), Err(RemoteError::Credentials(401)));
        let error = azure(400, None, b"bad\r\n  image\0").expect_err("a fault");
        assert!(
            error.to_string().contains("400 and said \"bad image\""),
            "{error}"
        );
        assert!(!error.lasts());
        assert!(azure(500, None, b"").expect_err("a fault").lasts());
    }
}
