//! What a call into the SDK returned, as a number and in words.
//!
//! Belongs here: the numbers of `SL_ERROR_CODE` and what they mean for us. Not the sentences of
//! this crate's own errors, which stand in `error`.

use std::fmt;

/// An `SL_ERROR_CODE`: zero is success, a negative number a warning, a positive one an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub i32);

impl Code {
    pub const SUCCESS: Self = Self(0);
    pub const REBOOTING: Self = Self(-1);
    pub const CORRUPTED_FRAME: Self = Self(-2);
    pub const NOT_DETECTED: Self = Self(4);
    pub const END_OF_SVO: Self = Self(14);
    const LOW_BANDWIDTH: Self = Self(8);
    const NOT_INITIALISED: Self = Self(19);
    const SETUP_FAILED: Self = Self(26);

    /// An error: whatever was asked for is not there.
    pub fn is_error(self) -> bool {
        self.0 > 0
    }

    /// Whether a camera that worked has gone, so that opening it again may help.
    pub fn is_lost(self) -> bool {
        [
            Self::NOT_DETECTED,
            Self::LOW_BANDWIDTH,
            Self::NOT_INITIALISED,
            Self::SETUP_FAILED,
        ]
        .contains(&self)
    }

    fn words(self) -> &'static str {
        match self.0 {
            -6 => "the sensors' configuration changed",
            -5 => "the calibration may be off",
            -4 => "another configuration was taken than was asked for",
            -3 => "sensor data is needed and missing",
            -2 => "the frame is corrupted",
            -1 => "the camera is rebooting",
            0 => "success",
            1 => "failure",
            2 => "no GPU that CUDA can use",
            3 => "not enough GPU memory",
            4 => "camera not detected",
            5 => "the sensors' module is not initialised",
            6 => "the camera has no such sensors",
            7 => "the camera has no such resolution",
            8 => "not enough USB bandwidth",
            9 => "no calibration file for this camera",
            10 => "the calibration file is invalid",
            11 => "the SVO file is invalid",
            12 => "the SVO recording failed",
            13 => "this machine cannot encode the SVO compression",
            14 => "end of the SVO file",
            15 => "the coordinate system is invalid",
            16 => "the camera's firmware is too old",
            17 => "invalid parameters",
            18 => "CUDA failed",
            19 => "the camera is not initialised",
            20 => "the NVIDIA driver is too old",
            21 => "invalid call",
            22 => "the SDK is corrupted",
            23 => "the SDK's parts do not fit each other",
            24 | 25 => "the area file is invalid",
            26 => "the camera could not be set up",
            27 => "detection failed",
            28 => "the network stream could not be started",
            29 => "no GPU",
            30 => "no plane found",
            31 => "this camera lacks the module",
            32 => "motion sensors are needed",
            33 => "the module does not fit this CUDA",
            34 => "the driver failed",
            _ if self.0 < 0 => "a warning unknown here",
            _ => "an error unknown here",
        }
    }

    /// What to do about it, where something can be done.
    pub fn cure(self) -> &'static str {
        match self.0 {
            2 | 3 | 18 | 20 | 29 | 33 => "the SDK needs an NVIDIA GPU with its driver and CUDA",
            4 | 19 | 26 => {
                "check cable, port and power, and that no other program holds the camera"
            }
            5 | 6 | 32 => "set sensors-required=false or take a camera that has the sensors",
            7 => "choose another camera-resolution or camera-fps",
            8 => "use a USB 3 port of its own, or a lower camera-resolution or camera-fps",
            9 | 10 => "fetch the camera's calibration or set optional-settings-path",
            11 => "check svo-file-path",
            12 | 13 => "choose another svo-recording-compression or svo-recording-filename",
            16 => "update the camera's firmware with the SDK's ZED Explorer",
            22 | 23 => "install the SDK anew",
            24 | 25 => "check area-file-path",
            27 => "check od-detection-model, and that the SDK has optimised it for this GPU",
            -4 => "ask for a mode that the camera has, or leave camera-resolution automatic",
            -5 => "calibrate the camera, or set camera-disable-self-calib=true",
            _ => "sdk-verbose=1 lets the SDK say more",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.words(), self.0)
    }
}
