//! The requested pad `meta`: one line of JSON a picture, of all that rides on it.
//!
//! ```json
//! {"media_time":80000000,"time":"2026-03-01T10:00:00.080Z","sensors":{"calibrated":true,
//!  "acceleration":[0.1,9.8,0.0],"temperature":31.5},"pose":{"position":[0.0,0.0,1.2]}}
//! ```
//!
//! `media_time` is running time in nanoseconds, `time` when the picture was taken. `sensors` and
//! `pose` have the fields and units of the meta `GstEvrZedMeta`, with underscores. Where the SDK
//! looked for objects, the members of an observation stand beside them.
//!
//! Belongs here: the pad and its lines, which leave before their picture. They are made from the
//! picture as it leaves by the other pad, so no backend knows of them.

use evr_core::observed;
use evr_core::time::rfc3339;
use gst::{prelude::*, subclass::prelude::*};
use serde_json::{Map, Value};

use super::imp::ZedSrc;
use super::sensed;
use crate::bridge::signal::{text_buffer, watermarked_caps};
use crate::bridge::{detection, time};

const NAME: &str = "meta";

pub(super) fn template() -> gst::PadTemplate {
    let (src, request) = (gst::PadDirection::Src, gst::PadPresence::Request);
    gst::PadTemplate::new(NAME, src, request, &watermarked_caps())
        .expect("a template whose name suits its presence")
}

/// Makes the pad, of which there is one.
pub(super) fn add(this: &ZedSrc, template: &gst::PadTemplate) -> Option<gst::Pad> {
    let element = this.obj();
    let pictures = pictures(this)?;
    if element.static_pad(NAME).is_some() {
        return None;
    }
    let pad = gst::Pad::builder_from_template(template)
        .name(NAME)
        .event_function(|pad, parent, event| {
            ZedSrc::catch_panic_pad_function(parent, || false, |this| asked(this, pad, event))
        })
        .query_function(|pad, parent, query| {
            ZedSrc::catch_panic_pad_function(parent, || false, |this| queried(this, pad, query))
        })
        .iterate_internal_links_function(|_, _| gst::Iterator::from_option(None))
        .build();
    pad.set_active(true).ok()?;
    element.add_pad(&pad).ok()?;
    let mask = gst::PadProbeType::BUFFER
        | gst::PadProbeType::EVENT_DOWNSTREAM
        | gst::PadProbeType::EVENT_FLUSH;
    let weak = pad.downgrade();
    let probe = pictures.add_probe(mask, move |pictures, info| {
        // Whoever asked for it may hold it longer than the element does.
        let Some(pad) = weak.upgrade().filter(|pad| pad.parent().is_some()) else {
            return gst::PadProbeReturn::Remove;
        };
        let told = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => tell(pictures, &pad, buffer),
            Some(gst::PadProbeData::Event(event)) => {
                follow(pictures, &pad, event);
                return gst::PadProbeReturn::Ok;
            }
            _ => return gst::PadProbeReturn::Ok,
        };
        if pictures.is_linked() || !pad.is_linked() {
            return gst::PadProbeReturn::Ok;
        }
        // Only the lines are wanted: they say whether the stream goes on.
        info.data = None;
        info.flow_res = told;
        gst::PadProbeReturn::Handled
    });
    probe.map(|_| pad)
}

pub(super) fn remove(this: &ZedSrc, pad: &gst::Pad) {
    // Fails only for a pad that is ours no longer.
    let _ = pad.set_active(false);
    let _ = this.obj().remove_pad(pad);
}

/// The pad that the pictures leave by.
fn pictures(this: &ZedSrc) -> Option<gst::Pad> {
    this.obj().static_pad("src")
}

/// What is asked for downstream of the lines, the element must do.
fn asked(this: &ZedSrc, pad: &gst::Pad, event: gst::Event) -> bool {
    match event.type_() {
        gst::EventType::Seek | gst::EventType::Latency => {
            pictures(this).is_some_and(|pictures| pictures.send_event(event))
        }
        gst::EventType::Qos => true,
        _ => gst::Pad::event_default(pad, Some(&*this.obj()), event),
    }
}

/// Lines are timed as pictures are.
fn queried(this: &ZedSrc, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
    match query.type_() {
        gst::QueryType::Latency
        | gst::QueryType::Position
        | gst::QueryType::Duration
        | gst::QueryType::Seeking
        | gst::QueryType::Segment => pictures(this).is_some_and(|pictures| pictures.query(query)),
        _ => gst::Pad::query_default(pad, Some(&*this.obj()), query),
    }
}

/// Gives the pad the events that lines need in front of them, where they are not those it has.
fn join(pictures: &gst::Pad, pad: &gst::Pad) {
    let Some(start) = pictures.sticky_event::<gst::event::StreamStart>(0) else {
        return;
    };
    if pad.sticky_event::<gst::event::StreamStart>(0).is_none() {
        let element = pad.parent_element();
        let id = element.map(|element| pad.create_stream_id(&element, Some(NAME)));
        let id = id.unwrap_or_else(|| NAME.into());
        let event = gst::event::StreamStart::builder(&id).seqnum(start.seqnum());
        pad.push_event(event.group_id_if_some(start.group_id()).build());
        pad.push_event(gst::event::Caps::new(&watermarked_caps()));
    }
    let segment = |pad: &gst::Pad| {
        let event = pad.sticky_event::<gst::event::Segment>(0);
        event.map(gst::Event::from)
    };
    if let Some(current) = segment(pictures)
        && segment(pad).is_none_or(|held| held.as_ptr() != current.as_ptr())
    {
        pad.push_event(current);
    }
}

fn follow(pictures: &gst::Pad, pad: &gst::Pad, event: &gst::Event) {
    match event.type_() {
        gst::EventType::FlushStart | gst::EventType::FlushStop => {}
        gst::EventType::Eos | gst::EventType::Gap | gst::EventType::SegmentDone => {
            join(pictures, pad);
        }
        _ => return,
    }
    // Whether anyone took it changes nothing.
    pad.push_event(event.clone());
}

/// Pushes a picture's line. Whoever wants no lines, or no more, does not stop pictures that are
/// wanted; who fails has told so.
fn tell(
    pictures: &gst::Pad,
    pad: &gst::Pad,
    picture: &gst::Buffer,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    join(pictures, pad);
    let info = pictures.current_caps();
    let info = info.and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
    let segment = pictures.sticky_event::<gst::event::Segment>(0);
    let running = segment.and_then(|event| time::running_time(event.segment(), picture.pts()));
    let size = info.map_or((0, 0), |info| (info.width(), info.height()));
    let line = line(picture, running, size);
    let buffer = text_buffer(format!("{line}\n").into(), picture.pts());
    pad.push(buffer)
}

fn line(picture: &gst::BufferRef, running: Option<i64>, size: (u32, u32)) -> Value {
    let seen = detection::read(picture, size);
    let seen = seen.map(|seen| observed::line(running, &seen, Some(size), &[]));
    let seen = seen.and_then(|line| serde_json::from_str::<Map<_, _>>(&line).ok());
    let mut members = Map::new();
    members.extend(running.map(|running| ("media_time".into(), running.into())));
    let captured = time::reference_utc(picture);
    members.extend(captured.map(|captured| ("time".into(), rfc3339(captured).into())));
    members.extend(sensed::json(picture));
    members.extend(seen.into_iter().flatten());
    members.into()
}
