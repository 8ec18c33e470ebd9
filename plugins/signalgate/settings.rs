//! The GObject side of the gate's settings.

use evr_core::{
    gate::{Bounds, Config},
    time::Nanos,
};

use crate::bridge::time::span;

/// As set; checked when the element starts.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) evaluation_window: u64,
    pub(super) signal_offset: i64,
    pub(super) minimum_activation: u64,
    pub(super) maximum_activation: u64,
    pub(super) signal_latency: u64,
    pub(super) max_signal_lag: u64,
    pub(super) max_size_bytes: u64,
    pub(super) max_size_time: u64,
    pub(super) max_size_buffers: u64,
    pub(super) epoch: i64,
    pub(super) request_keyframe: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let config = Config::default();
        let unsigned = |time: Nanos| time.unsigned_abs();
        Self {
            evaluation_window: unsigned(config.evaluation_window),
            signal_offset: config.signal_offset,
            minimum_activation: unsigned(config.minimum_activation),
            maximum_activation: unsigned(config.maximum_activation),
            signal_latency: unsigned(config.signal_latency),
            max_signal_lag: unsigned(config.max_signal_lag),
            max_size_bytes: config.bounds.bytes.unwrap_or(0),
            max_size_time: config.bounds.time.map_or(0, unsigned),
            max_size_buffers: config.bounds.buffers.unwrap_or(0),
            epoch: -1,
            request_keyframe: false,
        }
    }
}

impl From<&Settings> for Config {
    fn from(settings: &Settings) -> Self {
        let bound = |size: u64| (size > 0).then_some(size);
        Self {
            evaluation_window: span(settings.evaluation_window),
            signal_offset: settings.signal_offset,
            minimum_activation: span(settings.minimum_activation),
            maximum_activation: span(settings.maximum_activation),
            signal_latency: span(settings.signal_latency),
            max_signal_lag: span(settings.max_signal_lag),
            bounds: Bounds {
                bytes: bound(settings.max_size_bytes),
                buffers: bound(settings.max_size_buffers),
                time: bound(settings.max_size_time).map(span),
            },
        }
    }
}
