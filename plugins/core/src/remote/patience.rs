//! When a server that failed is asked again.

use super::RemoteError;
use crate::backoff::Backoff;
use crate::time::Nanos;

/// Decides whether a frame may be sent now. Times are those of any clock that never runs backwards.
#[derive(Debug, Default)]
pub struct Patience {
    backoff: Backoff,
    /// No frame before this.
    until: Option<Nanos>,
    /// Every answer since then was good.
    good_since: Option<Nanos>,
}

impl Patience {
    /// Whether a frame may be sent.
    pub fn may(&self, now: Nanos) -> bool {
        self.until.is_none_or(|until| now >= until)
    }

    /// The server has answered as it should.
    pub fn answered(&mut self, now: Nanos) {
        self.good_since.get_or_insert(now);
        self.until = None;
    }

    /// The server has failed; what would fail again makes the next frame wait.
    pub fn failed(&mut self, now: Nanos, error: &RemoteError) {
        if !error.lasts() {
            return;
        }
        let good = self.good_since.take();
        // Requests that were under way together fail together, which is one failure.
        if good.is_none() && !self.may(now) && !matches!(error, RemoteError::Busy(Some(_))) {
            return;
        }
        let wait = match error {
            RemoteError::Busy(Some(wait)) => *wait,
            _ => self
                .backoff
                .lost(good.map_or(0, |since| now.saturating_sub(since))),
        };
        self.until = Some(now.saturating_add(wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn a_server_that_is_gone_is_asked_less_and_less_often() {
        let mut patience = Patience::default();
        let mut now = 0;
        let mut asked = Vec::new();
        for _ in 0..4 {
            while !patience.may(now) {
                now += SECOND / 10;
            }
            asked.push(now / SECOND);
            patience.failed(now, &RemoteError::Late);
        }
        assert_eq!(asked, [0, 1, 3, 7]);
    }

    #[test]
    fn requests_that_fail_together_count_once() {
        let mut patience = Patience::default();
        patience.failed(0, &RemoteError::Late);
        patience.failed(1, &RemoteError::Late);
        patience.failed(2, &RemoteError::Late);
        assert!(patience.may(SECOND));
    }

    #[test]
    fn a_busy_server_says_itself_when_to_ask_again() {
        let mut patience = Patience::default();
        patience.answered(0);
        patience.failed(0, &RemoteError::Busy(Some(5 * SECOND)));
        assert!(!patience.may(5 * SECOND - 1));
        assert!(patience.may(5 * SECOND));
        patience.answered(5 * SECOND);
        patience.failed(5 * SECOND, &RemoteError::Reply("no JSON".into()));
        assert!(patience.may(5 * SECOND), "the next frame may fare better");
    }
}
