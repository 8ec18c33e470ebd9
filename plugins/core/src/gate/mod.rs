//! The gate: which units of a stream belong to a recording, and when that is certain.
//!
//! First accepted signal at media time E1, last at En: the recording covers
//! `[E1+O, min(max(En+Tmin), E1+Tmax))`, from the last sync point at or before its start. Every
//! decision is taken on media time behind the watermark Q, up to which signals are known, so the
//! same input gives the same recordings at any speed. `docs/gate.md` states all rules.
//!
//! Here: what comes in, and the order in which decisions are taken. The interval arithmetic is in
//! `activation`, what is known of signals in `sources`, held media in `hold` and `bounds`, what
//! leaves the gate in `recording`, other streams in `secondary`.

mod activation;
mod bounds;
mod config;
mod hold;
mod output;
mod recording;
mod secondary;
mod sources;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use self::{
    activation::{Activation, Verdict},
    hold::Hold,
    recording::Tail,
    secondary::{Decided, Secondary, Window},
    sources::{Media, Sources},
};
pub use self::{
    config::{Bounds, Config, ConfigError},
    output::{Accepted, Boundary, Cause, Output, PadId, REFERENCE, Stats, StreamId},
};
pub use crate::unit::Unit;
use crate::{
    signal::{Action, Signal},
    time::Nanos,
};

/// How much media leaves the gate at least until more is told of a recording: what writes it down
/// shall cost nothing, and know after a crash why there is a clip but for its last second.
pub const NEWS: Nanos = crate::time::SECOND;

/// A signal that waits until everything before it is known.
#[derive(Debug)]
struct Pending {
    time: Nanos,
    /// Where the media stood when it came.
    arrival: Nanos,
    signal: Signal,
}

/// The open activation and what of it has left the gate.
#[derive(Debug)]
struct Open {
    activation: Activation,
    /// The boundary that has gone out, once the first unit was certain.
    boundary: Option<Arc<Boundary>>,
    /// Media before this has left the gate.
    released: Nanos,
    /// How many of its signals have been told of, and where the media stood then.
    told: (usize, Nanos),
}

/// The gate. Feed it, then [`poll`](Self::poll) until `None`.
///
/// `T` is the payload of a unit; the gate never looks into it.
#[derive(Debug)]
pub struct Gate<T> {
    config: Config,
    media: Media,
    sources: Sources,
    /// By media time, then by arrival.
    pending: BTreeMap<(Nanos, u64), Pending>,
    /// Signals without a time that came before any media.
    undated: Vec<(u64, Signal)>,
    signals: u64,
    hold: Hold<T>,
    open: Option<Open>,
    /// End of the last recording: nothing before it is promised again.
    previous_end: Nanos,
    /// The last sync points that have left the gate, as long as what is held follows them.
    tails: VecDeque<Tail>,
    secondaries: BTreeMap<StreamId, Secondary<T>>,
    windows: VecDeque<Window>,
    /// Number of the first window still kept.
    first_window: u64,
    /// The last gap that has gone out on the reference stream.
    gap: Option<Nanos>,
    /// The front unit whose group was found to outgrow a bound alone.
    oversized: Option<u64>,
    finished: bool,
    out: VecDeque<Output<T>>,
    stats: Stats,
}

impl<T> Gate<T> {
    /// A shut gate with no pads and only the reference stream. `config` has been
    /// [validated](Config::validate).
    pub fn new(config: Config) -> Self {
        Self {
            config,
            media: Media::default(),
            sources: Sources::default(),
            pending: BTreeMap::new(),
            undated: Vec::new(),
            signals: 0,
            hold: Hold::default(),
            open: None,
            previous_end: Nanos::MIN,
            tails: VecDeque::new(),
            secondaries: BTreeMap::new(),
            windows: VecDeque::new(),
            first_window: 0,
            gap: None,
            oversized: None,
            finished: false,
            out: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// The next thing to do; `None` when all is done that can be decided.
    pub fn poll(&mut self) -> Option<Output<T>> {
        self.out.pop_front()
    }

    /// What the gate has seen and done so far.
    pub fn stats(&self) -> Stats {
        let secondary =
            |of: fn(&Secondary<T>) -> u64| self.secondaries.values().map(of).sum::<u64>();
        Stats {
            held_bytes: self.hold.bytes() + secondary(Secondary::bytes),
            held_buffers: self.hold.len() + secondary(Secondary::len),
            held_time: self.held_time(),
            missed: self.stats.missed + secondary(Secondary::missed),
            ..self.stats
        }
    }

    /// Whether a recording is open.
    pub fn is_open(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.boundary.is_some())
    }

    /// A signal pad joins, unwatermarked until told otherwise.
    pub fn add_pad(&mut self, pad: PadId) {
        self.sources.add(pad, &self.media);
        self.advance();
    }

    /// A signal pad leaves; it is waited for no longer.
    pub fn remove_pad(&mut self, pad: PadId) {
        self.sources.remove(pad);
        self.advance();
    }

    /// Whether the pad's signals are known up to its [watermark](Self::watermark).
    pub fn set_watermarked(&mut self, pad: PadId, watermarked: bool) {
        self.sources.set_watermarked(pad, watermarked);
        self.advance();
    }

    /// All signals of the pad up to `time` have come.
    pub fn watermark(&mut self, pad: PadId, time: Nanos) {
        self.sources.watermark(pad, time);
        self.advance();
    }

    /// No more signals will come from the pad.
    pub fn pad_eos(&mut self, pad: PadId) {
        self.sources.eos(pad);
        self.advance();
    }

    /// The pad's stream begins anew, on a new time line.
    pub fn pad_flush(&mut self, pad: PadId) {
        self.sources.flush(pad);
        self.advance();
    }

    /// A signal has come, from a pad or (`None`) by action signal or in band. Without a time it
    /// speaks of the newest media. Returns its number, counted from 1.
    pub fn signal(&mut self, _from: Option<PadId>, time: Option<Nanos>, signal: Signal) -> u64 {
        self.signals += 1;
        let number = self.signals;
        match time.or(self.media.first.map(|_| self.media.newest)) {
            Some(time) => self.enqueue(number, time, signal),
            None => self.undated.push((number, signal)),
        }
        self.advance();
        number
    }

    /// A stream beside the reference joins.
    pub fn add_stream(&mut self, stream: StreamId) {
        let window = self.first_window + self.windows.len() as u64;
        self.secondaries
            .insert(stream, Secondary::new(stream, window));
    }

    /// A stream beside the reference leaves, with all that is held of it.
    pub fn remove_stream(&mut self, stream: StreamId) {
        let gone = self.secondaries.remove(&stream);
        self.stats.missed += gone.map_or(0, |secondary| secondary.missed());
        self.forget_windows();
    }

    /// The next unit of a stream, in decode order. Units of an unknown stream are dropped.
    pub fn push(&mut self, stream: StreamId, unit: Unit<T>) {
        if stream == REFERENCE {
            if unit.sync {
                self.stats.gop_time = self.stats.gop_time.max(self.media.saw_sync(unit.pts));
            }
            self.first_media(unit.dts.unwrap_or(unit.pts).min(unit.pts), unit.pts);
            self.media.saw(unit.pts, unit.dts, unit.duration);
            self.hold.push(unit);
        } else if let Some(secondary) = self.secondaries.get_mut(&stream) {
            secondary.push(unit);
        }
        self.advance();
    }

    /// Nothing will come on a stream before `time`.
    pub fn gap(&mut self, stream: StreamId, time: Nanos) {
        if stream == REFERENCE {
            self.first_media(time, time);
            self.media.reached(time);
        } else if let Some(secondary) = self.secondaries.get_mut(&stream) {
            secondary.reached(time);
        }
        self.advance();
    }

    /// Nothing will come on a stream any more.
    pub fn eos(&mut self, stream: StreamId) {
        if stream == REFERENCE {
            self.media.end(Cause::Eos);
        } else if let Some(secondary) = self.secondaries.get_mut(&stream) {
            secondary.eos();
        }
        self.advance();
    }

    /// Everything held and pending goes; an open recording ends with what has left the gate. A
    /// new time line begins.
    pub fn flush(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.activation.end = open.released.min(open.activation.end);
            self.finish(open, Cause::Flush);
        }
        self.restart();
    }

    /// Everything held of one stream beside the reference goes; its recordings go on.
    pub fn flush_stream(&mut self, stream: StreamId) {
        let reached = self.gap.or(self.media.first);
        if let Some(secondary) = self.secondaries.get_mut(&stream) {
            secondary.flush();
            if let Some(time) = reached {
                secondary.gap(time, &mut self.out);
            }
        }
        self.advance();
    }

    /// The media's times break off here: what is known is decided now, and a new time line begins.
    pub fn discontinuity(&mut self) {
        self.media.end(Cause::Discontinuity);
        self.sources.force(Nanos::MAX);
        self.settle();
        self.restart();
    }

    fn restart(&mut self) {
        self.advance_secondaries(true);
        self.media = Media::default();
        self.sources.restart();
        self.pending.clear();
        self.undated.clear();
        self.hold.clear();
        self.previous_end = Nanos::MIN;
        self.tails.clear();
        self.first_window += self.windows.len() as u64;
        self.windows.clear();
        for secondary in self.secondaries.values_mut() {
            secondary.restart(self.first_window);
        }
        self.gap = None;
        self.finished = false;
    }

    /// The first media has come, at `earliest` at the earliest: what stands behind the gate may
    /// preroll, and signals that had no media to speak of now do.
    fn first_media(&mut self, earliest: Nanos, pts: Nanos) {
        if self.media.first.is_some() {
            return;
        }
        self.emit_gap(earliest);
        for secondary in self.secondaries.values_mut() {
            secondary.gap(earliest, &mut self.out);
        }
        for (number, signal) in std::mem::take(&mut self.undated) {
            self.enqueue(number, pts, signal);
        }
    }

    fn enqueue(&mut self, number: u64, time: Nanos, signal: Signal) {
        if self.media.first.is_some() {
            let lag = self.media.newest.saturating_sub(time);
            self.stats.signal_lag = self.stats.signal_lag.max(lag);
        }
        let arrival = self.media.newest;
        self.pending.insert(
            (time, number),
            Pending {
                time,
                arrival,
                signal,
            },
        );
    }

    fn known(&self) -> Nanos {
        self.sources.known(&self.config, &self.media)
    }

    /// Decides everything that can be decided now.
    fn advance(&mut self) {
        self.stats.forced += self.sources.weigh(&self.config, &self.media);
        self.settle();
        self.advance_secondaries(false);
        if self.media.ended.is_some() && self.media.first.is_none() {
            self.give_up();
        }
        if self.media.ended.is_some()
            && !self.finished
            && self.open.is_none()
            && (self.known() == Nanos::MAX || self.media.first.is_none())
        {
            self.finished = true;
            self.hold.clear();
            self.tails.clear();
            self.out.push_back(Output::Eos(REFERENCE));
            self.advance_secondaries(false);
        }
    }

    /// The media has ended before any came: no signal can make a recording, so none is waited for.
    fn give_up(&mut self) {
        self.pending.clear();
        self.undated.clear();
        if self.open.take().is_some() {
            self.stats.empty += 1;
        }
    }

    fn settle(&mut self) {
        loop {
            let known = self.known();
            if self.apply(known) {
                continue;
            }
            self.release(known);
            if self.close(known) {
                continue;
            }
            self.evict(known);
            if !self.keep_within_bounds(known) {
                break;
            }
        }
    }

    /// Applies the earliest pending signal if it is known to be the earliest; true if it is gone.
    fn apply(&mut self, known: Nanos) -> bool {
        let Some((&key, pending)) = self.pending.first_key_value() else {
            return false;
        };
        let (time, action) = (pending.time, pending.signal.action);
        if time > known {
            return false;
        }
        match &self.open {
            None if action == Action::Stop => {}
            None if !self.window_has_passed(time, known) => return false,
            Some(open) if !open.activation.owns(&self.config, time) => {
                let may_be_ignored = action == Action::Stop && !open.activation.held;
                if !may_be_ignored {
                    return self.close_for_next(known);
                }
            }
            _ => {}
        }
        let Some(Pending { time, signal, .. }) = self.pending.remove(&key) else {
            return false;
        };
        let verdict = match &mut self.open {
            None if action == Action::Stop => Verdict::Ignored,
            None => {
                let activation = Activation::open(&self.config, time, self.previous_end, signal);
                let released = Nanos::MIN;
                self.open = Some(Open {
                    activation,
                    boundary: None,
                    released,
                    told: (0, released),
                });
                Verdict::Accepted
            }
            Some(open) => open
                .activation
                .take(&self.config, time, signal, open.released),
        };
        match verdict {
            Verdict::Ignored => self.stats.ignored += 1,
            Verdict::Accepted => self.stats.accepted += 1,
            Verdict::Late => {
                self.stats.accepted += 1;
                self.stats.late += 1;
            }
        }
        true
    }

    /// Whether no earlier signal may move the start back any more: W has passed since the first
    /// that waits has come, or every source tells how far it is.
    fn window_has_passed(&self, time: Nanos, known: Nanos) -> bool {
        if !self.sources.some_unwatermarked(&self.media) || self.sources.is_forced(time) {
            return true;
        }
        let waiting = self
            .pending
            .range(..=(known, u64::MAX))
            .map(|(_, pending)| pending.arrival);
        let since = waiting.min().unwrap_or(Nanos::MIN);
        self.media.newest >= since.saturating_add(self.config.evaluation_window)
    }

    /// Brings the secondary streams as far as is decided; where the time line `breaks`, through
    /// every recording of it.
    fn advance_secondaries(&mut self, breaks: bool) {
        if self.secondaries.is_empty() {
            self.forget_windows();
            return;
        }
        let horizon = if self.open.is_none() {
            self.secondary_horizon()
        } else {
            Nanos::MIN
        };
        let decided = Decided {
            windows: &self.windows,
            first: self.first_window,
            horizon,
            patience: self.config.max_signal_lag,
            safe: self.media.safe,
            eos: self.finished,
            breaks,
        };
        for secondary in self.secondaries.values_mut() {
            secondary.advance(&decided, &mut self.out);
        }
        self.forget_windows();
    }

    /// With the gate shut, no recording of a secondary stream begins before this: the front of
    /// what is held, or the end of the last recording where that is what the front follows.
    fn secondary_horizon(&self) -> Nanos {
        match (self.tails.back(), self.hold.front()) {
            (None, Some(front)) => front.dts.unwrap_or(front.pts).min(front.pts),
            _ => self.previous_end,
        }
    }

    /// Windows that every stream is done with.
    fn forget_windows(&mut self) {
        let needed = self.secondaries.values().map(Secondary::window).min();
        while let Some(window) = self.windows.front() {
            let used = needed.is_some_and(|needed| needed <= self.first_window);
            if used || window.close.is_none() {
                break;
            }
            self.windows.pop_front();
            self.first_window += 1;
        }
    }
}
