//! onnxdetect with a real model, a real runtime and real video, which `cargo xtask test` fetches.

#![cfg(feature = "onnx")]

mod common;

use std::path::Path;
use std::process::Command;

use common::init;
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

/// Set in the processes in which a test starts itself again.
const CHILD: &str = "EVR_TEST_CHILD";

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

#[test]
fn people_are_found_exactly_while_they_are_there() {
    let samples = frames(&format!(
        "{} ! onnxdetect {} inference-interval=2 ! appsink name=out",
        clip(),
        model()
    ));
    assert_eq!(samples.len(), 300);
    for (i, sample) in samples.iter().enumerate() {
        let Some((seq, objects)) = observed(buffer(sample)) else {
            assert_eq!(i % 2, 1, "frame {i} was not inferred");
            continue;
        };
        assert_eq!((seq as usize) * 2, i, "every second frame is inferred");
        let present = (60..120).contains(&i) || (200..240).contains(&i);
        let people: Vec<_> = objects.iter().filter(|o| o.label == "person").collect();
        assert_eq!(!people.is_empty(), present, "frame {i}");
        assert!(objects.is_sorted_by(|a, b| a.confidence >= b.confidence));
        for person in people {
            let [l, t, r, b] = person.corners;
            assert!((0.5..0.97).contains(&person.confidence));
            // Pedestrians seen from a first floor, in part at the frame's edges.
            let (w, h) = (r - l, b - t);
            assert!(
                (0.01..0.2).contains(&w) && (0.05..0.5).contains(&h),
                "{i}: {w} {h}"
            );
        }
    }
}

#[test]
fn every_format_shows_the_same_people() {
    let found = |format: &str| -> Vec<_> {
        let line = format!(
            "{} ! videoconvert ! video/x-raw,format={format} ! onnxdetect {} \
             inference-interval=35 confidence-threshold=0.6 ! appsink name=out",
            clip(),
            model()
        );
        let samples = frames(&line);
        samples.iter().filter_map(|s| observed(buffer(s))).collect()
    };
    let i420 = found("I420");
    assert!(i420.iter().any(|(_, objects)| objects.len() > 1));
    for other in ["NV12", "YV12", "YUY2", "BGRx"].map(found) {
        for ((_, one), (_, other)) in i420.iter().zip(&other) {
            // An object near the threshold may be on either side of it.
            for person in one.iter().filter(|object| object.confidence > 0.65) {
                let same = other.iter().any(|candidate| {
                    let far = std::iter::zip(person.corners, candidate.corners)
                        .any(|(a, b)| (a - b).abs() > 0.02);
                    !far && (person.confidence - candidate.confidence).abs() < 0.05
                });
                assert!(same, "{} {:?}", person.confidence, person.corners);
            }
        }
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

/// One object of `tests/reference/frames.py`.
#[derive(serde::Deserialize)]
struct Expected {
    class: i32,
    confidence: f64,
    corners: [f64; 4],
}

#[derive(serde::Deserialize)]
struct Golden {
    frame: usize,
    objects: Vec<Expected>,
}

fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let along = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let both = along(0) * along(1);
    let area = |c: [f64; 4]| (c[2] - c[0]) * (c[3] - c[1]);
    both / (area(a) + area(b) - both)
}

/// Compares what the element says of ten frames with what the reference in Python says.
fn agrees_with_the_reference(model_file: &str, golden: &str, first_id: i32) {
    let golden: Vec<Golden> = serde_json::from_str(golden).expect("a golden");
    let decoded = frames(&format!("{} ! appsink name=out", clip()));
    let caps = decoded[0].caps().expect("a sample has caps").to_owned();
    let mut harness = harness(&format!(
        "onnxdetect model-file={model_file} confidence-threshold=0.4"
    ));
    harness.set_src_caps(caps);
    let (mut least_iou, mut most_apart, mut compared) = (1.0_f64, 0.0_f64, 0);
    for golden in golden {
        let frame = decoded[golden.frame].buffer_owned().expect("a frame");
        assert_eq!(harness.push(frame), Ok(gst::FlowSuccess::Ok));
        let (_, objects) = observed(&harness.pull().expect("a frame")).expect("inferred");
        // One nearer to the threshold may fall on either side of it.
        let sure = |confidence: f64| confidence >= 0.42;
        let of_class = |class: i32| {
            objects
                .iter()
                .filter(move |o| o.label_id == class + first_id)
        };
        for expected in golden.objects.iter().filter(|it| sure(it.confidence)) {
            let overlaps = of_class(expected.class).map(|o| (iou(o.corners, expected.corners), o));
            let best = overlaps.max_by(|a, b| a.0.total_cmp(&b.0));
            let (overlap, object) = best.unwrap_or_else(|| panic!("frame {}", golden.frame));
            least_iou = least_iou.min(overlap);
            most_apart = most_apart.max((object.confidence - expected.confidence).abs());
            compared += 1;
        }
        for object in objects.iter().filter(|object| sure(object.confidence)) {
            let known = golden.objects.iter().any(|expected| {
                expected.class + first_id == object.label_id
                    && iou(object.corners, expected.corners) > 0.9
            });
            assert!(
                known,
                "frame {}: {} {:?}",
                golden.frame, object.label, object.corners
            );
        }
    }
    println!(
        "measured: {compared} objects in ten frames against the reference in Python: least IoU \
         {least_iou:.4}, confidence at most {most_apart:.4} apart"
    );
    assert!(
        compared > 20 && least_iou >= 0.98 && most_apart <= 0.01,
        "{least_iou} {most_apart}"
    );
}

#[test]
fn ten_frames_show_what_a_reference_in_python_sees() {
    asset("ORT_DYLIB_PATH");
    let golden = include_str!("goldens/ssdlite.json");
    agrees_with_the_reference(&asset("EVR_TEST_MODEL"), golden, 1);
}

#[test]
fn a_model_that_suppresses_in_its_graph_shows_what_the_reference_sees() {
    asset("ORT_DYLIB_PATH");
    let golden = include_str!("goldens/ssdlite.json");
    // TensorFlow's own exports scale colours in the graph, so that is the guess.
    let colours = r#"model-config={\"scale\":0.00784313725,\"mean\":[1,1,1]}"#;
    let model = format!("{} {colours}", asset("EVR_TEST_MODEL_NMS"));
    agrees_with_the_reference(&model, golden, 1);
}

#[test]
#[ignore = "needs EVR_TEST_YOLOX, the file yolox_nano.onnx, which no package registry has"]
fn ten_frames_show_what_the_reference_sees_with_yolox() {
    asset("ORT_DYLIB_PATH");
    let model = asset("EVR_TEST_YOLOX");
    agrees_with_the_reference(&model, include_str!("goldens/yolox.json"), 0);
}

#[test]
fn a_config_says_what_is_not_guessed_and_may_stand_in_a_file() {
    let usual = best_person("").expect("people are there");
    // What is guessed, said aloud, and classes by another name.
    let same = r#"{"layout": "ssd", "resize": "stretch", "mean": [1, 1, 1], "labels": ["walker"]}"#;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    std::fs::write(&file, same).expect("written");
    let samples = frames(&format!(
        "{} ! onnxdetect {} inference-interval=70 model-config={} ! appsink name=out",
        clip(),
        model(),
        file.display()
    ));
    let (_, objects) = observed(buffer(&samples[70])).expect("inferred");
    assert_eq!(objects[0].label, "walker");
    assert_eq!(objects[0].corners, usual.corners);
    // Colours that the model was not trained on show it another picture.
    let other = best_person(r#"model-config={\"scale\":0.001}"#);
    assert!(other.is_none_or(|other| other.confidence < usual.confidence));

    for (config, says_also) in [
        (r#"{\"layuot\":\"ssd\"}"#, "`layuot`"),
        (r#"{\"layout\":\"yolox\"}"#, "Yolox"),
        ("/nowhere/config.json", "/nowhere/config.json"),
    ] {
        let line = format!(
            "onnxdetect name=eye {} model-config={config} ! fakesink",
            model()
        );
        says(&failure(&line), &["eye", "model-config", says_also]);
    }
}

#[test]
fn a_part_of_the_frame_shows_its_people_where_they_are() {
    let [l, t, r, b] = best_person("").expect("people are there").corners;
    // Half the frame around them, so that they are seen twice as large.
    let around = |low: f64, high: f64| ((low + high) / 2.0 - 0.25).clamp(0.0, 0.5);
    let (x, y) = (around(l, r), around(t, b));
    let part = best_person(&format!("roi={x},{y},0.5,0.5")).expect("still there");
    assert!(part.corners[0] >= x && part.corners[3] <= y + 0.5 + 1e-9);
    let far =
        std::iter::zip(part.corners, [l, t, r, b]).any(|(one, other)| (one - other).abs() > 0.05);
    assert!(!far, "{:?} {:?}", part.corners, [l, t, r, b]);
    let line = format!("onnxdetect name=eye {} roi=1,1,1,1 ! fakesink", model());
    says(&failure(&line), &["eye", "roi is `1,1,1,1`"]);
}

#[test]
fn only_the_regions_on_a_frame_are_inferred_when_asked() {
    let mut harness = harness(&format!(
        "onnxdetect {} inference-region=roi-list object-class=motion",
        model()
    ));
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 64, 48);
    let info = info.build().expect("a sound size");
    harness.set_src_caps(info.to_caps().expect("a sound format"));
    for kinds in [&[][..], &["motion", "motion", "other"]] {
        let mut buffer = gst::Buffer::with_size(info.size()).expect("memory");
        for kind in kinds {
            let fields = buffer.get_mut().expect("one owner");
            VideoRegionOfInterestMeta::add(fields, kind, (60, 40, 99, 99));
        }
        assert_eq!(harness.push(buffer), Ok(gst::FlowSuccess::Ok));
        let buffer = harness.pull().expect("a frame");
        let meta = gst::meta::CustomMeta::from_buffer(&buffer, "GstEvrObservationMeta");
        assert!(meta.is_ok(), "looked at, though nothing was there");
    }
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
    // The clip at its own pace: an inference takes less than the 100 ms of a frame or more, and
    // either way what comes back is of a frame before.
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

#[test]
fn a_provider_that_the_library_lacks_is_refused_and_the_one_in_use_is_told() {
    for (provider, parts) in [
        ("cuda", &["execution-provider is cuda", "built without"][..]),
        ("gpu", &["execution-provider names `gpu`", "openvino"]),
    ] {
        let line = format!(
            "onnxdetect name=eye {} execution-provider={provider} ! fakesink",
            model()
        );
        let sentence = failure(&line);
        says(&sentence, &["eye: "]);
        says(&sentence, parts);
    }
    let mut harness = harness(&format!("onnxdetect {}", model()));
    frame(&mut harness, gst_video::VideoFormat::I420, (64, 48));
    let element = detector(&harness);
    let provider: Option<String> = element.property("provider-in-use");
    assert_eq!(provider.as_deref(), Some("cpu"));
}

#[test]
fn two_elements_share_a_model_and_find_the_same() {
    let line = format!(
        "{} ! tee name=t t. ! queue ! onnxdetect {model} inference-interval=70 ! appsink name=out \
         sync=false t. ! queue ! onnxdetect {model} inference-interval=70 ! appsink name=other \
         sync=false",
        clip(),
        model = model()
    );
    init();
    let pipeline = pipeline(&line);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let [mut out, mut other] = ["out", "other"]
        .map(|name| {
            let sink = pipeline.by_name(name).expect("it has that name");
            let sink = sink.downcast::<gst_app::AppSink>().expect("an appsink");
            std::thread::spawn(move || {
                let samples = std::iter::from_fn(|| sink.pull_sample().ok());
                samples
                    .filter_map(|sample| observed(buffer(&sample)))
                    .collect::<Vec<_>>()
            })
        })
        .map(|thread| thread.join().expect("it counts"));
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(out.len() == 5 && out.iter().any(|(_, objects)| !objects.is_empty()));
    while let (Some(one), Some(other)) = (out.pop(), other.pop()) {
        let corners = |objects: &[Object]| objects.iter().map(|o| o.corners).collect::<Vec<_>>();
        assert_eq!(corners(&one.1), corners(&other.1));
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

#[test]
fn caps_may_change_between_frames() {
    let mut harness = harness(&format!("onnxdetect {}", model()));
    frame(&mut harness, gst_video::VideoFormat::I420, (64, 48));
    frame(&mut harness, gst_video::VideoFormat::Rgb, (31, 99));
    frame(&mut harness, gst_video::VideoFormat::Nv12, (640, 2));
    for seq in 0..3 {
        let buffer = harness.pull().expect("a frame");
        assert_eq!(observed(&buffer).map(|(seq, _)| seq), Some(seq));
    }
}

#[test]
fn the_labels_come_before_the_first_frame_and_behind_the_segment() {
    let mut harness = harness(&format!("onnxdetect {}", model()));
    frame(&mut harness, gst_video::VideoFormat::I420, (64, 48));
    let events: Vec<_> = std::iter::from_fn(|| harness.try_pull_event()).collect();
    let at = |wanted: &dyn Fn(&gst::Event) -> bool| events.iter().position(wanted);
    let segment = at(&|event| event.type_() == gst::EventType::Segment);
    let model = at(&|event| event.has_name("evr-model"));
    assert!(segment.is_some() && segment < model);
    let model = &events[model.expect("it came")];
    assert!(model.is_sticky());
    let fields = model.structure().expect("a custom event has one");
    let stem = Path::new(&asset("EVR_TEST_MODEL"))
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    assert_eq!(fields.get::<String>("model").ok(), stem);
    let labels: gst::Array = fields.get("labels").expect("a list");
    assert_eq!(labels.len(), 80);
    assert_eq!(labels[0].get(), Ok("person"));
}

#[test]
fn a_label_file_renames_the_classes() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labels.txt");
    let names: String = (0..90).map(|class| format!("thing {class}\n")).collect();
    std::fs::write(&file, names).expect("written");
    let samples = frames(&format!(
        "{} ! onnxdetect {} label-file={} inference-interval=70 ! appsink name=out",
        clip(),
        model(),
        file.display()
    ));
    let (_, objects) = observed(buffer(&samples[70])).expect("inferred");
    assert!(objects.iter().any(|object| object.label == "thing 0"));

    std::fs::write(&file, "cat\ndog\n".repeat(50)).expect("written");
    let line = format!(
        "onnxdetect {} label-file={} ! fakesink",
        model(),
        file.display()
    );
    says(&failure(&line), &["onnxdetect", "100 labels", "90 classes"]);
}

#[test]
fn a_model_that_is_none_is_refused_by_name() {
    asset("ORT_DYLIB_PATH");
    let folder = tempfile::tempdir().expect("a folder");
    let garbage = folder.path().join("garbage.onnx");
    std::fs::write(&garbage, "this is no model").expect("written");
    let missing = folder.path().join("missing.onnx");
    for file in [&missing, &garbage, &folder.path().to_owned()] {
        let file = file.display().to_string();
        let sentence = failure(&format!("onnxdetect name=eye model-file={file} ! fakesink"));
        says(
            &sentence,
            &["eye: model-file is", &file, "name an ONNX model"],
        );
    }
    let unset = failure("onnxdetect name=eye ! fakesink");
    says(&unset, &["eye: model-file is not set"]);
}

/// A protobuf field whose value is bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).expect("all are short");
    [&[number << 3 | 2, length], value].concat()
}

/// An ONNX model that passes `x` f32[1,4] on as `y`, written by hand after onnx.proto.
fn identity_model() -> Vec<u8> {
    let dimension = |n: u8| field(1, &[1 << 3, n]);
    let shape = field(2, &[dimension(1), dimension(4)].concat());
    let tensor = field(1, &[&[1 << 3, 1], &shape[..]].concat());
    let value = |name: &str| [field(1, name.as_bytes()), field(2, &tensor)].concat();
    let node = [field(1, b"x"), field(2, b"y"), field(4, b"Identity")].concat();
    let graph = [
        field(1, &node),
        field(2, b"identity"),
        field(11, &value("x")),
        field(12, &value("y")),
    ]
    .concat();
    let opset = field(8, &[2 << 3, 13]);
    [&[1 << 3, 8], &field(7, &graph)[..], &opset].concat()
}

#[test]
fn a_model_of_unknown_layout_is_refused_with_its_tensors() {
    asset("ORT_DYLIB_PATH");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("identity.onnx");
    std::fs::write(&file, identity_model()).expect("written");
    let sentence = failure(&format!(
        "onnxdetect model-file={} ! fakesink",
        file.display()
    ));
    says(
        &sentence,
        &[
            "inputs: `x` f32[1,4]; outputs: `y` f32[1,4]",
            "`scores` [1,N,classes]",
        ],
    );
}

#[test]
fn video_that_does_not_suit_is_refused_with_its_format_and_the_cure() {
    init();
    let pipeline = pipeline(&format!(
        "appsrc name=in ! onnxdetect name=eye {} ! fakesink",
        model()
    ));
    let source: gst_app::AppSrc = pipeline.by_name("in").and_downcast().expect("an appsrc");
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Gray16Le, 4, 4).build();
    let info = info.expect("a sound size");
    source.set_caps(Some(&info.to_caps().expect("a sound format")));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let _ = source.push_buffer(gst::Buffer::with_size(info.size()).expect("memory"));
    let bus = pipeline.bus().expect("a pipeline has one");
    let message = bus
        .timed_pop_filtered(gst::ClockTime::from_seconds(30), &[gst::MessageType::Error])
        .expect("it fails");
    pipeline.set_state(gst::State::Null).expect("it stops");
    let gst::MessageView::Error(error) = message.view() else {
        unreachable!("only errors are popped")
    };
    says(
        error.error().message(),
        &["eye", "GRAY16_LE", "videoconvert"],
    );
}

/// Runs `test` again in a process of its own, since a runtime that is loaded stays loaded. Says
/// what the child printed.
fn in_child(test: &str, case: &str, library: Option<&str>) -> String {
    let executable = std::env::current_exe().expect("a test knows its file");
    let mut child = Command::new(executable);
    child
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, case);
    match library {
        Some(library) => child.env("ORT_DYLIB_PATH", library),
        None => child.env_remove("ORT_DYLIB_PATH"),
    };
    let output = child.output().expect("a child starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn without_a_runtime_the_sentence_says_how_to_get_one() {
    let test = "without_a_runtime_the_sentence_says_how_to_get_one";
    if let Ok(property) = std::env::var(CHILD) {
        println!(
            "{}",
            failure(&format!("onnxdetect model-file=x {property} ! fakesink"))
        );
        return;
    }
    let nothing = in_child(test, "", None);
    says(
        &nothing,
        &[
            "onnxdetect",
            "pip install onnxruntime",
            "runtime-library",
            "ORT_DYLIB_PATH",
        ],
    );
    let missing = in_child(test, "", Some("/nowhere/libonnxruntime.so"));
    says(
        &missing,
        &[
            "ORT_DYLIB_PATH names /nowhere/libonnxruntime.so",
            "pip install",
        ],
    );
    let this = std::env::current_exe().expect("a test knows its file");
    let wrong = in_child(test, &format!("runtime-library={}", this.display()), None);
    says(&wrong, &["runtime-library names", "pip install"]);
}

#[test]
fn a_second_runtime_in_one_process_is_refused() {
    let test = "a_second_runtime_in_one_process_is_refused";
    let library = asset("ORT_DYLIB_PATH");
    if std::env::var_os(CHILD).is_some() {
        let eye = format!("onnxdetect {} ! appsink name=out", model());
        frames(&format!("videotestsrc num-buffers=1 ! {eye}"));
        let other = "onnxdetect model-file=x runtime-library=/nowhere/other.so ! fakesink";
        println!("{}", failure(other));
        // The one that is loaded may be named.
        let same = eye.replace(
            "model-file",
            &format!("runtime-library={library} model-file"),
        );
        frames(&format!("videotestsrc num-buffers=1 ! {same}"));
        return;
    }
    let text = in_child(test, "conflict", Some(&library));
    says(
        &text,
        &["/nowhere/other.so", &library, "only one ONNX Runtime"],
    );
}
