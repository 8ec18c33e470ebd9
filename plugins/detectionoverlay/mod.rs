//! `detectionoverlay`: draws what was detected onto the frames.
//!
//! What stands here: the element (`imp`), what is drawn where (`scene`), and rectangles in
//! the memory of a frame (`canvas`).

use gst::prelude::*;

mod canvas;
mod imp;
mod scene;

glib::wrapper! {
    pub struct DetectionOverlay(ObjectSubclass<imp::DetectionOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "detectionoverlay",
        gst::Rank::NONE,
        DetectionOverlay::static_type(),
    )
}
