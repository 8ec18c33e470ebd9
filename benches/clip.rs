//! What a whole file costs: the two-event clip, decoded beside the detector and so no slower than the
//! detector alone; and what motion spares it, where only frames or regions in which something moves
//! are inferred.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

/// Of the clip.
const FRAMES: u64 = 300;

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    let Ok(model) = std::env::var("EVR_TEST_MODEL") else {
        println!("EVR_TEST_MODEL is not set: run cargo xtask bench");
        return;
    };
    let detector = format!("onnxdetect name=eye model-file={model}");
    let still = format!("motiondetect drop-still=true ! {detector}");
    let regions =
        format!("motiondetect ! {detector} inference-region=roi-list object-class=motion");
    // Once each: a run lasts as long as many rounds of a shorter one.
    let alone = detect_alone(&detector);
    let every = play(&detector, Count::Frames);
    let moving = play(&still, Count::Frames);
    let parts = play(&regions, Count::Regions);
    println!(
        "measured: a file of {FRAMES} frames of 768x576, s to decode and detect at 1 thread beside each \
         other, and to detect alone: {:.2} and {alone:.2} ({:.3} of its speed)",
        every.wall,
        alone / every.wall
    );
    for (what, run) in [
        ("every frame", every),
        ("frames in which something moves (drop-still)", moving),
        ("regions in which something moves (roi-list)", parts),
    ] {
        println!(
            "measured: the two-event clip, inferences and s of CPU for all of it, {what}: {} and {:.2}",
            run.inferences, run.cpu
        );
    }
}

/// What is one inference.
#[derive(Clone, Copy)]
enum Count {
    Frames,
    Regions,
}

struct Run {
    inferences: u64,
    /// Seconds.
    wall: f64,
    cpu: f64,
}

/// The clip through these elements.
fn play(elements: &str, count: Count) -> Run {
    let clip = std::env::var("EVR_TEST_CLIP").expect("set beside the model");
    let pipeline = launch(&format!(
        "filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 max-threads=1 ! queue ! \
         {elements} ! fakesink sync=false"
    ));
    let eye = pipeline.by_name("eye").expect("named in the line");
    let inferences = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&inferences);
    let sink = eye.static_pad("sink").expect("always there");
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let regions = || {
            info.buffer()
                .map(|b| b.iter_meta::<VideoRegionOfInterestMeta>().count())
        };
        let more = match count {
            Count::Frames => 1,
            Count::Regions => regions().unwrap_or(0) as u64,
        };
        counted.fetch_add(more, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    // The model is open before the clock runs.
    pipeline.set_state(gst::State::Paused).expect("it starts");
    let (result, ..) = pipeline.state(gst::ClockTime::from_seconds(60));
    result.expect("a frame comes");
    let (begun, before) = (Instant::now(), cpu());
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let bus = pipeline.bus().expect("a pipeline has one");
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(300), &kinds);
    let message = message.expect("it ends");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu() - before);
    pipeline.set_state(gst::State::Null).expect("it stops");
    Run {
        inferences: inferences.load(Ordering::Relaxed),
        wall,
        cpu,
    }
}

/// Seconds that the clip's frames take in the detector, decoded before.
fn detect_alone(detector: &str) -> f64 {
    let clip = std::env::var("EVR_TEST_CLIP").expect("set beside the model");
    let decode = launch(&format!(
        "filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! appsink name=out sync=false"
    ));
    let out: gst_app::AppSink = decode.by_name("out").and_downcast().expect("an appsink");
    decode
        .set_state(gst::State::Playing)
        .expect("the clip is there");
    let samples: Vec<_> = std::iter::from_fn(|| out.pull_sample().ok()).collect();
    decode.set_state(gst::State::Null).expect("it stops");
    assert_eq!(samples.len() as u64, FRAMES);

    let pipeline = launch(&format!("{detector} ! fakesink async=false"));
    let eye = pipeline.by_name("eye").expect("named in the line");
    let sink = eye.static_pad("sink").expect("always there");
    pipeline
        .set_state(gst::State::Playing)
        .expect("the model is there");
    let caps = samples[0].caps().expect("a sample has caps").to_owned();
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    sink.send_event(gst::event::StreamStart::new("bench"));
    sink.send_event(gst::event::Caps::new(&caps));
    sink.send_event(gst::event::Segment::new(&segment));
    let frames = samples.iter().filter_map(|sample| sample.buffer_owned());
    let begun = Instant::now();
    for frame in frames {
        sink.chain(frame).expect("it is taken");
    }
    let took = begun.elapsed().as_secs_f64();
    pipeline.set_state(gst::State::Null).expect("it stops");
    took
}

fn launch(line: &str) -> gst::Pipeline {
    let pipeline = gst::parse::launch(line).expect("the elements exist");
    pipeline.downcast().expect("several elements")
}

/// Seconds of processor time that this process has taken.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let behind = text.rsplit_once(')').expect("a name in parentheses").1;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    // Fields 14 and 15 of proc(5), in hundredths on every Linux there is.
    let ticks = |field: usize| fields[field - 3].parse::<f64>().expect("a number");
    (ticks(14) + ticks(15)) / 100.0
}
