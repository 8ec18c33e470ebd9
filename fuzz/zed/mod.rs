//! What is done with bytes of ZED cameras and their files, in the same way as in `bodies/`.
//!
//! `plugins/zed/tests/fuzz.rs` calls these on any compiler. What belongs here: bodies over evr-zed.

pub mod calibration;
pub mod hid;
pub mod svo;

#[path = "../target.rs"]
mod target;
pub use target::{Outcome, Target};

/// All of them.
#[allow(dead_code, reason = "libFuzzer's shells call one each")]
pub const TARGETS: &[Target] = &[
    Target {
        name: "calibration",
        body: calibration::body,
    },
    Target {
        name: "hid",
        body: hid::body,
    },
    Target {
        name: "svo",
        body: svo::body,
    },
];
