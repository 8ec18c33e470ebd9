//! What is asked of the SDK, in Rust's types and Stereolabs' words, and its translation into the
//! structures of `abi`.
//!
//! Numbers that Stereolabs' own enumerations define (resolution, depth mode, detection model, …)
//! stay numbers of their SDK here; the element's enumerations map onto them. Lengths are in
//! millimetres throughout.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::abi;
use super::error::SdkError;
use super::library::Source;
use super::modules::{BodyTracking, Detection, Tracking};

/// Where the pictures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A camera by the SDK's number; 0 is the first.
    Id(i32),
    Serial(u32),
    Svo(PathBuf),
    Stream {
        host: String,
        port: u16,
    },
}

impl Input {
    /// What an error calls it.
    pub fn words(&self) -> String {
        match self {
            Self::Id(id) => format!("camera {id}"),
            Self::Serial(serial) => format!("the camera with serial number {serial}"),
            Self::Svo(path) => format!("{}", path.display()),
            Self::Stream { host, port } => format!("the stream of {host}:{port}"),
        }
    }

    /// Whether frames are made whether or not anyone fetches them.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::Svo(_))
    }
}

/// Size of each eye's picture, as `SL_RESOLUTION` numbers it since 5.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resolution {
    Hd2k = 2,
    Hd1080 = 4,
    Hd1200 = 5,
    Hd720 = 6,
    Svga = 7,
    Vga = 8,
    #[default]
    Auto = 9,
}

/// Which pictures a frame brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub left: bool,
    pub right: bool,
    pub depth: bool,
}

/// Which way the SDK finds depth; the numbers of `SL_DEPTH_MODE` since 5.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DepthMode {
    #[default]
    None = 0,
    Performance = 1,
    Quality = 2,
    Ultra = 3,
    NeuralLight = 4,
    Neural = 5,
    NeuralPlus = 6,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Depth {
    pub mode: DepthMode,
    pub minimum_distance: f32,
    pub maximum_distance: f32,
    pub stabilization: i32,
    pub confidence_threshold: i32,
    pub texture_confidence_threshold: i32,
    pub remove_saturated_areas: bool,
    pub fill_mode: bool,
}

impl Default for Depth {
    fn default() -> Self {
        Self {
            mode: DepthMode::None,
            minimum_distance: 300.0,
            maximum_distance: 20_000.0,
            stabilization: 1,
            confidence_threshold: 50,
            texture_confidence_threshold: 100,
            remove_saturated_areas: false,
            fill_mode: false,
        }
    }
}

/// Everything that is settled when a camera is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub input: Input,
    pub wanted: Wanted,
    pub resolution: Resolution,
    pub fps: u32,
    /// 0 no, 1 yes, 2 by gravity.
    pub flip: i32,
    pub self_calibration: bool,
    pub svo_real_time: bool,
    pub coordinate_system: i32,
    /// 0 world, 1 camera.
    pub reference_frame: i32,
    pub gpu_id: i32,
    pub verbose: i32,
    pub log_file: Option<PathBuf>,
    pub settings_folder: Option<PathBuf>,
    pub opencv_calibration: Option<PathBuf>,
    pub sensors_required: bool,
    pub image_enhancement: bool,
    pub image_validity_check: bool,
    pub open_timeout: f32,
    pub async_recovery: bool,
    /// Computations a second at most; 0 sets no bound.
    pub compute_fps: f32,
    /// Largest picture that comes out, or 0 for the camera's own.
    pub working_size: (i32, i32),
    pub depth: Depth,
    pub tracking: Option<Tracking>,
    pub detection: Option<Detection>,
    pub bodies: Option<BodyTracking>,
    /// How long a camera that has gone is waited for.
    pub reconnect_timeout: Duration,
    /// How often it is looked for meanwhile.
    pub reconnect_interval: Duration,
}

impl Options {
    pub fn new(input: Input, wanted: Wanted) -> Self {
        Self {
            input,
            wanted,
            resolution: Resolution::Auto,
            fps: 15,
            flip: 2,
            self_calibration: true,
            svo_real_time: false,
            coordinate_system: 0,
            reference_frame: 0,
            gpu_id: -1,
            verbose: 0,
            log_file: None,
            settings_folder: None,
            opencv_calibration: None,
            sensors_required: false,
            image_enhancement: true,
            image_validity_check: true,
            open_timeout: 5.0,
            async_recovery: false,
            compute_fps: 0.0,
            working_size: (0, 0),
            depth: Depth::default(),
            tracking: None,
            detection: None,
            bodies: None,
            reconnect_timeout: Duration::from_secs(30),
            reconnect_interval: Duration::from_secs(1),
        }
    }

    /// Adds what the SDK needs for what is asked, and says what was added.
    pub fn complete(&mut self) -> Vec<&'static str> {
        let mut added = Vec::new();
        let detects = self.detection.is_some() || self.bodies.is_some();
        if detects && self.tracking.is_none() {
            self.tracking = Some(Tracking::default());
            added.push("object and body detection need positional tracking: it is on");
        }
        let needs_depth = self.wanted.depth || self.tracking.is_some();
        if needs_depth && self.depth.mode == DepthMode::None {
            self.depth.mode = DepthMode::Neural;
            added.push("depth, tracking and detection need a depth-mode: NEURAL is taken");
        }
        added
    }

    pub(super) fn init(&self, input_type: i32) -> abi::InitParameters {
        let id = match self.input {
            Input::Id(id) => id,
            _ => 0,
        };
        abi::InitParameters {
            input_type,
            resolution: self.resolution as i32,
            camera_fps: i32::try_from(self.fps).unwrap_or(0),
            camera_device_id: id,
            camera_image_flip: self.flip,
            camera_disable_self_calib: (!self.self_calibration).into(),
            enable_right_side_measure: 0,
            svo_real_time_mode: self.svo_real_time.into(),
            depth_mode: self.depth.mode as i32,
            depth_stabilization: self.depth.stabilization,
            depth_minimum_distance: self.depth.minimum_distance,
            depth_maximum_distance: self.depth.maximum_distance,
            coordinate_unit: abi::UNIT_MILLIMETRE,
            coordinate_system: self.coordinate_system,
            sdk_gpu_id: self.gpu_id,
            sdk_verbose: self.verbose,
            sensors_required: self.sensors_required.into(),
            enable_image_enhancement: self.image_enhancement.into(),
            open_timeout_sec: self.open_timeout,
            async_grab_camera_recovery: self.async_recovery.into(),
            grab_compute_capping_fps: self.compute_fps,
            enable_image_validity_check: self.image_validity_check.into(),
            maximum_working_resolution: abi::Resolution {
                width: self.working_size.0,
                height: self.working_size.1,
            },
        }
    }

    pub(super) fn runtime(&self) -> abi::RuntimeParameters {
        abi::RuntimeParameters {
            measure3d_reference_frame: self.reference_frame,
            enable_depth: (self.depth.mode != DepthMode::None).into(),
            enable_fill_mode: self.depth.fill_mode.into(),
            confidence_threshold: self.depth.confidence_threshold,
            texture_confidence_threshold: self.depth.texture_confidence_threshold,
            remove_saturated_areas: self.depth.remove_saturated_areas.into(),
        }
    }

    pub(super) fn source(&self) -> Result<Source, SdkError> {
        let path = |field, path: &Option<PathBuf>| text(field, path.as_deref());
        let mut source = Source {
            log_file: path("sdk-verbose-log-file", &self.log_file)?,
            settings_folder: path("optional-settings-path", &self.settings_folder)?,
            calibration: path("opencv-calibration-file", &self.opencv_calibration)?,
            ..Source::default()
        };
        match &self.input {
            Input::Id(_) => {}
            Input::Serial(serial) => source.serial = *serial,
            Input::Svo(file) => source.svo = text("svo-file-path", Some(file))?,
            Input::Stream { host, port } => {
                source.host = text("input-stream-ip", Some(Path::new(host)))?;
                source.port = i32::from(*port);
            }
        }
        Ok(source)
    }
}

/// A path as C wants it; the SDK takes an empty one for none and cannot take a null pointer.
pub(super) fn text(field: &'static str, path: Option<&Path>) -> Result<CString, SdkError> {
    let bytes = path.map_or(&[][..], |path| path.as_os_str().as_encoded_bytes());
    CString::new(bytes).map_err(|_| SdkError::Text {
        field,
        value: String::from_utf8_lossy(bytes).into_owned(),
    })
}
