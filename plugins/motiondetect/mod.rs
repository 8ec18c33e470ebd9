//! `motiondetect`: says when something moves in raw video, and where.
//!
//! It looks at the luma of every frame, reduced to a grid of block means, and remembers what the
//! scene looks like when nothing moves; light that changes and noise are no motion. What moves
//! rides on the frame as regions of interest, so that a detector may look there alone, and is told
//! as signals, which leave as `objectcounter`'s do. With `drop-still` only frames with motion pass.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! motiondetect name=motion sensitivity=medium ! fakesink sync=false  motion.signal ! queue ! fdsink
//! ```

use evr_core::motion;
use gst::prelude::*;

mod eye;
mod imp;
mod settings;

glib::wrapper! {
    /// The element `motiondetect`.
    pub(crate) struct MotionDetect(ObjectSubclass<imp::MotionDetect>)
        @extends gst::Element, gst::Object;
}

/// How little is motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrMotionSensitivity")]
pub(crate) enum MotionSensitivity {
    #[enum_value(name = "Only what is large and stands out", nick = "low")]
    Low,
    #[default]
    #[enum_value(name = "A person at a distance", nick = "medium")]
    Medium,
    #[enum_value(name = "Almost everything, in good light", nick = "high")]
    High,
}

impl From<MotionSensitivity> for motion::Sensitivity {
    fn from(sensitivity: MotionSensitivity) -> Self {
        match sensitivity {
            MotionSensitivity::Low => Self::Low,
            MotionSensitivity::Medium => Self::Medium,
            MotionSensitivity::High => Self::High,
        }
    }
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "motiondetect",
        gst::Rank::NONE,
        MotionDetect::static_type(),
    )
}
