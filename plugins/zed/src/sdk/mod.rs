//! ZED cameras, streams and SVO files through Stereolabs' SDK, of which only the C library is
//! opened, at run time.
//!
//! Belongs here: everything that speaks with that library. The SDK rectifies, finds depth, objects
//! and bodies and knows where the camera is; this only asks and reads. [`Sdk::open`] finds the
//! library and makes sure of its release, [`Session::open`] opens a camera on a thread of its own.

mod abi;
mod camera;
mod code;
mod error;
mod find;
mod frame;
mod guard;
mod library;
mod matrix;
mod modules;
mod options;
mod session;
mod version;

pub use camera::Info;
pub use code::Code;
pub use error::SdkError;
pub use frame::{DepthMap, Frame, Image, Imu, Object, Pose, Sensors, Temperatures};
pub use library::Sdk;
pub use modules::{BodyTracking, CLASSES, Detection, Tracking};
pub use options::{Depth, DepthMode, Input, Options, Resolution, Wanted};
pub use session::{Event, Session};
pub use version::{Abi, Version};
