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
