//! ZED stereo cameras.
pub mod sdk;
