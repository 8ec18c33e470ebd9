//! How signals leave: on the `signal` pads, else in band, always before the frame they speak of.
//!
//! What a consumer of signals answers: one that has enough (EOS), is being taken down (FLUSHING)
//! or is not there (NOT_LINKED) never stops the video; one that fails has told so on the bus and
//! stops it, as behind a tee.

use evr_core::signal::Signal;
use gst::{prelude::*, subclass::prelude::*};

use super::imp::{ObjectCounter, State};
use crate::bridge::signal::{to_buffer, to_event, watermarked_caps};

impl ObjectCounter {
    /// Says what a frame raises; that it raises nothing is worth saying on a `signal` pad, whose
    /// consumer waits for it.
    pub(super) fn tell(
        &self,
        pads: &[gst::Pad],
        signals: &[Signal],
        pts: Option<gst::ClockTime>,
    ) -> Result<(), gst::FlowError> {
        if pads.is_empty() {
            for signal in signals {
                self.srcpad.push_event(to_event(signal));
            }
        } else if !signals.is_empty() {
            let buffer = to_buffer(signals, pts);
            for pad in pads {
                match pad.push(buffer.clone()) {
                    Ok(_)
                    | Err(
                        gst::FlowError::NotLinked | gst::FlowError::Eos | gst::FlowError::Flushing,
                    ) => {}
                    Err(err) => return Err(err),
                }
            }
        } else if let Some(pts) = pts {
            Self::spread(pads, &gst::event::Gap::new(pts, gst::ClockTime::NONE));
        }
        Ok(())
    }

    /// Gives an event to all `signal` pads. Whether anyone took it changes nothing.
    pub(super) fn spread(pads: &[gst::Pad], event: &gst::Event) {
        for pad in pads {
            pad.push_event(event.clone());
        }
    }

    /// Nobody wants the video, or nobody does any more: while signals are wanted it goes on.
    pub(super) fn combine(
        video: Result<gst::FlowSuccess, gst::FlowError>,
        pads: &[gst::Pad],
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let wanted = |pad: &gst::Pad| pad.is_linked() && pad.last_flow_result().is_ok();
        match video {
            Err(gst::FlowError::NotLinked | gst::FlowError::Eos) if pads.iter().any(wanted) => {
                Ok(gst::FlowSuccess::Ok)
            }
            video => video,
        }
    }

    /// A pad requested while the stream runs learns first what the others were told.
    pub(super) fn join_stream(&self, pad: &gst::Pad) {
        let told = |state: &State| [state.stream_event.clone(), state.segment_event.clone()];
        let which = |event: &Option<gst::Event>| event.as_ref().map(|event| event.as_ptr());
        let mut known = told(&self.lock());
        loop {
            let stream = known[0].as_ref();
            let stream = stream.map(|event| self.signal_stream(pad, event));
            let caps = stream
                .is_some()
                .then(|| gst::event::Caps::new(&watermarked_caps()));
            for event in [stream, caps, known[1].clone()].into_iter().flatten() {
                // Without the lock, as who hears of the caps may ask us anything. Refused only
                // where the pad is being taken down again.
                let _ = pad.store_sticky_event(&event);
            }
            let mut state = self.lock();
            let now = told(&state);
            if now.each_ref().map(which) == known.each_ref().map(which) {
                state.signal_pads.push(pad.clone());
                return;
            }
            // The others were told something new meanwhile.
            known = now;
        }
    }

    /// The start of a pad's own stream, in the group of the video's.
    pub(super) fn signal_stream(&self, pad: &gst::Pad, video: &gst::EventRef) -> gst::Event {
        let id = pad.create_stream_id(&*self.obj(), Some(&pad.name()));
        let event = gst::event::StreamStart::builder(&id).seqnum(video.seqnum());
        match video.view() {
            gst::EventView::StreamStart(video) => event.group_id_if_some(video.group_id()).build(),
            _ => event.build(),
        }
    }
}
