//! `zedsrc` from outside: recordings of a stereo camera that was never built go in.

mod common;
#[path = "../plugins/zed/tests/rig/mod.rs"]
#[allow(dead_code, reason = "the rig's own tests use the rest")]
mod rig;

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Duration, Instant},
};

use common::{PATIENCE, init, launch, play};
use evr_zed::{calibration::Calibration, rectify::Rectified, remap::Plane};
use gst::prelude::*;
use rig::{HEIGHT, WIDTH};

/// Both eyes before a wall 1.5 m away.
static EYES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| rig::pictures(1500.0, 0.0));

/// A file of `frames` raw frames, side by side or one above the other, that differ by their
/// first pixel alone.
fn raw(folder: &Path, frames: u8, above: bool) -> PathBuf {
    let [left, right] = &*EYES;
    let (mut left, right) = (left.clone(), right);
    let mut bytes = Vec::new();
    for n in 0..frames {
        left[0] = n;
        let luma: Vec<u8> = if above {
            [left.as_slice(), right].concat()
        } else {
            let rows = left.chunks(WIDTH).zip(right.chunks(WIDTH));
            rows.flat_map(|(left, right)| [left, right].concat())
                .collect()
        };
        bytes.extend(luma.into_iter().flat_map(|y| [y, 128]));
    }
    let path = folder.join("recording.yuyv");
    std::fs::write(&path, bytes).expect("the folder can be written");
    path
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room for a test's files")
}

/// Plays `properties` to its end; every frame's luma without padding, and the frames.
fn frames(properties: &str) -> (Vec<Vec<u8>>, Vec<gst::Sample>) {
    let line = format!("zedsrc name=zed {properties} ! appsink name=out sync=false");
    let pipeline = launch(&line);
    let sink = pipeline.by_name("out").expect("the line names it");
    let sink: gst_app::AppSink = sink.downcast().expect("an appsink");
    let started = pipeline.set_state(gst::State::Playing);
    assert!(started.is_ok(), "{:?}", common::first_error(&pipeline));
    let samples: Vec<_> = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE)).collect();
    assert!(sink.is_eos(), "{:?}", common::first_error(&pipeline));
    pipeline.set_state(gst::State::Null).expect("it stops");
    let lumas = samples.iter().map(|sample| {
        let buffer = sample.buffer().expect("a sample has a buffer");
        let caps = sample.caps().expect("a sample has caps");
        let info = gst_video::VideoInfo::from_caps(caps).expect("raw video");
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info);
        let frame = frame.expect("a frame can be read");
        let stride = gst_video::VideoFrameExt::plane_stride(&frame)[0] as usize;
        let rows = frame
            .plane_data(0)
            .expect("a frame has luma")
            .chunks(stride);
        rows.take(info.height() as usize)
            .flat_map(|row| row[..info.width() as usize].to_vec())
            .collect()
    });
    (lumas.collect(), samples)
}

fn size(sample: &gst::Sample) -> (i32, i32) {
    let caps = sample.caps().expect("a sample has caps");
    let caps = caps.structure(0).expect("fixed caps");
    (
        caps.get("width").expect("video has one"),
        caps.get("height").expect("video has one"),
    )
}

fn vga(path: &Path, more: &str) -> String {
    let path = path.display();
    format!("location={path} camera-resolution=vga camera-fps=100 {more}")
}

#[test]
fn each_eye_is_cut_out_and_laid_where_it_was_asked_for() {
    let (beside, above) = (folder(), folder());
    let [mut left, right] = EYES.clone();
    left[0] = 0;
    let rows = left.chunks(WIDTH).zip(right.chunks(WIDTH));
    let both_beside: Vec<u8> = rows.flat_map(|(l, r)| [l, r].concat()).collect();
    let both_above = [left.as_slice(), &right].concat();
    let inputs = [
        vga(&raw(beside.path(), 1, false), ""),
        vga(&raw(above.path(), 1, true), "file-layout=top-bottom"),
    ];
    for input in inputs {
        let shows = |show: &str, expected: &[u8], (width, height): (usize, usize)| {
            let (lumas, samples) = frames(&format!("{input} stream-type={show}"));
            assert_eq!(size(&samples[0]), (width as i32, height as i32), "{show}");
            assert!(lumas[0] == expected, "{input} {show}");
        };
        shows("left", &left, (WIDTH, HEIGHT));
        shows("1", &right, (WIDTH, HEIGHT));
        shows("2", &both_above, (WIDTH, 2 * HEIGHT));
        shows("5", &both_beside, (2 * WIDTH, HEIGHT));
    }
}

#[test]
fn with_a_calibration_the_pictures_are_rectified() {
    let folder = folder();
    let file = folder.path().join("SN1.conf");
    std::fs::write(&file, rig::CALIBRATION).expect("the folder can be written");
    let recording = raw(folder.path(), 1, false);
    let more = format!("calibration-file={} stream-type=2", file.display());
    let (lumas, _) = frames(&vga(&recording, &more));
    let calibration = Calibration::parse(rig::CALIBRATION);
    let rig = calibration.rig(WIDTH as u32, HEIGHT as u32).expect("whole");
    let maps = Rectified::new(&rig).expect("sound").maps(1);
    let mut expected = vec![0; 2 * WIDTH * HEIGHT];
    for (n, (eye, map)) in EYES.iter().zip(&maps).enumerate() {
        let plane = Plane {
            bytes: eye,
            stride: WIDTH,
            offset: 0,
        };
        map.apply::<1>(plane, &mut expected[n * WIDTH * HEIGHT..], WIDTH, 0);
    }
    // The first pixel of the left eye was changed to number the frame.
    let differ = lumas[0]
        .iter()
        .zip(&expected)
        .filter(|(a, b)| a != b)
        .count();
    assert!(differ < 4, "{differ} pixels differ");
    assert!(lumas[0][..WIDTH * HEIGHT] != EYES[0], "nothing was bent");
}

#[test]
fn colour_is_bent_with_the_light() {
    let folder = folder();
    let file = folder.path().join("SN1.conf");
    std::fs::write(&file, rig::CALIBRATION).expect("the folder can be written");
    // Left of the middle of each eye dark and blue, right of it bright and red.
    let mut frame = Vec::new();
    for _ in 0..HEIGHT {
        for x in 0..2 * WIDTH {
            let bright = x % WIDTH >= WIDTH / 2;
            let (y, chroma) = if bright {
                (220, [80, 200])
            } else {
                (40, [200, 80])
            };
            frame.extend([y, chroma[x % 2]]);
        }
    }
    let recording = folder.path().join("halves.yuyv");
    std::fs::write(&recording, frame).expect("the folder can be written");
    let more = format!("calibration-file={} stream-type=right", file.display());
    let (_, samples) = frames(&vga(&recording, &more));
    let buffer = samples[0].buffer().expect("a sample has a buffer");
    let info = gst_video::VideoInfo::from_caps(samples[0].caps().expect("caps"));
    let info = info.expect("raw video");
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info);
    let frame = frame.expect("a frame can be read");
    // Where light and colour turn, in each row, in pixels.
    let strides = gst_video::VideoFrameExt::plane_stride(&frame);
    let turn = |plane: u32, row: usize, over: fn(u8) -> bool| {
        let stride = strides[plane as usize] as usize;
        let bytes = &frame.plane_data(plane).expect("I420 has three planes")[row * stride..];
        bytes[..stride]
            .iter()
            .position(|byte| over(*byte))
            .expect("it turns")
    };
    for row in (0..HEIGHT / 2).step_by(7) {
        let light = turn(0, row * 2, |y| y > 130) as f64;
        let blue = turn(1, row, |u| u < 140) as f64 * 2.0;
        let red = turn(2, row, |v| v > 140) as f64 * 2.0;
        assert!((light - blue).abs() <= 2.0, "row {row}: {light} {blue}");
        assert!((light - red).abs() <= 2.0, "row {row}: {light} {red}");
    }
}

#[test]
fn frames_have_their_times_in_the_file_and_their_durations_and_an_end() {
    let folder = folder();
    let (lumas, samples) = frames(&vga(&raw(folder.path(), 7, false), ""));
    for (n, (luma, sample)) in lumas.iter().zip(&samples).enumerate() {
        let buffer = sample.buffer().expect("a sample has a buffer");
        assert_eq!(usize::from(luma[0]), n);
        assert_eq!(
            buffer.pts(),
            Some(gst::ClockTime::from_mseconds(10) * n as u64)
        );
        assert_eq!(buffer.duration(), Some(gst::ClockTime::from_mseconds(10)));
        let first = buffer.flags().contains(gst::BufferFlags::DISCONT);
        assert_eq!(first, n == 0);
    }
    assert_eq!(lumas.len(), 7);
}

#[test]
fn the_stream_ends_after_as_many_pictures_as_were_asked_for() {
    let folder = folder();
    let recording = raw(folder.path(), 5, false);
    let (_, samples) = frames(&vga(&recording, "num-buffers=2"));
    assert_eq!(samples.len(), 2);
}

/// H.264 in MP4 whose frames, 20 in a second, grow brighter one by one.
fn encoded(folder: &Path) -> PathBuf {
    let path = folder.join("recording.mp4");
    let line = format!(
        "appsrc name=in format=time caps=video/x-raw,format=GRAY8,width=128,height=48,framerate=20/1 ! videoconvert ! x264enc key-int-max=10 speed-preset=ultrafast ! h264parse ! mp4mux ! filesink location={}",
        path.display()
    );
    let pipeline = launch(&line);
    let source = pipeline.by_name("in").expect("the line names it");
    let source: gst_app::AppSrc = source.downcast().expect("an appsrc");
    for n in 0..40u8 {
        let mut buffer = gst::Buffer::from_mut_slice(vec![40 + n * 4; 128 * 48]);
        let fields = buffer.get_mut().expect("a new buffer has one owner");
        fields.set_pts(gst::ClockTime::from_mseconds(50) * u64::from(n));
        fields.set_duration(gst::ClockTime::from_mseconds(50));
        source.push_buffer(buffer).expect("it takes buffers");
    }
    source.end_of_stream().expect("it takes the end");
    play(&pipeline).expect("the recording is written");
    path
}

#[test]
fn encoded_video_is_decoded_and_can_be_sought() {
    let folder = folder();
    let path = encoded(folder.path());
    let location = format!("location={}", path.display());
    let (lumas, _) = frames(&location);
    assert_eq!(lumas.len(), 40);

    let pipeline = launch(&format!("zedsrc {location} ! appsink name=out sync=false"));
    let sink = pipeline.by_name("out").expect("the line names it");
    let sink: gst_app::AppSink = sink.downcast().expect("an appsink");
    pipeline.set_state(gst::State::Paused).expect("it starts");
    let (state, ..) = pipeline.state(PATIENCE);
    state.expect("it prerolls: it is no live source");
    let length = pipeline.query_duration::<gst::ClockTime>();
    assert_eq!(length, Some(gst::ClockTime::from_seconds(2)));
    // Between two keyframes.
    let to = gst::ClockTime::from_mseconds(1350);
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    pipeline
        .seek_simple(flags, to)
        .expect("a file can be sought");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let samples: Vec<_> = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE)).collect();
    let first = samples[0].buffer().and_then(gst::BufferRef::pts);
    assert_eq!((first, samples.len()), (Some(to), 13));
    let map = samples[0].buffer().expect("a buffer").map_readable();
    let luma = map.expect("it can be read")[1000];
    assert!(luma.abs_diff(40 + 27 * 4) < 6, "{luma} is another frame");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn in_real_time_it_is_a_live_source_that_keeps_the_pace() {
    let folder = folder();
    let recording = raw(folder.path(), 20, false);
    let line = format!(
        "zedsrc name=zed {} ! appsink name=out sync=false",
        vga(&recording, "svo-real-time-mode=true")
    );
    let pipeline = launch(&line);
    let sink = pipeline.by_name("out").expect("the line names it");
    let sink: gst_app::AppSink = sink.downcast().expect("an appsink");
    let paused = pipeline.set_state(gst::State::Paused);
    assert_eq!(paused, Ok(gst::StateChangeSuccess::NoPreroll));
    let begun = Instant::now();
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let mut query = gst::query::Latency::new();
    let source = pipeline.by_name("zed").expect("the line names it");
    assert!(source.query(&mut query), "the latency is known at once");
    let (live, min, _) = query.result();
    assert!(live);
    // What it takes to make a picture comes on top.
    assert!(min > gst::ClockTime::from_mseconds(10), "{min}");
    let samples: Vec<_> = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE)).collect();
    let took = begun.elapsed();
    // The last of twenty frames is 190 ms behind the first.
    assert!(took >= Duration::from_millis(190), "{took:?}");
    let dropped: u64 = source.property("dropped");
    assert_eq!(samples.len() as u64 + dropped, 20);
    let times: Vec<_> = samples
        .iter()
        .filter_map(|sample| sample.buffer()?.pts())
        .collect();
    let steps = times.windows(2).map(|pair| (pair[1] - pair[0]).mseconds());
    assert!(steps.clone().all(|step| step > 0 && step % 10 == 0));
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn waiting_for_the_next_frame_ends_when_the_element_is_stopped() {
    let folder = folder();
    let recording = raw(folder.path(), 3, false);
    let line = format!(
        "zedsrc location={} camera-resolution=vga camera-fps=1 svo-real-time-mode=true ! appsink name=out sync=false",
        recording.display()
    );
    let pipeline = launch(&line);
    let sink = pipeline.by_name("out").expect("the line names it");
    let sink: gst_app::AppSink = sink.downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    sink.try_pull_sample(PATIENCE)
        .expect("the first frame comes at once");
    let begun = Instant::now();
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(
        begun.elapsed() < Duration::from_millis(900),
        "it waited for the frame"
    );
}

/// What the start of `properties` says.
fn refusal(properties: &str) -> String {
    init();
    let line = format!("zedsrc name=zed {properties} ! fakesink");
    play(&launch(&line)).expect_err("it must not play")
}

#[test]
fn what_cannot_be_read_is_refused_with_a_sentence_that_names_it() {
    let folder = folder();
    let in_folder = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the folder can be written");
        path.display().to_string()
    };
    let recording = vga(&raw(folder.path(), 1, false), "");
    let says = |properties: &str, words: &[&str]| {
        let said = refusal(properties);
        for word in words {
            assert!(said.contains(word), "{properties}: {said} lacks {word}");
        }
    };
    says("backend=file", &["zed: location is not set"]);
    // Nothing is named, and neither camera nor SDK is here.
    says("", &["zed: ", "/sys", "libsl_zed_c.so", "sdk-library"]);
    says(
        "location=/nowhere/x.mp4",
        &["zed: location=/nowhere/x.mp4 cannot be opened"],
    );
    says(
        &format!("location={}", in_folder("a.svo2", b"")),
        &["a.svo2: it is no SVO2 file", "begins with nothing"],
    );
    says(
        &format!("location={}", in_folder("b.yuyv", b"")),
        &["b.yuyv", "camera-resolution"],
    );
    says(
        &format!(
            "location={} camera-resolution=vga",
            in_folder("c.yuyv", b"")
        ),
        &["c.yuyv"],
    );
    says(
        &format!(
            "location={}",
            in_folder("d.mp4", b"no video at all, only some words")
        ),
        &["d.mp4 cannot be played"],
    );
    says(
        &format!("{recording} calibration-file=/nowhere/SN1.conf"),
        &["calibration-file=/nowhere/SN1.conf cannot be read"],
    );
    for asked in [
        "od-enabled=true",
        "bt-enabled=true",
        "enable-positional-tracking=true",
        "svo-recording-enable=true",
        "stream-type=right depth-mode=neural",
    ] {
        let name = asked.rsplit(' ').next().unwrap_or(asked);
        let name = name.split('=').next().unwrap_or(name);
        says(
            &format!("{recording} {asked}"),
            &[
                "zed: ",
                name,
                "needs the SDK",
                "recording.yuyv",
                "leave it out",
            ],
        );
    }
    says(
        &format!("{recording} camera-sn=4294967296"),
        &["camera-sn=4294967296 is no serial number"],
    );
    let empty = in_folder("SN2.conf", b"[STEREO]\nBaseline=120\n");
    says(
        &format!("{recording} calibration-file={empty}"),
        &["recording.yuyv", "[LEFT_CAM_VGA]", "SN<serial>.conf"],
    );
}

/// Where the rig's wall, 1.5 m before the raw eye, stands in the middle of the rectified picture.
fn wall_depth() -> f64 {
    let calibration = Calibration::parse(rig::CALIBRATION);
    let rig = calibration.rig(WIDTH as u32, HEIGHT as u32).expect("whole");
    let rectified = Rectified::new(&rig).expect("sound");
    let (u, v) = (WIDTH as f64 / 2.0, HEIGHT as f64 / 2.0);
    let (x, y) = rectified.left(u, v);
    let [x, y] = rig::LEFT.looks([x, y]);
    let across = (u - rectified.cx) / rectified.focal;
    let down = (v - rectified.cy) / rectified.focal;
    1500.0 * (x * x + y * y + 1.0).sqrt() / (across * across + down * down + 1.0).sqrt()
}

/// The bytes of the only frame's first plane, and its caps.
fn shown(properties: &str) -> (Vec<u8>, gst::Caps) {
    let (_, samples) = frames(properties);
    let [sample] = &samples[..] else {
        panic!("{} frames", samples.len());
    };
    let buffer = sample.buffer().expect("a sample has a buffer");
    let bytes = buffer.map_readable().expect("a frame can be read");
    let caps = sample.caps().expect("a sample has caps");
    (bytes.to_vec(), caps.to_owned())
}

#[test]
fn depth_of_a_recording_is_matched_by_its_calibration() {
    let folder = folder();
    let file = folder.path().join("SN1.conf");
    std::fs::write(&file, rig::CALIBRATION).expect("the folder can be written");
    let recording = raw(folder.path(), 1, false);
    let more = format!(
        "calibration-file={} depth-minimum-distance=700",
        file.display()
    );
    let line = vga(&recording, &more);
    let (middle, truth) = (HEIGHT / 2 * WIDTH + WIDTH / 2, wall_depth());
    for (mode, limit) in [("none", 0.02), ("quality", 0.01)] {
        let (bytes, caps) = shown(&format!("{line} stream-type=depth depth-mode={mode}"));
        let caps = caps.to_string();
        assert!(
            caps.contains("GRAY16_LE") && caps.contains("width=(int)672"),
            "{caps}"
        );
        let depths: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
            .collect();
        assert_eq!(depths.len(), WIDTH * HEIGHT);
        let off = (f64::from(depths[middle]) / truth - 1.0).abs();
        assert!(
            off < limit,
            "{mode}: {} mm instead of {truth}",
            depths[middle]
        );
        let known = depths.iter().filter(|depth| **depth > 0).count();
        assert!(known * 10 > depths.len() * 9, "{mode}: {known} pixels");
    }

    let (bytes, caps) = shown(&format!("{line} stream-type=left-depth"));
    let caps = caps.to_string();
    assert!(
        caps.contains("BGRA") && caps.contains("height=(int)752"),
        "{caps}"
    );
    let at = (HEIGHT * WIDTH + middle) * 4;
    let depth = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    assert!((f64::from(depth) / truth - 1.0).abs() < 0.02, "{depth} mm");
    // The left eye above it, as it is shown alone.
    let (left, _) = shown(&format!("{line} stream-type=left"));
    let apart = (0..WIDTH * HEIGHT).filter(|at| bytes[at * 4 + 1].abs_diff(left[*at]) > 40);
    assert!(
        apart.count() * 100 < WIDTH * HEIGHT,
        "another picture stands above"
    );
}

#[test]
fn the_left_eye_carries_its_map_of_depth_where_a_mode_asks_for_it() {
    let folder = folder();
    let file = folder.path().join("SN1.conf");
    std::fs::write(&file, rig::CALIBRATION).expect("the folder can be written");
    let recording = raw(folder.path(), 2, false);
    let more = format!(
        "calibration-file={} depth-minimum-distance=700 depth-mode=performance",
        file.display()
    );
    let line = vga(&recording, &more);
    let (plain, without) = frames(&vga(
        &recording,
        &format!("calibration-file={}", file.display()),
    ));
    let (lumas, samples) = frames(&line);
    assert_eq!(
        lumas, plain,
        "the picture is the same with depth and without"
    );
    let (_, depths) = frames(&format!("{line} stream-type=depth"));
    let name = "GstEvrDepthMeta";
    for (sample, depth) in samples.iter().zip(&depths) {
        let buffer = sample.buffer().expect("a sample has a buffer");
        let meta = gst::meta::CustomMeta::from_buffer(buffer, name).expect("its map");
        let fields = meta.structure();
        let map: gst::Buffer = fields.get("depth").expect("a map");
        let shown = depth.buffer().expect("a sample has a buffer");
        assert_eq!(
            map.map_readable().expect("it can be read").as_slice(),
            shown.map_readable().expect("it can be read").as_slice(),
            "it is the depth that stream-type=depth shows"
        );
        assert_eq!(fields.get("width"), Ok(WIDTH as u32));
        assert_eq!(fields.get("height"), Ok(HEIGHT as u32));
        let focal: f64 = fields.get("focal-x").expect("a focal length");
        let rectified = Calibration::parse(rig::CALIBRATION);
        let rectified = rectified.rig(WIDTH as u32, HEIGHT as u32).expect("whole");
        let rectified = Rectified::new(&rectified).expect("sound");
        assert!((focal * WIDTH as f64 - rectified.focal).abs() < 1e-9);
    }
    for sample in &without {
        let buffer = sample.buffer().expect("a sample has a buffer");
        assert!(gst::meta::CustomMeta::from_buffer(buffer, name).is_err());
    }
}

#[test]
fn depth_that_cannot_be_matched_is_refused_with_the_cure() {
    let folder = folder();
    let recording = raw(folder.path(), 1, false);
    let cases = [
        ("stream-type=depth", "needs calibration-file"),
        (
            "stream-type=left depth-mode=performance",
            "needs calibration-file",
        ),
        (
            "stream-type=left depth-mode=neural",
            "depth-mode=performance or quality",
        ),
        (
            "stream-type=depth depth-mode=neural",
            "depth-mode=performance or quality",
        ),
    ];
    for (more, cure) in cases {
        let told = refusal(&vga(&recording, more));
        assert!(told.contains(cure), "{more}: {told}");
    }
}

#[test]
fn depth_in_real_time_tells_how_long_it_takes_and_leaves_out_what_comes_too_late() {
    let folder = folder();
    let file = folder.path().join("SN1.conf");
    std::fs::write(&file, rig::CALIBRATION).expect("the folder can be written");
    let more = format!(
        "calibration-file={} stream-type=depth depth-mode=quality svo-real-time-mode=true",
        file.display()
    );
    let recording = raw(folder.path(), 20, false);
    let line = vga(&recording, &more);
    let pipeline = launch(&format!(
        "zedsrc name=zed {line} ! appsink name=out sync=false"
    ));
    let sink = pipeline.by_name("out").expect("the line names it");
    let sink: gst_app::AppSink = sink.downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let source = pipeline.by_name("zed").expect("the line names it");
    let mut query = gst::query::Latency::new();
    assert!(source.query(&mut query));
    let (_, min, _) = query.result();
    // No machine matches so many pixels in a frame's time.
    assert!(min > gst::ClockTime::from_mseconds(20), "{min}");
    let samples = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE)).count() as u64;
    let dropped: u64 = source.property("dropped");
    assert!(dropped > 0 && samples > 0, "{dropped} and {samples}");
    assert_eq!(samples + dropped, 20);
    pipeline.set_state(gst::State::Null).expect("it stops");
}
