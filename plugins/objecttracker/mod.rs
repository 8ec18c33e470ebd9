//! `objecttracker`: says which detection is which object, from frame to frame.
//!
//! It stands behind a detector and passes its frames. Detections get a track id and the label that
//! most of their track have. It does not matter whether every frame is inferred: frames between get
//! predicted boxes, which are marked as such and are no observations, so that whoever counts still
//! knows which frames were looked at. A track that is over is told by an event `evr-track-ended`
//! before the frame that ended it, and by a message.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! onnxdetect model-file=model.onnx inference-interval=5 ! objecttracker ! objectcounter name=count labels=person ! fakesink sync=false  count.signal ! queue ! fdsink
//! ```

use gst::prelude::*;

mod imp;

glib::wrapper! {
    /// The element `objecttracker`.
    pub(crate) struct ObjectTracker(ObjectSubclass<imp::ObjectTracker>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "objecttracker",
        gst::Rank::NONE,
        ObjectTracker::static_type(),
    )
}
