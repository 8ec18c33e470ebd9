//! `webhook`: posts to an address what happens, and forgets nothing that was not taken.

use gst::prelude::*;

mod imp;
mod settings;
mod worker;

glib::wrapper! {
    /// The element `webhook`.
    pub struct Webhook(ObjectSubclass<imp::Webhook>)
        @extends gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "webhook",
        gst::Rank::NONE,
        Webhook::static_type(),
    )
}
