//! `grpcdetect`: has video looked at by an inference server over gRPC.
//!
//! What stands here: the element (`imp`), what it is set to (`settings`), whom it calls (`access`),
//! a frame's way to the session and back (`asker`), the session's connection (`line`, `call`) and
//! the memory that is shared with a server beside it (`memory`). What is said in a session stands
//! in `evr_core::remote::grpc`, who is asked when in `crate::remote`.

use gst::prelude::*;

mod access;
mod asker;
mod call;
mod imp;
mod line;
mod memory;
mod settings;

/// How pictures get to the server.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrGrpcDetectDataTransfer")]
pub enum DataTransfer {
    /// To a server anywhere.
    #[default]
    #[enum_value(name = "In the messages", nick = "embedded")]
    Embedded,
    /// To a server on this machine.
    #[enum_value(name = "In memory that both share", nick = "shared-memory")]
    SharedMemory,
}

glib::wrapper! {
    pub struct GrpcDetect(ObjectSubclass<imp::GrpcDetect>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "grpcdetect",
        gst::Rank::NONE,
        GrpcDetect::static_type(),
    )
}
