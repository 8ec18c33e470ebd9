//! What the properties ask of a camera, in the words of the two ways to one.

use std::path::PathBuf;
use std::time::Duration;

use evr_zed::control::{Control, Setting, Side};
use evr_zed::{sdk, uvc};

use super::settings::{EXPOSURE_RANGE, Settings, SettingsError};
use super::words::{ZedSrcBackend, ZedSrcDepthMode, ZedSrcSide};
use super::{ZedSrcResolution, ZedSrcStreamType};

/// Text that was set to something.
pub(super) fn set(text: &Option<String>) -> Option<&String> {
    text.as_ref().filter(|text| !text.is_empty())
}

fn path(text: &Option<String>) -> Option<PathBuf> {
    set(text).map(PathBuf::from)
}

/// What a camera may be asked for while it runs.
pub(super) struct Wishes {
    /// What it is to hold, in the order in which it has to be set.
    pub controls: Vec<Control>,
    /// The file that the SDK is to record into now, and how often that was asked for.
    pub recording: Option<(PathBuf, u64)>,
    pub compression: i32,
}

/// Where pictures come from, as far as the properties say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    File,
    Sdk,
    Uvc,
    /// An SVO file by the SDK if it is installed, else as a file.
    Svo,
    /// A camera by the SDK if it is installed, else by UVC.
    Either,
}

impl Settings {
    pub(super) fn way(&self) -> Way {
        match self.backend {
            ZedSrcBackend::Sdk => Way::Sdk,
            ZedSrcBackend::Uvc => Way::Uvc,
            ZedSrcBackend::File => Way::File,
            ZedSrcBackend::Auto if set(&self.location).is_some() => Way::File,
            ZedSrcBackend::Auto if self.computes().is_some() => Way::Sdk,
            ZedSrcBackend::Auto if set(&self.svo_file_path).is_some() => Way::Svo,
            ZedSrcBackend::Auto if self.needs_sdk().is_some() => Way::Sdk,
            ZedSrcBackend::Auto => Way::Either,
        }
    }

    /// The first property that only the SDK can fulfil.
    pub(super) fn needs_sdk(&self) -> Option<&'static str> {
        let inputs = [
            (set(&self.svo_file_path).is_some(), "svo-file-path"),
            (set(&self.input_stream_ip).is_some(), "input-stream-ip"),
        ];
        let input = inputs
            .into_iter()
            .find_map(|(asked, name)| asked.then_some(name));
        input.or(self.computes())
    }

    /// The first property that asks for what the SDK alone computes or writes. Depth is not, but by
    /// neural networks.
    pub(super) fn computes(&self) -> Option<&'static str> {
        [
            (self.depth_mode.is_neural(), "depth-mode by neural networks"),
            (self.tracking, "enable-positional-tracking"),
            (self.od, "od-enabled"),
            (self.bt, "bt-enabled"),
            (self.svo_recording, "svo-recording-enable"),
        ]
        .into_iter()
        .find_map(|(asked, name)| asked.then_some(name))
    }

    /// Whether pictures come at their own pace.
    pub(super) fn is_live(&self) -> bool {
        match self.way() {
            Way::File | Way::Svo => self.real_time,
            Way::Sdk if self.names_svo() => self.real_time,
            Way::Sdk | Way::Uvc | Way::Either => true,
        }
    }

    /// Whether the SDK, where it is used, plays a file and shows no camera.
    pub(super) fn names_svo(&self) -> bool {
        set(&self.svo_file_path).is_some()
    }

    fn input(&self) -> Result<sdk::Input, SettingsError> {
        let serial = self.serial()?;
        if let Some(file) = path(&self.svo_file_path) {
            return Ok(sdk::Input::Svo(file));
        }
        if let Some(serial) = serial {
            return Ok(sdk::Input::Serial(serial));
        }
        Ok(match set(&self.input_stream_ip) {
            Some(host) if self.camera_id == 0 => sdk::Input::Stream {
                host: host.clone(),
                port: u16::try_from(self.input_stream_port).unwrap_or(30_000),
            },
            _ => sdk::Input::Id(self.camera_id),
        })
    }

    pub(super) fn sdk_options(&self) -> Result<sdk::Options, SettingsError> {
        let show = self.stream_type;
        let wanted = sdk::Wanted {
            left: !matches!(show, ZedSrcStreamType::Right | ZedSrcStreamType::Depth),
            right: matches!(
                show,
                ZedSrcStreamType::Right
                    | ZedSrcStreamType::TopBottom
                    | ZedSrcStreamType::SideBySide
            ),
            depth: show.has_depth(),
        };
        let base = sdk::Options::new(self.input()?, wanted);
        Ok(sdk::Options {
            resolution: match self.resolution {
                ZedSrcResolution::Hd2k => sdk::Resolution::Hd2k,
                ZedSrcResolution::Hd1080 => sdk::Resolution::Hd1080,
                ZedSrcResolution::Hd1200 => sdk::Resolution::Hd1200,
                ZedSrcResolution::Hd720 => sdk::Resolution::Hd720,
                ZedSrcResolution::Svga => sdk::Resolution::Svga,
                ZedSrcResolution::Vga => sdk::Resolution::Vga,
                ZedSrcResolution::Auto => sdk::Resolution::Auto,
            },
            fps: self.fps.unsigned_abs(),
            flip: self.flip as i32,
            self_calibration: !self.no_self_calibration,
            svo_real_time: self.real_time,
            coordinate_system: self.coordinates as i32,
            reference_frame: self.reference as i32,
            gpu_id: self.sdk_gpu_id,
            verbose: self.sdk_verbose,
            log_file: path(&self.sdk_log_file),
            settings_folder: path(&self.settings_folder),
            opencv_calibration: path(&self.opencv_calibration),
            sensors_required: self.sensors_required,
            image_enhancement: self.image_enhancement,
            image_validity_check: self.validity_check,
            open_timeout: self.open_timeout,
            async_recovery: self.async_recovery,
            compute_fps: self.compute_fps,
            working_size: (self.working_width, self.working_height),
            depth: self.depth(),
            tracking: self.tracking.then(|| self.positional_tracking()),
            detection: self.od.then(|| self.detection()),
            bodies: self.bt.then(|| self.bodies()),
            reconnect_timeout: Duration::from_nanos(self.reconnect_timeout),
            ..base
        })
    }

    fn depth(&self) -> sdk::Depth {
        sdk::Depth {
            mode: match self.depth_mode {
                ZedSrcDepthMode::None => sdk::DepthMode::None,
                ZedSrcDepthMode::Performance => sdk::DepthMode::Performance,
                ZedSrcDepthMode::Quality => sdk::DepthMode::Quality,
                ZedSrcDepthMode::Ultra => sdk::DepthMode::Ultra,
                ZedSrcDepthMode::NeuralLight => sdk::DepthMode::NeuralLight,
                ZedSrcDepthMode::Neural => sdk::DepthMode::Neural,
                ZedSrcDepthMode::NeuralPlus => sdk::DepthMode::NeuralPlus,
            },
            minimum_distance: self.depth_min,
            maximum_distance: self.depth_max,
            stabilization: self.depth_stabilization,
            confidence_threshold: self.confidence_threshold,
            texture_confidence_threshold: self.texture_threshold,
            remove_saturated_areas: self.remove_saturated,
            fill_mode: self.fill_mode,
        }
    }

    fn positional_tracking(&self) -> sdk::Tracking {
        sdk::Tracking {
            mode: self.tracking_mode as i32,
            set_as_static: self.tracking_static,
            area_memory: self.area_memory,
            imu_fusion: self.imu_fusion,
            pose_smoothing: self.pose_smoothing,
            floor_as_origin: self.floor_origin,
            gravity_as_origin: self.gravity_origin,
            area_file: path(&self.area_file),
            depth_min_range: self.tracking_min_range,
            initial_position: [self.initial_x, self.initial_y, self.initial_z],
            initial_rotation: [self.initial_roll, self.initial_pitch, self.initial_yaw],
        }
    }

    fn detection(&self) -> sdk::Detection {
        sdk::Detection {
            instance: self.od_instance,
            tracking: self.od_tracking,
            model: self.od_model as i32,
            filter_mode: self.od_filter as i32,
            confidence: self.od_confidence,
            max_range: self.od_range,
            prediction_timeout: self.od_timeout,
            reduced_precision: self.od_reduced,
            class_confidence: [
                self.od_conf_people,
                self.od_conf_vehicle,
                self.od_conf_bag,
                self.od_conf_animal,
                self.od_conf_electronics,
                self.od_conf_fruit_vegetables,
                self.od_conf_sport,
            ],
            onnx_file: path(&self.od_onnx),
            onnx_shape: (self.od_onnx_width, self.od_onnx_height),
        }
    }

    fn bodies(&self) -> sdk::BodyTracking {
        sdk::BodyTracking {
            model: self.bt_model as i32,
            format: self.bt_format as i32,
            reduced_precision: self.bt_reduced,
            fitting: self.bt_fitting,
            tracking: self.bt_tracking,
            max_range: self.bt_range,
            prediction_timeout: self.bt_timeout,
            confidence: self.bt_confidence,
            min_keypoints: self.bt_keypoints,
            smoothing: self.bt_smoothing,
        }
    }

    pub(super) fn uvc_options(&self) -> Result<uvc::Options, String> {
        let (width, height) = self.resolution.size().unwrap_or((1280, 720));
        let mode = uvc::Mode::new(width, height, self.fps.unsigned_abs());
        let pick = match self.serial().map_err(|err| err.to_string())? {
            None => uvc::Pick::Id(usize::try_from(self.camera_id).unwrap_or(0)),
            Some(serial) => uvc::Pick::Serial(serial),
        };
        Ok(uvc::Options {
            reconnect_timeout: Duration::from_nanos(self.reconnect_timeout),
            ..uvc::Options::new(pick, mode.map_err(|err| err.to_string())?)
        })
    }

    pub(super) fn calibration_file(&self) -> Option<PathBuf> {
        path(&self.calibration_file)
    }

    pub(super) fn settings_folder(&self) -> Option<PathBuf> {
        path(&self.settings_folder)
    }

    pub(super) fn sdk_library(&self) -> Option<PathBuf> {
        path(&self.sdk_library)
    }

    pub(super) fn wishes(&self) -> Wishes {
        let file = path(&self.svo_recording_file).filter(|_| self.svo_recording);
        Wishes {
            controls: self.controls(),
            recording: file.map(|file| (file, self.svo_recording_set)),
            compression: self.svo_compression as i32,
        }
    }

    fn controls(&self) -> Vec<Control> {
        let of = |setting, value| Control::Value(setting, value);
        let mut controls = vec![
            of(Setting::Brightness, self.ctrl_brightness),
            of(Setting::Contrast, self.ctrl_contrast),
            of(Setting::Hue, self.ctrl_hue),
            of(Setting::Saturation, self.ctrl_saturation),
            of(Setting::Sharpness, self.ctrl_sharpness),
            of(Setting::Gamma, self.ctrl_gamma),
            of(Setting::Led, self.ctrl_led.into()),
            of(Setting::AutoWhiteBalance, self.ctrl_auto_white.into()),
            of(Setting::AutoExposure, self.ctrl_auto_exposure.into()),
        ];
        if !self.ctrl_auto_white {
            controls.push(of(Setting::WhiteBalance, self.ctrl_white));
        }
        if !self.ctrl_auto_exposure {
            controls.push(of(Setting::Gain, self.ctrl_gain));
            controls.push(of(Setting::Exposure, self.ctrl_exposure));
        }
        let range = (self.ctrl_exposure_min, self.ctrl_exposure_max);
        // A camera is asked for what was set only: not every one has these.
        if range != EXPOSURE_RANGE {
            controls.push(Control::ExposureRange(range.0, range.1));
        }
        let region = [
            self.ctrl_roi_x,
            self.ctrl_roi_y,
            self.ctrl_roi_w,
            self.ctrl_roi_h,
        ];
        if let [Ok(x), Ok(y), Ok(w), Ok(h)] = region.map(u16::try_from) {
            let side = match self.ctrl_roi_side {
                ZedSrcSide::Left => Side::Left,
                ZedSrcSide::Right => Side::Right,
                ZedSrcSide::Both => Side::Both,
            };
            controls.push(Control::ExposureRegion(side, Some([x, y, w, h])));
        }
        controls
    }
}
