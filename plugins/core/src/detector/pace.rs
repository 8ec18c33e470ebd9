//! Which frames are inferred: every n-th, and no more a second than asked.

/// Decides frame by frame.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Every how many frames one is inferred, at least 1.
    interval: u64,
    /// Least time from one inferred frame to the next, in ns.
    period: Option<i64>,
    frames: u64,
    /// The time from which on the next frame is due.
    due: Option<i64>,
}

impl Pace {
    /// `rate` is the greatest number of inferences a second, as numerator and denominator; `None`
    /// or zero sets no bound.
    pub fn new(interval: u32, rate: Option<(u32, u32)>) -> Self {
        const SECOND: u128 = 1_000_000_000;
        let period = rate.filter(|&(n, d)| n > 0 && d > 0).map(|(n, d)| {
            i64::try_from(SECOND * u128::from(d) / u128::from(n)).unwrap_or(i64::MAX)
        });
        Self {
            interval: u64::from(interval.max(1)),
            period,
            frames: 0,
            due: None,
        }
    }

    /// Whether this frame is inferred; `time` is its running time in ns, if it has one.
    pub fn turn(&mut self, time: Option<i64>) -> bool {
        let counted = self.frames.is_multiple_of(self.interval);
        self.frames += 1;
        let (Some(period), Some(time)) = (self.period, time) else {
            return counted;
        };
        let due = match self.due {
            // A due time further away than a period is of a time before a jump.
            Some(due) => time >= due || due.saturating_sub(time) > period,
            None => true,
        };
        if counted && due {
            // On the grid of the rate, so that 10 a second of 25 frames are 10 and not 8.33.
            let next = self
                .due
                .map_or(time, |due| due.max(time.saturating_sub(period)));
            let next = if next > time { time } else { next };
            self.due = Some(next.saturating_add(period));
        }
        counted && due
    }

    /// Begins anew after a break in time.
    pub fn flush(&mut self) {
        self.due = None;
        self.frames = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn inferred(pace: &mut Pace, frames: i64, duration: i64) -> Vec<i64> {
        (0..frames)
            .filter(|n| pace.turn(Some(n * duration)))
            .collect()
    }

    #[test]
    fn every_nth_frame_is_inferred_from_the_first_on() {
        let mut pace = Pace::new(3, None);
        assert_eq!(inferred(&mut pace, 8, MS), [0, 3, 6]);
        pace.flush();
        assert!(pace.turn(None));
        assert!(!pace.turn(None));
    }

    #[test]
    fn a_rate_is_met_and_never_exceeded_whatever_the_frames() {
        for (rate, frame_ms) in [((10, 1), 40), ((10, 1), 33), ((1, 2), 40), ((30, 1), 40)] {
            let mut pace = Pace::new(1, Some(rate));
            let seconds = 20;
            let frames = seconds * 1000 / frame_ms;
            let got = inferred(&mut pace, frames, frame_ms * MS).len() as i64;
            let asked = seconds * i64::from(rate.0) / i64::from(rate.1);
            assert!((asked.min(frames) - got).abs() <= 1, "{rate:?} {got}");
        }
    }

    #[test]
    fn a_jump_back_in_time_does_not_stop_it() {
        let mut pace = Pace::new(1, Some((1, 1)));
        assert!(pace.turn(Some(3_600_000 * MS)));
        assert!(pace.turn(Some(0)));
        assert!(!pace.turn(Some(500 * MS)));
        assert!(pace.turn(Some(1000 * MS)));
    }
}
