//! `depthannotate` from outside: frames with detections and a map of depth go in, detections with
//! their distance come out.

mod common;

use common::{init, warning};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use serde_json::Value;

const SIZE: (u32, u32) = (64, 48);

/// The frame's caps, so large that the map is a tenth of it.
const CAPS: &str = "video/x-raw,format=I420,width=640,height=480,framerate=25/1";

/// A map in which the left half is 2 m away and the right half 6 m.
fn map() -> gst::Buffer {
    let pixels = (0..SIZE.0 * SIZE.1).map(|n| {
        if n % SIZE.0 < SIZE.0 / 2 {
            2000_u16
        } else {
            6000
        }
    });
    gst::Buffer::from_mut_slice(pixels.flat_map(u16::to_le_bytes).collect::<Vec<_>>())
}

fn attach(frame: &mut gst::BufferRef, map: &gst::Buffer) {
    let mut meta = gst::meta::CustomMeta::add(frame, "GstEvrDepthMeta")
        .expect("the plugin registers the meta");
    let fields = meta.mut_structure();
    fields.set("width", SIZE.0);
    fields.set("height", SIZE.1);
    fields.set("depth", map);
    for (name, value) in [("focal-x", 0.75), ("focal-y", 1.0)] {
        fields.set(name, value);
    }
    for name in ["centre-x", "centre-y"] {
        fields.set(name, 0.5);
    }
}

/// A frame of 640 by 480 pixels with a person of 64 by 96 at each of `at`.
fn frame(at: &[(u32, u32)]) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(640 * 480 * 3 / 2).expect("there is memory");
    let frame = buffer.get_mut().expect("a new buffer has one owner");
    frame.set_pts(gst::ClockTime::ZERO);
    for (x, y) in at {
        let rect = (*x, *y, 64, 96);
        let mut region = VideoRegionOfInterestMeta::add(frame, "person", rect);
        let param = gst::Structure::builder("detection").field("confidence", 0.9);
        region.add_param(param.build());
    }
    buffer
}

/// What is said of where the regions of a frame are: distance and position.
fn places(frame: &gst::BufferRef) -> Vec<Option<(f64, [f64; 3])>> {
    let regions = frame.iter_meta::<VideoRegionOfInterestMeta>();
    let place = |region: gst::MetaRef<'_, VideoRegionOfInterestMeta>| {
        let mut params = region.params();
        let space = params.find(|param| param.name() == "space")?;
        let position: gst::Array = space.get("position").expect("a position");
        let position = [0, 1, 2].map(|n| position[n].get::<f64>().expect("a number"));
        Some((space.get("distance").expect("a distance"), position))
    };
    regions.map(place).collect()
}

fn has_map(frame: &gst::BufferRef) -> bool {
    gst::meta::CustomMeta::from_buffer(frame, "GstEvrDepthMeta").is_ok()
}

fn harness(line: &str) -> gst_check::Harness {
    init();
    let mut harness = gst_check::Harness::new_parse(line);
    harness.set_src_caps_str(CAPS);
    harness
}

fn count(harness: &gst_check::Harness, property: &str) -> u64 {
    let element = harness.element().expect("there is one");
    let bin = element.downcast_ref::<gst::Bin>();
    let inner = bin.and_then(|bin| bin.by_name("annotate"));
    inner.unwrap_or(element).property(property)
}

#[test]
fn each_detection_is_told_where_it_is_and_the_map_is_taken_off() {
    let mut harness = harness("depthannotate name=annotate");
    let mut buffer = frame(&[(64, 192), (480, 192)]);
    attach(buffer.make_mut(), &map());
    let out = harness.push_and_pull(buffer).expect("frames pass");
    let [Some(near), Some(far)] = places(&out)[..] else {
        panic!("both are known")
    };
    // The middle of the first box lies at 0.15 of the width and the middle of the height.
    let [x, y, z] = near.1;
    assert!((x - (0.15 - 0.5) / 0.75 * 2.0).abs() < 1e-9 && y.abs() < 1e-9 && z == 2.0);
    assert!((near.0 - x.hypot(z)).abs() < 1e-9);
    assert_eq!(far.1[2], 6.0);
    assert!(!has_map(&out), "an encoder would take it along");
    assert_eq!(count(&harness, "located"), 2);
    assert_eq!(count(&harness, "unknown"), 0);
    assert_eq!(count(&harness, "without-map"), 0);
}

#[test]
fn conversion_and_scaling_before_it_change_no_place() {
    let scaled = "videoconvert ! videoscale ! video/x-raw,format=RGB,width=320,height=240 ! \
                  depthannotate name=annotate keep-map=true";
    let mut plain = harness("depthannotate name=annotate");
    let mut scaled = harness(scaled);
    let map = map();
    let mut buffer = frame(&[(64, 192)]);
    attach(buffer.make_mut(), &map);
    let expected = plain.push_and_pull(buffer.copy()).expect("frames pass");
    let out = scaled.push_and_pull(buffer).expect("frames pass");
    assert!(matches!(places(&expected)[..], [Some(_)]));
    assert_eq!(places(&out), places(&expected));
    let meta = gst::meta::CustomMeta::from_buffer(&out, "GstEvrDepthMeta").expect("it is kept");
    let kept: gst::Buffer = meta.structure().get("depth").expect("a map");
    assert_eq!(
        kept.as_ptr(),
        map.as_ptr(),
        "the map is referred to, not copied"
    );
}

#[test]
fn who_has_a_place_keeps_it_and_motion_has_none() {
    let mut harness = harness("depthannotate name=annotate");
    let mut buffer = frame(&[(64, 192), (480, 192)]);
    let fields = buffer.make_mut();
    attach(fields, &map());
    let from_sdk = gst::Structure::builder("space")
        .field("distance", 1.25)
        .field("position", gst::Array::new([0.75, 0.0, 1.0]))
        .build();
    let mut regions = fields.iter_meta_mut::<VideoRegionOfInterestMeta>();
    regions.next().expect("two persons").add_param(from_sdk);
    regions.next().expect("two persons").add_param(
        gst::Structure::builder("detection")
            .field("predicted", true)
            .build(),
    );
    let mut motion = VideoRegionOfInterestMeta::add(fields, "motion", (64, 192, 64, 96));
    motion.add_param(gst::Structure::new_empty("motion"));
    let out = harness.push_and_pull(buffer).expect("frames pass");
    let [sdk, predicted, motion] = places(&out)[..] else {
        panic!("three regions")
    };
    assert_eq!(sdk, Some((1.25, [0.75, 0.0, 1.0])));
    assert_eq!(predicted.expect("the map tells it").1[2], 6.0);
    assert_eq!(motion, None);
    assert_eq!(count(&harness, "located"), 1);
}

/// A detector that lets no frame wait says what it saw on a later frame, whose map is another one.
#[test]
fn what_an_earlier_frame_showed_is_not_measured_on_this_ones_map() {
    let mut harness = harness("depthannotate name=annotate");
    let mut buffer = frame(&[(64, 192), (480, 192)]);
    let fields = buffer.make_mut();
    attach(fields, &map());
    let mut regions = fields.iter_meta_mut::<VideoRegionOfInterestMeta>();
    let predicted = gst::Structure::builder("detection").field("predicted", true);
    regions
        .nth(1)
        .expect("two persons")
        .add_param(predicted.build());
    let mut seen = gst::meta::CustomMeta::add(fields, "GstEvrObservationMeta")
        .expect("the plugin registers the meta");
    seen.mut_structure().set("age", 40_000_000_u64);
    let out = harness.push_and_pull(buffer).expect("frames pass");
    let [seen, predicted] = places(&out)[..] else {
        panic!("two regions")
    };
    assert_eq!(seen, None);
    assert_eq!(predicted.expect("the map tells it").1[2], 6.0);
    assert_eq!(count(&harness, "located"), 1);
    assert_eq!(count(&harness, "unknown"), 1);
}

#[test]
fn where_the_map_says_nothing_nothing_is_said() {
    let mut harness = harness("depthannotate name=annotate");
    let mut buffer = frame(&[(64, 192)]);
    let unknown = gst::Buffer::from_mut_slice(vec![0_u8; (SIZE.0 * SIZE.1 * 2) as usize]);
    attach(buffer.make_mut(), &unknown);
    let out = harness.push_and_pull(buffer).expect("frames pass");
    assert_eq!(places(&out), [None]);
    assert_eq!(count(&harness, "unknown"), 1);
    assert_eq!(count(&harness, "without-map"), 0);
}

#[test]
fn a_frame_without_a_map_passes_as_it_came_and_is_counted() {
    let mut harness = harness("depthannotate name=annotate");
    let buffer = frame(&[(64, 192)]);
    let came = buffer.as_ptr();
    let out = harness.push_and_pull(buffer).expect("frames pass");
    assert_eq!(out.as_ptr(), came);
    assert_eq!(places(&out), [None]);
    assert_eq!(count(&harness, "without-map"), 1);
}

#[test]
fn that_detections_come_without_a_map_is_warned_of_once() {
    let mut harness = harness("depthannotate name=annotate");
    let bus = gst::Bus::new();
    let element = harness.element().expect("there is one");
    element.set_bus(Some(&bus));
    let mut placed = frame(&[(64, 192)]);
    let mut regions = placed
        .make_mut()
        .iter_meta_mut::<VideoRegionOfInterestMeta>();
    let space = gst::Structure::builder("space").field("distance", 1.25);
    regions.next().expect("a person").add_param(space.build());
    for nothing_to_say in [frame(&[]), placed] {
        harness.push_and_pull(nothing_to_say).expect("frames pass");
        assert_eq!(warning(&bus), None);
    }
    for _ in 0..2 {
        let person = frame(&[(64, 192)]);
        harness.push_and_pull(person).expect("frames pass");
    }
    let said = warning(&bus).expect("a warning");
    assert!(
        said.contains("no map of depth") && said.contains("depth-mode"),
        "{said}"
    );
    assert_eq!(warning(&bus), None);
    assert_eq!(count(&harness, "without-map"), 4);
}

#[test]
fn a_map_that_is_none_is_warned_of_once_and_passed_over() {
    let mut harness = harness("depthannotate name=annotate");
    let bus = gst::Bus::new();
    let element = harness.element().expect("there is one");
    element.set_bus(Some(&bus));
    for _ in 0..2 {
        let mut buffer = frame(&[(64, 192)]);
        attach(
            buffer.make_mut(),
            &gst::Buffer::from_mut_slice(vec![0_u8; 7]),
        );
        let out = harness.push_and_pull(buffer).expect("frames pass");
        assert_eq!(places(&out), [None]);
    }
    let said = warning(&bus).expect("a warning");
    assert!(
        said.contains("a map of depth of 64x48 has 7 bytes"),
        "{said}"
    );
    assert_eq!(warning(&bus), None);
    assert_eq!(count(&harness, "without-map"), 2);
}

#[test]
fn what_another_branch_holds_is_not_written_on() {
    let mut harness = harness("depthannotate name=annotate");
    let mut buffer = frame(&[(64, 192)]);
    attach(buffer.make_mut(), &map());
    let held = buffer.clone();
    let out = harness.push_and_pull(buffer).expect("frames pass");
    assert!(places(&out)[0].is_some());
    assert_eq!(places(&held), [None]);
    assert!(has_map(&held));
    assert_eq!(out.peek_memory(0).as_ptr(), held.peek_memory(0).as_ptr());
}

/// The objects of the signals that `objectcounter` raises of a frame with a person 2 m away on the
/// left, and one 6 m away on the right.
fn signals(rules: &str) -> Vec<Value> {
    init();
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), rules).expect("it can be written");
    let line = format!(
        "appsrc name=in format=time caps=\"{CAPS}\" ! depthannotate ! \
         objectcounter name=count rules-file={} ! fakesink sync=false count.signal ! queue ! appsink name=out sync=false",
        file.path().display()
    );
    let pipeline = common::launch(&line);
    let source = pipeline.by_name("in").expect("the line names it");
    let source: gst_app::AppSrc = source.downcast().expect("the line makes an appsrc");
    let mut buffer = frame(&[(64, 192), (480, 192)]);
    attach(buffer.make_mut(), &map());
    source.push_buffer(buffer).expect("it takes a frame");
    source.end_of_stream().expect("it takes the end");
    let out = pipeline.by_name("out").expect("the line names it");
    let out: gst_app::AppSink = out.downcast().expect("the line makes an appsink");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let samples = std::iter::from_fn(|| out.try_pull_sample(common::PATIENCE));
    let signals = samples
        .map(|sample| {
            let buffer = sample.buffer_owned().expect("a signal");
            let bytes = buffer.map_readable().expect("its line can be read");
            serde_json::from_slice(&bytes).expect("a signal is JSON")
        })
        .collect();
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
    signals
}

#[test]
fn who_is_near_is_counted_and_who_is_far_is_not() {
    let rules = r#"{"rules": [{"name": "near", "labels": "person", "max-distance": 3}]}"#;
    let [signal] = &signals(rules)[..] else {
        panic!("one signal")
    };
    assert_eq!(signal["count"], 1);
    let distance = signal["objects"][0]["distance"]
        .as_f64()
        .expect("a distance");
    assert!((distance - 2.207).abs() < 0.001, "{distance}");
    assert_eq!(signal["objects"][0]["position"][2], 2.0);
}

#[test]
fn who_stands_in_a_zone_in_space_is_counted_and_the_zone_is_named() {
    let rules = r#"{
        "zones": {"left": {"space": {"max-x": 0}}, "far": {"space": {"min-x": 0, "min-z": 5}}},
        "rules": [{"name": "zones", "zones": ["left", "far"]}]
    }"#;
    let [signal] = &signals(rules)[..] else {
        panic!("one signal")
    };
    assert_eq!(signal["zones"], serde_json::json!({"left": 1, "far": 1}));
    let mut zones: Vec<_> = signal["objects"]
        .as_array()
        .expect("objects")
        .iter()
        .map(|object| (object["position"][2].as_f64(), object["zones"].to_string()))
        .collect();
    zones.sort_by(|a, b| a.0.partial_cmp(&b.0).expect("numbers"));
    assert_eq!(
        zones,
        [
            (Some(2.0), r#"["left"]"#.into()),
            (Some(6.0), r#"["far"]"#.into())
        ]
    );
}
