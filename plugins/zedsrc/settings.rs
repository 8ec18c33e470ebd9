//! The element's settings, and what of them can be wrong by itself.

use std::path::PathBuf;

use super::asked::set;
use super::words::{
    ZedSrcBackend, ZedSrcBodyFormat, ZedSrcBodyModel, ZedSrcCompression, ZedSrcCoordinates,
    ZedSrcDepthMode, ZedSrcFlip, ZedSrcObjectFilter, ZedSrcObjectModel, ZedSrcReference,
    ZedSrcSide, ZedSrcTrackingMode,
};
use super::{ZedSrcFileLayout, ZedSrcResolution, ZedSrcStreamType};

/// Shortest and longest automatic exposure where nobody says otherwise, in microseconds.
pub(super) const EXPOSURE_RANGE: (i32, i32) = (28, 66_000);

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
    pub backend: ZedSrcBackend,
    pub camera_id: i32,
    pub camera_sn: i64,
    pub svo_file_path: Option<String>,
    pub input_stream_ip: Option<String>,
    pub input_stream_port: i32,
    pub reconnect_timeout: u64,
    pub sdk_library: Option<String>,
    pub sdk_allow_newer: bool,
    pub sdk_verbose: i32,
    pub sdk_log_file: Option<String>,
    pub sdk_gpu_id: i32,
    pub flip: ZedSrcFlip,
    pub opencv_calibration: Option<String>,
    pub settings_folder: Option<String>,
    pub sensors_required: bool,
    pub image_enhancement: bool,
    pub validity_check: bool,
    pub async_recovery: bool,
    pub compute_fps: f32,
    pub working_width: i32,
    pub working_height: i32,
    pub no_self_calibration: bool,
    pub coordinates: ZedSrcCoordinates,
    pub reference: ZedSrcReference,
    pub depth_mode: ZedSrcDepthMode,
    pub depth_min: f32,
    pub depth_max: f32,
    pub depth_stabilization: i32,
    pub confidence_threshold: i32,
    pub texture_threshold: i32,
    pub remove_saturated: bool,
    pub fill_mode: bool,
    pub tracking: bool,
    pub tracking_mode: ZedSrcTrackingMode,
    pub tracking_static: bool,
    pub area_memory: bool,
    pub imu_fusion: bool,
    pub pose_smoothing: bool,
    pub floor_origin: bool,
    pub gravity_origin: bool,
    pub area_file: Option<String>,
    pub tracking_min_range: f32,
    pub initial_x: f32,
    pub initial_y: f32,
    pub initial_z: f32,
    pub initial_roll: f32,
    pub initial_pitch: f32,
    pub initial_yaw: f32,
    pub od: bool,
    pub od_tracking: bool,
    pub od_model: ZedSrcObjectModel,
    pub od_filter: ZedSrcObjectFilter,
    pub od_confidence: f32,
    pub od_range: f32,
    pub od_timeout: f32,
    pub od_reduced: bool,
    pub od_conf_people: f32,
    pub od_conf_vehicle: f32,
    pub od_conf_bag: f32,
    pub od_conf_animal: f32,
    pub od_conf_electronics: f32,
    pub od_conf_fruit_vegetables: f32,
    pub od_conf_sport: f32,
    pub od_instance: u32,
    pub od_onnx: Option<String>,
    pub od_onnx_width: i32,
    pub od_onnx_height: i32,
    pub bt: bool,
    pub bt_model: ZedSrcBodyModel,
    pub bt_format: ZedSrcBodyFormat,
    pub bt_reduced: bool,
    pub bt_fitting: bool,
    pub bt_tracking: bool,
    pub bt_range: f32,
    pub bt_timeout: f32,
    pub bt_confidence: f32,
    pub bt_keypoints: i32,
    pub bt_smoothing: f32,
    pub ctrl_brightness: i32,
    pub ctrl_contrast: i32,
    pub ctrl_saturation: i32,
    pub ctrl_sharpness: i32,
    pub ctrl_hue: i32,
    pub ctrl_gamma: i32,
    pub ctrl_auto_exposure: bool,
    pub ctrl_gain: i32,
    pub ctrl_exposure: i32,
    pub ctrl_exposure_min: i32,
    pub ctrl_exposure_max: i32,
    pub ctrl_roi_x: i32,
    pub ctrl_roi_y: i32,
    pub ctrl_roi_w: i32,
    pub ctrl_roi_h: i32,
    pub ctrl_roi_side: ZedSrcSide,
    pub ctrl_auto_white: bool,
    pub ctrl_white: i32,
    pub ctrl_led: bool,
    pub svo_recording: bool,
    /// How often that was set: a recording that has ended by itself begins again.
    pub svo_recording_set: u64,
    pub svo_recording_file: Option<String>,
    pub svo_compression: ZedSrcCompression,
    pub num_buffers: i32,
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
            backend: ZedSrcBackend::default(),
            camera_id: 0,
            camera_sn: 0,
            svo_file_path: None,
            input_stream_ip: None,
            input_stream_port: 30000,
            reconnect_timeout: 30_000_000_000,
            sdk_library: None,
            sdk_allow_newer: false,
            sdk_verbose: 0,
            sdk_log_file: None,
            sdk_gpu_id: -1,
            flip: ZedSrcFlip::default(),
            opencv_calibration: None,
            settings_folder: None,
            sensors_required: false,
            image_enhancement: true,
            validity_check: true,
            async_recovery: false,
            compute_fps: 0.0,
            working_width: 0,
            working_height: 0,
            no_self_calibration: false,
            coordinates: ZedSrcCoordinates::default(),
            reference: ZedSrcReference::default(),
            depth_mode: ZedSrcDepthMode::default(),
            depth_min: 300.0,
            depth_max: 20000.0,
            depth_stabilization: 1,
            confidence_threshold: 50,
            texture_threshold: 100,
            remove_saturated: false,
            fill_mode: false,
            tracking: false,
            tracking_mode: ZedSrcTrackingMode::default(),
            tracking_static: false,
            area_memory: true,
            imu_fusion: true,
            pose_smoothing: true,
            floor_origin: false,
            gravity_origin: true,
            area_file: None,
            tracking_min_range: -1.0,
            initial_x: 0.0,
            initial_y: 0.0,
            initial_z: 0.0,
            initial_roll: 0.0,
            initial_pitch: 0.0,
            initial_yaw: 0.0,
            od: false,
            od_tracking: true,
            od_model: ZedSrcObjectModel::default(),
            od_filter: ZedSrcObjectFilter::default(),
            od_confidence: 50.0,
            od_range: 20000.0,
            od_timeout: 0.2,
            od_reduced: false,
            od_conf_people: 35.0,
            od_conf_vehicle: 35.0,
            od_conf_bag: 35.0,
            od_conf_animal: 35.0,
            od_conf_electronics: 35.0,
            od_conf_fruit_vegetables: 35.0,
            od_conf_sport: 35.0,
            od_instance: 0,
            od_onnx: None,
            od_onnx_width: 512,
            od_onnx_height: 512,
            bt: false,
            bt_model: ZedSrcBodyModel::default(),
            bt_format: ZedSrcBodyFormat::default(),
            bt_reduced: false,
            bt_fitting: true,
            bt_tracking: true,
            bt_range: 20000.0,
            bt_timeout: 0.2,
            bt_confidence: 20.0,
            bt_keypoints: 5,
            bt_smoothing: 0.0,
            ctrl_brightness: 4,
            ctrl_contrast: 4,
            ctrl_saturation: 4,
            ctrl_sharpness: 4,
            ctrl_hue: 0,
            ctrl_gamma: 8,
            ctrl_auto_exposure: true,
            ctrl_gain: 60,
            ctrl_exposure: 80,
            ctrl_exposure_min: EXPOSURE_RANGE.0,
            ctrl_exposure_max: EXPOSURE_RANGE.1,
            ctrl_roi_x: -1,
            ctrl_roi_y: -1,
            ctrl_roi_w: -1,
            ctrl_roi_h: -1,
            ctrl_roi_side: ZedSrcSide::default(),
            ctrl_auto_white: true,
            ctrl_white: 4600,
            ctrl_led: true,
            svo_recording: false,
            svo_recording_set: 0,
            svo_recording_file: None,
            svo_compression: ZedSrcCompression::default(),
            num_buffers: -1,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error(
        "depth-mode asks for one of the SDK's neural networks: without the SDK depth is matched, by depth-mode=performance or quality"
    )]
    Neural,
    #[error("location is not set: name the recording to read")]
    NoLocation,
    #[error(
        "location={0} holds raw frames and no word about their size: set camera-resolution and camera-fps to what they were recorded with"
    )]
    NoSize(String),
    #[error(
        "camera-sn={0} is no serial number: give the one that stands on the camera, or 0 for any"
    )]
    Serial(i64),
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever GStreamer finds out about it.
    Video,
    /// YUYV frames of this size and rate, one behind the other.
    Raw { width: u32, height: u32, fps: i32 },
    /// SVO; of several cameras' pictures those of this serial number.
    Svo { camera: Option<u32> },
}

/// A file to be read.
#[derive(Debug)]
pub(super) struct FileSource {
    pub path: PathBuf,
    /// The property that names it, and its name.
    pub name: String,
    pub kind: Kind,
}

impl Settings {
    pub(super) fn file(&self) -> Result<FileSource, SettingsError> {
        let svo = Kind::Svo {
            camera: self.serial()?,
        };
        let Some(location) = set(&self.location) else {
            let name = set(&self.svo_file_path).ok_or(SettingsError::NoLocation)?;
            return Ok(FileSource {
                path: PathBuf::from(name),
                name: format!("svo-file-path={name}"),
                kind: svo,
            });
        };
        let path = PathBuf::from(location);
        let extension = path.extension().map(|text| text.to_ascii_lowercase());
        let kind = match extension.as_ref().and_then(|text| text.to_str()) {
            Some("svo" | "svo2") => svo,
            Some("yuyv") => self.raw(location)?,
            _ => Kind::Video,
        };
        Ok(FileSource {
            name: format!("location={location}"),
            path,
            kind,
        })
    }

    /// The serial number of the camera that is asked for; none where any will do.
    pub(super) fn serial(&self) -> Result<Option<u32>, SettingsError> {
        match u32::try_from(self.camera_sn) {
            Ok(0) => Ok(None),
            Ok(serial) => Ok(Some(serial)),
            Err(_) => Err(SettingsError::Serial(self.camera_sn)),
        }
    }

    fn raw(&self, location: &str) -> Result<Kind, SettingsError> {
        let size = self.resolution.size();
        let (width, height) = size.ok_or_else(|| SettingsError::NoSize(location.into()))?;
        let (width, height) = match self.file_layout {
            ZedSrcFileLayout::SideBySide => (width * 2, height),
            ZedSrcFileLayout::TopBottom => (width, height * 2),
        };
        Ok(Kind::Raw {
            width,
            height,
            fps: self.fps,
        })
    }
}
