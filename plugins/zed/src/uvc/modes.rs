//! The cameras that speak UVC, and the pictures that they send.
//!
//! Belongs here: USB numbers and the table of modes, which all four models share. A picture is
//! YUYV with the left eye's in its left half.

use std::fmt;
use std::time::Duration;

use super::error::UvcError;

/// Stereolabs' vendor number.
pub const VENDOR: u16 = 0x2b03;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Zed,
    ZedMini,
    Zed2,
    Zed2i,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zed => "ZED",
            Self::ZedMini => "ZED Mini",
            Self::Zed2 => "ZED 2",
            Self::Zed2i => "ZED 2i",
        })
    }
}

/// What a product number of Stereolabs' says of a video device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Camera(Model),
    /// A first ZED or a ZED Mini whose firmware predates this protocol.
    OldFirmware(Model),
}

impl Product {
    pub fn of(product: u16) -> Option<Self> {
        Some(match product {
            0xf580 => Self::OldFirmware(Model::Zed),
            0xf582 => Self::Camera(Model::Zed),
            0xf680 => Self::OldFirmware(Model::ZedMini),
            0xf682 => Self::Camera(Model::ZedMini),
            0xf780 => Self::Camera(Model::Zed2),
            0xf880 => Self::Camera(Model::Zed2i),
            _ => return None,
        })
    }
}

impl Model {
    /// Product number of its sensors' controller, which is a USB device of its own.
    pub fn sensors_product(self) -> Option<u16> {
        match self {
            Self::Zed => None,
            Self::ZedMini => Some(0xf681),
            Self::Zed2 => Some(0xf781),
            Self::Zed2i => Some(0xf881),
        }
    }
}

/// One way to run a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Of one eye.
    pub width: u32,
    pub height: u32,
    pub fps: u32,
}

/// Size of one eye's picture and the rates it comes at.
const MODES: [(u32, u32, &[u32]); 4] = [
    (2208, 1242, &[15]),
    (1920, 1080, &[15, 30]),
    (1280, 720, &[15, 30, 60]),
    (672, 376, &[15, 30, 60, 100]),
];

impl Mode {
    /// The mode of that size and rate.
    ///
    /// # Errors
    ///
    /// When no such camera has it, with what there is.
    pub fn new(width: u32, height: u32, fps: u32) -> Result<Self, UvcError> {
        let Some((.., rates)) = MODES.iter().find(|(w, h, _)| (*w, *h) == (width, height)) else {
            return Err(UvcError::Size { width, height });
        };
        if !rates.contains(&fps) {
            let list: Vec<String> = rates.iter().map(u32::to_string).collect();
            return Err(UvcError::Rate {
                width,
                height,
                fps,
                rates: list.join(", "),
            });
        }
        Ok(Self { width, height, fps })
    }

    /// Bytes of a picture of both eyes.
    pub fn bytes(self) -> usize {
        2 * self.width as usize * self.height as usize * 2
    }

    /// Lines of exposure that 100 % stands for at this rate.
    pub fn longest_exposure(self) -> u32 {
        match self.fps {
            100.. => 720,
            60.. => 880,
            30.. => 1100,
            _ => 1550,
        }
    }

    pub fn frame_time(self) -> Duration {
        Duration::from_secs(1) / self.fps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_its_rates_and_no_others() {
        assert!(Mode::new(2208, 1242, 15).is_ok());
        assert!(Mode::new(672, 376, 100).is_ok());
        let err = Mode::new(2208, 1242, 30).unwrap_err().to_string();
        assert!(err.contains("15"), "{err}");
        let err = Mode::new(1920, 1200, 30).unwrap_err().to_string();
        assert!(err.contains("1920x1200"), "{err}");
    }

    #[test]
    fn a_picture_of_hd720_at_60_is_221_megabytes_a_second() {
        let mode = Mode::new(1280, 720, 60).unwrap();
        assert_eq!(mode.bytes() * 60, 221_184_000);
    }
}
