//! The way out: each src pad has a queue of decided items and a task that alone pushes them.

use std::{
    collections::VecDeque,
    sync::{Arc, MutexGuard},
};

use evr_core::{
    gate::{Boundary, Output, StreamId, Unit},
    time::Nanos,
};
use gst::{prelude::*, subclass::prelude::*};
use serde_json::Value;

use super::imp::{CAT, SignalGate, State};
use crate::bridge::{
    recording::{Phase, Recording},
    time::clock_time,
};

/// As much waits to be pushed as in an ordinary queue, before the thread that feeds is slowed.
const MAX_WAITING_BUFFERS: usize = 200;
const MAX_WAITING_BYTES: u64 = 10 << 20;

/// How much media passes until a gap is said again.
const REPEAT: Nanos = evr_core::time::SECOND / 2;

/// What stood sticky on the sink pad when a buffer came; the same on the src pad before it goes.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// Stream-start, caps, segment, tags, …: in the order of their event types.
    pub(super) events: Vec<gst::Event>,
    pub(super) segment: gst::Segment,
}

/// A buffer on its way through the gate.
#[derive(Debug)]
pub(super) struct Media {
    pub(super) buffer: gst::Buffer,
    pub(super) context: Arc<Context>,
    /// Serialized events that came just before it.
    pub(super) before: Vec<gst::Event>,
}

/// Something to do on a src pad.
#[derive(Debug)]
enum Item {
    Media(Media),
    Boundary(Phase, Arc<Boundary>),
    /// Nothing will come before this running time.
    Gap(Nanos, Arc<Context>),
    Eos,
}

/// A src pad's way out.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) sink: gst::Pad,
    pub(super) src: gst::Pad,
    /// What stands on the sink pad now.
    pub(super) context: Arc<Context>,
    /// Serialized events for the next buffer.
    pub(super) before: Vec<gst::Event>,
    /// Of the EOS that has come.
    pub(super) seqnum: Option<gst::Seqnum>,
    /// The running time of the last buffer that had any.
    pub(super) position: Option<Nanos>,
    /// What the last push said; anything but `Ok` goes back to the thread that feeds.
    pub(super) flow: Result<gst::FlowSuccess, gst::FlowError>,
    items: VecDeque<Item>,
    /// Buffers among the items, and their bytes.
    waiting: (usize, u64),
    /// A gap that waits for the stream's segment: the reference may begin before it.
    owed: Option<Nanos>,
    /// The last gap, as long as nothing else has gone out behind it.
    last_gap: Option<Nanos>,
    /// Its task sleeps, and nobody has woken it yet.
    asleep: bool,
    /// The context that stands on the src pad.
    sent: Option<Arc<Context>>,
}

impl Stream {
    pub(super) fn new(sink: &gst::Pad, src: &gst::Pad) -> Self {
        Self {
            sink: sink.clone(),
            src: src.clone(),
            context: Arc::default(),
            before: Vec::new(),
            seqnum: None,
            position: None,
            flow: Err(gst::FlowError::Flushing),
            items: VecDeque::new(),
            waiting: (0, 0),
            owed: None,
            last_gap: None,
            asleep: false,
            sent: None,
        }
    }

    /// Forgets everything that waits, and takes `flow` as the answer from now on.
    pub(super) fn reset(&mut self, flow: Result<gst::FlowSuccess, gst::FlowError>) {
        self.items.clear();
        self.before.clear();
        self.waiting = (0, 0);
        (self.owed, self.last_gap) = (None, None);
        self.sent = None;
        self.flow = flow;
    }

    /// As new, but for its pads.
    pub(super) fn restart(&mut self) {
        *self = Self::new(&self.sink, &self.src);
    }

    /// Takes buffers again, of a new time line.
    pub(super) fn reset_after_flush(&mut self) {
        (self.seqnum, self.position) = (None, None);
        let mut events = self.context.events.clone();
        events.retain(|event| event.type_() != gst::EventType::Segment);
        let segment = gst::Segment::new();
        self.context = Arc::new(Context { events, segment });
        self.reset(Ok(gst::FlowSuccess::Ok));
    }

    /// Whether the thread that feeds this stream should let the task catch up.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.0 > MAX_WAITING_BUFFERS || self.waiting.1 > MAX_WAITING_BYTES
    }

    /// Whether so much has gone that the thread that feeds is worth waking: not for every buffer.
    fn has_room(&self) -> bool {
        self.waiting.0 <= MAX_WAITING_BUFFERS / 2 && self.waiting.1 <= MAX_WAITING_BYTES / 2
    }

    /// Whether the task has nothing to push.
    pub(super) fn is_idle(&self) -> bool {
        self.items.is_empty()
    }

    /// Queues an item; true if the task must be woken for it.
    fn push(&mut self, item: Item) -> bool {
        if let Item::Media(media) = &item {
            self.waiting.0 += 1;
            self.waiting.1 += media.buffer.size() as u64;
        }
        self.last_gap = match &item {
            Item::Gap(time, _) => Some(*time),
            _ => None,
        };
        self.items.push_back(item);
        std::mem::take(&mut self.asleep)
    }

    /// Queues the gap that is owed, once there is a segment in which its time can be told; true
    /// if the task must be woken for it.
    pub(super) fn pay_gap(&mut self) -> bool {
        if self.context.segment.format() != gst::Format::Time {
            return false;
        }
        let context = &self.context;
        let gap = self
            .owed
            .take()
            .map(|time| Item::Gap(time, Arc::clone(context)));
        gap.is_some_and(|gap| self.push(gap))
    }

    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if let Item::Media(media) = &item {
            self.waiting.0 -= 1;
            self.waiting.1 -= media.buffer.size() as u64;
        }
        Some(item)
    }

    /// The sticky events that must go out before something of `context`.
    fn change_context(&mut self, context: &Arc<Context>) -> Vec<gst::Event> {
        if self
            .sent
            .as_ref()
            .is_some_and(|sent| Arc::ptr_eq(sent, context))
        {
            return Vec::new();
        }
        let sent = self.sent.replace(Arc::clone(context));
        let stood = |event: &gst::Event| {
            sent.as_ref()
                .is_some_and(|sent| sent.events.iter().any(|it| it.as_ptr() == event.as_ptr()))
        };
        context
            .events
            .iter()
            .filter(|event| !stood(event))
            .cloned()
            .collect()
    }
}

impl State {
    /// Says the last gap again when the media has gone on for a while: a sink that is paused and
    /// played behind a shut gate waits for something to preroll with. True if tasks must be woken.
    pub(super) fn repeat_gaps(&mut self, now: Nanos) -> bool {
        if now < self.repeated.saturating_add(REPEAT) {
            return false;
        }
        self.repeated = now;
        let mut wake = false;
        for stream in self.streams.values_mut().filter(|stream| stream.is_idle()) {
            stream.owed = stream.owed.or(stream.last_gap);
            wake |= stream.pay_gap();
        }
        wake
    }

    /// Takes everything the gate has decided to the src pads; tells whether a task is to be woken.
    fn collect(&mut self) -> bool {
        let mut wake = false;
        while let Some(output) = self.gate.poll() {
            let (id, item) = match output {
                Output::Unit(id, Unit { payload, .. }) => (id, Item::Media(payload)),
                Output::Open(id, boundary) => (id, Item::Boundary(Phase::Open, boundary)),
                Output::Update(id, boundary) => (id, Item::Boundary(Phase::Update, boundary)),
                Output::Close(id, boundary) => (id, Item::Boundary(Phase::Close, boundary)),
                Output::Eos(id) => (id, Item::Eos),
                Output::Gap(id, time) => {
                    if let Some(stream) = self.streams.get_mut(&id) {
                        stream.owed = Some(time);
                        wake |= stream.pay_gap();
                    }
                    continue;
                }
            };
            if let Some(stream) = self.streams.get_mut(&id) {
                wake |= stream.push(item);
            }
        }
        wake
    }
}

/// What a task does next, outside the lock.
struct Work {
    pad: gst::Pad,
    events: Vec<gst::Event>,
    buffer: Option<gst::Buffer>,
    opens: Option<bool>,
    ends: bool,
}

impl SignalGate {
    /// Hands what the gate has decided to the tasks.
    pub(super) fn hand_over(&self, mut state: MutexGuard<'_, State>) {
        let wake = state.collect();
        // Waking costs more than all the rest, so it is done only where somebody sleeps, and
        // without the lock, for which who is woken would wait at once.
        drop(state);
        if wake {
            self.work.notify_all();
        }
    }

    /// Something has happened that may concern any thread: each looks what it is.
    pub(super) fn wake_everyone(&self) {
        self.work.notify_all();
        self.room.notify_all();
    }

    /// Starts the task of a src pad.
    pub(super) fn start_task(
        &self,
        id: StreamId,
        pad: &gst::Pad,
    ) -> Result<(), gst::LoggableError> {
        let weak = self.obj().downgrade();
        pad.start_task(move || {
            if let Some(obj) = weak.upgrade() {
                obj.imp().step(id);
            }
        })
        .map_err(|err| gst::loggable_error!(CAT, "Could not start the src pad's task: {err}"))
    }

    /// One turn of a src pad's task: waits for an item and pushes it.
    fn step(&self, id: StreamId) {
        let Some(work) = self.wait_for_work(id) else {
            return;
        };
        let Work {
            pad,
            events,
            buffer,
            opens,
            ends,
        } = work;
        for event in events {
            pad.push_event(event);
        }
        if let Some(open) = opens {
            self.set_open(open);
            if open {
                self.request_keyframe();
            }
        }
        let flow = match buffer {
            Some(buffer) => pad.push(buffer),
            None if ends => Err(gst::FlowError::Eos),
            None => return,
        };
        if let Err(err) = flow {
            self.stop_pushing(id, &pad, err, ends);
        }
    }

    /// Waits for the next item; `None` when the task is to end.
    fn wait_for_work(&self, id: StreamId) -> Option<Work> {
        let mut state = self.lock();
        loop {
            let stream = state.streams.get_mut(&id)?;
            if stream.flow.is_err() {
                // Pausing only asks: the pad's own lock is free again when this turn ends.
                let _ = stream.src.pause_task();
                return None;
            }
            if let Some(item) = stream.pop() {
                let work = work_for(stream, item, id);
                // An idle stream also frees the others' threads.
                let room = stream.has_room();
                if room && state.waiting > 0 {
                    self.room.notify_all();
                }
                return Some(work);
            }
            stream.asleep = true;
            state = self
                .work
                .wait(state)
                .expect("no thread panics under this lock");
        }
    }

    fn stop_pushing(&self, id: StreamId, pad: &gst::Pad, err: gst::FlowError, ended: bool) {
        gst::debug!(CAT, obj = pad, "Stopping: {err:?}");
        let mut after_eos = false;
        {
            let mut state = self.lock();
            if let Some(stream) = state.streams.get_mut(&id)
                && stream.flow.is_ok()
            {
                stream.flow = Err(err);
                after_eos = stream.seqnum.is_some();
            }
            self.wake_everyone();
        }
        // No thread feeds after EOS, so nobody would learn of the error.
        let fatal = !matches!(err, gst::FlowError::Eos | gst::FlowError::Flushing);
        if fatal && after_eos && !ended {
            gst::element_imp_error!(
                self,
                gst::StreamError::Failed,
                ("signalgate could not push what it held at the end of the stream: {err:?}")
            );
        }
        let _ = pad.pause_task();
    }
}

fn work_for(stream: &mut Stream, item: Item, id: StreamId) -> Work {
    let mut work = Work {
        pad: stream.src.clone(),
        events: Vec::new(),
        buffer: None,
        opens: None,
        ends: false,
    };
    match item {
        Item::Media(Media {
            buffer,
            context,
            before,
        }) => {
            work.events = stream.change_context(&context);
            work.events.extend(before);
            work.buffer = Some(buffer);
        }
        Item::Boundary(phase, boundary) => {
            if id == evr_core::gate::REFERENCE && phase != Phase::Update {
                work.opens = Some(phase == Phase::Open);
            }
            work.events.push(to_recording(phase, &boundary).to_event());
        }
        Item::Gap(time, context) => {
            work.events = stream.change_context(&context);
            work.events.extend(gap_event(&context.segment, time));
        }
        Item::Eos => {
            let context = Arc::clone(&stream.context);
            work.events = stream.change_context(&context);
            let mut eos = gst::event::Eos::builder();
            if let Some(seqnum) = stream.seqnum {
                eos = eos.seqnum(seqnum);
            }
            work.events.push(eos.build());
            work.ends = true;
        }
    }
    work
}

/// A GAP at a running time, where the segment has a position for that.
fn gap_event(segment: &gst::Segment, time: Nanos) -> Option<gst::Event> {
    let segment = segment.downcast_ref::<gst::ClockTime>()?;
    let position = segment.position_from_running_time(clock_time(time))?;
    Some(gst::event::Gap::new(position, gst::ClockTime::NONE))
}

fn to_recording(phase: Phase, boundary: &Boundary) -> Recording {
    Recording {
        id: boundary.id,
        phase,
        asked: boundary.asked,
        start: boundary.start,
        sync_point: boundary.sync_point,
        end: boundary.end,
        event_start: boundary.event_start,
        event_end: boundary.event_end,
        continues_from: boundary.continues_from,
        cause: boundary.cause.as_str().into(),
        signals: boundary.signals.iter().map(to_json).collect(),
    }
}

/// The sender's object with its running time, and `late` where it came too late to move the start.
fn to_json(accepted: &evr_core::gate::Accepted) -> Value {
    let mut signal = accepted.signal.clone();
    signal.when = Some(evr_core::signal::When::Media(accepted.time));
    let mut object = signal.to_json();
    if accepted.late {
        object.insert("late".into(), true.into());
    }
    Value::Object(object)
}
