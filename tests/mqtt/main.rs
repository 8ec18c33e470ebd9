//! The MQTT elements against a real mosquitto.

#[path = "../common/mod.rs"]
mod common;

mod broker;
mod killed;
mod round_trip;
mod sink;
mod source;
