//! The `evr` plugin: GStreamer elements for event-based video recording.
//!
//! Registration only. What an element does stands in its folder, what it decides in `evr-core`.

mod bridge;
mod depthannotate;
mod detectionoverlay;
mod eventsink;
#[cfg(feature = "grpc")]
mod grpcdetect;
#[cfg(feature = "http")]
mod httpdetect;
mod motiondetect;
mod mqtt;
mod mqtteventsink;
mod mqtteventsrc;
mod objectcounter;
mod objecttracker;
#[cfg(feature = "onnx")]
mod onnxdetect;
mod outbound;
#[cfg(any(feature = "grpc", feature = "http"))]
mod remote;
mod rtspcamera;
mod signalgate;
#[cfg(feature = "http")]
mod webhook;
mod zedsrc;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    bridge::depth::register_meta();
    bridge::detection::register_meta();
    #[cfg(feature = "onnx")]
    onnxdetect::register(plugin)?;
    #[cfg(feature = "http")]
    httpdetect::register(plugin)?;
    #[cfg(feature = "grpc")]
    grpcdetect::register(plugin)?;
    motiondetect::register(plugin)?;
    depthannotate::register(plugin)?;
    detectionoverlay::register(plugin)?;
    mqtteventsink::register(plugin)?;
    mqtteventsrc::register(plugin)?;
    objectcounter::register(plugin)?;
    objecttracker::register(plugin)?;
    rtspcamera::register(plugin)?;
    signalgate::register(plugin)?;
    #[cfg(feature = "http")]
    webhook::register(plugin)?;
    eventsink::register(plugin)?;
    zedsrc::register(plugin)
}

gst::plugin_define!(
    evr,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MPL-2.0",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    "https://gstreamer.freedesktop.org",
    env!("BUILD_REL_DATE")
);
