//! What the status of a reply means to a message that was posted.

use super::RemoteError;
use super::error::excerpt;
use crate::time::Nanos;

/// What becomes of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has arrived.
    Taken,
    /// It will never be taken, and why.
    Refused(RemoteError),
    /// It is posted again later.
    Again(RemoteError),
}

/// 2xx takes a message, 4xx refuses it for good, but for 408 (too slow) and 429 (too many); after
/// anything else it is posted again.
pub fn verdict(status: u16, retry_after: Option<Nanos>, body: &[u8]) -> Verdict {
    let said = || RemoteError::Status {
        status,
        text: excerpt(body),
    };
    match status {
        200..=299 => Verdict::Taken,
        408 => Verdict::Again(RemoteError::Late),
        429 | 503 => Verdict::Again(RemoteError::Busy(retry_after)),
        400..=499 => Verdict::Refused(said()),
        _ => Verdict::Again(said()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_never_arrive_is_given_up() {
        for status in [200, 202, 204] {
            assert_eq!(verdict(status, None, b""), Verdict::Taken, "{status}");
        }
        for status in [400, 401, 404, 410, 422] {
            let verdict = verdict(status, None, b"");
            assert!(matches!(verdict, Verdict::Refused(_)), "{status}");
        }
        for status in [100, 302, 408, 429, 500, 502, 503, 504, 999] {
            let verdict = verdict(status, None, b"");
            assert!(matches!(verdict, Verdict::Again(_)), "{status}");
        }
        let busy = verdict(429, Some(5), b"");
        assert_eq!(busy, Verdict::Again(RemoteError::Busy(Some(5))));
    }
}
