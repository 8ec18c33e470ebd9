//! What a shut gate lets go of, and what happens when more is held than may be.

use super::{
    Bounds, Gate,
    hold::SyncPoint,
    output::{Output, REFERENCE},
    secondary::Secondary,
};
use crate::{signal::Action, time::Nanos};

impl<T> Gate<T> {
    /// Lets go of what no recording can need any more.
    pub(super) fn evict(&mut self, known: Nanos) {
        let horizon = match &self.open {
            None => self.horizon(known),
            Some(open) if open.boundary.is_none() => open.activation.start,
            Some(_) => return,
        };
        if let Some(sync) = self.hold.sync_at(horizon) {
            self.evict_before(sync);
        }
    }

    /// With the gate shut: no recording begins before this.
    fn horizon(&self, known: Nanos) -> Nanos {
        let first = self
            .pending
            .first_key_value()
            .map_or(Nanos::MAX, |(_, pending)| pending.time);
        let window = if self.sources.some_unwatermarked(&self.media) {
            self.config.evaluation_window
        } else {
            0
        };
        let newest = known.min(first).min(self.media.safe);
        newest
            .saturating_add(self.config.lead())
            .saturating_sub(window)
    }

    fn evict_before(&mut self, sync: SyncPoint) -> bool {
        let evicted = self.hold.drop_before(sync);
        if evicted {
            self.tails.clear();
            if !self.is_open() {
                let earliest = self
                    .hold
                    .front()
                    .and_then(|unit| unit.dts)
                    .unwrap_or(sync.pts);
                self.emit_gap(earliest.min(sync.pts));
            }
        }
        evicted
    }

    pub(super) fn emit_gap(&mut self, time: Nanos) {
        // A recording that has just closed may have sent pictures from beyond its end.
        let time = time.max(self.previous_end);
        if self.gap.is_none_or(|gap| gap < time) {
            self.gap = Some(time);
            self.out.push_back(Output::Gap(REFERENCE, time));
        }
    }

    pub(super) fn held_time(&self) -> Nanos {
        self.hold.front().map_or(0, |front| {
            self.media.newest.saturating_sub(front.pts).max(0)
        })
    }

    fn over_bounds(&self) -> bool {
        let Bounds {
            bytes,
            buffers,
            time,
        } = self.config.bounds;
        let held = self.stats();
        bytes.is_some_and(|bound| held.held_bytes > bound)
            || buffers.is_some_and(|bound| held.held_buffers > bound)
            || time.is_some_and(|bound| held.held_time > bound)
    }

    /// Where a bound is exceeded: evicts the oldest group of pictures, or forces the decision that
    /// holds it. True if that was possible.
    pub(super) fn keep_within_bounds(&mut self, known: Nanos) -> bool {
        if !self.over_bounds() {
            return false;
        }
        if self.is_open() {
            return self.force_open(known);
        }
        let Some(next) = self.hold.second_group() else {
            return self.keep_oversized();
        };
        if let Some(open) = &self.open {
            if next.pts > open.activation.start {
                // The group holds the start of what is about to be recorded.
                return self.force_open(known);
            }
        } else if let Some(time) = self.first_opening_before(next.pts) {
            if known >= time && self.sources.is_forced(time) {
                return false;
            }
            self.stats.forced += 1;
            self.sources.force(time);
            return true;
        }
        self.stats.evicted += 1;
        self.evict_before(next)
    }

    /// The first pending signal, if its recording begins before `time`.
    fn first_opening_before(&self, time: Nanos) -> Option<Nanos> {
        let mut opening = self
            .pending
            .values()
            .filter(|pending| pending.signal.action != Action::Stop);
        let first = opening.next()?.time;
        (first.saturating_add(self.config.signal_offset) < time).then_some(first)
    }

    /// A recording is open and more is held than may be: signals count as known as far as the
    /// next group of pictures, or as far as closing needs.
    fn force_open(&mut self, known: Nanos) -> bool {
        let Some(open) = &self.open else { return false };
        let needed = if self.media.safe >= open.activation.end {
            open.activation.settled_at(&self.config)
        } else if open.activation.held {
            let next = self.hold.second_group();
            next.map_or(self.media.newest, |sync| sync.pts.saturating_add(1))
        } else {
            return false;
        };
        if needed <= known {
            return false;
        }
        self.stats.forced += 1;
        self.sources.force(needed);
        true
    }

    /// Only one group is held and it is too large: it stays. Where no group is held at all, it
    /// is another stream that waits for the reference in vain, and its oldest units go.
    fn keep_oversized(&mut self) -> bool {
        if self.hold.front().is_none() {
            let longest = self
                .secondaries
                .values_mut()
                .max_by_key(|secondary| secondary.bytes());
            return longest.is_some_and(Secondary::drop_front);
        }
        let front = Some(self.hold.front_number());
        self.stats.oversized += u64::from(self.oversized != front);
        self.oversized = front;
        false
    }
}
