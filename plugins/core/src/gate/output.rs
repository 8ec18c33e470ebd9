//! What goes into the gate and what comes out of it.

use std::sync::Arc;

use crate::{
    signal::{Action, Signal},
    time::Nanos,
    unit::Unit,
};

/// A stream through the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// The stream whose sync points the recordings follow, normally the video.
pub const REFERENCE: StreamId = StreamId(0);

/// A source of signals that stays: a pad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PadId(pub u32);

/// A signal that an activation has taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Its media time, running time.
    pub time: Nanos,
    /// It came after the start was decided and lies before it.
    pub late: bool,
    /// The signal itself.
    pub signal: Signal,
}

/// What opened or closed a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Opened by a trigger.
    Trigger,
    /// Opened by `start`.
    Start,
    /// Closed because the minimum activation time after the last trigger has passed.
    Elapsed,
    /// Closed by `stop`.
    Stop,
    /// Closed by the maximum activation time.
    Maximum,
    /// Closed because the media ended.
    Eos,
    /// Closed by a flush.
    Flush,
    /// Closed because the media's times broke off.
    Discontinuity,
}

impl Cause {
    /// The word in events and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Start => "start",
            Self::Elapsed => "elapsed",
            Self::Stop => "stop",
            Self::Maximum => "maximum",
            Self::Eos => "eos",
            Self::Flush => "flush",
            Self::Discontinuity => "discontinuity",
        }
    }
}

impl From<Action> for Cause {
    fn from(action: Action) -> Self {
        match action {
            Action::Trigger => Self::Trigger,
            Action::Start => Self::Start,
            Action::Stop => Self::Stop,
        }
    }
}

/// One end of a recording. All times are running times.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundary {
    /// Number of the recording, counted from 1; both ends carry the same.
    pub id: u64,
    /// First signal + O.
    pub asked: Nanos,
    /// `max(asked, end of the previous recording)`.
    pub start: Nanos,
    /// PTS of the unit from which the recording decodes.
    pub sync_point: Nanos,
    /// The end as known here; final at the close.
    pub end: Nanos,
    /// The first media time that the signals speak of.
    pub event_start: Nanos,
    /// The last media time that the signals speak of, so far.
    pub event_end: Nanos,
    /// The sync point has already left the gate in this earlier recording.
    pub continues_from: Option<u64>,
    /// What opened or closed it.
    pub cause: Cause,
    /// The accepted signals so far, by media time, late ones in the order of their arrival.
    pub signals: Vec<Accepted>,
}

/// What the gate wants done, in this order. On each stream times never run backwards.
#[derive(Debug, Clone, PartialEq)]
pub enum Output<T> {
    /// A recording begins on this stream.
    Open(StreamId, Arc<Boundary>),
    /// A unit of the open recording.
    Unit(StreamId, Unit<T>),
    /// What the open recording has learnt: its `signals` are those that have come since it was last
    /// spoken of. Only on the reference stream, and at most once in [`NEWS`](super::NEWS).
    Update(StreamId, Arc<Boundary>),
    /// The recording has ended on this stream.
    Close(StreamId, Arc<Boundary>),
    /// Nothing will come on this stream before this running time.
    Gap(StreamId, Nanos),
    /// Nothing will come on this stream any more.
    Eos(StreamId),
}

/// What the gate has seen and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Bytes held, all streams.
    pub held_bytes: u64,
    /// Units held, all streams.
    pub held_buffers: u64,
    /// From the oldest held unit of the reference stream to the newest.
    pub held_time: Nanos,
    /// The longest distance between two sync points of the reference stream.
    pub gop_time: Nanos,
    /// The most that a signal has arrived behind the newest media.
    pub signal_lag: Nanos,
    /// Signals taken by an activation.
    pub accepted: u64,
    /// Of these, those that came too late to move the start.
    pub late: u64,
    /// `stop` signals with nothing to stop.
    pub ignored: u64,
    /// Recordings opened.
    pub recordings: u64,
    /// Recordings whose media began after the asked start.
    pub short: u64,
    /// Activations without a frame.
    pub empty: u64,
    /// Decisions that a bound or a stalled pad forced before all signals were known.
    pub forced: u64,
    /// Groups of pictures that a bound evicted.
    pub evicted: u64,
    /// Units of streams beside the reference that came for a recording that had been closed without
    /// them, because the stream had stayed silent for too long.
    pub missed: u64,
    /// Times that a single group of pictures outgrew a bound and was kept all the same.
    pub oversized: u64,
}
