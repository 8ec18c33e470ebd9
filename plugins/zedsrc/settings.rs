//! The element's settings, and what of them can be wrong by itself.

use std::{fs, path::PathBuf};

use evr_zed::calibration::Calibration;

use super::{ZedSrcFileLayout, ZedSrcResolution, ZedSrcStreamType};

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub location: Option<String>,
    pub calibration_file: Option<String>,
    pub stream_type: ZedSrcStreamType,
    pub file_layout: ZedSrcFileLayout,
    pub real_time: bool,
    pub resolution: ZedSrcResolution,
    pub fps: i32,
    pub open_timeout: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            calibration_file: None,
            stream_type: ZedSrcStreamType::default(),
            file_layout: ZedSrcFileLayout::default(),
            real_time: false,
            resolution: ZedSrcResolution::default(),
            fps: 15,
            open_timeout: 5.0,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("location is not set: name the recording to read")]
    NoLocation,
    #[error("calibration-file={0} cannot be read: {1}")]
    Calibration(String, std::io::Error),
    #[error(
        "location={0} is an SVO file, which is not read: export it as video, for example with Stereolabs' ZED_SVO_Editor, and name that"
    )]
    Svo(String),
    #[error(
        "location={0} holds raw frames and no word about their size: set camera-resolution and camera-fps to what they were recorded with"
    )]
    NoSize(String),
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever GStreamer finds out about it.
    Video,
    /// YUYV frames of this size and rate, one behind the other.
    Raw { width: u32, height: u32, fps: i32 },
}

impl Settings {
    pub(super) fn file(&self) -> Result<(PathBuf, Kind), SettingsError> {
        let location = self.location.clone().filter(|name| !name.is_empty());
        let location = location.ok_or(SettingsError::NoLocation)?;
        let path = PathBuf::from(&location);
        let extension = path.extension().map(|text| text.to_ascii_lowercase());
        let kind = match extension.as_ref().and_then(|text| text.to_str()) {
            Some("svo" | "svo2") => return Err(SettingsError::Svo(location)),
            Some("yuyv") => {
                let size = self.resolution.size();
                let (width, height) = size.ok_or(SettingsError::NoSize(location))?;
                let (width, height) = match self.file_layout {
                    ZedSrcFileLayout::SideBySide => (width * 2, height),
                    ZedSrcFileLayout::TopBottom => (width, height * 2),
                };
                Kind::Raw {
                    width,
                    height,
                    fps: self.fps,
                }
            }
            _ => Kind::Video,
        };
        Ok((path, kind))
    }

    pub(super) fn calibration(&self) -> Result<Option<Calibration>, SettingsError> {
        let Some(name) = self
            .calibration_file
            .as_ref()
            .filter(|name| !name.is_empty())
        else {
            return Ok(None);
        };
        match fs::read_to_string(name) {
            Ok(text) => Ok(Some(Calibration::parse(&text))),
            Err(err) => Err(SettingsError::Calibration(name.clone(), err)),
        }
    }
}
