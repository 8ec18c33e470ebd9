//! `objectcounter`: turns what a detector saw into signals, and says why.
//!
//! It counts, frame by frame, the objects whose label, confidence, size, place and stay suit, and
//! raises a signal for each frame that holds enough of them, or a start and a stop; or one for each
//! crossing of a line. One rule is made by properties, several by a `rules-file`. Frames pass
//! untouched. Signals leave by a requested
//! `signal` pad, with GAP events that tell up to where nothing else will come; with none requested
//! they go downstream in band, each before its frame.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! onnxdetect model-file=model.onnx ! objectcounter name=count labels=person,truck:0.6 ! fakesink sync=false  count.signal ! queue ! fdsink
//! ```
//!
//! A requested `meta` pad tells every observation, whether it counts or not, as a line of JSON: for
//! a recording's sidecar, for publishing, or to try other rules on it later.
//!
//! Signals are pushed by the video's own thread: an element behind a `signal` pad that waits, such
//! as a sink that prerolls, wants a queue in front of it.

use gst::prelude::*;

mod imp;
mod settings;
mod state;

/// What of an object must lie in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrObjectCounterReference")]
pub(crate) enum ObjectCounterReference {
    #[default]
    #[enum_value(
        name = "The middle of its lower edge, where it stands",
        nick = "bottom-center"
    )]
    BottomCenter,
    #[enum_value(name = "Its middle", nick = "center")]
    Center,
    #[enum_value(name = "The share of its box that min-overlap gives", nick = "overlap")]
    Overlap,
}

/// Which crossings of a line count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrObjectCounterDirection")]
pub(crate) enum ObjectCounterDirection {
    #[default]
    #[enum_value(name = "Either way", nick = "both")]
    Both,
    #[enum_value(
        name = "From left to right, seen along the line",
        nick = "left-to-right"
    )]
    LeftToRight,
    #[enum_value(
        name = "From right to left, seen along the line",
        nick = "right-to-left"
    )]
    RightToLeft,
}

impl From<ObjectCounterDirection> for evr_core::counter::Direction {
    fn from(direction: ObjectCounterDirection) -> Self {
        match direction {
            ObjectCounterDirection::Both => Self::Both,
            ObjectCounterDirection::LeftToRight => Self::LeftToRight,
            ObjectCounterDirection::RightToLeft => Self::RightToLeft,
        }
    }
}

/// What is said, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrObjectCounterEmit")]
pub(crate) enum ObjectCounterEmit {
    #[default]
    #[enum_value(
        name = "A trigger for each frame in which the rule holds",
        nick = "while-present"
    )]
    WhilePresent,
    #[enum_value(
        name = "A start when it begins to hold and a stop when it ceased",
        nick = "on-change"
    )]
    OnChange,
}

glib::wrapper! {
    /// The element `objectcounter`.
    pub(crate) struct ObjectCounter(ObjectSubclass<imp::ObjectCounter>)
        @extends gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "objectcounter",
        gst::Rank::NONE,
        ObjectCounter::static_type(),
    )
}
