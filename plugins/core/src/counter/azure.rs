//! The message of Azure's sample objectCounter: how many objects count, and nothing else. Its time
//! travels beside it, there as the property `eventTime`, here as the time of its buffer.

use crate::signal::Signal;

/// The message for a signal that counts.
pub fn message(signal: &Signal) -> String {
    let count = signal.body.get("count").and_then(serde_json::Value::as_u64);
    format!("{{\"count\":{}}}", count.unwrap_or(0))
}
