//! The pads: their templates, which of them belong together, and what a `signal` pad answers.
//!
//! `sink` and `src` are one stream; a `signal` pad is linked to neither inside. Said otherwise, the
//! JSON caps would be intersected with the video's, and nothing would link.

use gst::{prelude::*, subclass::prelude::*};

use super::{ObjectCounter as Element, imp::ObjectCounter};
use crate::bridge::signal::watermarked_caps;

const SIGNAL: &str = "signal";
const SIGNAL_N: &str = "signal_%u";

pub(super) fn templates() -> Vec<gst::PadTemplate> {
    let video = gst::Caps::builder("video/x-raw").any_features().build();
    let json = watermarked_caps();
    let (sink, src) = (gst::PadDirection::Sink, gst::PadDirection::Src);
    let (always, request) = (gst::PadPresence::Always, gst::PadPresence::Request);
    [
        ("sink", sink, always, &video),
        ("src", src, always, &video),
        (SIGNAL, src, request, &json),
        (SIGNAL_N, src, request, &json),
    ]
    .into_iter()
    .map(|(name, direction, presence, caps)| {
        gst::PadTemplate::new(name, direction, presence, caps)
            .expect("a template whose name suits its presence")
    })
    .collect()
}

/// `sink` and `src`. Caps, allocation and scheduling are settled by their peers.
pub(super) fn video(sink: &gst::PadTemplate, src: &gst::PadTemplate) -> (gst::Pad, gst::Pad) {
    let proxy = gst::PadFlags::PROXY_CAPS
        | gst::PadFlags::PROXY_ALLOCATION
        | gst::PadFlags::PROXY_SCHEDULING;
    let sinkpad = gst::Pad::builder_from_template(sink)
        .flags(proxy)
        .chain_function(|_, parent, buffer| {
            ObjectCounter::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |this| this.chain(buffer),
            )
        })
        .event_function(|pad, parent, event| {
            ObjectCounter::catch_panic_pad_function(
                parent,
                || false,
                |this| this.sink_event(pad, event),
            )
        })
        .iterate_internal_links_function(|_, parent| linked(parent, |this| &this.srcpad))
        .build();
    let srcpad = gst::Pad::builder_from_template(src)
        .flags(proxy)
        .iterate_internal_links_function(|_, parent| linked(parent, |this| &this.sinkpad))
        .build();
    (sinkpad, srcpad)
}

fn linked(
    parent: Option<&gst::Object>,
    other: impl Fn(&ObjectCounter) -> &gst::Pad,
) -> gst::Iterator<gst::Pad> {
    let element = parent.and_then(|parent| parent.downcast_ref::<Element>());
    gst::Iterator::from_option(element.map(|element| other(element.imp()).clone()))
}

impl ObjectCounter {
    pub(super) fn add_signal_pad(
        &self,
        template: &gst::PadTemplate,
        asked: Option<&str>,
    ) -> Option<gst::Pad> {
        let element = self.obj();
        let free = |name: &String| element.static_pad(name).is_none();
        let name = match asked.filter(|&name| name != SIGNAL_N) {
            Some(name) => Some(name.to_owned()).filter(free),
            None if template.name_template() == SIGNAL => Some(SIGNAL.to_owned()).filter(free),
            None => (0u32..).map(|n| format!("{SIGNAL}_{n}")).find(free),
        }?;
        let pad = gst::Pad::builder_from_template(template)
            .name(name)
            .event_function(|pad, parent, event| {
                ObjectCounter::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| this.signal_event(pad, event),
                )
            })
            .query_function(|pad, parent, query| {
                ObjectCounter::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| this.signal_query(pad, query),
                )
            })
            .iterate_internal_links_function(|_, _| gst::Iterator::from_option(None))
            .build();
        pad.set_active(true).ok()?;
        element.add_pad(&pad).ok()?;
        self.join_stream(&pad);
        Some(pad)
    }

    pub(super) fn remove_signal_pad(&self, pad: &gst::Pad) {
        self.lock().signal_pads.retain(|signal| signal != pad);
        // Fails only for a pad that is ours no longer.
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
    }

    /// What downstream of a `signal` pad asks for, the video's source must do; that signals come
    /// late or early says nothing of the video.
    fn signal_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::Seek | gst::EventType::Latency => self.sinkpad.push_event(event),
            gst::EventType::Qos => true,
            _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
    }

    /// Signals are timed as the video is.
    fn signal_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.type_() {
            gst::QueryType::Latency
            | gst::QueryType::Position
            | gst::QueryType::Duration
            | gst::QueryType::Seeking
            | gst::QueryType::Segment => self.sinkpad.peer_query(query),
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }
}
