//! The message of Azure's sample objectCounter: how many objects count, and nothing else. Its time
//! travels beside it, there as the property `eventTime`, here as the time of its buffer.

use super::Raised;

/// The message for a signal that counts.
pub fn message(raised: &Raised) -> String {
    format!("{{\"count\":{}}}", raised.count)
}
