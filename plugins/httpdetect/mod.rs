//! `httpdetect`: has video looked at by an inference server over HTTP.
//!
//! What stands here: the element (`imp`), what it is set to (`settings`) and a
//! frame's way to a server and back (`asker`). What requests and replies say stands in
//! `evr_core::remote`, who is asked when in `crate::remote`.

use gst::prelude::*;

mod asker;
mod imp;
mod settings;

/// What the server speaks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrHttpDetectProtocol")]
pub enum Protocol {
    /// A picture is posted, inferences come back.
    #[default]
    #[enum_value(name = "Azure Video Analyzer's HTTP extension", nick = "azure")]
    Azure,
    /// Tensors go out and come back.
    #[enum_value(name = "KServe v2, the Open Inference Protocol", nick = "kserve")]
    KServe,
}

/// What a picture is encoded as.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrHttpDetectImageFormat")]
pub enum ImageFormat {
    /// Small.
    #[default]
    #[enum_value(name = "JPEG", nick = "jpeg")]
    Jpeg,
    /// Without loss.
    #[enum_value(name = "PNG", nick = "png")]
    Png,
    /// Without loss, large and quickly made.
    #[enum_value(name = "BMP", nick = "bmp")]
    Bmp,
    /// Samples alone, in the layout of `pixel-format`.
    #[enum_value(name = "Raw samples", nick = "raw")]
    Raw,
}

/// The layout of raw samples.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrHttpDetectPixelFormat")]
#[allow(missing_docs, reason = "the names are the layouts")]
pub enum PixelFormat {
    #[enum_value(name = "Planes Y, U, V", nick = "yuv420p")]
    Yuv420p,
    #[enum_value(name = "5, 6, 5 bits, big endian", nick = "rgb565be")]
    Rgb565be,
    #[enum_value(name = "5, 6, 5 bits, little endian", nick = "rgb565le")]
    Rgb565le,
    #[enum_value(name = "5 bits each, big endian", nick = "rgb555be")]
    Rgb555be,
    #[enum_value(name = "5 bits each, little endian", nick = "rgb555le")]
    Rgb555le,
    #[default]
    #[enum_value(name = "R, G, B", nick = "rgb24")]
    Rgb24,
    #[enum_value(name = "B, G, R", nick = "bgr24")]
    Bgr24,
    #[enum_value(name = "A, R, G, B", nick = "argb")]
    Argb,
    #[enum_value(name = "R, G, B, A", nick = "rgba")]
    Rgba,
    #[enum_value(name = "A, B, G, R", nick = "abgr")]
    Abgr,
    #[enum_value(name = "B, G, R, A", nick = "bgra")]
    Bgra,
}

/// How a frame is brought to the size that is set.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrHttpDetectScaling")]
pub enum Scaling {
    /// To fit inside.
    #[enum_value(
        name = "In its own shape, as large as fits",
        nick = "preserve-aspect-ratio"
    )]
    PreserveAspectRatio,
    /// In the middle of black.
    #[default]
    #[enum_value(name = "In its own shape, with black bars", nick = "pad")]
    Pad,
    /// Distorted.
    #[enum_value(name = "Distorted to fill it", nick = "stretch")]
    Stretch,
}

/// How tensors are sent under KServe.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrHttpDetectTensorData")]
pub enum TensorData {
    /// As Triton and OpenVINO Model Server take them.
    #[default]
    #[enum_value(name = "As bytes behind the JSON", nick = "binary")]
    Binary,
    /// As any server takes them.
    #[enum_value(name = "As numbers in the JSON", nick = "json")]
    Json,
}

glib::wrapper! {
    pub struct HttpDetect(ObjectSubclass<imp::HttpDetect>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "httpdetect",
        gst::Rank::NONE,
        HttpDetect::static_type(),
    )
}
