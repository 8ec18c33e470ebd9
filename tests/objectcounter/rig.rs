//! The element between pads that write down what comes out, and the frames that go in.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use serde_json::Value;

use crate::common::init;

pub(crate) const FRAME: u64 = 40_000_000;
pub(crate) const ONE: Option<&[(&str, f64)]> = Some(&[("person", 0.9)]);
pub(crate) const NONE: Option<&[(&str, f64)]> = Some(&[]);

/// The element between pads that write down, in one common order, all that comes out.
pub(crate) struct Rig {
    pub(crate) element: gst::Element,
    input: gst::Pad,
    bus: gst::Bus,
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) taps: Vec<gst::Pad>,
}

impl Rig {
    /// Starts the element `labels=… …` with a tap on each of `pads`.
    pub(crate) fn new(properties: &str, pads: &[&str]) -> Self {
        let mut rig = Self::stopped(properties, pads);
        rig.start();
        rig
    }

    pub(crate) fn stopped(properties: &str, pads: &[&str]) -> Self {
        init();
        let element = gst::parse::launch(&format!("objectcounter name=count {properties}"))
            .expect("the properties are right");
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let input = gst::Pad::builder(gst::PadDirection::Src).build();
        let sink = element.static_pad("sink").expect("always there");
        input.link(&sink).expect("video links");
        let mut rig = Self {
            element,
            input,
            bus,
            log: Arc::default(),
            taps: Vec::new(),
        };
        for name in pads {
            rig.tap(name, Ok(gst::FlowSuccess::Ok));
        }
        rig
    }

    /// Writes down what comes out of a pad, and answers buffers with `flow`.
    pub(crate) fn tap(
        &mut self,
        name: &str,
        flow: Result<gst::FlowSuccess, gst::FlowError>,
    ) -> gst::Pad {
        let pad = self
            .element
            .static_pad(name)
            .or_else(|| self.element.request_pad_simple(name))
            .expect("there is such a pad");
        let (log, events, prefix) = (self.log.clone(), self.log.clone(), pad.name());
        let event_prefix = prefix.clone();
        let tap = gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(move |_, _, buffer| {
                log.lock()
                    .expect("no test panics here")
                    .push(format!("{prefix} {}", describe_buffer(&buffer)));
                flow
            })
            .event_function(move |_, _, event| {
                events
                    .lock()
                    .expect("no test panics here")
                    .push(format!("{event_prefix} {}", describe_event(&event)));
                true
            })
            .build();
        tap.set_active(true).expect("a new pad activates");
        pad.link(&tap).expect("the tap takes any caps");
        self.taps.push(tap);
        pad
    }

    pub(crate) fn start(&mut self) {
        self.element
            .set_state(gst::State::Playing)
            .expect("the element starts");
        self.input.set_active(true).expect("a new pad activates");
        self.event(gst::event::StreamStart::new("video"));
        let caps = "video/x-raw,format=I420,width=640,height=480,framerate=25/1";
        let caps = caps.parse::<gst::Caps>().expect("right caps");
        self.event(gst::event::Caps::new(&caps));
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_start(gst::ClockTime::from_seconds(1));
        self.event(gst::event::Segment::new(&segment));
    }

    pub(crate) fn event(&self, event: gst::Event) -> bool {
        self.input.push_event(event)
    }

    /// Pushes the n-th frame with what a detector found in it: labels and confidences.
    pub(crate) fn frame(
        &self,
        n: u64,
        found: Option<&[(&str, f64)]>,
    ) -> Result<(), gst::FlowError> {
        self.push(frame(n, n, found))
    }

    pub(crate) fn push(&self, buffer: gst::Buffer) -> Result<(), gst::FlowError> {
        self.input.push(buffer).map(|_| ())
    }

    /// What has come out since the last time.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().expect("no test panics here"))
    }

    /// The sentence of the next message of a kind.
    pub(crate) fn said(&self, kind: gst::MessageType) -> Option<String> {
        let message = self.bus.pop_filtered(&[kind])?;
        match message.view() {
            gst::MessageView::Error(err) => Some(err.error().message().to_owned()),
            gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
            _ => None,
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.input.set_active(false);
        let _ = self.element.set_state(gst::State::Null);
    }
}

/// The n-th frame; its segment starts at 1 s, so its running time is n times 40 ms.
pub(crate) fn frame(n: u64, seq: u64, found: Option<&[(&str, f64)]>) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let frame = buffer.get_mut().expect("a new buffer has one owner");
    frame.set_pts(gst::ClockTime::from_nseconds(1_000_000_000 + n * FRAME));
    let Some(found) = found else { return buffer };
    let mut meta = gst::meta::CustomMeta::add(frame, "GstEvrObservationMeta")
        .expect("the plugin registers the meta");
    let fields = meta.mut_structure();
    fields.set("seq", seq);
    fields.set("model", "test");
    fields.set("count", found.len() as u32);
    for &(label, confidence) in found {
        region(frame, label, confidence);
    }
    buffer
}

pub(crate) fn region(frame: &mut gst::BufferRef, label: &str, confidence: f64) {
    let mut region = gst_video::VideoRegionOfInterestMeta::add(frame, label, (160, 120, 320, 240));
    region.add_param(
        gst::Structure::builder("detection")
            .field("confidence", confidence)
            .field("label_id", 0)
            .build(),
    );
}

pub(crate) fn model(labels: &[&str]) -> gst::Event {
    let ids: Vec<_> = (0..).take(labels.len()).collect::<Vec<i32>>();
    gst::event::CustomDownstreamSticky::new(
        gst::Structure::builder("evr-model")
            .field("model", "test")
            .field("labels", gst::Array::new(labels))
            .field("label-ids", gst::Array::new(ids))
            .build(),
    )
}

pub(crate) fn number(pts: Option<gst::ClockTime>) -> u64 {
    let pts = pts.expect("every test buffer has one");
    (pts.nseconds() - 1_000_000_000) / FRAME
}

fn describe_buffer(buffer: &gst::Buffer) -> String {
    let n = number(buffer.pts());
    let map = buffer.map_readable().expect("ordinary memory");
    match std::str::from_utf8(&map).expect("text or nothing") {
        "" => format!("frame {n}"),
        text => {
            let line = text.strip_suffix('\n').expect("whole lines");
            let signal: Value = serde_json::from_str(line).expect("one line of JSON");
            format!("{n} {}", summary(&signal))
        }
    }
}

fn summary(signal: &Value) -> String {
    let [action, label] = ["action", "label"].map(|name| signal[name].as_str());
    format!(
        "{} {} {} at {}",
        action.expect("a string"),
        signal["count"],
        label.unwrap_or_default(),
        signal["media_time"]
    )
}

pub(crate) fn describe_event(event: &gst::Event) -> String {
    match event.view() {
        gst::EventView::Gap(gap) => format!("gap {}", number(Some(gap.get().0))),
        gst::EventView::Caps(caps) => caps.caps().to_string(),
        gst::EventView::StreamStart(start) => {
            let id = start.stream_id();
            format!("stream-start {}", id.rsplit('/').next().unwrap_or_default())
        }
        _ => match event.structure().filter(|fields| fields.has_field("json")) {
            Some(fields) => {
                let json: String = fields.get("json").expect("a string");
                let signal = serde_json::from_str(&json).expect("JSON");
                format!("{} {}", fields.name(), summary(&signal))
            }
            None => event.type_().name().to_string(),
        },
    }
}
