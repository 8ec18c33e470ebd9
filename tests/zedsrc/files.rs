//! Recordings in which both eyes stand side by side or one above the other: cut, bent, timed, sought.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::common::{PATIENCE, launch, play};
use crate::rig::{self, HEIGHT, WIDTH};
use crate::run::{
    EYES, Folder, assert_shown, bent, caps, frames, line, pts, raw, refusal, rest, sample, start,
};

#[test]
fn each_eye_is_cut_out_and_laid_where_it_was_asked_for() {
    let (beside, above) = (Folder::new(), Folder::new());
    let mut eyes = EYES.clone();
    eyes[0][0] = 0;
    let (both_beside, both_above) = (rig::beside(&eyes), eyes.concat());
    let [left, right] = eyes;
    let inputs = [
        raw(&beside, 1, false),
        raw(&above, 1, true) + " file-layout=top-bottom",
    ];
    for input in inputs {
        let shows = |show: &str, expected: &[u8], (width, height): (usize, usize)| {
            let (lumas, samples) = frames(&format!("{input} stream-type={show}"));
            let expected_caps = format!("I420 {width}x{height} 100");
            assert_eq!(caps(&samples[0]), expected_caps, "{show}");
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
    let folder = Folder::new();
    let (recording, calibration) = (raw(&folder, 1, false), folder.calibration());
    let (lumas, _) = frames(&format!("{recording} {calibration} stream-type=2"));
    assert_shown(&lumas[0], &bent().concat());
    assert!(lumas[0][..WIDTH * HEIGHT] != EYES[0], "nothing was bent");
}

#[test]
fn colour_is_bent_with_the_light() {
    let folder = Folder::new();
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
    let (recording, calibration) = (folder.location("halves.yuyv", &frame), folder.calibration());
    let (_, samples) = frames(&format!(
        "{recording} camera-resolution=vga camera-fps=100 {calibration} stream-type=right"
    ));
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
    let folder = Folder::new();
    let (lumas, samples) = frames(&raw(&folder, 7, false));
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
    let folder = Folder::new();
    let (_, samples) = frames(&(raw(&folder, 5, false) + " num-buffers=2"));
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
    let folder = Folder::new();
    let path = encoded(folder.path());
    let location = format!("location={}", path.display());
    let (lumas, _) = frames(&location);
    assert_eq!(lumas.len(), 40);

    let (pipeline, sink) = line(&location);
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
    let samples = rest(&pipeline, &sink);
    assert_eq!((pts(&samples[0]), samples.len()), (to.nseconds(), 13));
    let map = samples[0].buffer().expect("a buffer").map_readable();
    let luma = map.expect("it can be read")[1000];
    assert!(luma.abs_diff(40 + 27 * 4) < 6, "{luma} is another frame");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn in_real_time_it_is_a_live_source_that_keeps_the_pace() {
    let folder = Folder::new();
    let recording = raw(&folder, 20, false);
    let (pipeline, sink) = line(&format!("{recording} svo-real-time-mode=true"));
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
    let samples = rest(&pipeline, &sink);
    let took = begun.elapsed();
    // The last of twenty frames is 190 ms behind the first.
    assert!(took >= Duration::from_millis(190), "{took:?}");
    let dropped: u64 = source.property("dropped");
    assert_eq!(samples.len() as u64 + dropped, 20);
    assert!(!samples.is_empty(), "every picture came too late");
    let times: Vec<_> = samples.iter().map(pts).collect();
    let steps = times.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000);
    assert!(steps.clone().all(|step| step > 0 && step % 10 == 0));
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn waiting_for_the_next_frame_ends_when_the_element_is_stopped() {
    let folder = Folder::new();
    let path = folder.path().join("slow.mkv");
    let recorded = launch(&format!(
        "videotestsrc num-buffers=2 ! video/x-raw,width=128,height=48,framerate=1/1000 ! jpegenc \
         ! matroskamux ! filesink location={}",
        path.display()
    ));
    play(&recorded).expect("the recording is written");
    let location = format!("location={}", path.display());
    let (pipeline, sink) = start(&format!("{location} svo-real-time-mode=true"));
    // The first comes at once, the second a quarter of an hour later.
    sample(&pipeline, &sink);
    let second = sink.try_pull_sample(gst::ClockTime::from_mseconds(50));
    assert!(second.is_none() && !sink.is_eos());
    let begun = Instant::now();
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(
        begun.elapsed() < Duration::from(PATIENCE),
        "it waited for the frame"
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_a_sentence_that_names_it() {
    let folder = Folder::new();
    let recording = raw(&folder, 1, false);
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
        &folder.location("a.svo2", b""),
        &["a.svo2: it is no SVO2 file", "begins with nothing"],
    );
    says(
        &folder.location("b.yuyv", b""),
        &["b.yuyv", "camera-resolution"],
    );
    says(
        &(folder.location("c.yuyv", b"") + " camera-resolution=vga"),
        &["c.yuyv"],
    );
    says(
        &folder.location("d.mp4", b"no video at all, only some words"),
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
    let empty = folder.put("SN2.conf", b"[STEREO]\nBaseline=120\n");
    says(
        &format!("{recording} calibration-file={}", empty.display()),
        &["recording.yuyv", "[LEFT_CAM_VGA]", "SN<serial>.conf"],
    );
}
