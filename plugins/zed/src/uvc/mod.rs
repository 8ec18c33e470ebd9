//! ZED, ZED Mini, ZED 2 and ZED 2i without the SDK: USB cameras that the kernel's UVC driver
//! shows, with their settings behind an extension unit and their sensors behind a HID device.
//!
//! Belongs here: everything that speaks with those devices. Pictures come raw; rectifying them is
//! the rest of this crate's work, by a calibration that [`calibration::file`] finds. GMSL cameras
//! (ZED X and its kin) are no USB devices and need the SDK. Linux only.

pub mod calibration;
mod camera;
mod capture;
mod device;
mod discover;
mod error;
pub mod hid;
mod modes;
mod picture;
mod sensors;
mod unit;

pub use camera::{Camera, Event, Frame, Info, Options, Pick};
pub use discover::Roots;
pub use error::UvcError;
pub use hid::{Environment, Imu, Report, parse as parse_report};
pub use modes::{Mode, Model};
pub use sensors::Readings;
