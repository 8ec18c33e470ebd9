//! One activation: the interval arithmetic of triggers, `start` and `stop`, without any media.

use crate::{
    gate::{Accepted, Config},
    signal::{Action, Signal},
    time::Nanos,
};

/// An open gate. `start ≤ end ≤ cap` unless a `stop` came before the start.
#[derive(Debug)]
pub(super) struct Activation {
    /// E1: the media time of the signal that opened it.
    pub(super) first: Nanos,
    /// E1 + O.
    pub(super) asked: Nanos,
    /// `max(asked, end of the previous recording)`.
    pub(super) start: Nanos,
    /// E1 + Tmax.
    pub(super) cap: Nanos,
    /// `min(cap, …)`: where it ends if no more signals come.
    pub(super) end: Nanos,
    /// A `start` holds it open until `stop` or the cap.
    pub(super) held: bool,
    /// A `stop` has ended it, with no trigger reaching further.
    pub(super) stopped: bool,
    /// The last media time that a signal spoke of.
    pub(super) last: Nanos,
    /// The signals it has taken.
    pub(super) signals: Vec<Accepted>,
    /// The largest t + Tmin of the triggers.
    trigger_end: Option<Nanos>,
}

/// What an activation makes of a signal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Taken; it may have moved the end.
    Accepted,
    /// Taken, but it lies before the first and could not move the start any more.
    Late,
    /// A `stop` with nothing to stop.
    Ignored,
}

impl Activation {
    /// Opens for the trigger or start at `time`; nothing before `previous_end` is promised again.
    pub(super) fn open(config: &Config, time: Nanos, previous_end: Nanos, signal: Signal) -> Self {
        let asked = time.saturating_add(config.signal_offset);
        let cap = time.saturating_add(config.maximum_activation);
        let mut activation = Self {
            first: time,
            asked,
            start: asked.max(previous_end),
            cap,
            end: time,
            held: false,
            stopped: false,
            last: time,
            signals: Vec::new(),
            trigger_end: None,
        };
        activation.take(config, time, signal, Nanos::MIN);
        activation
    }

    /// Whether a signal at `time` belongs to this activation rather than to the next: it lies
    /// below the cap, and its own pre-roll touches what is recorded.
    pub(super) fn owns(&self, config: &Config, time: Nanos) -> bool {
        time < self.cap && time.saturating_add(config.lead()) <= self.end
    }

    /// Takes a signal that it [owns](Self::owns). Media before `released` has left the gate, so
    /// the end cannot move below that any more.
    pub(super) fn take(
        &mut self,
        config: &Config,
        time: Nanos,
        signal: Signal,
        released: Nanos,
    ) -> Verdict {
        let late = time < self.first;
        match signal.action {
            Action::Trigger => {
                let until = time.saturating_add(config.minimum_activation);
                self.trigger_end = self.trigger_end.max(Some(until));
                self.end = self.end.max(until).min(self.cap);
                self.stopped &= self.end > until;
            }
            Action::Start => {
                self.held = true;
                self.stopped = false;
                self.end = self.cap;
            }
            Action::Stop if !self.held || late => return Verdict::Ignored,
            Action::Stop => {
                self.held = false;
                self.stopped = self.trigger_end.is_none_or(|end| end <= time);
                let end = self.trigger_end.map_or(time, |end| end.max(time));
                self.end = end.max(released).min(self.cap);
            }
        }
        self.last = self.last.max(time);
        self.signals.push(Accepted { time, late, signal });
        if late {
            Verdict::Late
        } else {
            Verdict::Accepted
        }
    }

    /// Up to where media may leave the gate when signals are known up to `known`: no later signal
    /// can end the recording before that.
    pub(super) fn sure(&self, known: Nanos) -> Nanos {
        if self.held {
            self.end.min(known)
        } else {
            self.end
        }
    }

    /// Up to where signals must be known before it may close: a later one cannot belong to it.
    pub(super) fn settled_at(&self, config: &Config) -> Nanos {
        if self.end == self.cap {
            self.cap
        } else {
            self.end.saturating_sub(config.lead())
        }
    }
}
