//! The requested pad `meta`: lines beside the pictures, alone, behind a gate, over seeks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gst::prelude::*;
use mcap::WriteOptions;

use crate::common::{PATIENCE, first_error, init, launch};
use crate::film::{self, START, time};
use crate::run::{Folder, appsink, pts, rest, sample};
use crate::stubs::sdk;
use crate::svo::{FRAMES, H264, H265, film, taken};

/// The lines that a sink got, to the end.
fn lines(sink: &gst_app::AppSink) -> Vec<serde_json::Value> {
    let samples = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE));
    let lines = samples.map(|sample| {
        let buffer = sample.buffer().expect("a sample has a buffer");
        let text = buffer.map_readable().expect("it can be read");
        let line: serde_json::Value = serde_json::from_slice(&text).expect("a line is JSON");
        let pts = buffer.pts().expect("a line has its picture's time");
        assert_eq!(line["media_time"].as_u64(), Some(pts.nseconds()));
        line
    });
    lines.collect()
}

#[test]
fn what_the_camera_felt_is_told_line_by_line_beside_the_pictures() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H265).write(WriteOptions::new()));
    let pipeline = launch(&format!(
        "zedsrc name=zed {location} ! queue ! appsink name=out sync=false \
         zed.meta ! queue ! appsink name=told sync=false"
    ));
    let (out, sink) = (appsink(&pipeline, "out"), appsink(&pipeline, "told"));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let told = lines(&sink);
    let shown = rest(&pipeline, &out);
    assert_eq!((told.len(), shown.len()), (FRAMES, FRAMES));
    for (line, sample) in told.iter().zip(&shown) {
        assert_eq!(line["media_time"].as_u64(), Some(pts(sample)));
        let (_, felt) = taken(sample);
        assert_eq!(line["sensors"]["acceleration"][0].as_f64(), Some(felt));
        assert_eq!(line["sensors"]["temperature"], 36.5);
        assert_eq!(line["sensors"]["calibrated"], false);
        assert!(line.get("objects").is_none(), "nobody looked for any");
    }
    assert_eq!(told[0]["time"], "2023-11-14T22:13:20.123Z");
    let [pictures, lines] = [&out, &sink].map(|sink| {
        let pad = sink.static_pad("sink").expect("a sink has a pad");
        let start = pad.sticky_event::<gst::event::StreamStart>(0);
        start.expect("a stream begins with its name")
    });
    assert_ne!(pictures.stream_id(), lines.stream_id());
    assert_eq!(pictures.group_id(), lines.group_id());
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn the_lines_alone_are_told_to_the_end_where_nobody_wants_the_pictures() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H265).write(WriteOptions::new()));
    let pipeline = launch(&format!(
        "zedsrc name=zed {location} zed.meta ! queue ! appsink name=told sync=false"
    ));
    let sink = appsink(&pipeline, "told");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    assert_eq!(lines(&sink).len(), FRAMES);
    assert!(sink.is_eos(), "{:?}", first_error(&pipeline));
    assert_eq!(first_error(&pipeline), None);
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn a_seek_is_carried_out_once_though_it_comes_by_the_lines_too() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H265).write(WriteOptions::new()));
    let pipeline = launch(&format!(
        "zedsrc name=zed {location} ! queue ! appsink name=out sync=false \
         zed.meta ! queue ! appsink name=told sync=false"
    ));
    pipeline.set_state(gst::State::Paused).expect("it starts");
    let (state, ..) = pipeline.state(PATIENCE);
    state.expect("it prerolls");
    let source = pipeline.by_name("zed").expect("the line names it");
    let pictures = source.static_pad("src").expect("a source has a pad");
    let flushes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&flushes);
    let probe = pictures.add_probe(gst::PadProbeType::EVENT_FLUSH, move |_, info| {
        let event = info.event().map(|event| event.type_());
        let begins = event == Some(gst::EventType::FlushStart);
        counted.fetch_add(usize::from(begins), Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    assert!(probe.is_some());
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    for (seeks, target) in [(1, 17), (2, 5)] {
        let to = gst::ClockTime::from_nseconds(time(target) - START);
        pipeline
            .seek_simple(flags, to)
            .expect("a file can be sought");
        for name in ["out", "told"] {
            let sample = appsink(&pipeline, name).try_pull_preroll(PATIENCE);
            let sample = sample.unwrap_or_else(|| panic!("{name}: {:?}", first_error(&pipeline)));
            assert_eq!(pts(&sample), to.nseconds(), "{name}");
        }
        assert_eq!(flushes.load(Ordering::Relaxed), seeks);
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn there_is_one_pad_of_lines_at_a_time_and_a_second_is_refused_in_silence() {
    init();
    static CRITICALS: AtomicUsize = AtomicUsize::new(0);
    let levels = gst::glib::LogLevels::LEVEL_CRITICAL;
    gst::glib::log_set_handler(Some("GStreamer"), levels, false, false, |_, _, _| {
        CRITICALS.fetch_add(1, Ordering::Relaxed);
    });
    let source = gst::ElementFactory::make("zedsrc").build();
    let source = source.expect("the plugin has it");
    let template = source.pad_template("meta").expect("the class has it");
    let first = source.request_pad(&template, None, None);
    let first = first.expect("there is none yet");
    assert!(source.request_pad(&template, None, None).is_none());
    assert_eq!(CRITICALS.load(Ordering::Relaxed), 0);
    // Held by us still.
    source.release_request_pad(&first);
    assert!(source.request_pad(&template, None, None).is_some());
}

#[test]
fn the_gate_lets_the_lines_of_a_recording_through_and_no_other() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H264).write(WriteOptions::new()));
    let pipeline = launch(&format!(
        "signalgate name=gate activation-signal-offset=-100000000 \
         minimum-activation-time=150000000 activation-evaluation-window=0 \
         zedsrc name=zed {location} ! queue ! gate.sink zed.meta ! queue ! gate.sink_0 \
         gate.src ! queue ! appsink name=out sync=false async=false \
         gate.src_0 ! queue ! appsink name=told sync=false async=false"
    ));
    let (out, told) = (appsink(&pipeline, "out"), appsink(&pipeline, "told"));
    let gate = pipeline.by_name("gate").expect("the line names it");
    // Before the first picture comes, so that it does not matter how fast they do.
    gate.set_state(gst::State::Paused).expect("it starts");
    let trigger = r#"{"media_time":300000000}"#;
    let taken = gate.emit_by_name::<Option<String>>("trigger", &[&trigger]);
    assert!(taken.is_some());
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let told = lines(&told);
    let shown = rest(&pipeline, &out);
    // From the picture that is shown when the recording begins.
    let recorded: Vec<_> = (0..FRAMES)
        .map(|number| time(number) - START)
        .filter(|time| time + film::GAP > 200_000_000 && *time < 450_000_000)
        .collect();
    assert!(recorded.len() > 10);
    let times = |line: &serde_json::Value| line["media_time"].as_u64().expect("a number");
    assert_eq!(told.iter().map(times).collect::<Vec<_>>(), recorded);
    assert_eq!(shown.iter().map(pts).collect::<Vec<_>>(), recorded);
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn objects_sensors_and_pose_are_told_in_one_line_a_picture() {
    let (_folder, sdk) = sdk(&["OBJECTS=3", "END_AT=5"]);
    let pipeline = launch(&format!(
        "zedsrc name=zed {sdk} svo-file-path=walk.svo2 od-enabled=true ! fakesink async=false \
         zed.meta ! appsink name=out sync=false async=false"
    ));
    let sink = appsink(&pipeline, "out");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let line = sample(&pipeline, &sink);
    let map = line.buffer().expect("a buffer").map_readable();
    let map = map.expect("memory");
    let line: serde_json::Value = serde_json::from_slice(&map).expect("a line is JSON");
    assert_eq!(line["media_time"], 0);
    assert_eq!(line["sensors"]["acceleration"][0], 9.0);
    let metres = line["pose"]["position"][0].as_f64().expect("a number");
    assert!((metres - 0.01).abs() < 1e-6, "{line}");
    let objects = line["objects"].as_array().expect("a list");
    assert_eq!((objects.len(), &objects[0]["label"]), (3, &"person".into()));
    drop(map);
    pipeline.set_state(gst::State::Null).expect("it stops");
}
