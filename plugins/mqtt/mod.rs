//! The connection to an MQTT broker that `mqtteventsink` and `mqtteventsrc` share: who we are, TLS,
//! and both versions of the protocol behind one face.
//!
//! Not here: what is sent, what is made of what comes, and when to try again.

pub(crate) mod config;
pub(crate) mod link;
mod tls;

/// Version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrMqttVersion")]
pub enum MqttVersion {
    #[default]
    #[enum_value(name = "MQTT 3.1.1, which every broker speaks", nick = "3.1.1")]
    V4,
    #[enum_value(name = "MQTT 5", nick = "5")]
    V5,
}
