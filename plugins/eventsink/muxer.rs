//! The stock muxer of each container: its settings, its pads, and what it wants to be told.

use evr_core::recording::container::{Codec, Container};
use evr_core::time::{Nanos, SECOND};
use gst::prelude::*;

use super::caps::Input;
use super::pads::Kind;
use crate::bridge::time::span;

/// Ticks a second of a track whose caps tell no frame rate; mp4mux would take 10000, which
/// rounds 1/30 s.
const TIMESCALE: u32 = 90_000;
/// How far media may go ahead into a muxer that has a thread of its own. The two threads would
/// otherwise wait for each other at every buffer, which costs more than the muxing.
const AHEAD: gst::ClockTime = gst::ClockTime::SECOND;
/// The first PID of a transport stream's tracks: what mpegtsmux gives the first of its own accord.
const PID: usize = 0x41;

/// The factory's name.
fn factory(container: Container) -> &'static str {
    match container {
        Container::Mp4 => "mp4mux",
        Container::Matroska => "matroskamux",
        Container::MpegTs => "mpegtsmux",
    }
}

/// Where a clip's segment starts, so that the DTS of its first units can lie before it. A
/// transport stream shows it, the others begin at 0.
pub(super) fn origin(container: Container) -> Nanos {
    match container {
        Container::Mp4 | Container::Matroska => 3600 * SECOND,
        Container::MpegTs => 10 * SECOND,
    }
}

/// Whether audio may fall silent in the middle and come back.
pub(super) fn bears_silence(container: Container) -> bool {
    // mp4mux writes a sample when the next has come, and nothing else until then.
    container != Container::Mp4
}

/// A muxer that has what it writes on disk within `fragment` of media.
pub(super) fn make(
    container: Container,
    fragment: gst::ClockTime,
) -> Result<gst::Element, glib::BoolError> {
    let muxer = gst::ElementFactory::make(factory(container)).build()?;
    match container {
        Container::Mp4 => {
            // mp4mux holds a fragment's last frame until the next of every stream has come; 160 ms
            // were seen, and with the default of a second the whole stays below what may be lost.
            let fragment = fragment * 3 / 4;
            let milliseconds = u32::try_from(fragment.mseconds()).unwrap_or(u32::MAX);
            muxer.set_property("fragment-duration", milliseconds);
            muxer.set_property_from_str("fragment-mode", "first-moov-then-finalise");
            muxer.set_property("latency", AHEAD);
        }
        Container::Matroska => {
            let longest = span(fragment.nseconds());
            muxer.set_property("max-cluster-duration", longest);
            muxer.set_property("min-cluster-duration", longest / 2);
            muxer.set_property("offset-to-zero", true);
        }
        Container::MpegTs => {
            // Seven packets, which fill a datagram, a buffer.
            muxer.set_property("alignment", 7);
            muxer.set_property("latency", AHEAD);
        }
    }
    Ok(muxer)
}

/// The pad for the `index`th stream of a clip.
pub(super) fn pad(
    muxer: &gst::Element,
    container: Container,
    (index, kind): (usize, Kind),
    input: &Input,
) -> Result<gst::Pad, glib::BoolError> {
    let name = match (container, kind) {
        (Container::MpegTs, _) => format!("sink_{}", PID + index),
        (_, Kind::Video) => "video_0".into(),
        _ => format!("audio_{index}"),
    };
    let pad = muxer
        .request_pad_simple(&name)
        .ok_or_else(|| glib::bool_error!("{} has no pad {name}", muxer.name()))?;
    let tells_rate = input
        .caps
        .structure(0)
        .is_some_and(|fields| fields.has_field("framerate"));
    if container == Container::Mp4 && kind == Kind::Video && !tells_rate {
        pad.set_property("trak-timescale", TIMESCALE);
    }
    Ok(pad)
}

/// What works out missing DTS of reordered frames, if this machine has it.
pub(super) fn timestamper(codec: Codec) -> Option<&'static str> {
    let name = match codec {
        Codec::H264 => "h264timestamper",
        Codec::H265 => "h265timestamper",
        _ => return None,
    };
    gst::ElementFactory::find(name).map(|_| name)
}

/// The stock elements that a clip needs and this machine lacks.
pub(super) fn missing_elements(container: Container) -> Vec<&'static str> {
    ["appsrc", factory(container), "filesink"]
        .into_iter()
        .filter(|name| gst::ElementFactory::find(name).is_none())
        .collect()
}
