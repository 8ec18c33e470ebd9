//! mqtteventsink: tells an MQTT broker what happens, and forgets nothing that it has not taken.

use evr_core::message::Format;
use gst::prelude::*;

mod imp;
mod settings;
mod worker;

glib::wrapper! {
    /// The element `mqtteventsink`.
    pub struct MqttEventSink(ObjectSubclass<imp::MqttEventSink>)
        @extends gst::Element, gst::Object;
}

/// In whose words it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrMessageFormat")]
pub enum MessageFormat {
    #[default]
    #[enum_value(name = "CloudEvents 1.0", nick = "cloudevents")]
    CloudEvents,
    #[enum_value(name = "Azure Video Analyzer's events", nick = "azure")]
    Azure,
    #[enum_value(
        name = "NVIDIA DeepStream's messages, one an object",
        nick = "deepstream"
    )]
    DeepStream,
    #[enum_value(
        name = "NVIDIA DeepStream's messages, one a frame",
        nick = "deepstream-minimal"
    )]
    DeepStreamMinimal,
    #[enum_value(name = "Frigate's events, reviews and counts", nick = "frigate")]
    Frigate,
    #[enum_value(
        name = "Intel DL Streamer's messages, one a frame",
        nick = "dlstreamer"
    )]
    DlStreamer,
}

impl From<MessageFormat> for Format {
    fn from(format: MessageFormat) -> Self {
        match format {
            MessageFormat::CloudEvents => Self::CloudEvents,
            MessageFormat::Azure => Self::Azure,
            MessageFormat::DeepStream => Self::DeepStream,
            MessageFormat::DeepStreamMinimal => Self::DeepStreamMinimal,
            MessageFormat::Frigate => Self::Frigate,
            MessageFormat::DlStreamer => Self::DlStreamer,
        }
    }
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "mqtteventsink",
        gst::Rank::NONE,
        MqttEventSink::static_type(),
    )
}
