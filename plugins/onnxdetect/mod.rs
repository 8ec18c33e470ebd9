//! `onnxdetect`: finds objects in video with a detector model.
//!
//! What stands here: the element (`imp`), the search for ONNX Runtime (`runtime`) and the model in
//! it (`session`). How models are read and frames are prepared stands in `evr_core::detector`.

use gst::prelude::*;

mod imp;
mod runtime;
mod session;

glib::wrapper! {
    pub struct OnnxDetect(ObjectSubclass<imp::OnnxDetect>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "onnxdetect",
        gst::Rank::NONE,
        OnnxDetect::static_type(),
    )
}
