//! Feeds a gate and reads what comes out as eventsink does: a recording that continues an
//! earlier one is put together from what was kept of it.
//!
//! Whatever breaks the order on a stream panics here, so every test checks it.

use std::{collections::BTreeMap, sync::Arc};

use evr_core::{
    gate::{Accepted, Boundary, Config, Gate, Output, PadId, REFERENCE, Stats, StreamId, Unit},
    signal::{Action, Signal},
    time::Nanos,
};

/// One call of the gate.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    AddPad(PadId),
    RemovePad(PadId),
    Watermarked(PadId, bool),
    Watermark(PadId, Nanos),
    PadEos(PadId),
    Signal(Option<PadId>, Option<Nanos>, Action),
    AddStream(StreamId),
    Push(StreamId, Unit<u32>),
    Gap(StreamId, Nanos),
    Eos(StreamId),
    Flush,
    Discontinuity,
}

/// One recording on one stream.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(crate) opened: Arc<Boundary>,
    pub(crate) closed: Arc<Boundary>,
    /// As a reader assembles it.
    pub(crate) units: Vec<Unit<u32>>,
    /// How many of them had come in an earlier recording.
    pub(crate) again: usize,
    /// How many flushes came before it.
    pub(crate) epoch: usize,
}

impl Recording {
    pub(crate) fn places(&self) -> Vec<u32> {
        self.units.iter().map(|unit| unit.payload).collect()
    }
}

/// What a run leaves.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) streams: BTreeMap<StreamId, Reader>,
    pub(crate) stats: Stats,
    /// The most that was held after any call: bytes, buffers, time.
    pub(crate) held: (u64, u64, Nanos),
    epoch: usize,
}

impl Run {
    /// The recordings of the reference stream.
    pub(crate) fn recordings(&self) -> &[Recording] {
        self.beside(REFERENCE)
    }

    /// The recordings of any stream.
    pub(crate) fn beside(&self, stream: StreamId) -> &[Recording] {
        self.streams.get(&stream).map_or(&[], |reader| &reader.done)
    }

    /// The recording that is still open on the reference stream: how many units it has so far.
    pub(crate) fn open(&self) -> Option<usize> {
        let reader = self.streams.get(&REFERENCE)?;
        reader.open.as_ref().map(|_| reader.units.len())
    }

    /// Whether the gate has said the end of a stream.
    pub(crate) fn ended(&self, stream: StreamId) -> bool {
        self.streams.get(&stream).is_some_and(|reader| reader.eos)
    }
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) done: Vec<Recording>,
    reference: bool,
    open: Option<Arc<Boundary>>,
    /// What the gate has said of the open recording's signals so far.
    told: Vec<Accepted>,
    units: Vec<Unit<u32>>,
    again: usize,
    /// What a later recording may need again.
    kept: Vec<Unit<u32>>,
    last_place: Option<u32>,
    last_gap: Option<Nanos>,
    last_id: u64,
    eos: bool,
}

impl Reader {
    fn open(&mut self, boundary: Arc<Boundary>) {
        assert!(!self.eos, "a recording after the end of the stream");
        assert!(self.open.is_none(), "a recording opens inside another");
        assert!(
            boundary.id > self.last_id,
            "ids rise: {} after {}",
            boundary.id,
            self.last_id
        );
        self.last_id = boundary.id;
        let again = |unit: &&Unit<u32>| unit.pts >= boundary.sync_point;
        if let Some(earlier) = boundary.continues_from {
            assert!(
                earlier < boundary.id,
                "a recording continues from a later one"
            );
            // A secondary stream has no sync points of its own to go by.
            let from = if self.reference {
                let place = self
                    .kept
                    .iter()
                    .position(|u| u.sync && u.pts == boundary.sync_point);
                place.expect("what a recording continues from is still kept")
            } else {
                0
            };
            self.units = self.kept[from..].iter().filter(again).cloned().collect();
        }
        self.again = self.units.len();
        self.told.clone_from(&boundary.signals);
        self.open = Some(boundary);
    }

    fn update(&mut self, news: &Boundary) {
        let opened = self.open.as_ref().expect("what is updated has been opened");
        assert!(self.reference, "an update beside the reference stream");
        assert_eq!((opened.id, opened.start), (news.id, news.start));
        assert!(!news.signals.is_empty(), "an update without news");
        self.told.extend_from_slice(&news.signals);
    }

    fn unit(&mut self, unit: Unit<u32>) {
        assert!(!self.eos, "a unit after the end of the stream");
        assert!(self.open.is_some(), "a unit outside a recording: {unit:?}");
        assert!(
            self.last_place.is_none_or(|last| last < unit.payload),
            "the stream runs backwards: {unit:?} after {:?}",
            self.last_place
        );
        assert!(
            self.last_gap.is_none_or(|gap| unit.pts >= gap),
            "a unit in what was said to be a gap: {unit:?} before {:?}",
            self.last_gap
        );
        self.last_place = Some(unit.payload);
        self.kept.push(unit.clone());
        self.units.push(unit);
    }

    fn close(&mut self, closed: Arc<Boundary>, epoch: usize) {
        let opened = self.open.take().expect("what closes has been opened");
        let fixed = |b: &Boundary| (b.id, b.asked, b.start, b.sync_point, b.continues_from);
        assert_eq!(
            fixed(&opened),
            fixed(&closed),
            "open and close are of one recording"
        );
        assert!(
            closed.signals.starts_with(&self.told),
            "what was told of a recording's signals on the way is not what they were"
        );
        if self.reference {
            let needed = self
                .kept
                .iter()
                .rposition(|unit| unit.sync && unit.pts <= closed.end);
            self.kept.drain(..needed.unwrap_or(0));
        }
        let units = std::mem::take(&mut self.units);
        self.done.push(Recording {
            opened,
            closed,
            units,
            again: self.again,
            epoch,
        });
    }

    fn gap(&mut self, time: Nanos) {
        assert!(!self.eos, "a gap after the end of the stream");
        assert!(
            self.last_gap.is_none_or(|last| time >= last),
            "gaps run backwards"
        );
        self.last_gap = Some(time);
    }

    fn end(&mut self) {
        assert!(self.open.is_none(), "the stream ends inside a recording");
        assert!(!self.eos, "the stream ends twice");
        self.eos = true;
    }

    fn forget(&mut self) {
        assert!(
            self.open.is_none(),
            "a new time line begins inside a recording"
        );
        self.kept.clear();
        (self.last_place, self.last_gap, self.eos) = (None, None, false);
    }
}

/// Runs the gate over all calls; it is polled after each.
pub(crate) fn run(config: &Config, ops: &[Op]) -> Run {
    run_with(config, ops, |_| true)
}

/// Runs the gate over all calls; it is polled after those whose number `poll` likes, after what
/// begins a new time line, and at the end.
pub(crate) fn run_with(config: &Config, ops: &[Op], mut poll: impl FnMut(usize) -> bool) -> Run {
    assert_eq!(config.validate(), Ok(()));
    let mut gate = Gate::<u32>::new(config.clone());
    let mut run = Run::default();
    for (number, op) in ops.iter().enumerate() {
        let breaks = matches!(op, Op::Flush | Op::Discontinuity);
        if breaks {
            drain(&mut gate, &mut run);
        }
        apply(&mut gate, op.clone());
        if breaks || poll(number) {
            drain(&mut gate, &mut run);
        }
        if breaks {
            run.streams.values_mut().for_each(Reader::forget);
            run.epoch += 1;
        }
    }
    drain(&mut gate, &mut run);
    run.stats = gate.stats();
    run
}

fn apply(gate: &mut Gate<u32>, op: Op) {
    match op {
        Op::AddPad(pad) => gate.add_pad(pad),
        Op::RemovePad(pad) => gate.remove_pad(pad),
        Op::Watermarked(pad, yes) => gate.set_watermarked(pad, yes),
        Op::Watermark(pad, time) => gate.watermark(pad, time),
        Op::PadEos(pad) => gate.pad_eos(pad),
        Op::Signal(pad, time, action) => {
            gate.signal(
                pad,
                time,
                Signal {
                    action,
                    ..Signal::default()
                },
            );
        }
        Op::AddStream(stream) => gate.add_stream(stream),
        Op::Push(stream, unit) => gate.push(stream, unit),
        Op::Gap(stream, time) => gate.gap(stream, time),
        Op::Eos(stream) => gate.eos(stream),
        Op::Flush => gate.flush(),
        Op::Discontinuity => gate.discontinuity(),
    }
}

fn drain(gate: &mut Gate<u32>, run: &mut Run) {
    let epoch = run.epoch;
    while let Some(output) = gate.poll() {
        let (Output::Open(stream, _)
        | Output::Unit(stream, _)
        | Output::Update(stream, _)
        | Output::Close(stream, _)
        | Output::Gap(stream, _)
        | Output::Eos(stream)) = output;
        let reference = stream == REFERENCE;
        let new = || Reader {
            reference,
            ..Reader::default()
        };
        let reader = run.streams.entry(stream).or_insert_with(new);
        match output {
            Output::Open(_, boundary) => reader.open(boundary),
            Output::Unit(_, unit) => reader.unit(unit),
            Output::Update(_, boundary) => reader.update(&boundary),
            Output::Close(_, boundary) => reader.close(boundary, epoch),
            Output::Gap(_, time) => reader.gap(time),
            Output::Eos(_) => reader.end(),
        }
    }
    let stats = gate.stats();
    run.held.0 = run.held.0.max(stats.held_bytes);
    run.held.1 = run.held.1.max(stats.held_buffers);
    run.held.2 = run.held.2.max(stats.held_time);
}
