//! `zedsrc` before a camera that was never built: the SDK's and the kernel's stand-ins of the crate
//! evr-zed, seen through a pipeline.

mod common;
#[path = "../plugins/zed/tests/rig/mod.rs"]
#[allow(dead_code, reason = "the rig's own tests use the rest")]
mod rig;

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{PATIENCE, first_error, init, launch};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use tempfile::TempDir;

fn built(source: &str, defines: &[&str], folder: &Path, name: &str) -> PathBuf {
    let library = folder.join(name);
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC"])
        .args(defines.iter().map(|define| format!("-D{define}")));
    cc.arg(format!("-DLOG=\"{}\"", folder.join("calls").display()));
    cc.arg(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("plugins/zed/tests")
            .join(source),
    );
    let status = cc.arg("-o").arg(&library).status();
    assert!(status.expect("a C compiler is installed").success());
    library
}

/// An SDK 5.2 that is none, as the property says where it is.
fn sdk(defines: &[&str]) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder for the stand-in");
    let defines = [&["FLAVOUR=52"], defines].concat();
    let library = built("sdk/stub.c", &defines, folder.path(), "libsl_zed_c.so");
    let property = format!("backend=sdk sdk-library={}", library.display());
    (folder, property)
}

fn calls(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("calls")).unwrap_or_default()
}

fn start(properties: &str) -> (gst::Pipeline, gst_app::AppSink) {
    init();
    let line = format!("zedsrc name=zed {properties} ! appsink name=out sync=false max-buffers=2");
    let pipeline = launch(&line);
    let sink = pipeline.by_name("out").expect("the line names it");
    let started = pipeline.set_state(gst::State::Playing);
    assert!(started.is_ok(), "{:?}", first_error(&pipeline));
    (pipeline, sink.downcast().expect("an appsink"))
}

#[track_caller]
fn sample(pipeline: &gst::Pipeline, sink: &gst_app::AppSink) -> gst::Sample {
    let sample = sink.try_pull_sample(PATIENCE);
    sample.unwrap_or_else(|| panic!("{:?}", first_error(pipeline)))
}

/// Why a start fails.
#[track_caller]
fn refusal(properties: &str) -> String {
    init();
    let pipeline = launch(&format!("zedsrc name=zed {properties} ! fakesink"));
    assert!(pipeline.set_state(gst::State::Playing).is_err());
    let error = format!("{:?}", first_error(&pipeline));
    pipeline.set_state(gst::State::Null).expect("it stops");
    error
}

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

fn caps(sample: &gst::Sample) -> String {
    let caps = sample.caps().expect("a sample has caps");
    let info = gst_video::VideoInfo::from_caps(caps).expect("raw video");
    let (width, height) = (info.width(), info.height());
    format!("{} {width}x{height} {}", info.format(), info.fps())
}

#[test]
fn each_stream_type_of_the_sdk_has_its_caps_and_its_bytes() {
    for (stream_type, expected, bytes) in [
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
        let map = sample
            .buffer()
            .expect("a buffer")
            .map_readable()
            .expect("memory");
        assert_eq!(map.len(), bytes, "{stream_type}");
        if stream_type == "depth" {
            assert_eq!(map[..4], [0xe8, 0x03, 0, 0], "1000 mm, then not known");
        }
        drop(map);
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
    // What it takes to make a picture comes on top.
    assert!(live && Some(least) > first.duration(), "{least}");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn a_camera_ends_when_the_pipeline_is_told_to() {
    let (_folder, sdk) = sdk(&[]);
    let (pipeline, sink) = start(&sdk);
    sample(&pipeline, &sink);
    assert!(pipeline.send_event(gst::event::Eos::new()));
    while sink.try_pull_sample(PATIENCE).is_some() {}
    assert!(sink.is_eos(), "{:?}", first_error(&pipeline));
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
    let sink: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let signal = self::sample(&pipeline, &sink);
    let map = signal
        .buffer()
        .expect("a buffer")
        .map_readable()
        .expect("memory");
    let text = String::from_utf8_lossy(&map);
    assert!(text.contains("person"), "{text}");
    drop(map);
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn objects_sensors_and_pose_are_told_in_one_line_a_picture() {
    let (_folder, sdk) = sdk(&["OBJECTS=3", "END_AT=5"]);
    let pipeline = launch(&format!(
        "zedsrc name=zed {sdk} svo-file-path=walk.svo2 od-enabled=true ! fakesink async=false \
         zed.meta ! appsink name=out sync=false async=false"
    ));
    let sink: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
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

#[test]
fn an_svo_file_ends_with_eos_and_its_times_begin_at_zero() {
    let (folder, sdk) = sdk(&["END_AT=5", "CORRUPT_AT=2"]);
    let (pipeline, sink) = start(&format!("{sdk} svo-file-path=walk.svo2"));
    let mut times = Vec::new();
    let mut corrupted = Vec::new();
    while let Some(sample) = sink.try_pull_sample(PATIENCE) {
        let buffer = sample.buffer().expect("a buffer");
        times.push(buffer.pts().expect("a time").nseconds());
        corrupted.push(buffer.flags().contains(gst::BufferFlags::CORRUPTED));
    }
    assert!(sink.is_eos(), "{:?}", first_error(&pipeline));
    assert_eq!(times, [0, 1, 2, 3, 4].map(|n| n * 33_333_333));
    assert_eq!(corrupted, [false, false, true, false, false]);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(calls(&folder).contains("svo=walk.svo2"));
    // Its own camera's number is no other's.
    let (pipeline, sink) = start(&format!("{sdk} svo-file-path=walk.svo2 camera-sn=38486288"));
    sample(&pipeline, &sink);
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
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let mut told = Vec::new();
    let is_broken = || {
        let sample = sample(&pipeline, &sink);
        let buffer = sample.buffer().expect("a buffer");
        buffer.flags().contains(gst::BufferFlags::DISCONT)
    };
    assert!(is_broken(), "the stream begins");
    let mut breaks = 0;
    while told.len() < 2 || breaks == 0 {
        breaks += u32::from(is_broken());
        while let Some(message) = bus.pop_filtered(&[gst::MessageType::Warning]) {
            if let gst::MessageView::Warning(warning) = message.view() {
                told.push(warning.error().to_string());
            }
        }
    }
    assert!(
        told[0].contains("has gone") && told[1].contains("is back"),
        "{told:?}"
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn a_recording_of_the_sdk_ends_when_the_camera_goes_and_begins_again_when_it_is_asked_for() {
    // Long after the recording has begun.
    let (folder, sdk) = sdk(&["UNPLUG_AT=300"]);
    let (pipeline, sink) = start(&format!(
        "{sdk} svo-recording-filename=out.svo2 svo-recording-enable=true"
    ));
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let mut told = Vec::new();
    while !told.iter().any(|text: &String| text.contains("is back")) {
        sample(&pipeline, &sink);
        while let Some(message) = bus.pop_filtered(&[gst::MessageType::Warning]) {
            if let gst::MessageView::Warning(warning) = message.view() {
                told.push(warning.error().to_string());
            }
        }
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
    let bus = pipeline.bus().expect("a pipeline has a bus");
    while bus.pop_filtered(&[gst::MessageType::Warning]).is_none() {
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
    let is_broken = || {
        let late = sample(&pipeline, &sink);
        let buffer = late.buffer().expect("a buffer");
        buffer.flags().contains(gst::BufferFlags::DISCONT)
    };
    while !is_broken() {
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

/// Runs the test again with the kernel's stand-in, since it has to be there from the start; true
/// in the process that has it.
fn with_uvc_camera(name: &str) -> bool {
    with_uvc_camera_that_sees(name, None)
}

/// The same of a camera whose pictures are all this one, in YUYV.
fn with_uvc_camera_that_sees(name: &str, picture: Option<fn() -> Vec<u8>>) -> bool {
    if env::var_os("ZED_SHIM").is_some() {
        return true;
    }
    let folder = tempfile::tempdir().expect("a folder for the stand-in");
    let shim = built("uvc/shim.c", &[], folder.path(), "shim.so");
    if let Some(picture) = picture {
        fs::write(folder.path().join("picture"), picture()).expect("a file is written");
    }
    let video = folder.path().join("sys/class/video4linux/video0/device");
    fs::create_dir_all(&video).expect("a folder is made");
    fs::write(video.join("modalias"), "usb:v2B03pF880d0102\n").expect("a file is written");
    let hid = folder.path().join("sys/devices/1-2/interface/hid");
    fs::create_dir_all(&hid).expect("a folder is made");
    let uevent = "HID_ID=0003:00002B03:0000F881\nHID_UNIQ=38486288\n";
    fs::write(hid.join("uevent"), uevent).expect("a file is written");
    let class = folder.path().join("sys/class/hidraw/hidraw0");
    fs::create_dir_all(&class).expect("a folder is made");
    symlink(hid, class.join("device")).expect("a link is made");
    let mut child = Command::new(env::current_exe().expect("a test knows its own program"));
    child.args([name, "--exact", "--nocapture"]);
    child
        .env("LD_PRELOAD", &shim)
        .env("ZED_SHIM", folder.path())
        .env("ZED_SHIM_SYSTEM", "1");
    let output = child.output().expect("the test runs again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("1 passed"),
        "{name} is no test's name\n{text}"
    );
    false
}

#[test]
fn a_usb_camera_shows_either_eye_without_the_sdk() {
    if !with_uvc_camera("a_usb_camera_shows_either_eye_without_the_sdk") {
        return;
    }
    let camera = "backend=uvc camera-resolution=vga camera-fps=100";
    for (stream_type, expected, luma) in [
        ("left", "I420 672x376 100", 50),
        ("right", "I420 672x376 100", 200),
        ("top-bottom", "I420 672x752 100", 50),
        ("side-by-side", "I420 1344x376 100", 50),
    ] {
        let (pipeline, sink) = start(&format!("{camera} stream-type={stream_type}"));
        let sample = sample(&pipeline, &sink);
        assert_eq!(caps(&sample), expected);
        let buffer = sample.buffer().expect("a buffer");
        let map = buffer.map_readable().expect("memory");
        assert_eq!(map[1], luma);
        assert!(gst::meta::CustomMeta::from_buffer(buffer, "GstEvrZedMeta").is_ok());
        drop(map);
        // Without its calibration the camera is shown as it is, and that is said.
        let bus = pipeline.bus().expect("a pipeline has a bus");
        let warning = bus
            .pop_filtered(&[gst::MessageType::Warning])
            .expect("it is told");
        let gst::MessageView::Warning(warning) = warning.view() else {
            unreachable!("only warnings were asked for");
        };
        let text = warning.error().to_string();
        assert!(
            text.contains("https://calib.stereolabs.com/?SN=38486288"),
            "{text}"
        );
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}

#[test]
fn a_usb_camera_is_rectified_by_its_calibration_where_that_is_found_by_number() {
    if !with_uvc_camera(
        "a_usb_camera_is_rectified_by_its_calibration_where_that_is_found_by_number",
    ) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the calibration");
    let eye = "fx=265\nfy=265\ncx=336\ncy=188\nk1=-0.17\nk2=0.02\np1=0\np2=0\nk3=0\n";
    let text = format!(
        "[LEFT_CAM_VGA]\n{eye}[RIGHT_CAM_VGA]\n{eye}[STEREO]\nBaseline=120\nTY=0\nTZ=0\nCV_VGA=0\nRX_VGA=0\nRZ_VGA=0\n"
    );
    fs::write(folder.path().join("SN38486288.conf"), text).expect("a file is written");
    let (pipeline, sink) = start(&format!(
        "backend=uvc camera-resolution=vga camera-fps=100 optional-settings-path={}",
        folder.path().display()
    ));
    assert_eq!(caps(&sample(&pipeline, &sink)), "I420 672x376 100");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    assert!(bus.pop_filtered(&[gst::MessageType::Warning]).is_none());
    pipeline.set_state(gst::State::Null).expect("it stops");
}

/// What the rig sees of a wall that stands 1.5 m before it, in YUYV.
fn wall() -> Vec<u8> {
    let [left, right] = rig::pictures(1500.0, 0.0);
    let rows = left.chunks(rig::WIDTH).zip(right.chunks(rig::WIDTH));
    let both = rows.flat_map(|(left, right)| [left, right].concat());
    both.flat_map(|luma| [luma, 128]).collect()
}

fn pts(sample: &gst::Sample) -> gst::ClockTime {
    let pts = sample.buffer().and_then(gst::BufferRef::pts);
    pts.expect("each picture has a time")
}

#[test]
fn depth_of_a_usb_camera_is_matched_from_the_newest_pictures_and_the_others_are_told_of() {
    let name =
        "depth_of_a_usb_camera_is_matched_from_the_newest_pictures_and_the_others_are_told_of";
    if !with_uvc_camera_that_sees(name, Some(wall)) {
        return;
    }
    let camera = "backend=uvc camera-resolution=vga camera-fps=100 depth-mode=quality depth-minimum-distance=700";
    let missing = refusal(&format!("{camera} stream-type=depth"));
    for word in ["depth is asked for", "SN38486288.conf"] {
        assert!(missing.contains(word), "{missing} lacks {word}");
    }
    let folder = tempfile::tempdir().expect("a folder for the calibration");
    let conf = folder.path().join("SN38486288.conf");
    fs::write(conf, rig::CALIBRATION).expect("a file is written");
    let camera = format!(
        "{camera} optional-settings-path={}",
        folder.path().display()
    );
    let middle = rig::HEIGHT / 2 * rig::WIDTH + rig::WIDTH / 2;
    for (stream_type, expected, bytes, at) in [
        ("depth", "GRAY16_LE 672x376 100", 2, middle),
        (
            "left-depth",
            "BGRA 672x752 100",
            4,
            rig::WIDTH * rig::HEIGHT + middle,
        ),
    ] {
        let (pipeline, sink) = start(&format!("{camera} stream-type={stream_type}"));
        let source = pipeline.by_name("zed").expect("the line names it");
        // The first was taken at the opening, and what came until the second nobody asked for.
        sample(&pipeline, &sink);
        let mut last = pts(&sample(&pipeline, &sink));
        let mut breaks = 0;
        for _ in 0..3 {
            let next = sample(&pipeline, &sink);
            assert_eq!(caps(&next), expected);
            let buffer = next.buffer().expect("a buffer");
            let map = buffer.map_readable().expect("memory");
            let mut depth = [0; 4];
            depth[..bytes].copy_from_slice(&map[at * bytes..][..bytes]);
            let depth = u32::from_le_bytes(depth);
            assert!(depth.abs_diff(1500) < 50, "{stream_type}: {depth} mm");
            if buffer.flags().contains(gst::BufferFlags::DISCONT) {
                breaks += 1;
                let gap = pts(&next).saturating_sub(last);
                assert!(gap > gst::ClockTime::from_mseconds(15), "{gap}");
            }
            last = pts(&next);
        }
        // At the whole size it takes longer than a hundredth of a second on any machine.
        let dropped: u64 = source.property("dropped");
        assert!(breaks > 0 && dropped >= breaks, "{dropped} in {breaks}");
        let mut latency = gst::query::Latency::new();
        assert!(source.query(&mut latency));
        let frame = gst::ClockTime::from_mseconds(10);
        assert!(latency.result().1 > frame, "{latency:?}");
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}
