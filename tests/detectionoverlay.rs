//! `detectionoverlay` from outside: frames with regions go in, pictures come out.

mod common;

use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo, VideoRegionOfInterestMeta};

const SIZE: (u32, u32) = (160, 120);

/// A black picture, with these regions on it, after the element with these settings.
fn drawn(
    settings: &str,
    format: VideoFormat,
    regions: &[(u32, u32, u32, u32)],
) -> (VideoInfo, gst::Buffer) {
    common::init();
    let mut harness = gst_check::Harness::new_parse(&format!("detectionoverlay {settings}"));
    let info = VideoInfo::builder(format, SIZE.0, SIZE.1)
        .build()
        .expect("a sound size");
    harness.set_src_caps(info.to_caps().expect("a sound format"));
    let mut buffer = gst::Buffer::from_mut_slice(vec![0; info.size()]);
    for &region in regions {
        let buffer = buffer.get_mut().expect("one owner");
        let mut meta = VideoRegionOfInterestMeta::add(buffer, "person", region);
        let fields = gst::Structure::builder("detection");
        meta.add_param(fields.field("confidence", 0.9).field("label_id", 1).build());
    }
    assert_eq!(harness.push(buffer), Ok(gst::FlowSuccess::Ok));
    (info, harness.pull().expect("a frame"))
}

/// The first component of each pixel: red, or luma.
fn first(info: &VideoInfo, buffer: &gst::Buffer) -> Vec<Vec<u8>> {
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).expect("a sound frame");
    let step = info.comp_pstride(0) as usize;
    let stride = info.stride()[0] as usize;
    let data = frame.plane_data(0).expect("there");
    let row = |y: usize| (0..SIZE.0 as usize).map(move |x| data[y * stride + x * step]);
    (0..SIZE.1 as usize).map(|y| row(y).collect()).collect()
}

#[test]
fn a_box_is_drawn_along_its_region_in_every_format() {
    common::init();
    for format in ["I420", "NV12", "RGB", "BGR", "RGBA", "BGRA", "RGBx", "BGRx"] {
        let settings = "labels=false confidences=false line-width=2";
        let (info, buffer) = drawn(
            settings,
            VideoFormat::from_string(format),
            &[(40, 30, 60, 50)],
        );
        let picture = first(&info, &buffer);
        for (y, row) in picture.iter().enumerate() {
            for (x, value) in row.iter().enumerate() {
                let within = (40..100).contains(&x) && (30..80).contains(&y);
                let inner = (42..98).contains(&x) && (32..78).contains(&y);
                assert_eq!(*value != 0, within && !inner, "{format} {x} {y}");
            }
        }
    }
}

#[test]
fn a_label_stands_above_its_box_and_within_the_frame() {
    let (info, buffer) = drawn("", VideoFormat::Rgb, &[(40, 30, 60, 50)]);
    let picture = first(&info, &buffer);
    // White letters on the ground: 10 rows, "person 90%" of 6 pixels a letter.
    let white = |rows: std::ops::Range<usize>| {
        picture[rows]
            .iter()
            .flatten()
            .filter(|&&value| value == 255)
            .count()
    };
    assert!(white(20..30) > 60);
    assert_eq!(white(0..20) + white(30..120), 0);
    // At the upper right corner there is no room above or to the right.
    let (info, buffer) = drawn("", VideoFormat::Rgb, &[(150, 0, 10, 50)]);
    let picture = first(&info, &buffer);
    let row = &picture[1];
    assert!(row[..98].iter().all(|&value| value == 0) && row[110..].iter().any(|&value| value > 0));
}

#[test]
fn frames_of_any_size_and_boxes_at_any_edge_are_drawn_on() {
    common::init();
    for format in ["I420", "NV12", "RGB"] {
        for (width, height) in [(1, 1), (2, 3), (17, 1), (641, 33)] {
            let line = format!(
                "videotestsrc num-buffers=1 ! \
                 video/x-raw,format={format},width={width},height={height} ! \
                 detectionoverlay recording=true zones=[[0,0],[1,0],[1,1]] ! fakesink"
            );
            common::play(&common::launch(&line)).expect("nothing fails");
        }
    }
}

#[test]
fn zones_and_the_recording_mark_are_drawn_when_asked_for() {
    let white = |settings| {
        let (info, buffer) = drawn(settings, VideoFormat::Rgb, &[]);
        first(&info, &buffer)
    };
    assert!(white("").iter().flatten().all(|&value| value == 0));
    let zone = white("zones={\"door\":[[0.25,0.5],[0.75,0.5],[0.75,0.9]]}");
    assert!(zone[60][45..115].iter().all(|&value| value == 250));
    assert_eq!(zone[90][20], 0);
    let mark = white("recording=true");
    let (left, right): (Vec<_>, Vec<_>) = mark[..20].iter().map(|row| row.split_at(100)).unzip();
    assert!(left.concat().iter().all(|&value| value == 0));
    assert!(right.concat().contains(&230));
}

#[test]
fn zones_that_are_none_are_refused_by_name() {
    common::init();
    let pipeline = common::launch("videotestsrc ! detectionoverlay name=pen zones=door ! fakesink");
    let refusal = common::play(&pipeline).expect_err("zones are JSON");
    assert!(refusal.contains("pen: zones is door"), "{refusal}");
}

#[test]
fn the_mark_follows_the_gate() {
    common::init();
    // The gate lets through what it records, so every frame behind it is of a recording.
    let pipeline = common::launch(
        "appsrc name=in format=time ! signalgate name=gate activation-signal-offset=0 \
         activation-evaluation-window=0 ! detectionoverlay ! appsink name=out sync=false",
    );
    let source: gst_app::AppSrc = pipeline.by_name("in").and_downcast().expect("an appsrc");
    let info = VideoInfo::builder(VideoFormat::Rgb, SIZE.0, SIZE.1).fps((10, 1));
    let info = info.build().expect("a sound size");
    source.set_caps(Some(&info.to_caps().expect("a sound format")));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let gate = pipeline.by_name("gate").expect("named");
    let trigger = gate.emit_by_name::<Option<String>>("trigger", &[&r#"{"media_time":0}"#]);
    assert!(trigger.is_some());
    for n in 0..20 {
        let mut buffer = gst::Buffer::from_mut_slice(vec![0; info.size()]);
        let fields = buffer.get_mut().expect("one owner");
        fields.set_pts(gst::ClockTime::from_mseconds(100) * n);
        fields.set_duration(gst::ClockTime::from_mseconds(100));
        source.push_buffer(buffer).expect("it is taken");
    }
    source.end_of_stream().expect("it ends");
    let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    let frames: Vec<_> = std::iter::from_fn(|| out.pull_sample().ok()).collect();
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(frames.len(), 20);
    for sample in &frames {
        let map = sample
            .buffer()
            .expect("a frame")
            .map_readable()
            .expect("memory");
        assert!(map.as_slice().contains(&230));
    }
}

#[test]
fn the_mark_stays_while_more_becomes_known_of_a_recording() {
    common::init();
    let mut harness = gst_check::Harness::new("detectionoverlay");
    let info = VideoInfo::builder(VideoFormat::Rgb, SIZE.0, SIZE.1);
    let info = info.build().expect("a sound size");
    harness.set_src_caps(info.to_caps().expect("a sound format"));
    for (phase, marked) in [("open", true), ("update", true), ("close", false)] {
        let mut fields = gst::Structure::builder("evr-recording")
            .field("id", 1_u64)
            .field("phase", phase)
            .field("cause", "signal")
            .field("signals", "[]");
        for time in [
            "asked",
            "start",
            "sync-point",
            "end",
            "event-start",
            "event-end",
        ] {
            fields = fields.field(time, 0_i64);
        }
        let fields = fields.build();
        assert!(harness.push_event(gst::event::CustomDownstream::new(fields)));
        let buffer = gst::Buffer::from_mut_slice(vec![0; info.size()]);
        assert_eq!(harness.push(buffer), Ok(gst::FlowSuccess::Ok));
        let buffer = harness.pull().expect("a frame");
        let drawn = first(&info, &buffer).concat().contains(&230);
        assert_eq!(drawn, marked, "{phase}");
    }
}

#[test]
fn a_box_that_a_tracker_predicts_is_drawn_and_one_of_motion_is_not() {
    common::init();
    for (name, field, expected) in [("detection", "predicted", true), ("motion", "area", false)] {
        let mut harness = gst_check::Harness::new_parse("detectionoverlay labels=false");
        let info = VideoInfo::builder(VideoFormat::Rgb, SIZE.0, SIZE.1);
        let info = info.build().expect("a sound size");
        harness.set_src_caps(info.to_caps().expect("a sound format"));
        let mut buffer = gst::Buffer::from_mut_slice(vec![0; info.size()]);
        let kind = if expected { "person" } else { "motion" };
        let fields = buffer.get_mut().expect("one owner");
        let mut region = VideoRegionOfInterestMeta::add(fields, kind, (40, 30, 60, 50));
        region.add_param(gst::Structure::builder(name).field(field, true).build());
        assert_eq!(harness.push(buffer), Ok(gst::FlowSuccess::Ok));
        let buffer = harness.pull().expect("a frame");
        let drawn = first(&info, &buffer)
            .iter()
            .flatten()
            .any(|&value| value != 0);
        assert_eq!(drawn, expected, "{name}");
    }
}

#[test]
fn what_is_drawn_is_not_seen_on_another_branch() {
    common::init();
    let pipeline = common::launch(
        "videotestsrc pattern=black num-buffers=2 ! video/x-raw,format=RGB,width=160,height=120 ! \
         tee name=t t. ! queue ! appsink name=plain sync=false \
         t. ! queue ! detectionoverlay recording=true ! appsink name=out sync=false",
    );
    pipeline.set_state(gst::State::Playing).expect("it starts");
    // Looked at only once it is drawn.
    let samples = ["plain", "out"].map(|name| {
        let sink: gst_app::AppSink = pipeline.by_name(name).and_downcast().expect("an appsink");
        sink.pull_sample().expect("a frame")
    });
    let [plain, out] = samples.map(|sample| {
        let map = sample.buffer().expect("a frame").map_readable();
        map.expect("memory").iter().any(|&value| value != 0)
    });
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(out && !plain);
}
