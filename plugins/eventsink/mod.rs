//! eventsink: writes each recording that the gate opens to a clip of its own.

use gst::prelude::*;

mod act;
mod caps;
mod clip;
mod clock;
mod draw;
mod files;
mod finish;
mod imp;
mod keeper;
mod recorder;
mod report;
mod shelf;
mod thumbnail;
mod writer;

glib::wrapper! {
    /// The element `eventsink`.
    pub struct EventSink(ObjectSubclass<imp::EventSink>)
        @extends gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "eventsink",
        gst::Rank::NONE,
        EventSink::static_type(),
    )
}
