//! Between core and GStreamer: each file turns one kind of thing into the other, once, so that
//! elements that must agree on it share the code and never each other.

#[cfg(feature = "v1_24")]
mod analytics;
pub(crate) mod depth;
pub(crate) mod detection;
pub(crate) mod directory;
pub(crate) mod message;
pub(crate) mod meta;
pub(crate) mod model;
pub(crate) mod motion;
pub(crate) mod passing;
pub(crate) mod producer;
pub(crate) mod recording;
mod region;
pub(crate) mod signal;
pub(crate) mod time;
pub(crate) mod track;
#[cfg_attr(
    not(any(feature = "grpc", feature = "http", feature = "onnx")),
    allow(dead_code, reason = "only detectors read frames")
)]
pub(crate) mod video;
