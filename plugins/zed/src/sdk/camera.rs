//! One camera, stream or file that the SDK has open.
//!
//! Belongs here: the order of the calls for opening, a frame and the switches. A camera belongs to
//! the thread that opened it, since the C library locks grabs but not retrievals; who calls when,
//! and what happens when the camera goes, is `session`'s.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::abi;
use super::code::Code;
use super::error::SdkError;
use super::frame::{self, Frame};
use super::guard::Guarded;
use super::library::Sdk;
use super::matrix::Mat;
use super::options::{Input, Options, text};
use crate::control::Control;

/// Cameras that one process can have open at once; the library numbers them.
const SLOTS: usize = 20;
static TAKEN: Mutex<[bool; SLOTS]> = Mutex::new([false; SLOTS]);

/// A number by which the library knows a camera, ours until dropped.
struct Slot {
    sdk: Arc<Sdk>,
    id: i32,
}

impl Slot {
    fn take(sdk: &Arc<Sdk>) -> Result<Self, SdkError> {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = taken.iter().position(|taken| !taken);
        let refused = SdkError::NoSlot {
            open: taken.iter().filter(|taken| **taken).count(),
        };
        let Some(at) = free else {
            return Err(refused);
        };
        let id = i32::try_from(at).unwrap_or_default();
        if !sdk.create_camera(id) {
            return Err(refused);
        }
        taken[at] = true;
        Ok(Self {
            sdk: Arc::clone(sdk),
            id,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.sdk.close_camera(self.id);
        self.sdk.unload_instance(self.id);
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = usize::try_from(self.id)
            .ok()
            .and_then(|at| taken.get_mut(at))
        {
            *taken = false;
        }
    }
}

/// What an opened camera is.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    pub model: &'static str,
    pub serial: u32,
    pub firmware: i32,
    /// Size of one eye's picture.
    pub width: u32,
    pub height: u32,
    pub fps: f32,
    /// Release of the SDK.
    pub sdk: String,
}

pub(super) struct Camera {
    runtime: abi::RuntimeParameters,
    options: Options,
    left: Mat,
    right: Mat,
    depth: Mat,
    pose: Guarded<abi::PoseData>,
    sensors: Guarded<abi::SensorsData>,
    objects: Guarded<abi::Objects>,
    bodies: Guarded<abi::Bodies>,
    /// The SVO file that is being written.
    recording: Option<PathBuf>,
    /// What of the extras failed already and was told.
    told: Vec<&'static str>,
    /// Last, so that the matrices go before their camera does.
    slot: Slot,
}

/// An opened camera and what the SDK warned of meanwhile.
pub(super) struct Opened {
    pub camera: Camera,
    pub warnings: Vec<String>,
}

impl Camera {
    pub fn open(sdk: &Arc<Sdk>, options: &Options) -> Result<Opened, SdkError> {
        let mut options = options.clone();
        let mut warnings: Vec<String> = options.complete().into_iter().map(String::from).collect();
        let slot = Slot::take(sdk)?;
        let code = open(sdk, slot.id, &options)?;
        let what = options.input.words();
        let opened = sdk.is_opened(slot.id);
        if code.is_error() {
            let seen = sdk.connected();
            return Err(SdkError::Open { what, code, seen });
        }
        if !opened {
            return Err(SdkError::Warned { what, code });
        }
        if code != Code::SUCCESS {
            warnings.push(format!(
                "opening {what}, the SDK warned: {code}; {}",
                code.cure()
            ));
        }
        let mut camera = Self {
            runtime: options.runtime(),
            left: Mat::new(sdk)?,
            right: Mat::new(sdk)?,
            depth: Mat::new(sdk)?,
            pose: Guarded::new(),
            sensors: Guarded::new(),
            objects: Guarded::new(),
            bodies: Guarded::new(),
            recording: None,
            told: Vec::new(),
            options,
            slot,
        };
        camera.start_modules(&mut warnings)?;
        Ok(Opened { camera, warnings })
    }

    fn sdk(&self) -> &Sdk {
        &self.slot.sdk
    }

    /// Tracking and detection, which are asked for before the first frame.
    fn start_modules(&mut self, warnings: &mut Vec<String>) -> Result<(), SdkError> {
        let (sdk, id) = (Arc::clone(&self.slot.sdk), self.slot.id);
        let mut check = |what, code: Code| match code {
            Code::SUCCESS => Ok(()),
            code if code.is_error() => Err(SdkError::Call { what, code }),
            code => {
                warnings.push(format!("{what}: {code}; {}", code.cure()));
                Ok(())
            }
        };
        if let Some(tracking) = &self.options.tracking {
            let area = text("area-file-path", tracking.area_file.as_deref())?;
            let code = sdk.enable_positional_tracking(id, &mut tracking.parameters(), &area);
            check("positional tracking", code)?;
        }
        if let Some(detection) = &self.options.detection {
            let onnx = text("od-custom-onnx-file", detection.onnx_file.as_deref())?;
            let no_group = CString::default();
            let mut parameters = detection.parameters(&onnx, &no_group);
            check(
                "object detection",
                sdk.enable_object_detection(id, &mut parameters),
            )?;
        }
        if let Some(bodies) = &self.options.bodies {
            let mut parameters = bodies.parameters(self.body_instance());
            check(
                "body tracking",
                sdk.enable_body_tracking(id, &mut parameters),
            )?;
        }
        Ok(())
    }

    /// Detection modules of one camera need numbers of their own.
    fn body_instance(&self) -> u32 {
        let objects = self.options.detection.as_ref();
        objects.map_or(0, |detection| detection.instance.wrapping_add(1))
    }

    pub fn info(&self) -> Info {
        let (sdk, id) = (self.sdk(), self.slot.id);
        Info {
            model: model(sdk.model(id)),
            serial: u32::try_from(sdk.serial(id)).unwrap_or(0),
            firmware: sdk.firmware(id),
            width: u32::try_from(sdk.width(id)).unwrap_or(0),
            height: u32::try_from(sdk.height(id)).unwrap_or(0),
            fps: sdk.fps(id),
            sdk: sdk.version.to_string(),
        }
    }

    /// Waits for the next frame in the SDK.
    pub fn grab(&mut self) -> Code {
        let (sdk, id) = (Arc::clone(&self.slot.sdk), self.slot.id);
        sdk.grab(id, &mut self.runtime)
    }

    /// Reads the frame that was grabbed, with a sentence for each extra that newly fails.
    pub fn retrieve(&mut self, grabbed: Code) -> Result<(Frame, Vec<String>), SdkError> {
        let (sdk, id) = (Arc::clone(&self.slot.sdk), self.slot.id);
        let mut frame = Frame {
            captured: sdk.image_timestamp(id),
            corrupted: grabbed == Code::CORRUPTED_FRAME,
            dropped: sdk.dropped(id),
            ..Frame::default()
        };
        let wanted = self.options.wanted;
        if wanted.left {
            got(
                "the left picture",
                sdk.retrieve_image(id, &self.left, abi::VIEW_LEFT),
            )?;
            frame.left = Some(frame::image(self.left.rows("a left picture", 4)?));
        }
        if wanted.right {
            got(
                "the right picture",
                sdk.retrieve_image(id, &self.right, abi::VIEW_RIGHT),
            )?;
            frame.right = Some(frame::image(self.right.rows("a right picture", 4)?));
        }
        if wanted.depth {
            got(
                "depth",
                sdk.retrieve_measure(id, &self.depth, abi::MEASURE_DEPTH),
            )?;
            frame.depth = Some(frame::depth(self.depth.rows("depth", 4)?));
        }
        let mut warnings = Vec::new();
        self.extras(&mut frame, &mut warnings)?;
        Ok((frame, warnings))
    }

    /// Sensors, pose, objects and bodies: what a frame can do without.
    fn extras(&mut self, frame: &mut Frame, warnings: &mut Vec<String>) -> Result<(), SdkError> {
        let (sdk, id) = (Arc::clone(&self.slot.sdk), self.slot.id);
        // Boxes are told in pixels of the camera's own picture, not of a smaller working size.
        let size = (sdk.width(id).max(1) as f32, sdk.height(id).max(1) as f32);
        let code = sdk.sensors(id, &mut self.sensors, abi::TIME_IMAGE);
        if self.useful("sensor data", code, warnings) {
            frame.sensors = Some(frame::sensors(self.sensors.checked("sensor data")?));
        }
        if self.options.tracking.is_some() {
            // The state of the tracking comes instead of an error: 1 is "ok".
            sdk.pose(id, &mut self.pose, self.options.reference_frame);
            frame.pose = frame::pose(self.pose.checked("the pose")?);
        }
        if let Some(detection) = &self.options.detection {
            let own_model = detection.model == OWN_MODEL;
            let mut runtime = detection.runtime();
            let code = sdk.objects(id, &mut runtime, &mut self.objects, detection.instance);
            if self.useful("objects", code, warnings) {
                let list = self.objects.checked("objects")?;
                frame.detected = true;
                frame.objects.extend(frame::objects(list, size, own_model));
            }
        }
        if let Some(bodies) = &self.options.bodies {
            let (mut runtime, instance) = (bodies.runtime(), self.body_instance());
            let code = sdk.bodies(id, &mut runtime, &mut self.bodies, instance);
            if self.useful("bodies", code, warnings) {
                let list = self.bodies.checked("bodies")?;
                frame.detected = true;
                frame.objects.extend(frame::bodies(list, size));
            }
        }
        Ok(())
    }

    /// Whether an extra is there; the first failure of its kind is told.
    fn useful(&mut self, what: &'static str, code: Code, warnings: &mut Vec<String>) -> bool {
        if code.is_error() && !self.told.contains(&what) {
            self.told.push(what);
            warnings.push(format!("{what} cannot be read: {code}; {}", code.cure()));
        }
        !code.is_error()
    }

    pub fn set(&self, control: Control) -> Code {
        let (sdk, id) = (self.sdk(), self.slot.id);
        match control {
            Control::Value(setting, value) => Code(sdk.set(id, setting as i32, value)),
            Control::ExposureRange(min, max) => {
                Code(sdk.set_range(id, SETTING_AUTO_EXPOSURE_RANGE, min, max))
            }
            Control::ExposureRegion(side, region) => {
                let rect = region.map(|region| {
                    let [x, y, width, height] = region.map(i32::from);
                    abi::Rect {
                        x,
                        y,
                        width,
                        height,
                    }
                });
                sdk.set_aec_agc_roi(id, side as i32, rect)
            }
        }
    }

    /// Starts writing what is grabbed into `file`, or into another than before; goes on where it
    /// is written already, since it would begin empty.
    pub fn record(&mut self, file: &Path, compression: i32) -> Result<(), SdkError> {
        if self.recording.as_deref() == Some(file) {
            return Ok(());
        }
        self.stop_recording();
        let name = text("svo-recording-filename", Some(file))?;
        got(
            "SVO recording",
            self.sdk()
                .enable_recording(self.slot.id, &name, compression),
        )?;
        self.recording = Some(file.to_owned());
        Ok(())
    }

    pub fn stop_recording(&mut self) {
        if self.recording.take().is_some() {
            self.sdk().disable_recording(self.slot.id);
        }
    }

    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        // A file that is not ended has no index.
        self.stop_recording();
    }
}

/// `SL_OBJECT_DETECTION_MODEL_CUSTOM_YOLOLIKE_BOX_OBJECTS`.
const OWN_MODEL: i32 = 6;
/// `SL_VIDEO_SETTINGS_AUTO_EXPOSURE_TIME_RANGE`.
const SETTING_AUTO_EXPOSURE_RANGE: i32 = 16;

fn got(what: &'static str, code: Code) -> Result<(), SdkError> {
    if code.is_error() {
        return Err(SdkError::Call { what, code });
    }
    Ok(())
}

/// Opens slot `id` and makes sure that the library understood what was asked.
fn open(sdk: &Sdk, id: i32, options: &Options) -> Result<Code, SdkError> {
    let source = options.source()?;
    let inputs: &[i32] = match options.input {
        // USB cameras first; those on GMSL exist on a Jetson only.
        Input::Id(_) | Input::Serial(_) => &[abi::INPUT_USB, abi::INPUT_GMSL],
        Input::Svo(_) => &[abi::INPUT_SVO],
        Input::Stream { .. } => &[abi::INPUT_STREAM],
    };
    let mut first = None;
    for &input in inputs {
        let passed = options.init(input);
        let code = sdk.open_camera(id, &mut passed.clone(), &source);
        if !code.is_error() {
            if sdk.is_opened(id) {
                check_echo(sdk, id, &passed)?;
            }
            return Ok(code);
        }
        if code != Code::NOT_DETECTED {
            return Ok(code);
        }
        first.get_or_insert(code);
    }
    Ok(first.unwrap_or(Code::NOT_DETECTED))
}

/// Compares what the library understood with what was passed, where the SDK has no reason to
/// change it: a structure of another layout shows as a value in the wrong place.
fn check_echo(sdk: &Sdk, id: i32, passed: &abi::InitParameters) -> Result<(), SdkError> {
    let Some(echo) = sdk.init_parameters(id) else {
        return Ok(());
    };
    let number = |read: fn(&abi::InitParameters) -> f64| (read(passed), read(&echo));
    let fields = [
        (
            "the greatest depth",
            number(|p| p.depth_maximum_distance.into()),
        ),
        ("the unit", number(|p| p.coordinate_unit.into())),
        (
            "the coordinate system",
            number(|p| p.coordinate_system.into()),
        ),
        ("the verbosity", number(|p| p.sdk_verbose.into())),
        ("the time to open", number(|p| p.open_timeout_sec.into())),
        (
            "the capped rate",
            number(|p| p.grab_compute_capping_fps.into()),
        ),
        (
            "the working width",
            number(|p| p.maximum_working_resolution.width.into()),
        ),
        (
            "the working height",
            number(|p| p.maximum_working_resolution.height.into()),
        ),
    ];
    for (field, (passed, echoed)) in fields {
        if passed != echoed {
            return Err(SdkError::Echo {
                library: sdk.path.clone(),
                version: sdk.version,
                field,
                passed: passed.to_string(),
                echoed: echoed.to_string(),
            });
        }
    }
    Ok(())
}

fn model(number: i32) -> &'static str {
    match number {
        0 => "ZED",
        1 => "ZED Mini",
        2 => "ZED 2",
        3 => "ZED 2i",
        4 => "ZED X",
        5 => "ZED X Mini",
        6 => "ZED X HDR",
        7 => "ZED X HDR Mini",
        8 => "ZED X HDR Max",
        11 => "Virtual ZED X",
        30 => "ZED X One GS",
        31 => "ZED X One 4K",
        32 => "ZED X One HDR",
        _ => "an unknown ZED",
    }
}
