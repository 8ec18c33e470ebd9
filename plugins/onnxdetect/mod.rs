//! `onnxdetect`: finds objects in video with a detector model.
//!
//! What stands here: the element (`imp`), what it is set to (`settings`), a frame's way through the
//! model (`detector`, in `worker` on a thread of its own), the search for ONNX Runtime (`runtime`),
//! its sessions (`pool`, `provider`) and a model in one (`session`, `tensor`). How models are read
//! and frames are prepared stands in `evr_core::detector`.

use gst::prelude::*;

mod detector;
mod imp;
mod pool;
mod provider;
mod runtime;
mod session;
mod settings;
mod tensor;
mod worker;

/// What becomes of frames that come while one is inferred.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrOnnxDetectMode")]
pub enum Mode {
    /// They wait: every frame whose turn it is is inferred.
    #[default]
    #[enum_value(name = "Every frame waits for its inference", nick = "sync")]
    Sync,
    /// They pass; what is found is said of the first frame after the inference.
    #[enum_value(
        name = "No frame waits: the newest is inferred beside the stream",
        nick = "latest"
    )]
    Latest,
}

/// Which overlapping boxes are one object.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrOnnxDetectNms")]
pub enum Nms {
    /// As the model's family wants it.
    #[default]
    #[enum_value(name = "As the model's family wants it", nick = "model")]
    Model,
    /// Those of one class.
    #[enum_value(
        name = "Overlapping boxes of one class are one object",
        nick = "per-class"
    )]
    PerClass,
    /// Any.
    #[enum_value(name = "Overlapping boxes are one object", nick = "agnostic")]
    Agnostic,
    /// None.
    #[enum_value(name = "Every box is an object", nick = "none")]
    None,
}

/// What of a frame is inferred.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrOnnxDetectRegion")]
pub enum Region {
    /// All of it, or what `roi` leaves.
    #[default]
    #[enum_value(name = "The whole frame, or roi of it", nick = "full-frame")]
    FullFrame,
    /// Each region that an element before has put on it.
    #[enum_value(name = "Each region of interest on the frame", nick = "roi-list")]
    RoiList,
}

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
