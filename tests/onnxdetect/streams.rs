//! Frames as they come: sizes, caps, fields, pace.

use gst::prelude::*;
use gst_video::prelude::*;

use crate::{buffer, detector, frame, frames, harness, init, model, observed, pipeline, still};

#[test]
fn frames_of_any_size_are_inferred() {
    for format in ["I420", "NV12", "YUY2", "GRAY8", "RGB", "BGRx"] {
        for (width, height) in [(1, 1), (2, 1), (1, 3), (33, 17), (641, 7)] {
            let samples = frames(&format!(
                "videotestsrc num-buffers=2 ! \
                 video/x-raw,format={format},width={width},height={height} ! \
                 onnxdetect {} ! appsink name=out",
                model()
            ));
            assert_eq!(samples.len(), 2);
            assert!(samples.iter().all(|s| observed(buffer(s)).is_some()));
        }
    }
}

#[test]
fn caps_may_change_between_frames_to_any_size_and_back() {
    use gst_video::VideoFormat::{Gray8, I420, Nv12, Rgb, Yuy2};
    for mode in ["sync", "latest"] {
        let mut harness = harness(&format!("onnxdetect {} mode={mode}", model()));
        let sizes = [(64, 48), (31, 99), (1, 1), (640, 2), (641, 7), (64, 48)];
        for (seq, (size, format)) in sizes
            .iter()
            .zip([I420, Rgb, Nv12, Yuy2, Gray8, I420])
            .enumerate()
        {
            frame(&mut harness, format, *size);
            let buffer = harness.pull().expect("a frame");
            let observed = observed(&buffer).map(|(seq, _)| seq);
            if mode == "sync" {
                assert_eq!(observed, Some(seq as u64));
            }
        }
        // The last one is inferred, whatever was under way when the caps changed.
        let mut looked = mode == "sync";
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !looked {
            assert!(std::time::Instant::now() < deadline, "nothing is inferred");
            frame(&mut harness, I420, (64, 48));
            looked = observed(&harness.pull().expect("a frame")).is_some();
        }
    }
}

/// The corners and confidences that are found in a picture with these caps.
fn found(caps: gst::Caps, picture: &gst::Buffer) -> Vec<([f64; 4], f64)> {
    let mut harness = harness(&format!("onnxdetect {}", model()));
    harness.set_src_caps(caps);
    assert_eq!(harness.push(picture.copy()), Ok(gst::FlowSuccess::Ok));
    let (_, objects) = observed(&harness.pull().expect("a frame")).expect("inferred");
    objects
        .iter()
        .map(|object| (object.corners, object.confidence))
        .collect()
}

#[test]
fn interlaced_frames_are_inferred_as_a_whole() {
    let (caps, picture) = still();
    let progressive = found(caps.clone(), &picture);
    assert!(progressive.len() > 1);
    for mode in ["interleaved", "mixed"] {
        let mut caps = caps.copy();
        let fields = caps.make_mut();
        fields.set("interlace-mode", mode);
        fields.set("field-order", "top-field-first");
        let mut picture = picture.copy();
        let fields = picture.get_mut().expect("a copy has one owner");
        fields.set_video_flags(
            gst_video::VideoBufferFlags::INTERLACED | gst_video::VideoBufferFlags::TFF,
        );
        assert_eq!(found(caps, &picture), progressive, "{mode}");
    }
}

#[test]
fn a_frame_shared_with_another_branch_is_not_copied() {
    let line = format!(
        "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=64,height=48 ! tee name=t \
         t. ! queue ! appsink name=plain sync=false t. ! queue ! onnxdetect {} ! appsink name=out",
        model()
    );
    init();
    let pipeline = pipeline(&line);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let [plain, out] = ["plain", "out"].map(|name| {
        let sink = pipeline.by_name(name).expect("it has that name");
        sink.downcast::<gst_app::AppSink>().expect("an appsink")
    });
    for _ in 0..3 {
        let plain = plain.pull_sample().expect("a frame");
        let out = out.pull_sample().expect("a frame");
        assert!(observed(buffer(&plain)).is_none());
        assert!(observed(buffer(&out)).is_some());
        let memory = |sample| std::ptr::from_ref(buffer(sample).peek_memory(0));
        assert_eq!(memory(&plain), memory(&out));
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn a_rate_bounds_the_inferences_whatever_the_frames() {
    let samples = frames(&format!(
        "videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! \
         onnxdetect {} max-rate=5/1 ! appsink name=out",
        model()
    ));
    let inferred = samples.iter().enumerate();
    let inferred = inferred.filter(|(_, sample)| observed(buffer(sample)).is_some());
    let inferred: Vec<_> = inferred.map(|(i, _)| i).collect();
    assert_eq!(inferred, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]);
}

#[test]
fn a_stream_that_waits_for_nobody_still_says_what_was_found() {
    // Frames as fast as they are taken: what comes back is of a frame before.
    let mut harness = harness(&format!("onnxdetect {} mode=latest", model()));
    let (mut pushed, mut ages) = (0, Vec::new());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while ages.len() < 3 {
        assert!(std::time::Instant::now() < deadline, "nothing is inferred");
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 64, 48);
        let info = info.build().expect("a sound size");
        harness.set_src_caps(info.to_caps().expect("a sound format"));
        let mut buffer = gst::Buffer::with_size(info.size()).expect("memory");
        let time = gst::ClockTime::from_mseconds(pushed);
        buffer.get_mut().expect("one owner").set_pts(time);
        assert_eq!(harness.push(buffer), Ok(gst::FlowSuccess::Ok));
        let buffer = harness.pull().expect("no frame is held");
        assert_eq!(buffer.pts(), Some(time));
        if let Ok(meta) = gst::meta::CustomMeta::from_buffer(&buffer, "GstEvrObservationMeta") {
            ages.push(meta.structure().get::<u64>("age").expect("a number"));
        }
        pushed += 1;
    }
    assert!(
        ages.iter()
            .all(|age| (1_000_000..=pushed * 1_000_000).contains(age))
    );
    let element = detector(&harness);
    assert_eq!(element.property::<u64>("inferences"), 3);
}
