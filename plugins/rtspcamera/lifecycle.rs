//! The pad `lifecycle`: what becomes of the connection, as lines of JSON for an element that tells
//! others.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::prelude::*;

use crate::bridge::signal::{any_caps, text_buffer};

pub(super) const NAME: &str = "lifecycle";

pub(super) fn template() -> gst::PadTemplate {
    let (src, request) = (gst::PadDirection::Src, gst::PadPresence::Request);
    gst::PadTemplate::new(NAME, src, request, &any_caps())
        .expect("a template whose name suits its presence")
}

/// The pad, where one was requested.
#[derive(Default)]
pub(super) struct Lifecycle {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pad: Option<gst::Pad>,
    /// The stream has been announced.
    begun: bool,
}

impl Lifecycle {
    /// Makes it the element's; `false` where there is one already.
    pub(super) fn add(&self, pad: &gst::Pad) -> bool {
        let mut state = self.lock();
        let is_new = state.pad.is_none();
        if is_new {
            (state.pad, state.begun) = (Some(pad.clone()), false);
        }
        is_new
    }

    pub(super) fn remove(&self, pad: &gst::Pad) {
        self.lock().pad.take_if(|own| own == pad);
    }

    /// Nothing has gone out yet.
    pub(super) fn restart(&self) {
        self.lock().begun = false;
    }

    /// Says one line, without a newline, of this running time.
    pub(super) fn tell(&self, line: &str, at: Option<gst::ClockTime>) {
        if let Some(pad) = self.announced() {
            // Who listens has no say in whether the camera's streams go on.
            let _ = pad.push(text_buffer(format!("{line}\n").into(), at));
        }
    }

    /// Says that nothing more will come.
    pub(super) fn eos(&self, seqnum: gst::Seqnum) {
        if let Some(pad) = self.announced() {
            pad.push_event(gst::event::Eos::builder().seqnum(seqnum).build());
        }
    }

    /// The pad, with everything sent that must go out before anything else does.
    fn announced(&self) -> Option<gst::Pad> {
        let (pad, begun) = {
            let mut state = self.lock();
            let pad = state.pad.clone()?;
            (pad, std::mem::replace(&mut state.begun, true))
        };
        if !begun {
            let id = match pad.parent_element() {
                Some(element) => pad.create_stream_id(&element, Some(NAME)).to_string(),
                None => NAME.to_owned(),
            };
            pad.push_event(gst::event::StreamStart::new(&id));
            pad.push_event(gst::event::Caps::new(&any_caps()));
            // Positions are running times, from the pipeline's start to its end.
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            pad.push_event(gst::event::Segment::new(&segment));
        }
        Some(pad)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
