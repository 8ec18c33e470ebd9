//! onnxdetect with real models, a real runtime and real video, which `cargo xtask test` fetches.

#![cfg(feature = "onnx")]

#[path = "../common/mod.rs"]
mod common;
mod finds;
mod inputs;
mod lateness;
mod read_by_others;
mod reference;
mod refuses;
mod regions;
mod runtime;
mod shares;
mod streams;

use std::sync::OnceLock;

use common::init;
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

fn asset(variable: &str) -> String {
    common::asset(variable).display().to_string()
}

fn model() -> String {
    asset("ORT_DYLIB_PATH");
    format!("model-file={}", asset("EVR_TEST_MODEL"))
}

/// The two-event clip: nobody, people from 6 s to 12 s, nobody, people from 20 s to 24 s, nobody.
fn clip() -> String {
    format!(
        "filesrc location={} ! qtdemux ! h264parse ! avdec_h264 max-threads=1",
        asset("EVR_TEST_CLIP")
    )
}

struct Object {
    label: String,
    label_id: i32,
    confidence: f64,
    /// x_min, y_min, x_max, y_max.
    corners: [f64; 4],
}

/// What the element said of a frame; `None` where it was not inferred.
fn observed(buffer: &gst::BufferRef) -> Option<(u64, Vec<Object>)> {
    let meta = gst::meta::CustomMeta::from_buffer(buffer, "GstEvrObservationMeta").ok()?;
    let seq = meta.structure().get("seq").expect("a number");
    let objects: Vec<_> = buffer
        .iter_meta::<VideoRegionOfInterestMeta>()
        .filter(|region| region.roi_type() != "motion")
        .map(|region| {
            let fields = region
                .params()
                .find(|param| param.name() == "detection")
                .expect("what was detected");
            let number = |name: &str| fields.get(name).expect("a number");
            Object {
                label: region.roi_type().to_owned(),
                label_id: fields.get("label_id").expect("a number"),
                confidence: number("confidence"),
                corners: ["x_min", "y_min", "x_max", "y_max"].map(number),
            }
        })
        .collect();
    let count: u32 = meta.structure().get("count").expect("a number");
    assert_eq!(count as usize, objects.len());
    Some((seq, objects))
}

fn pipeline(line: &str) -> gst::Pipeline {
    gst::parse::launch(line)
        .unwrap_or_else(|err| panic!("{line}: {err}"))
        .downcast()
        .expect("several elements are a pipeline")
}

/// Every frame that comes out of a line whose last element is `appsink name=out`.
fn frames(line: &str) -> Vec<gst::Sample> {
    init();
    let pipeline = pipeline(line);
    let out: gst_app::AppSink = pipeline
        .by_name("out")
        .and_downcast()
        .expect("an appsink is called out");
    out.set_sync(false);
    out.set_max_buffers(4);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let samples = std::iter::from_fn(|| out.pull_sample().ok()).collect();
    let bus = pipeline.bus().expect("a pipeline has one");
    if let Some(error) = bus.pop_filtered(&[gst::MessageType::Error]) {
        panic!("{error:?}");
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    samples
}

fn buffer(sample: &gst::Sample) -> &gst::BufferRef {
    sample.buffer().expect("a sample has a buffer")
}

/// The sentence with which a line fails.
fn failure(line: &str) -> String {
    init();
    let pipeline = pipeline(line);
    let _ = pipeline.set_state(gst::State::Playing);
    let bus = pipeline.bus().expect("a pipeline has one");
    let message = bus
        .timed_pop_filtered(gst::ClockTime::from_seconds(30), &[gst::MessageType::Error])
        .unwrap_or_else(|| panic!("{line} does not fail"));
    pipeline.set_state(gst::State::Null).expect("it stops");
    match message.view() {
        gst::MessageView::Error(error) => error.error().message().to_owned(),
        _ => unreachable!("only errors are popped"),
    }
}

/// Asserts that a sentence contains all of these.
fn says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
}

fn harness(line: &str) -> gst_check::Harness {
    init();
    gst_check::Harness::new_parse(line)
}

/// The one element of a harness.
fn detector(harness: &gst_check::Harness) -> gst::Element {
    let bin: gst::Bin = harness.element().and_downcast().expect("it parsed a line");
    let element = bin.children().into_iter().next();
    element.expect("the line has an element")
}

/// A black frame.
fn frame(harness: &mut gst_check::Harness, format: gst_video::VideoFormat, (w, h): (u32, u32)) {
    let info = gst_video::VideoInfo::builder(format, w, h)
        .build()
        .expect("a sound size");
    harness.set_src_caps(info.to_caps().expect("a sound format"));
    let buffer = gst::Buffer::with_size(info.size()).expect("memory");
    assert_eq!(harness.push(buffer), Ok(gst::FlowSuccess::Ok));
}

/// The best person in frame 70 of the clip, with these settings.
fn best_person(settings: &str) -> Option<Object> {
    let samples = frames(&format!(
        "{} ! onnxdetect {} inference-interval=70 {settings} ! appsink name=out",
        clip(),
        model()
    ));
    let (_, objects) = observed(buffer(&samples[70])).expect("inferred");
    objects.into_iter().find(|object| object.label == "person")
}

/// Frame 70 of the clip, in which people are, with its caps.
fn still() -> (gst::Caps, gst::Buffer) {
    static STILL: OnceLock<gst::Sample> = OnceLock::new();
    let sample = STILL.get_or_init(|| {
        let line = format!("{} ! identity eos-after=72 ! appsink name=out", clip());
        frames(&line).swap_remove(70)
    });
    let caps = sample.caps_owned().expect("a sample has caps");
    (caps, sample.buffer_owned().expect("a sample has a buffer"))
}

/// The same, at this running time, with regions of motion on it, left, top, width, height in pixels.
fn moving(time: gst::ClockTime, regions: &[(u32, u32, u32, u32)]) -> gst::Buffer {
    let mut buffer = still().1.copy();
    let fields = buffer.get_mut().expect("a copy has one owner");
    fields.set_pts(time);
    for &region in regions {
        VideoRegionOfInterestMeta::add(fields, "motion", region);
    }
    buffer
}
