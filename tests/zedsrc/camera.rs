//! Cameras and SVO files by the SDK, for which there is a stand-in.

use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

use crate::common::{PATIENCE, launch, warnings};
use crate::run::{appsink, bytes, caps, is_broken, pts, refusal, rest, sample, start};
use crate::stubs::{calls, sdk};

/// Takes pictures until the element says that it records, or that it does no more.
#[track_caller]
fn await_recording(pipeline: &gst::Pipeline, sink: &gst_app::AppSink, recording: bool) {
    let source = pipeline.by_name("zed").expect("the line names it");
    let begun = Instant::now();
    while source.property::<bool>("svo-recording-enable") != recording {
        sample(pipeline, sink);
        assert!(
            begun.elapsed() < Duration::from(PATIENCE),
            "recording is not {recording}"
        );
    }
}

#[test]
fn each_stream_type_of_the_sdk_has_its_caps_and_its_bytes() {
    for (stream_type, expected, size) in [
        ("left", "BGRA 64x48 30", 64 * 48 * 4),
        ("right", "BGRA 64x48 30", 64 * 48 * 4),
        ("top-bottom", "BGRA 64x96 30", 64 * 96 * 4),
        ("depth", "GRAY16_LE 64x48 30", 64 * 48 * 2),
        ("left-depth", "BGRA 64x96 30", 64 * 96 * 4),
        ("side-by-side", "BGRA 128x48 30", 128 * 48 * 4),
    ] {
        let (_folder, sdk) = sdk(&["PAD=12"]);
        let (pipeline, sink) = start(&format!("{sdk} stream-type={stream_type}"));
        let sample = sample(&pipeline, &sink);
        assert_eq!(caps(&sample), expected);
        let map = bytes(&sample);
        assert_eq!(map.len(), size, "{stream_type}");
        if stream_type == "depth" {
            assert_eq!(map[..4], [0xe8, 0x03, 0, 0], "1000 mm, then not known");
        }
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}

#[test]
fn a_camera_is_live_with_latency_and_the_time_each_picture_was_taken() {
    let (_folder, sdk) = sdk(&[]);
    let (pipeline, sink) = start(&sdk);
    let first = sample(&pipeline, &sink);
    let second = sample(&pipeline, &sink);
    let (first, second) = (first.buffer().expect("one"), second.buffer().expect("one"));
    let reference = first.meta::<gst::ReferenceTimestampMeta>().expect("a time");
    assert_eq!(reference.reference().to_string(), "timestamp/x-unix");
    assert!(reference.timestamp().nseconds() >= 1_700_000_000_000_000_000);
    assert_eq!(
        first.duration(),
        gst::ClockTime::SECOND.mul_div_floor(1, 30)
    );
    assert!(first.flags().contains(gst::BufferFlags::DISCONT));
    assert!(!second.flags().contains(gst::BufferFlags::DISCONT));
    let mut latency = gst::query::Latency::new();
    let source = pipeline.by_name("zed").expect("the line names it");
    assert!(source.query(&mut latency));
    let (live, least, _) = latency.result();
    let frame = first.duration().expect("known");
    // A frame for what the SDK does with it, and on top what it takes to make a picture.
    assert!(live && least > 2 * frame, "{least}");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn a_camera_ends_when_the_pipeline_is_told_to() {
    let (_folder, sdk) = sdk(&[]);
    let (pipeline, sink) = start(&sdk);
    sample(&pipeline, &sink);
    assert!(pipeline.send_event(gst::event::Eos::new()));
    rest(&pipeline, &sink);
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn objects_become_regions_with_distance_that_a_counter_counts() {
    let (folder, sdk) = sdk(&["OBJECTS=3"]);
    let (pipeline, sink) = start(&format!(
        "{sdk} od-enabled=true od-conf-bag=-1 stream-type=side-by-side"
    ));
    let sample = sample(&pipeline, &sink);
    let buffer = sample.buffer().expect("a buffer");
    let regions: Vec<_> = buffer.iter_meta::<VideoRegionOfInterestMeta>().collect();
    assert_eq!(regions.len(), 3);
    assert_eq!(regions[0].roi_type(), "person");
    assert_eq!(regions[1].roi_type(), "vehicle");
    // The left eye is the left half.
    assert_eq!(regions[1].rect(), (1, 2, 4, 4));
    let params: Vec<_> = regions[1].params().collect();
    let found = params
        .iter()
        .find(|param| param.name() == "detection")
        .expect("a detection");
    assert_eq!(found.get::<i64>("track_id"), Ok(1));
    let space = params
        .iter()
        .find(|param| param.name() == "space")
        .expect("its place");
    let distance: f64 = space.get("distance").expect("a number");
    assert!((distance - 1.01).abs() < 1e-6, "{distance}");
    let meta = gst::meta::CustomMeta::from_buffer(buffer, "GstEvrZedMeta").expect("sensors");
    let acceleration: gst::Array = meta.structure().get("acceleration").expect("three numbers");
    assert_eq!(acceleration[0].get::<f64>(), Ok(9.0));
    let position: gst::Array = meta.structure().get("position").expect("three numbers");
    let metres = position[0].get::<f64>().expect("a number");
    assert!((metres - 0.01).abs() < 1e-6, "{metres}");
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(calls(&folder).contains("objects instance=0 confidence=50"));
    // objectcounter reads them as those of any detector.
    let (_folder, sdk) = self::sdk(&["OBJECTS=3", "END_AT=100"]);
    let line = format!(
        "zedsrc {sdk} svo-file-path=walk.svo2 od-enabled=true ! objectcounter labels=person name=count ! fakesink async=false  count.signal ! appsink name=out sync=false async=false"
    );
    let pipeline = launch(&line);
    let sink = appsink(&pipeline, "out");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let signal = self::sample(&pipeline, &sink);
    let text = String::from_utf8(bytes(&signal)).expect("a line is text");
    assert!(text.contains("person"), "{text}");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn an_svo_file_ends_with_eos_and_its_times_begin_at_zero() {
    let (folder, sdk) = sdk(&["END_AT=5", "CORRUPT_AT=2"]);
    let (pipeline, sink) = start(&format!("{sdk} svo-file-path=walk.svo2"));
    let samples = rest(&pipeline, &sink);
    let times: Vec<_> = samples.iter().map(pts).collect();
    assert_eq!(times, [0, 1, 2, 3, 4].map(|n| n * 33_333_333));
    let flags = samples.iter().filter_map(|it| Some(it.buffer()?.flags()));
    let corrupted = flags.map(|flags| flags.contains(gst::BufferFlags::CORRUPTED));
    assert_eq!(
        corrupted.collect::<Vec<_>>(),
        [false, false, true, false, false]
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(calls(&folder).contains("svo=walk.svo2"));
    // Its own camera's number is no other's.
    let (pipeline, sink) = start(&format!("{sdk} svo-file-path=walk.svo2 camera-sn=38486288"));
    sample(&pipeline, &sink);
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn an_svo_file_in_real_time_is_live_and_its_pictures_have_the_times_at_which_they_come() {
    // Two seconds, of which some pictures are seen on any machine.
    let (_folder, sdk) = sdk(&["END_AT=2000"]);
    let (pipeline, sink) = start(&format!(
        "{sdk} svo-file-path=walk.svo2 svo-real-time-mode=true"
    ));
    let source = pipeline.by_name("zed").expect("the line names it");
    let mut latency = gst::query::Latency::new();
    assert!(source.query(&mut latency) && latency.result().0);
    let times: Vec<_> = rest(&pipeline, &sink).iter().map(pts).collect();
    let end = pipeline.current_running_time().expect("it plays");
    assert!(times.len() > 1, "{times:?}");
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert!(times.last() <= Some(&end.nseconds()), "{times:?} by {end}");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn settings_change_and_svo_files_are_recorded_while_it_plays() {
    let (folder, sdk) = sdk(&[]);
    let (pipeline, sink) = start(&format!("{sdk} ctrl-aec-agc=false ctrl-gain=10"));
    let source = pipeline.by_name("zed").expect("the line names it");
    sample(&pipeline, &sink);
    source.set_property("ctrl-gain", 35);
    source.set_property("ctrl-aec-agc-roi-x", 1);
    source.set_property("ctrl-aec-agc-roi-y", 2);
    source.set_property("ctrl-aec-agc-roi-w", 30);
    source.set_property("ctrl-aec-agc-roi-h", 40);
    source.set_property("svo-recording-filename", "out.svo2");
    source.set_property("svo-recording-enable", true);
    await_recording(&pipeline, &sink, true);
    source.set_property("svo-recording-enable", false);
    await_recording(&pipeline, &sink, false);
    pipeline.set_state(gst::State::Null).expect("it stops");
    let calls = calls(&folder);
    for call in [
        "set 8 0",
        "set 6 10",
        "set 6 35",
        "roi 2 1,2,30,40 reset=0",
        "record out.svo2 mode=2",
        "stop recording",
    ] {
        assert!(calls.contains(call), "{call:?} is not in\n{calls}");
    }
}

#[test]
fn a_camera_that_goes_and_comes_back_is_told_by_warnings_and_the_stream_goes_on() {
    let (_folder, sdk) = sdk(&["UNPLUG_AT=3"]);
    let (pipeline, sink) = start(&sdk);
    let mut told = Vec::new();
    assert!(is_broken(&sample(&pipeline, &sink)), "the stream begins");
    let mut breaks = 0;
    while told.len() < 2 || breaks == 0 {
        breaks += u32::from(is_broken(&sample(&pipeline, &sink)));
        told.extend(warnings(&pipeline));
    }
    assert!(
        told[0].contains("has gone") && told[1].contains("is back"),
        "{told:?}"
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn a_recording_of_the_sdk_ends_when_the_camera_goes_and_begins_again_when_it_is_asked_for() {
    let (folder, sdk) = sdk(&["UNPLUG_AT=3", "UNPLUG_AFTER=\"record\""]);
    let (pipeline, sink) = start(&format!(
        "{sdk} svo-recording-filename=out.svo2 svo-recording-enable=true"
    ));
    let mut told = Vec::new();
    while !told.iter().any(|text: &String| text.contains("is back")) {
        sample(&pipeline, &sink);
        told.extend(warnings(&pipeline));
    }
    let ended = told.iter().any(|text| text.contains("recording ended"));
    assert!(ended, "{told:?}");
    sample(&pipeline, &sink);
    let source = pipeline.by_name("zed").expect("the line names it");
    assert!(!source.property::<bool>("svo-recording-enable"));
    let begun = || calls(&folder).matches("record out.svo2").count();
    assert_eq!(begun(), 1, "it is not gone on with");
    let set_and_wait = |recording: bool| {
        source.set_property("svo-recording-enable", recording);
        await_recording(&pipeline, &sink, recording);
    };
    set_and_wait(true);
    assert_eq!(begun(), 2);
    // What is being written is not begun from empty.
    set_and_wait(true);
    for _ in 0..3 {
        sample(&pipeline, &sink);
    }
    set_and_wait(false);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(begun(), 2);
}

#[test]
fn a_recording_that_the_sdk_refused_begins_when_it_is_asked_for_again() {
    let (folder, sdk) = sdk(&[]);
    let (pipeline, sink) = start(&format!(
        "{sdk} svo-recording-filename=out.svo2 svo-recording-compression=h265-lossless svo-recording-enable=true"
    ));
    let source = pipeline.by_name("zed").expect("the line names it");
    while warnings(&pipeline).is_empty() {
        sample(&pipeline, &sink);
    }
    assert!(!source.property::<bool>("svo-recording-enable"));
    source.set_property_from_str("svo-recording-compression", "h264");
    source.set_property("svo-recording-enable", true);
    await_recording(&pipeline, &sink, true);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(calls(&folder).contains("record out.svo2 mode=1"));
}

#[test]
fn pictures_that_nobody_took_in_time_count_as_dropped_and_leave_a_gap() {
    let (_folder, sdk) = sdk(&[]);
    // It takes five times as long as the stand-in needs for a picture.
    let (pipeline, sink) = start(&format!("{sdk} ! identity sleep-time=5000"));
    let source = pipeline.by_name("zed").expect("the line names it");
    // The stream begins with one.
    sample(&pipeline, &sink);
    let begun = Instant::now();
    while !is_broken(&sample(&pipeline, &sink)) {
        assert!(begun.elapsed() < Duration::from(PATIENCE), "no gap is told");
    }
    assert!(source.property::<u64>("dropped") > 0);
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn what_cannot_be_opened_is_refused_with_cause_and_cure() {
    let missing = refusal("backend=sdk sdk-library=/nowhere/libsl_zed_c.so");
    assert!(missing.contains("install ZED SDK 5.0 to 5.2"), "{missing}");
    let (_folder, no_camera) = sdk(&["OPEN_CODE=4"]);
    let no_camera = refusal(&no_camera);
    assert!(
        no_camera.contains("check cable, port and power"),
        "{no_camera}"
    );
    let (_folder, file) = sdk(&[]);
    let file = refusal(&format!("{file} svo-file-path=walk.svo2 camera-sn=77"));
    for word in ["svo-file-path=walk.svo2", "camera 77", "of 38486288"] {
        assert!(file.contains(word), "{file} lacks {word}");
    }
    let depth = refusal("backend=uvc stream-type=depth depth-mode=neural");
    assert!(depth.contains("needs the SDK"), "{depth}");
    let rate = refusal("backend=uvc camera-resolution=hd2k camera-fps=60");
    assert!(rate.contains("choose one of these as camera-fps"), "{rate}");
    let size = refusal("backend=uvc camera-resolution=hd1200");
    assert!(size.contains("1920x1200"), "{size}");
    let file = refusal("backend=file");
    assert!(file.contains("location is not set"), "{file}");
}
