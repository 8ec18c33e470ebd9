//! What is known of each pad's stream, and what of it waits for the stream that leads.

use std::collections::BTreeMap;

use evr_core::recording::Unit;
use evr_core::recording::beside::Beside;
use evr_core::time::{Nanos, SECOND};

use super::caps::Input;
use super::pads::Kind;
use crate::bridge::time::{running_time, signed};

/// Encoded media of a stream beside the video that may be held: half an hour of 128 kbit/s.
const MAX_BESIDE: u64 = 32 << 20;
/// A stream beside that is silent for so long after a recording's end is waited for no more.
const PATIENCE: Nanos = 2 * SECOND;

/// One pad's stream.
pub(super) struct Stream {
    pub(super) segment: gst::Segment,
    pub(super) input: Option<Input>,
    /// Empty for the stream that leads.
    pub(super) units: Beside<gst::Buffer>,
    /// Number of the newest recording that has closed on this pad.
    pub(super) closed: u64,
    pub(super) eos: bool,
    /// A clip's beginning still waits for this stream's caps.
    pub(super) awaited: bool,
    /// Buffers without PTS.
    pub(super) untimed: u64,
}

impl Stream {
    fn new() -> Self {
        Self {
            segment: gst::Segment::new(),
            input: None,
            units: Beside::new(MAX_BESIDE),
            closed: 0,
            eos: false,
            awaited: true,
            untimed: 0,
        }
    }

    /// A buffer at its running time; `None` without PTS.
    pub(super) fn unit(&self, buffer: gst::Buffer) -> Option<Unit<gst::Buffer>> {
        Some(Unit {
            pts: running_time(&self.segment, buffer.pts())?,
            dts: running_time(&self.segment, buffer.dts()),
            duration: buffer
                .duration()
                .and_then(|duration| signed(gst::Signed::Positive(duration))),
            sync: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            bytes: buffer.size() as u64,
            payload: buffer,
        })
    }

    /// Whether nothing more can come for recording `n`, which ends at `end`, with the leading
    /// stream at `lead`; `None` where the media waits for us, so that silence says nothing.
    fn is_through(&self, n: u64, end: Nanos, lead: Option<Nanos>) -> bool {
        self.eos
            || self.input.is_none()
            || self.closed >= n
            || self.units.position() >= end
            || lead.is_some_and(|lead| lead >= end.saturating_add(PATIENCE))
    }
}

/// The streams of all pads.
#[derive(Default)]
pub(super) struct Streams(BTreeMap<Kind, Stream>);

impl Streams {
    pub(super) fn add(&mut self, kind: Kind) {
        self.0.entry(kind).or_insert_with(Stream::new);
    }

    pub(super) fn remove(&mut self, kind: Kind) {
        self.0.remove(&kind);
    }

    pub(super) fn get(&mut self, kind: Kind) -> &mut Stream {
        self.0.entry(kind).or_insert_with(Stream::new)
    }

    /// The pad whose stream decides where clips begin.
    pub(super) fn lead(&self) -> Option<Kind> {
        let first = self.0.keys().next().copied();
        first.filter(|kind| *kind != Kind::Meta)
    }

    pub(super) fn lead_input(&self) -> Option<&Input> {
        self.0.get(&self.lead()?)?.input.as_ref()
    }

    /// The others.
    pub(super) fn beside(&self) -> impl Iterator<Item = (Kind, &Stream)> {
        let lead = self.lead();
        let all = self.0.iter().map(|(kind, stream)| (*kind, stream));
        all.filter(move |(kind, _)| Some(*kind) != lead)
    }

    /// Whether every stream that a clip would hold has told what it is.
    pub(super) fn are_known(&self) -> bool {
        self.beside().all(|(kind, stream)| {
            kind == Kind::Meta || stream.input.is_some() || stream.eos || !stream.awaited
        })
    }

    /// Those that have told nothing so far are waited for no more.
    pub(super) fn stop_waiting(&mut self) {
        for stream in self.0.values_mut() {
            stream.awaited &= stream.input.is_some();
        }
    }

    /// Whether nothing more can come for recording `n` beside the leading stream.
    pub(super) fn are_through(&self, n: u64, end: Nanos, lead: Option<Nanos>) -> bool {
        self.beside()
            .all(|(_, stream)| stream.is_through(n, end, lead))
    }

    pub(super) fn are_at_eos(&self) -> bool {
        self.0.values().all(|stream| stream.eos)
    }

    /// Lets go of what no clip needs any more.
    pub(super) fn drop_before(&mut self, time: Nanos) {
        for stream in self.0.values_mut() {
            stream.units.drop_before(time);
        }
    }

    /// All begin anew.
    pub(super) fn clear(&mut self) {
        for stream in self.0.values_mut() {
            stream.units.clear();
            (stream.closed, stream.eos) = (0, false);
        }
    }
}
