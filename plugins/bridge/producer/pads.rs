//! The pads: their templates, which of them belong together, and what a requested pad answers.
//!
//! `sink` and `src` are one stream; a requested pad is linked to neither inside. Said otherwise, the
//! JSON caps would be intersected with the video's, and nothing would link.

use gst::{prelude::*, subclass::prelude::*};

use super::Producer;
use crate::bridge::signal::watermarked_caps;

/// `sink` and `src` for this video, and the requested pads for signals.
pub(crate) fn templates(video: &gst::Caps) -> Vec<gst::PadTemplate> {
    let json = watermarked_caps();
    let (sink, src) = (gst::PadDirection::Sink, gst::PadDirection::Src);
    let (always, request) = (gst::PadPresence::Always, gst::PadPresence::Request);
    [
        ("sink", sink, always, video),
        ("src", src, always, video),
        ("signal", src, request, &json),
        ("signal_%u", src, request, &json),
    ]
    .into_iter()
    .map(|(name, direction, presence, caps)| {
        gst::PadTemplate::new(name, direction, presence, caps)
            .expect("a template whose name suits its presence")
    })
    .collect()
}

/// The name of the requested pad for observations.
pub(crate) const META: &str = "meta";

/// The requested pad for observations, of an element that tells them.
pub(crate) fn meta_template() -> gst::PadTemplate {
    let (src, request) = (gst::PadDirection::Src, gst::PadPresence::Request);
    gst::PadTemplate::new(META, src, request, &watermarked_caps())
        .expect("a template whose name suits its presence")
}

/// Whether a requested pad tells observations and not signals.
pub(super) fn is_meta(pad: &gst::Pad) -> bool {
    pad.name() == META
}

/// `sink` and `src`, from the class's templates of these names. Caps, allocation and scheduling are
/// settled by their peers.
pub(crate) fn video<T: Producer>(
    template: impl Fn(&str) -> Option<gst::PadTemplate>,
) -> (gst::Pad, gst::Pad) {
    let template = |name| template(name).expect("the class has a template of this name");
    let proxy = gst::PadFlags::PROXY_CAPS
        | gst::PadFlags::PROXY_ALLOCATION
        | gst::PadFlags::PROXY_SCHEDULING;
    let sinkpad = gst::Pad::builder_from_template(&template("sink"))
        .flags(proxy)
        .chain_function(|_, parent, buffer| {
            T::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |this| this.chain(buffer),
            )
        })
        .event_function(|pad, parent, event| {
            T::catch_panic_pad_function(parent, || false, |this| this.sink_event(pad, event))
        })
        .iterate_internal_links_function(|_, parent| linked(parent, T::srcpad))
        .build();
    let srcpad = gst::Pad::builder_from_template(&template("src"))
        .flags(proxy)
        .iterate_internal_links_function(|_, parent| linked(parent, T::sinkpad))
        .build();
    (sinkpad, srcpad)
}

fn linked<T: Producer>(
    parent: Option<&gst::Object>,
    other: impl Fn(&T) -> &gst::Pad,
) -> gst::Iterator<gst::Pad> {
    let element = parent.and_then(|parent| parent.downcast_ref::<T::Type>());
    gst::Iterator::from_option(element.map(|element| other(T::from_obj(element)).clone()))
}

/// A requested pad for signals or observations, which joins the stream that runs.
pub(crate) fn add_signal_pad<T: Producer>(
    this: &T,
    template: &gst::PadTemplate,
    asked: Option<&str>,
) -> Option<gst::Pad> {
    let element = this.obj();
    let element = element.upcast_ref::<gst::Element>();
    let free = |name: &String| element.static_pad(name).is_none();
    let form = template.name_template();
    let name = match asked.filter(|&name| !name.contains('%')) {
        Some(name) => Some(name.to_owned()).filter(free),
        None => match form.strip_suffix("%u") {
            Some(stem) => (0u32..).map(|n| format!("{stem}{n}")).find(free),
            None => Some(form.to_string()).filter(free),
        },
    }?;
    let pad = gst::Pad::builder_from_template(template)
        .name(name)
        .event_function(|pad, parent, event| {
            T::catch_panic_pad_function(
                parent,
                || false,
                |this| pass_event(pad, event, |event| this.sinkpad().push_event(event)),
            )
        })
        .query_function(|pad, parent, query| {
            T::catch_panic_pad_function(
                parent,
                || false,
                |this| pass_query(pad, query, |query| this.sinkpad().peer_query(query)),
            )
        })
        .iterate_internal_links_function(|_, _| gst::Iterator::from_option(None))
        .build();
    pad.set_active(true).ok()?;
    element.add_pad(&pad).ok()?;
    super::join_stream(this, &pad);
    Some(pad)
}

/// Takes a requested pad away again.
pub(crate) fn remove_signal_pad<T: Producer>(this: &T, pad: &gst::Pad) {
    this.outlets(|outlets| {
        outlets.pads.retain(|signal| signal != pad);
        outlets.meta.retain(|meta| meta != pad);
    });
    // Fails only for a pad that is ours no longer.
    let _ = pad.set_active(false);
    let _ = this.obj().upcast_ref::<gst::Element>().remove_pad(pad);
}

/// What downstream of a requested pad asks for, the video's source must do, which `ask` asks; that
/// lines come late or early says nothing of the video.
pub(crate) fn pass_event(
    pad: &gst::Pad,
    event: gst::Event,
    ask: impl FnOnce(gst::Event) -> bool,
) -> bool {
    match event.type_() {
        gst::EventType::Seek | gst::EventType::Latency => ask(event),
        gst::EventType::Qos => true,
        _ => gst::Pad::event_default(pad, pad.parent().as_ref(), event),
    }
}

/// Lines are timed as the video is, whose source `ask` asks.
pub(crate) fn pass_query(
    pad: &gst::Pad,
    query: &mut gst::QueryRef,
    ask: impl FnOnce(&mut gst::QueryRef) -> bool,
) -> bool {
    match query.type_() {
        gst::QueryType::Latency
        | gst::QueryType::Position
        | gst::QueryType::Duration
        | gst::QueryType::Seeking
        | gst::QueryType::Segment => ask(query),
        _ => gst::Pad::query_default(pad, pad.parent().as_ref(), query),
    }
}
