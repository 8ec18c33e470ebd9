//! `objectcounter`: turns what a detector saw into signals, and says why.
//!
//! It counts, frame by frame, the objects whose label and confidence suit, and raises a signal for
//! each frame that holds enough of them. Frames pass untouched. Signals leave by a requested
//! `signal` pad, with GAP events that tell up to where nothing else will come; with none requested
//! they go downstream in band, each before its frame.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! onnxdetect model-file=model.onnx ! objectcounter name=count labels=person,truck:0.6 ! fakesink sync=false  count.signal ! queue ! fdsink
//! ```
//!
//! A requested `meta` pad tells every observation, whether it counts or not, as a line of JSON: for
//! a recording's sidecar, for publishing, or to try other rules on it later.
//!
//! Signals are pushed by the video's own thread: an element behind a `signal` pad that waits, such
//! as a sink that prerolls, wants a queue in front of it.

use gst::prelude::*;

mod imp;

glib::wrapper! {
    /// The element `objectcounter`.
    pub(crate) struct ObjectCounter(ObjectSubclass<imp::ObjectCounter>)
        @extends gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "objectcounter",
        gst::Rank::NONE,
        ObjectCounter::static_type(),
    )
}
