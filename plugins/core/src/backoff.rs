//! How long to wait before something that is gone is tried again: a camera, a broker, a server.
//!
//! Doubles from one failure to the next up to a bound, and begins anew once what was tried has held.
//! No jitter: what waits here is one client of its peer, not a fleet.

use crate::time::{Nanos, SECOND};

/// The shortest wait.
const FIRST: Nanos = SECOND;

/// The longest wait.
const LONGEST: Nanos = 30 * SECOND;

/// How long a connection must have held to count as good: what fails sooner each time is not asked
/// again and again in quick succession.
const STEADY: Nanos = 10 * SECOND;

/// The waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    next: Nanos,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// An attempt has failed, or what it gained is lost after it `held` for that many nanoseconds
    /// (0 if it never worked). How long to wait before the next, in nanoseconds.
    pub fn lost(&mut self, held: Nanos) -> Nanos {
        if held >= STEADY {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.lost(0) / SECOND).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn what_has_held_is_tried_again_at_once_and_what_has_not_is_not() {
        let mut backoff = Backoff::default();
        backoff.lost(0);
        assert_eq!(backoff.lost(STEADY - 1), 2 * SECOND);
        assert_eq!(backoff.lost(STEADY), SECOND);
        assert_eq!(backoff.lost(0), 2 * SECOND);
    }
}
