//! The signal pads and the time up to which their signals are known.

use std::collections::BTreeMap;

use crate::{
    gate::{Cause, Config, PadId},
    time::Nanos,
};

/// How far the media of the reference stream has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Media {
    /// The first PTS seen; `None` before any media.
    pub(super) first: Option<Nanos>,
    /// The largest PTS seen; `MIN` before any media.
    pub(super) newest: Nanos,
    /// M: no later unit is shown before this; `MAX` once the media has ended.
    pub(super) safe: Nanos,
    /// The largest PTS + duration seen.
    pub(super) end: Nanos,
    /// The furthest that a unit without DTS was shown before one that came earlier.
    pub(super) reorder: Nanos,
    /// The newest sync point; `None` before any.
    pub(super) sync: Option<Nanos>,
    /// Why no more media will come; `None` while it may.
    pub(super) ended: Option<Cause>,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            first: None,
            newest: Nanos::MIN,
            safe: Nanos::MIN,
            end: Nanos::MIN,
            reorder: 0,
            sync: None,
            ended: None,
        }
    }
}

impl Media {
    /// A unit with these times has come.
    pub(super) fn saw(&mut self, pts: Nanos, dts: Option<Nanos>, duration: Option<Nanos>) {
        self.first.get_or_insert(pts);
        if dts.is_none() && pts < self.newest {
            self.reorder = self.reorder.max(self.newest.saturating_sub(pts));
        }
        self.newest = self.newest.max(pts);
        self.end = self.end.max(pts.saturating_add(duration.unwrap_or(0)));
        let safe = dts.unwrap_or_else(|| self.newest.saturating_sub(self.reorder));
        self.safe = self.safe.max(safe);
    }

    /// A sync point at `pts`; returns its distance from the one before.
    pub(super) fn saw_sync(&mut self, pts: Nanos) -> Nanos {
        self.sync
            .replace(pts)
            .map_or(0, |last| pts.saturating_sub(last))
    }

    /// No more media will come.
    pub(super) fn end(&mut self, cause: Cause) {
        self.ended = Some(cause);
        self.safe = Nanos::MAX;
    }

    /// Nothing will be shown before `time`.
    pub(super) fn reached(&mut self, time: Nanos) {
        self.first.get_or_insert(time);
        self.newest = self.newest.max(time);
        self.end = self.end.max(time);
        self.safe = self.safe.max(time);
    }
}

#[derive(Debug)]
struct Pad {
    watermarked: bool,
    /// Its signals are known up to here.
    watermark: Nanos,
    /// Where the media stood when the pad came; it owes nothing for the time before.
    since: Option<Nanos>,
    /// A watermarked pad too far behind to be waited for.
    lagging: bool,
    eos: bool,
}

impl Pad {
    fn restart(&mut self) {
        (self.watermark, self.since) = (Nanos::MIN, None);
        (self.lagging, self.eos) = (false, false);
    }
}

/// All signal pads.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pads: BTreeMap<PadId, Pad>,
    /// A bound needs the signals to be taken as known up to here.
    forced: Option<Nanos>,
}

impl Sources {
    pub(super) fn add(&mut self, id: PadId, media: &Media) {
        let since = media.first.map(|_| media.newest);
        let (watermarked, watermark, lagging, eos) = (false, Nanos::MIN, false, false);
        self.pads.insert(
            id,
            Pad {
                watermarked,
                watermark,
                since,
                lagging,
                eos,
            },
        );
    }

    pub(super) fn remove(&mut self, id: PadId) {
        self.pads.remove(&id);
    }

    pub(super) fn set_watermarked(&mut self, id: PadId, watermarked: bool) {
        if let Some(pad) = self.pads.get_mut(&id) {
            pad.watermarked = watermarked;
        }
    }

    pub(super) fn watermark(&mut self, id: PadId, time: Nanos) {
        if let Some(pad) = self.pads.get_mut(&id) {
            pad.watermark = pad.watermark.max(time);
        }
    }

    pub(super) fn eos(&mut self, id: PadId) {
        if let Some(pad) = self.pads.get_mut(&id) {
            pad.eos = true;
        }
    }

    /// The pad's stream begins anew.
    pub(super) fn flush(&mut self, id: PadId) {
        if let Some(pad) = self.pads.get_mut(&id) {
            pad.restart();
        }
    }

    /// A new time line: what was known of the old one says nothing of it.
    pub(super) fn restart(&mut self) {
        self.forced = None;
        for pad in self.pads.values_mut() {
            pad.restart();
        }
    }

    /// Takes signals as known up to `time` at least.
    pub(super) fn force(&mut self, time: Nanos) {
        self.forced = self.forced.max(Some(time));
    }

    /// Whether a decision about a signal at `time` has been forced.
    pub(super) fn is_forced(&self, time: Nanos) -> bool {
        self.forced.is_some_and(|forced| forced >= time)
    }

    /// Sorts the watermarked pads into those that keep up and those that do not; tells how many
    /// have just fallen too far behind.
    pub(super) fn weigh(&mut self, config: &Config, media: &Media) -> u64 {
        let Some(first) = media.first else { return 0 };
        let mut fallen = 0;
        for pad in self
            .pads
            .values_mut()
            .filter(|pad| pad.watermarked && !pad.eos)
        {
            let since = *pad.since.get_or_insert(first);
            let lag = media.newest.saturating_sub(pad.watermark.max(since));
            let lagging = lag > config.max_signal_lag;
            fallen += u64::from(lagging && !pad.lagging);
            pad.lagging = lagging;
        }
        fallen
    }

    /// Whether some pad may still bring a signal whose lateness nothing bounds.
    pub(super) fn some_unwatermarked(&self, media: &Media) -> bool {
        media.ended.is_none()
            && self
                .pads
                .values()
                .any(|pad| !pad.eos && (!pad.watermarked || pad.lagging))
    }

    /// Q: the time up to which all signals are known.
    pub(super) fn known(&self, config: &Config, media: &Media) -> Nanos {
        // Without pads, signals come in band or by action: with the media, not after it.
        let mut known = if self.pads.is_empty() {
            media.safe
        } else {
            Nanos::MAX
        };
        for pad in self.pads.values().filter(|pad| !pad.eos) {
            // At the end of the media nothing bounds a lagging pad's lateness but its own end.
            if pad.watermarked && (!pad.lagging || media.ended.is_some()) {
                known = known.min(pad.watermark);
            } else if media.ended.is_none() {
                known = known.min(media.newest.saturating_sub(config.signal_latency));
            }
        }
        known.max(self.forced.unwrap_or(Nanos::MIN))
    }
}
