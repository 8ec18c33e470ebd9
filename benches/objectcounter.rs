//! What counting costs a frame with 50 tracked objects: the rules alone, and the element that reads
//! the objects off the frame, beside `identity` in its place; all ways in turn, many rounds.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::time::Instant;

use evr_core::{
    counter::{Counter, Rule, rules_file},
    detection::{BoundingBox, Detection, Observation},
};
use gst::prelude::*;

const OBJECTS: usize = 50;
const FRAMES: usize = 500;
const ROUNDS: usize = 31;

/// Two zones, a line, dwell and confirmation; `people` holds or does not by `min-count`.
const RULES: &str = r#"{
    "zones": {"left": [[0,0],[0.5,0],[0.6,0.5],[0.5,1],[0,1]], "right": [[0.6,0],[1,0],[1,1],[0.6,1]]},
    "lines": {"gate": [[0.5,0],[0.5,1]]},
    "rules": [
        {"name": "people", "labels": "person,car:0.6", "min-confidence": 0.5, "zones": ["left", "right"],
         "confirm-frames": 2, "window-frames": 3, "min-count": COUNT},
        {"name": "loiter", "labels": "person", "zones": ["left"], "min-dwell": 60000000000,
         "emit": "on-change"},
        {"name": "crossing", "labels": "person", "lines": ["gate"], "reference": "center"}
    ]
}"#;

fn rules(count: usize) -> Vec<Rule> {
    rules_file::parse(&RULES.replace("COUNT", &count.to_string())).expect("right rules")
}

fn observation(seq: u64) -> Observation {
    let detection = |n: usize| Detection {
        label: "person".into(),
        label_id: 0,
        confidence: 0.5 + n as f64 / 200.0,
        bbox: BoundingBox {
            l: n as f64 / 60.0 + seq as f64 * 1e-5,
            t: 0.25,
            w: 0.0625,
            h: 0.125 + n as f64 / 100.0,
        },
        track_id: Some(n as i64),
    };
    Observation {
        seq,
        model: "bench".into(),
        detections: (0..OBJECTS).map(detection).collect(),
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Microseconds a frame.
fn each(frames: usize, run: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    run();
    begun.elapsed().as_secs_f64() * 1e6 / frames as f64
}

fn rules_alone(name: &str, rules: &[Rule]) {
    let frames: Vec<_> = (0..FRAMES as u64).map(observation).collect();
    let mut taken = Vec::new();
    for _ in 0..ROUNDS {
        let mut counter = Counter::new(rules.to_vec());
        taken.push(each(FRAMES, || {
            for (n, frame) in frames.iter().enumerate() {
                std::hint::black_box(counter.observe(Some(n as i64 * 40_000_000), frame));
            }
        }));
    }
    println!(
        "measured: µs per frame with {OBJECTS} objects, {name}: {:.1}",
        median(&mut taken)
    );
}

fn frame(seq: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let frame = buffer.get_mut().expect("a new buffer has one owner");
    frame.set_pts(gst::ClockTime::from_mseconds(seq * 40));
    let observation = observation(seq);
    let mut meta = gst::meta::CustomMeta::add(frame, "GstEvrObservationMeta")
        .expect("the plugin registers the meta");
    let fields = meta.mut_structure();
    fields.set("seq", seq);
    fields.set("model", "bench");
    fields.set("count", OBJECTS as u32);
    for detection in observation.detections {
        let bbox = detection.bbox;
        let pixels = |fraction: f64, size: f64| (fraction * size) as u32;
        let area = (
            pixels(bbox.l, 1920.0),
            pixels(bbox.t, 1080.0),
            pixels(bbox.w, 1920.0),
            pixels(bbox.h, 1080.0),
        );
        let mut region = gst_video::VideoRegionOfInterestMeta::add(frame, "person", area);
        region.add_param(
            gst::Structure::builder("detection")
                .field("confidence", detection.confidence)
                .field("label_id", detection.label_id)
                .field("x_min", bbox.l)
                .field("y_min", bbox.t)
                .field("x_max", bbox.l + bbox.w)
                .field("y_max", bbox.t + bbox.h)
                .field("track_id", detection.track_id.expect("all are tracked"))
                .build(),
        );
    }
    buffer
}

/// Microseconds a frame of an element before a fakesink.
fn element(line: &str, frames: &[gst::Buffer]) -> f64 {
    let pipeline = gst::parse::launch(&format!("{line} name=in ! fakesink sync=false async=false"))
        .expect("the elements exist")
        .downcast::<gst::Pipeline>()
        .expect("two elements");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let first = pipeline.by_name("in").expect("it is in the line");
    let pad = first.static_pad("sink").expect("always there");
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", 1920)
        .field("height", 1080)
        .field("framerate", gst::Fraction::new(25, 1))
        .build();
    pad.send_event(gst::event::StreamStart::new("bench"));
    pad.send_event(gst::event::Caps::new(&caps));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    pad.send_event(gst::event::Segment::new(&segment));
    let taken = each(frames.len(), || {
        for frame in frames {
            pad.chain(frame.clone()).expect("it is taken");
        }
    });
    pipeline.set_state(gst::State::Null).expect("it stops");
    taken
}

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    rules_alone("three rules that hold in no frame", &rules(OBJECTS + 1));
    rules_alone("three rules, a signal with all objects a frame", &rules(1));

    let frames: Vec<_> = (0..FRAMES as u64).map(frame).collect();
    let ways = [
        ("identity", "identity"),
        (
            "objectcounter that raises nothing",
            "objectcounter min-count=51",
        ),
        (
            "objectcounter that raises a signal a frame",
            "objectcounter",
        ),
    ];
    let mut taken = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((_, line), taken) in ways.iter().zip(&mut taken) {
            taken.push(element(line, &frames));
        }
    }
    for ((name, _), taken) in ways.iter().zip(&mut taken) {
        println!(
            "measured: µs per frame with {OBJECTS} objects, {name} ! fakesink: {:.1}",
            median(taken)
        );
    }
}
