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
use serde_json::Map;

use super::imp::ZedSrc;
use super::sensed;
use crate::bridge::producer::{self, META};
use crate::bridge::signal::{text_buffer, watermarked_caps};
use crate::bridge::{detection, time};

/// Makes the pad, of which there is one.
pub(super) fn add(this: &ZedSrc, template: &gst::PadTemplate) -> Option<gst::Pad> {
    let element = this.obj();
    let pictures = picture_pad(this)?;
    if element.static_pad(META).is_some() {
        return None;
    }
    let pad = gst::Pad::builder_from_template(template)
        .name(META)
        .event_function(|pad, parent, event| {
            ZedSrc::catch_panic_pad_function(
                parent,
                || false,
                |this| {
                    let ask = |event| picture_pad(this).is_some_and(|it| it.send_event(event));
                    producer::pass_event(pad, event, ask)
                },
            )
        })
        .query_function(|pad, parent, query| {
            ZedSrc::catch_panic_pad_function(
                parent,
                || false,
                |this| {
                    let ask = |query: &mut _| picture_pad(this).is_some_and(|it| it.query(query));
                    producer::pass_query(pad, query, ask)
                },
            )
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
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                let told = tell(pictures, &pad, buffer);
                if pad.is_linked() && !pictures.is_linked() {
                    // Only the lines are wanted: they say whether the stream goes on.
                    info.data = None;
                    info.flow_res = told;
                    return gst::PadProbeReturn::Handled;
                }
            }
            Some(gst::PadProbeData::Event(event)) => follow(pictures, &pad, event),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    probe.map(|_| pad)
}

pub(super) fn remove(this: &ZedSrc, pad: &gst::Pad) {
    // Fails only for a pad that is ours no longer.
    let _ = pad.set_active(false);
    let _ = this.obj().remove_pad(pad);
}

/// The pad that the pictures leave by.
fn picture_pad(this: &ZedSrc) -> Option<gst::Pad> {
    this.obj().static_pad("src")
}

/// Gives the pad the events that lines need in front of them, where they are not those it has.
fn join(pictures: &gst::Pad, pad: &gst::Pad) {
    let Some(start) = pictures.sticky_event::<gst::event::StreamStart>(0) else {
        return;
    };
    if pad.sticky_event::<gst::event::StreamStart>(0).is_none() {
        let Some(element) = pad.parent_element() else {
            return;
        };
        pad.push_event(producer::own_stream(&element, pad, &start));
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
    let line = line(picture, running, size) + "\n";
    let buffer = text_buffer(line.into(), picture.pts());
    pad.push(buffer)
}

fn line(picture: &gst::BufferRef, running: Option<i64>, size: (u32, u32)) -> String {
    let mut beside = Map::new();
    let captured = time::reference_utc(picture);
    beside.extend(captured.map(|captured| ("time".into(), rfc3339(captured).into())));
    beside.extend(sensed::json(picture));
    let seen = detection::read(picture, size);
    observed::line_beside(running, &beside, seen.as_ref(), size)
}
