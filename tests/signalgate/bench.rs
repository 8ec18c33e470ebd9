//! What the tests of one stream share: a gate to feed, and everything that leaves it.

use std::{
    ffi::c_void,
    sync::{Arc, Mutex},
};

use gst::prelude::*;

use crate::common::{launch, wait_for_eos};

pub(crate) const FRAME: u64 = 40_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

/// The filter tells its caps before data flows; appsrc alone tells them only with its first buffer.
pub(crate) const WATERMARKED: &str = "appsrc name=signals format=time caps=application/x-json,watermark=true \
     ! application/x-json,watermark=true ! gate.signal";
pub(crate) const QUICK: &str =
    "activation-signal-offset=-3000000000 minimum-activation-time=3000000000";

/// What came out of the gate, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Buffer {
        pts: u64,
        memory: *const c_void,
    },
    Open {
        id: u64,
        sync_point: i64,
        end: i64,
    },
    Close {
        id: u64,
        end: i64,
        cause: String,
        signals: String,
    },
}

// The pointer is only ever compared.
#[allow(unsafe_code, reason = "tests compare where memory lies across threads")]
unsafe impl Send for Seen {}

/// A gate between an appsrc and a sink, and everything that leaves it.
pub(crate) struct Bench {
    pub(crate) pipeline: gst::Pipeline,
    pub(crate) gate: gst::Element,
    pub(crate) media: gst::Element,
    seen: Arc<Mutex<Vec<Seen>>>,
}

fn pts_of(buffer: &gst::BufferRef) -> u64 {
    buffer.pts().map_or(u64::MAX, gst::ClockTime::nseconds)
}

fn address(buffer: &gst::BufferRef) -> *const c_void {
    let map = buffer.map_readable().expect("test buffers can be read");
    map.as_ptr().cast()
}

/// Pushes into an appsrc.
pub(crate) fn feed(source: &gst::Element, buffer: &gst::Buffer) {
    let flow = source.emit_by_name::<gst::FlowReturn>("push-buffer", &[buffer]);
    assert_eq!(flow, gst::FlowReturn::Ok);
}

/// Ends an appsrc's stream.
pub(crate) fn end(source: &gst::Element) {
    let flow = source.emit_by_name::<gst::FlowReturn>("end-of-stream", &[]);
    assert_eq!(flow, gst::FlowReturn::Ok);
}

/// What the gate says of a recording's beginning or end.
pub(crate) fn boundary(fields: &gst::StructureRef) -> Option<Seen> {
    if fields.name() != "evr-recording" {
        return None;
    }
    let time = |name: &str| {
        fields
            .get::<i64>(name)
            .expect("boundaries carry their times")
    };
    let id = fields.get("id").expect("boundaries carry their id");
    Some(match fields.get::<&str>("phase") {
        Ok("open") => Seen::Open {
            id,
            sync_point: time("sync-point"),
            end: time("end"),
        },
        // News of signals, told between the boundaries, end nothing.
        Ok("update") => return None,
        _ => Seen::Close {
            id,
            end: time("end"),
            cause: fields.get("cause").expect("boundaries carry their cause"),
            signals: fields
                .get("signals")
                .expect("boundaries carry their signals"),
        },
    })
}

impl Bench {
    /// `gate` are properties and links in launch syntax; more branches may follow it.
    pub(crate) fn new(gate: &str, more: &str) -> Self {
        let pipeline = launch(&format!(
            "appsrc name=media format=time caps=video/x-h264,stream-format=avc,alignment=au \
             ! signalgate name=gate {gate} ! fakesink name=sink sync=false async=false {more}"
        ));
        let element = |name: &str| pipeline.by_name(name).expect("named in the line");
        let (gate, media) = (element("gate"), element("media"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        let src = gate.static_pad("src").expect("always there");
        src.add_probe(kinds, move |_, info| {
            let found = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => Some(Seen::Buffer {
                    pts: pts_of(buffer),
                    memory: address(buffer),
                }),
                Some(gst::PadProbeData::Event(event)) => event.structure().and_then(boundary),
                _ => None,
            };
            into.lock()
                .expect("no test panics under this lock")
                .extend(found);
            gst::PadProbeReturn::Ok
        });
        Self {
            pipeline,
            gate,
            media,
            seen,
        }
    }

    pub(crate) fn start(self) -> Self {
        self.pipeline
            .set_state(gst::State::Playing)
            .expect("the settings are right");
        self
    }

    /// Pushes 25 frames a second of media time, a sync point every `gop` seconds.
    pub(crate) fn push(&self, seconds: std::ops::Range<u64>, gop: u64) -> Vec<*const c_void> {
        (seconds.start * 25..seconds.end * 25)
            .map(|n| {
                let mut buffer = gst::Buffer::from_slice(n.to_le_bytes());
                let fields = buffer.get_mut().expect("new");
                fields.set_pts(gst::ClockTime::from_nseconds(n * FRAME));
                fields.set_dts(gst::ClockTime::from_nseconds(n * FRAME));
                fields.set_duration(gst::ClockTime::from_nseconds(FRAME));
                if n % (25 * gop) != 0 {
                    fields.set_flags(gst::BufferFlags::DELTA_UNIT);
                }
                let memory = address(fields);
                feed(&self.media, &buffer);
                memory
            })
            .collect()
    }

    pub(crate) fn trigger(&self, json: &str) -> Option<String> {
        self.gate.emit_by_name("trigger", &[&json])
    }

    pub(crate) fn end_media(&self) {
        end(&self.media);
    }

    /// Ends the media, waits until all has come out, and tells what that was.
    pub(crate) fn finish(&self) -> Vec<Seen> {
        self.end_media();
        self.collect()
    }

    pub(crate) fn collect(&self) -> Vec<Seen> {
        wait_for_eos(&self.pipeline).expect("the stream ends");
        self.pipeline
            .set_state(gst::State::Null)
            .expect("a pipeline can always be taken down");
        std::mem::take(&mut *self.seen.lock().expect("no test panics under this lock"))
    }

    pub(crate) fn stat(&self, name: &str) -> u64 {
        self.gate
            .property::<gst::Structure>("stats")
            .get(name)
            .expect("a counter")
    }
}

pub(crate) fn buffers(seen: &[Seen]) -> Vec<(u64, *const c_void)> {
    let buffer = |it: &Seen| match it {
        Seen::Buffer { pts, memory } => Some((*pts, *memory)),
        _ => None,
    };
    seen.iter().filter_map(buffer).collect()
}
