//! Streams beside the reference (audio, metadata): cut to the recordings that the reference
//! stream decides, each at its own pace.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    gate::{Boundary, Output, StreamId, Unit},
    time::Nanos,
};

/// A recording as the secondary streams see it.
#[derive(Debug)]
pub(super) struct Window {
    /// How it opened; units from its sync point on belong to it.
    pub(super) open: Arc<Boundary>,
    /// Units before this are decided.
    pub(super) sure: Nanos,
    /// How it closed; units from its end on belong to it no more.
    pub(super) close: Option<Arc<Boundary>>,
}

/// One secondary stream.
#[derive(Debug)]
pub(super) struct Secondary<T> {
    id: StreamId,
    units: VecDeque<Unit<T>>,
    bytes: u64,
    /// No later unit comes before this.
    position: Nanos,
    /// Windows below this number are behind this stream.
    window: u64,
    /// The open boundary of the current window has gone out.
    opened: bool,
    /// The last gap that has gone out.
    gap: Option<Nanos>,
    /// What was recorded without this stream, because it stayed silent: from and until.
    passed_over: Option<(Nanos, Nanos)>,
    /// Units that came for a recording that had been closed without them.
    missed: u64,
    eos: bool,
    done: bool,
}

/// What the reference stream has decided.
pub(super) struct Decided<'a> {
    /// The recordings that some stream is not done with.
    pub(super) windows: &'a VecDeque<Window>,
    /// Number of the first of them.
    pub(super) first: u64,
    /// With the gate shut, nothing before this is wanted any more.
    pub(super) horizon: Nanos,
    /// A stream that is silent for that long after the reference has passed an end has passed it too.
    pub(super) patience: Nanos,
    /// How far the reference has come.
    pub(super) safe: Nanos,
    /// The reference stream is finished.
    pub(super) eos: bool,
    /// The time line ends here.
    pub(super) breaks: bool,
}

impl<T> Secondary<T> {
    /// A stream that joins when `window` recordings have begun.
    pub(super) fn new(id: StreamId, window: u64) -> Self {
        Self {
            id,
            units: VecDeque::new(),
            bytes: 0,
            position: Nanos::MIN,
            window,
            opened: false,
            gap: None,
            passed_over: None,
            missed: 0,
            eos: false,
            done: false,
        }
    }

    pub(super) fn push(&mut self, unit: Unit<T>) {
        self.reached(unit.dts.unwrap_or(unit.pts).min(unit.pts));
        let missed = |(from, until)| (from..until).contains(&unit.pts);
        self.missed += u64::from(self.passed_over.is_some_and(missed));
        self.bytes += unit.bytes;
        self.units.push_back(unit);
    }

    /// Nothing will come before `time`.
    pub(super) fn reached(&mut self, time: Nanos) {
        self.position = self.position.max(time);
    }

    pub(super) fn eos(&mut self) {
        self.eos = true;
    }

    /// This stream alone begins anew: what is held of it goes, and downstream must be told anew
    /// where it stands.
    pub(super) fn flush(&mut self) {
        let opened = self.opened;
        self.restart(self.window);
        self.opened = opened;
    }

    pub(super) fn restart(&mut self, window: u64) {
        let missed = self.missed;
        *self = Self::new(self.id, window);
        self.missed = missed;
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.units.len() as u64
    }

    /// Units that came for a recording that had been closed without them.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    /// Number of the window this stream is at.
    pub(super) fn window(&self) -> u64 {
        self.window
    }

    /// Tells downstream that nothing comes before `time`.
    pub(super) fn gap(&mut self, time: Nanos, out: &mut VecDeque<Output<T>>) {
        if self.gap.is_none_or(|gap| gap < time) {
            self.gap = Some(time);
            out.push_back(Output::Gap(self.id, time));
        }
    }

    pub(super) fn drop_front(&mut self) -> bool {
        self.pop().is_some()
    }

    fn pop(&mut self) -> Option<Unit<T>> {
        let unit = self.units.pop_front()?;
        self.bytes -= unit.bytes;
        Some(unit)
    }

    fn drop_before(&mut self, time: Nanos) {
        while self.units.front().is_some_and(|unit| unit.pts < time) {
            self.pop();
        }
    }

    /// Does everything that is decided.
    pub(super) fn advance(&mut self, decided: &Decided<'_>, out: &mut VecDeque<Output<T>>) {
        if self.done {
            return;
        }
        while let Some(window) = decided.windows.get((self.window - decided.first) as usize) {
            if !self.pass(window, decided, out) {
                return;
            }
            self.window += 1;
            self.opened = false;
        }
        self.drop_before(decided.horizon);
        if decided.horizon > Nanos::MIN {
            self.gap(decided.horizon, out);
        }
        if self.eos && decided.eos {
            while self.pop().is_some() {}
            self.done = true;
            out.push_back(Output::Eos(self.id));
        }
    }

    /// Brings the stream through a window as far as is decided; true when it is through.
    fn pass(
        &mut self,
        window: &Window,
        decided: &Decided<'_>,
        out: &mut VecDeque<Output<T>>,
    ) -> bool {
        if !self.opened {
            self.opened = true;
            out.push_back(Output::Open(self.id, Arc::clone(&window.open)));
        }
        // Downstream has been told that nothing comes before the gap.
        let gone = self.gap.unwrap_or(Nanos::MIN);
        self.drop_before(window.open.sync_point.max(gone));
        let until = window.close.as_ref().map_or(window.sure, |close| close.end);
        while self.units.front().is_some_and(|unit| unit.pts < until) {
            if let Some(unit) = self.pop() {
                out.push_back(Output::Unit(self.id, unit));
            }
        }
        let Some(close) = &window.close else {
            return false;
        };
        // At the reference's end its position says nothing of how late this stream may be.
        let silent =
            decided.safe < Nanos::MAX && decided.safe >= until.saturating_add(decided.patience);
        let through = self.eos || !self.units.is_empty() || self.position >= until;
        let passed = through || decided.breaks || silent;
        if passed && !through {
            self.pass_over(window.open.sync_point.max(gone), until);
        }
        if passed {
            out.push_back(Output::Close(self.id, Arc::clone(close)));
        }
        passed
    }

    /// A recording has been closed although this stream may still have something for it.
    fn pass_over(&mut self, from: Nanos, until: Nanos) {
        let from = from.max(self.position);
        // Recordings that touch are one stretch; of others only the last is worth remembering.
        let joined = self.passed_over.filter(|&(_, end)| end >= from);
        self.passed_over = Some((joined.map_or(from, |(start, _)| start), until));
    }
}
