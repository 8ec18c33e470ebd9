//! ZED stereo cameras and their files, without GStreamer.
//!
//! Everything that reads a format of Stereolabs' or speaks to their hardware belongs here; what a
//! pipeline sees of it (pads, caps, clocks, waiting) belongs to the element `zedsrc`.

pub mod calibration;
pub mod control;
pub mod depth;
pub mod lens;
pub mod matrix;
pub mod rectify;
pub mod remap;
pub mod sdk;
pub mod svo;
pub mod uvc;
