//! The way in: media and its events, fed to the gate in the order in which they come.

use std::sync::Arc;

use evr_core::{
    gate::{REFERENCE, StreamId, Unit},
    time::Nanos,
};
use gst::{prelude::*, subclass::prelude::*};

use super::{
    imp::{CAT, SignalGate, State},
    push::{Context, Media, Stream},
};
use crate::bridge::{
    self, depth,
    time::{running_time, signed},
};

/// Media times that go back by more than this have been broken off and begun anew.
const BREAK: Nanos = evr_core::time::SECOND;

impl SignalGate {
    /// A buffer has come on the sink pad of a stream.
    pub(super) fn feed(
        &self,
        id: StreamId,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.lock_probed();
        state.flow(id)?;
        let Some(unit) = state.unit(id, buffer) else {
            drop(state);
            gst::error!(
                CAT,
                imp = self,
                "A buffer without any time, before any with one, was dropped"
            );
            return Ok(gst::FlowSuccess::Ok);
        };
        if id == REFERENCE {
            state.see_reference_time(&unit.payload.buffer, unit.pts);
            state.break_at(unit.dts.unwrap_or(unit.pts));
        }
        let time = unit.pts;
        state.gate.push(id, unit);
        let wake = id == REFERENCE && state.repeat_gaps(time);
        let warnings = state.take_warnings();
        self.hand_over(state);
        if wake {
            self.work.notify_all();
        }
        self.warn(warnings);
        self.wait_for_room(id)
    }

    /// Waits while the stream is full; tells what its task says.
    fn wait_for_room(&self, id: StreamId) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.lock();
        while state.must_wait(id) {
            state.waiting += 1;
            state = self
                .room
                .wait(state)
                .expect("no thread panics under this lock");
            state.waiting -= 1;
        }
        state.flow(id)
    }

    /// An event has come on the sink pad of a stream.
    pub(super) fn sink_event(&self, id: StreamId, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "Handling {event:?}");
        match event.view() {
            gst::EventView::FlushStart(_) => return self.flush_start(id, event),
            gst::EventView::FlushStop(_) => return self.flush_stop(id, event),
            gst::EventView::Caps(caps) => self.check_caps(caps.caps()),
            gst::EventView::Segment(segment) if segment.segment().format() != gst::Format::Time => {
                return self.refuse_format(segment.segment().format());
            }
            _ if !event.is_serialized() => {
                return gst::Pad::event_default(pad, Some(&*self.obj()), event);
            }
            _ => {}
        }
        if let Some(line) = bridge::signal::from_event(&event) {
            self.take_line(None, line.as_bytes(), None);
            return true;
        }
        let mut state = self.lock();
        match event.view() {
            gst::EventView::Eos(_) => {
                if let Some(stream) = state.streams.get_mut(&id) {
                    stream.seqnum = Some(event.seqnum());
                }
                state.gate.eos(id);
            }
            gst::EventView::Gap(gap) => {
                let (start, duration) = gap.get();
                let end = start.saturating_add(duration.unwrap_or_default());
                if let Some(time) = state.running_time(id, Some(end)) {
                    state.gate.gap(id, time);
                }
            }
            _ => state.remember(id, &event),
        }
        // Its first segment may be what a gap has waited for.
        let wake = state.streams.get_mut(&id).is_some_and(Stream::pay_gap);
        self.hand_over(state);
        if wake {
            self.work.notify_all();
        }
        true
    }

    /// Without times nothing can be decided.
    fn refuse_format(&self, format: gst::Format) -> bool {
        gst::element_imp_error!(
            self,
            gst::StreamError::Format,
            (
                "{} gets a stream that counts in {format:?}, not in time: put a demuxer or a \
                 parser that sets timestamps before it",
                self.obj().name()
            )
        );
        false
    }

    /// Raw video works, but little of it can be held.
    fn check_caps(&self, caps: &gst::CapsRef) {
        if is_raw(caps) {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                (
                    "{} holds raw video ({caps}), of which max-size-bytes covers only moments: \
                     put an encoder before it",
                    self.obj().name()
                )
            );
        }
    }

    fn flush_start(&self, id: StreamId, event: gst::Event) -> bool {
        let Some(src) = self.with_stream(id, |stream| {
            stream.flow = Err(gst::FlowError::Flushing);
            stream.src.clone()
        }) else {
            return false;
        };
        self.wake_everyone();
        src.push_event(event)
    }

    fn flush_stop(&self, id: StreamId, event: gst::Event) -> bool {
        let Some((src, flow)) = self.with_stream(id, |stream| (stream.src.clone(), stream.flow))
        else {
            return false;
        };
        if flow != Err(gst::FlowError::Flushing) {
            // Of two seeks at once matroskademux sends both FLUSH_STOPs behind one FLUSH_START;
            // without its own the task may stand in a paused sink for ever.
            let start = gst::event::FlushStart::builder().seqnum(event.seqnum());
            self.flush_start(id, start.build());
        }
        // Waits for the turn in which the task still is: only then may the queue be emptied.
        let _ = src.pause_task();
        if id == REFERENCE {
            self.decide(|state| state.gate.flush());
            self.set_open(false);
        }
        self.lock().reset_after_flush(id);
        if id != REFERENCE {
            self.decide(|state| state.gate.flush_stream(id));
        }
        let passed = src.push_event(event);
        // Also where nothing is linked, or the thread that feeds would wait for a task that rests.
        src.is_active() && self.start_task(id, &src).is_ok() && passed
    }
}

impl State {
    /// What the thread that feeds a stream is told.
    fn flow(&self, id: StreamId) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.streams
            .get(&id)
            .map_or(Err(gst::FlowError::Flushing), |stream| stream.flow)
    }

    /// A stream waits for its task like before a queue, but not while another stream has nothing
    /// to push: what stands behind the gate may be waiting for just that.
    fn must_wait(&self, id: StreamId) -> bool {
        let Some(stream) = self.streams.get(&id) else {
            return false;
        };
        let starving = || {
            self.streams
                .iter()
                .any(|(&it, stream)| it != id && stream.is_idle())
        };
        stream.flow.is_ok() && stream.is_full() && !starving()
    }

    pub(super) fn running_time(&self, id: StreamId, time: Option<gst::ClockTime>) -> Option<Nanos> {
        running_time(&self.streams.get(&id)?.context.segment, time)
    }

    fn unit(&mut self, id: StreamId, buffer: gst::Buffer) -> Option<Unit<Media>> {
        let dts = self.running_time(id, buffer.dts());
        let known = self.running_time(id, buffer.pts()).or(dts);
        let stream = self.streams.get_mut(&id)?;
        // Without a time of its own a buffer belongs with the one before it.
        let pts = known.or(stream.position)?;
        stream.position = Some(pts);
        Some(Unit {
            pts,
            dts,
            duration: buffer
                .duration()
                .and_then(|time| signed(gst::Signed::Positive(time))),
            sync: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            bytes: buffer.size() as u64,
            payload: Media {
                buffer,
                context: Arc::clone(&stream.context),
                before: std::mem::take(&mut stream.before),
            },
        })
    }

    /// Ends the time line where the media's times go back: a camera that restarts.
    fn break_at(&mut self, time: Nanos) {
        if self
            .decoded
            .is_some_and(|last| time < last.saturating_sub(BREAK))
        {
            self.gate.discontinuity();
        }
        self.decoded = Some(time);
    }

    /// Keeps a serialized event for the buffers that follow it.
    fn remember(&mut self, id: StreamId, event: &gst::Event) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !event.is_sticky() {
            stream.before.push(event.clone());
            return;
        }
        let mut events = stream.context.events.clone();
        events.retain(|stands| !same_kind(stands, event));
        let at = events
            .iter()
            .position(|stands| stands.type_() > event.type_());
        events.insert(at.unwrap_or(events.len()), event.clone());
        let segment = match event.view() {
            gst::EventView::Segment(segment) => segment.segment().clone(),
            _ => stream.context.segment.clone(),
        };
        stream.context = Arc::new(Context { events, segment });
    }
}

fn is_raw(caps: &gst::CapsRef) -> bool {
    caps.structure(0)
        .is_some_and(|caps| caps.name() == "video/x-raw")
}

/// A buffer as it comes on that pad, without the map of depth that its encoder has passed on: that
/// is 2 bytes a pixel, which `max-size-bytes` does not count, and of no use to who stores frames.
pub(super) fn lightened(pad: &gst::Pad, mut buffer: gst::Buffer) -> gst::Buffer {
    if depth::is_on(&buffer) && !pad.current_caps().is_some_and(|caps| is_raw(&caps)) {
        depth::remove(buffer.make_mut());
    }
    buffer
}

/// Whether one sticky event takes the other's place.
fn same_kind(a: &gst::EventRef, b: &gst::EventRef) -> bool {
    a.type_() == b.type_()
        && (!matches!(a.type_(), gst::EventType::CustomDownstreamSticky)
            || a.structure().map(|it| it.name()) == b.structure().map(|it| it.name()))
}
