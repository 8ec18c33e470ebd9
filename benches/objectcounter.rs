//! What counting costs a frame with 50 objects: the rules alone, and the elements that read the
//! objects off the frame and write tracks onto it, beside `identity` in their places; all ways in
//! turn, many rounds. Each frame is made just before, as a detector has just written what it found,
//! and has one owner, so nothing is copied; what is timed ends when the sink has freed it with all
//! that was written on it.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use evr_core::{
    counter::{Counter, Rule, rules_file},
    detection::{BoundingBox, Detection, Observation},
};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

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

/// Objects in a row that all go to the right, slowly.
fn observation(seq: u64) -> Observation {
    let detection = |n: usize| Detection {
        label: "person".into(),
        label_id: 0,
        confidence: 0.5 + n as f64 / 200.0,
        bbox: BoundingBox {
            l: n as f64 / 60.0 + seq as f64 * 1e-5,
            t: 0.25,
            w: 0.0156,
            h: 0.125 + n as f64 / 100.0,
        },
        track_id: Some(n as i64),
        distance: None,
        position: None,
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

fn frame(seq: u64, tracked: bool) -> gst::Buffer {
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
        let mut region = VideoRegionOfInterestMeta::add(frame, "person", area);
        region.add_param(
            gst::Structure::builder("detection")
                .field("confidence", detection.confidence)
                .field("label_id", detection.label_id)
                .field("x_min", bbox.l)
                .field("y_min", bbox.t)
                .field("x_max", bbox.l + bbox.w)
                .field("y_max", bbox.t + bbox.h)
                .field_if_some("track_id", detection.track_id.filter(|_| tracked))
                .build(),
        );
    }
    buffer
}

/// What GStreamer's own functions take to hand 50 objects over, whoever calls them: every value of
/// every region is asked for twice, as by a tracker and by a counter, and in between each region is
/// given a structure of two numbers.
fn handed_over(mut frame: gst::Buffer, numbers: &gst::Structure) {
    #[expect(deprecated, reason = "the others look names up by their letters")]
    fn ask(frame: &gst::BufferRef) {
        for region in frame.iter_meta::<VideoRegionOfInterestMeta>() {
            for param in region.params() {
                param.foreach(|_, value| {
                    std::hint::black_box(value.get::<f64>().ok());
                    ControlFlow::Continue(())
                });
            }
        }
    }
    ask(&frame);
    let writable = frame.get_mut().expect("one owner");
    for mut region in writable.iter_meta_mut::<VideoRegionOfInterestMeta>() {
        region.add_param(numbers.clone());
    }
    ask(&frame);
}

/// Microseconds that `run` takes for a frame that was just made.
fn fresh(tracked: bool, mut run: impl FnMut(gst::Buffer)) -> f64 {
    let taken = (0..FRAMES as u64).map(|n| {
        let frame = frame(n, tracked);
        let begun = Instant::now();
        run(frame);
        begun.elapsed()
    });
    taken.sum::<Duration>().as_secs_f64() * 1e6 / FRAMES as f64
}

/// Microseconds a frame of elements before a fakesink; the first is named `in`.
fn elements(line: &str, tracked: bool) -> f64 {
    let pipeline = gst::parse::launch(&format!("{line} ! fakesink sync=false async=false"))
        .expect("the elements exist")
        .downcast::<gst::Pipeline>()
        .expect("several elements");
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
    let taken = fresh(tracked, |frame| {
        pad.chain(frame).expect("it is taken");
    });
    pipeline.set_state(gst::State::Null).expect("it stops");
    taken
}

/// What is measured: its name, the elements, and whether the objects come with their tracks.
const WAYS: [(&str, &str, bool); 6] = [
    ("identity", "identity name=in", true),
    (
        "objectcounter that raises nothing",
        "objectcounter name=in min-count=51",
        true,
    ),
    (
        "objectcounter that raises a signal a frame",
        "objectcounter name=in",
        true,
    ),
    ("identity ! identity", "identity name=in ! identity", false),
    (
        "objecttracker ! objectcounter that raises nothing",
        "objecttracker name=in ! objectcounter min-count=51",
        false,
    ),
    (
        "objecttracker ! objectcounter that raises a signal a frame",
        "objecttracker name=in ! objectcounter",
        false,
    ),
];

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    rules_alone("three rules that hold in no frame", &rules(OBJECTS + 1));
    rules_alone("three rules, a signal with all objects a frame", &rules(1));

    let mut taken = vec![Vec::new(); WAYS.len()];
    let numbers = gst::Structure::builder("object_id")
        .field("id", 1i32)
        .field("track_id", 1i64)
        .build();
    let (mut handed, mut freed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        freed.push(fresh(false, drop));
        handed.push(fresh(false, |frame| handed_over(frame, &numbers)));
        for ((_, line, tracked), taken) in WAYS.iter().zip(&mut taken) {
            taken.push(elements(line, *tracked));
        }
    }
    let mut nothing = 0.0;
    for ((name, line, _), taken) in WAYS.iter().zip(&mut taken) {
        let median = median(taken);
        if line.starts_with("identity") {
            nothing = median;
        }
        println!(
            "measured: µs per frame with {OBJECTS} objects, {name} ! fakesink: {median:.1} (+{:.1})",
            median - nothing
        );
    }
    println!(
        "measured: µs per frame with {OBJECTS} objects, of which GStreamer's functions take to read twice and to write once: {:.1}",
        median(&mut handed) - median(&mut freed)
    );
}
