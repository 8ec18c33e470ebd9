//! eventsink: writes each recording that the gate opens to a clip of its own.

use evr_core::recording::container::Container;
use gst::prelude::*;

mod act;
mod caps;
mod clip;
mod clock;
mod company;
mod draw;
mod files;
mod finish;
mod fragments;
mod imp;
mod journal;
mod keeper;
mod lead_in;
mod mend;
mod muxer;
mod pads;
mod recorder;
mod repair;
mod report;
mod rewrite;
mod shelf;
mod streams;
mod thumbnail;
mod untold;
mod writer;

glib::wrapper! {
    /// The element `eventsink`.
    pub struct EventSink(ObjectSubclass<imp::EventSink>)
        @extends gst::Element, gst::Object;
}

/// File format of the clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrClipContainer")]
pub enum ClipContainer {
    #[default]
    #[enum_value(name = "MP4, in fragments while it grows", nick = "mp4")]
    Mp4,
    #[enum_value(name = "Matroska", nick = "matroska")]
    Matroska,
    #[enum_value(name = "MPEG transport stream", nick = "mpegts")]
    MpegTs,
}

impl From<ClipContainer> for Container {
    fn from(container: ClipContainer) -> Self {
        match container {
            ClipContainer::Mp4 => Self::Mp4,
            ClipContainer::Matroska => Self::Matroska,
            ClipContainer::MpegTs => Self::MpegTs,
        }
    }
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "eventsink",
        gst::Rank::NONE,
        EventSink::static_type(),
    )
}
