//! What the user asks for, and what of it can be done.

use evr_core::motion::{Config, Zones, ZonesError};

use super::MotionSensitivity;

/// Read anew with each frame, so that a change in PLAYING counts from the next frame on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) sensitivity: MotionSensitivity,
    pub(super) min_area: f64,
    pub(super) zones: Option<String>,
    pub(super) masks: Option<String>,
    pub(super) event_aggregation_window: u64,
    pub(super) drop_still: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sensitivity: MotionSensitivity::default(),
            // The sensitivity's own.
            min_area: 0.0,
            zones: None,
            masks: None,
            // Azure Video Analyzer's.
            event_aggregation_window: 1_000_000_000,
            drop_still: false,
        }
    }
}

/// A property that cannot be done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{property} {error}")]
pub(super) struct SettingsError {
    property: &'static str,
    error: ZonesError,
}

impl TryFrom<&Settings> for Config {
    type Error = SettingsError;

    fn try_from(settings: &Settings) -> Result<Self, SettingsError> {
        let parse = |property, text: &Option<String>| {
            Zones::parse(text.as_deref().unwrap_or_default())
                .map_err(|error| SettingsError { property, error })
        };
        Ok(Self {
            sensitivity: settings.sensitivity.into(),
            min_area: Some(settings.min_area).filter(|area| *area > 0.0),
            zones: parse("zones", &settings.zones)?,
            masks: parse("masks", &settings.masks)?,
        })
    }
}
