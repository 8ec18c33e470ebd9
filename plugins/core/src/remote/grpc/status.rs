//! What it means that a server ends a session.

use super::super::RemoteError;
use super::super::error::excerpt;

/// The status of a call by its number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The error for a session that ended with this status and text.
pub fn ended(code: usize, text: &str) -> RemoteError {
    let code = CODES.get(code).copied().unwrap_or("an unknown status");
    let text = excerpt(text.as_bytes());
    match code {
        "UNAVAILABLE" => RemoteError::Unreachable(text),
        "DEADLINE_EXCEEDED" => RemoteError::Late,
        code => RemoteError::Ended { code, text },
    }
}
