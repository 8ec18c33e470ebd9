//! `signalgate`: holds media back until a signal says that it matters.

use gst::prelude::*;

mod feed;
mod imp;
mod pads;
mod push;
mod settings;
mod signals;
mod tell;

glib::wrapper! {
    pub(crate) struct SignalGate(ObjectSubclass<imp::SignalGate>)
        @extends gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "signalgate",
        gst::Rank::NONE,
        SignalGate::static_type(),
    )
}
