//! What a recording costs beside what its muxer costs alone: the same encoded frames go from memory
//! into `mp4mux ! filesink` and into `eventsink`, in turn, and the CPU time of the whole process is
//! told a second of stream. The disk is whatever holds the temporary directory.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::{path::Path, time::Duration};

use gst::prelude::*;
use rustix::time::{ClockId, clock_gettime};

const RATE: u64 = 25;
const SECONDS: u64 = 30;
const ROUNDS: usize = 61;
const SECOND: u64 = 1_000_000_000;

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    for megabits in [1, 4, 16] {
        measure(megabits);
    }
}

/// One way of writing a file.
struct Way {
    name: &'static str,
    elements: &'static str,
    pad: &'static str,
}

const WAYS: [Way; 3] = [
    Way {
        name: "mp4mux ! filesink",
        elements: "mp4mux name=in ! filesink name=file",
        pad: "video_0",
    },
    Way {
        name: "the same, crash-safe (fragments, unbuffered)",
        elements: "mp4mux name=in fragment-duration=1000 \
                   fragment-mode=first-moov-then-finalise ! \
                   filesink name=file buffer-mode=unbuffered",
        pad: "video_0",
    },
    Way {
        name: "eventsink",
        elements: "eventsink name=in thumbnail=false",
        pad: "video",
    },
];

fn measure(megabits: u64) {
    let frames = frames(megabits * 1_000_000 / 8 / RATE);
    let mut taken = vec![Vec::new(); WAYS.len()];
    for _ in 0..ROUNDS {
        for (way, taken) in WAYS.iter().zip(&mut taken) {
            let cpu = cpu_of(|| run(way, &frames));
            taken.push(cpu.as_nanos() as f64 / 1000.0 / SECONDS as f64);
        }
    }
    let reference = taken[0].clone();
    for (way, taken) in WAYS.iter().zip(&mut taken) {
        // Of each round by itself: what else the machine does changes from round to round.
        let ratios = taken.iter().zip(&reference).map(|(it, alone)| it / alone);
        let ratio = median(&mut ratios.collect::<Vec<_>>());
        println!(
            "measured: µs of CPU a second of {megabits} Mbit/s, {}: {:.0} ({ratio:.2} times)",
            way.name,
            median(taken),
        );
    }
}

/// Frames of 25 a second with a keyframe of four times the size every 2 s.
fn frames(bytes: u64) -> Vec<gst::Buffer> {
    let frame = |n: u64| {
        let sync = n.is_multiple_of(2 * RATE);
        let size = if sync { 4 * bytes } else { bytes * 46 / 49 };
        // A length and one NAL unit, as mp4mux wants it.
        let mut data = vec![n as u8; size as usize];
        data[..4].copy_from_slice(&(size as u32 - 4).to_be_bytes());
        data[4] = if sync { 0x65 } else { 0x41 };
        let mut buffer = gst::Buffer::from_mut_slice(data);
        let fields = buffer.get_mut().expect("new");
        fields.set_pts(gst::ClockTime::from_nseconds(n * SECOND / RATE));
        fields.set_dts(fields.pts());
        fields.set_duration(gst::ClockTime::from_nseconds(SECOND / RATE));
        if !sync {
            fields.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        buffer
    };
    (0..SECONDS * RATE).map(frame).collect()
}

fn run(way: &Way, frames: &[gst::Buffer]) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("1.mp4");
    let pipeline = pipeline(way, &file);
    let first = pipeline.by_name("in").expect("named in the line");
    let pad = first.request_pad_simple(way.pad).expect("it is offered");
    pipeline
        .set_state(gst::State::Playing)
        .expect("nothing is wrong");
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    pad.send_event(gst::event::StreamStart::new("bench"));
    pad.send_event(gst::event::Caps::new(&caps()));
    pad.send_event(gst::event::Segment::new(&segment));
    pad.send_event(boundary("open"));
    for frame in frames {
        pad.chain(frame.clone()).expect("it is taken");
    }
    pad.send_event(boundary("close"));
    pad.send_event(gst::event::Eos::new());
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let last = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds);
    let last = last.map(|message| message.type_());
    assert_eq!(last, Some(gst::MessageType::Eos), "{}", way.name);
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
    let bytes: usize = frames.iter().map(|frame| frame.size()).sum();
    let written = std::fs::metadata(&file).expect("the clip").len();
    assert!(written > bytes as u64, "{} wrote {written} bytes", way.name);
}

fn pipeline(way: &Way, file: &Path) -> gst::Pipeline {
    let elements = gst::parse::launch(way.elements).expect("the elements exist");
    let pipeline = elements
        .downcast::<gst::Pipeline>()
        .unwrap_or_else(|single| {
            single.set_property("location", file.to_str());
            let pipeline = gst::Pipeline::new();
            pipeline.add(&single).expect("it is new");
            pipeline
        });
    if let Some(sink) = pipeline.by_name("file") {
        sink.set_property("location", file);
    }
    pipeline
}

fn caps() -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "avc")
        .field("alignment", "au")
        .field("width", 1280)
        .field("height", 720)
        .field("framerate", gst::Fraction::new(RATE as i32, 1))
        .field(
            "codec_data",
            gst::Buffer::from_slice([1, 100, 0, 31, 255, 224, 0]),
        )
        .build()
}

fn boundary(phase: &str) -> gst::Event {
    let end = (SECONDS * SECOND) as i64;
    let fields = gst::Structure::builder("evr-recording")
        .field("id", 1u64)
        .field("phase", phase)
        .field("asked", 0i64)
        .field("start", 0i64)
        .field("sync-point", 0i64)
        .field("end", end)
        .field("event-start", 0i64)
        .field("event-end", end)
        .field("cause", "elapsed")
        .field("signals", "[]");
    gst::event::CustomDownstreamSticky::new(fields.build())
}

/// CPU time of this process, all of its threads, that `work` takes.
fn cpu_of(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = u64::try_from(time.tv_sec).expect("not negative");
        Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below 1e9"))
    };
    let before = now();
    work();
    now() - before
}

/// Sorts the values.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
