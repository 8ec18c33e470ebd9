//! mqtteventsrc: what an MQTT broker passes on, as signals for the gate.

use gst::prelude::*;

mod imp;
mod listener;
mod settings;

glib::wrapper! {
    /// The element `mqtteventsrc`.
    pub struct MqttEventSrc(ObjectSubclass<imp::MqttEventSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "mqtteventsrc",
        gst::Rank::NONE,
        MqttEventSrc::static_type(),
    )
}
