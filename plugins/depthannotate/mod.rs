//! `depthannotate`: says of each detection where in space it is.
//!
//! It stands behind a detector, on frames that carry a map of depth as `zedsrc` hangs it there, and
//! passes them on. Each region of interest, seen or predicted, gets a structure `space` with
//! `distance` and `position`, by which `objectcounter` counts; one that has it already keeps it.
//! A frame without a map passes as it came and is counted. The map is taken off the frame, as it is
//! as large as a picture and encoders would take it along, to where pre-roll is held.
//!
//! ```text
//! gst-launch-1.0 zedsrc location=stereo.mp4 calibration-file=SN12345678.conf depth-mode=performance ! onnxdetect model-file=model.onnx ! depthannotate ! objectcounter name=count labels=person max-distance=3 ! fakesink sync=false  count.signal ! queue ! fdsink
//! ```

use gst::prelude::*;

mod imp;

glib::wrapper! {
    /// The element `depthannotate`.
    pub(crate) struct DepthAnnotate(ObjectSubclass<imp::DepthAnnotate>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "depthannotate",
        gst::Rank::NONE,
        DepthAnnotate::static_type(),
    )
}
