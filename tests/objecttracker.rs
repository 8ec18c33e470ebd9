//! `objecttracker` from outside: frames with observations go in, frames with tracks come out.

mod common;

use common::init;
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// A frame in which a detector found a person whose left edge is at each `x`; `None` where it did
/// not look.
fn frame(n: u64, seq: u64, found: Option<&[(&str, u32)]>) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let frame = buffer.get_mut().expect("a new buffer has one owner");
    frame.set_pts(FRAME * n);
    let Some(found) = found else { return buffer };
    let mut meta = gst::meta::CustomMeta::add(frame, "GstEvrObservationMeta")
        .expect("the plugin registers the meta");
    meta.mut_structure().set("seq", seq);
    meta.mut_structure().set("model", "test");
    meta.mut_structure().set("count", found.len() as u32);
    for (label, x) in found {
        let mut region = VideoRegionOfInterestMeta::add(frame, label, (*x, 120, 64, 200));
        region.add_param(
            gst::Structure::builder("detection")
                .field("confidence", 0.9)
                .field("label_id", 1)
                .build(),
        );
    }
    buffer
}

/// Everything that `elements` let out, one line each.
struct Rig {
    harness: gst_check::Harness,
    bus: gst::Bus,
}

impl Rig {
    fn new(elements: &str) -> Self {
        let mut rig = Self::foreign(elements);
        let model = gst::Structure::builder("evr-model")
            .field("model", "test")
            .field("labels", gst::Array::new(["person", "dog"]))
            .build();
        let model = gst::event::CustomDownstreamSticky::new(model);
        rig.harness.push_event(model);
        while rig.harness.try_pull_event().is_some() {}
        rig
    }

    /// Behind a detector that tells nothing of itself.
    fn foreign(elements: &str) -> Self {
        init();
        let mut harness = gst_check::Harness::new_parse(elements);
        harness.set_src_caps_str("video/x-raw,format=I420,width=640,height=480,framerate=25/1");
        let bus = gst::Bus::new();
        harness.element().expect("there is one").set_bus(Some(&bus));
        while harness.try_pull_event().is_some() {}
        Self { harness, bus }
    }

    /// Pushes a frame and gives its regions: label, left edge, track and whether it is predicted.
    fn push(&mut self, buffer: gst::Buffer) -> Vec<String> {
        let out = self.harness.push_and_pull(buffer).expect("frames pass");
        let regions = out.iter_meta::<VideoRegionOfInterestMeta>();
        let mut lines: Vec<String> = regions
            .map(|region| {
                let field = |name: &str| {
                    let mut params = region.params();
                    params.find_map(|param| param.get::<i64>(name).ok())
                };
                let predicted = |param: &gst::StructureRef| param.get("predicted") == Ok(true);
                format!(
                    "{} at {} {}{}",
                    region.roi_type(),
                    region.rect().0,
                    field("track_id").map_or("unknown".into(), |id| format!("is {id}")),
                    if region.params().any(predicted) {
                        " predicted"
                    } else {
                        ""
                    }
                )
            })
            .collect();
        lines.sort();
        lines
    }

    /// The tracks that events have ended since the last time.
    fn ended(&mut self) -> Vec<i64> {
        let events = std::iter::from_fn(|| self.harness.try_pull_event());
        let fields = |event: gst::Event| {
            let fields = event.structure()?;
            (fields.name() == "evr-track-ended").then(|| fields.get("track-id").ok())?
        };
        events.filter_map(fields).collect()
    }
}

#[test]
fn behind_a_foreign_detector_that_skips_frames_tracks_begin_where_the_user_says_that_it_does() {
    for (every_frame_inferred, tracked) in
        [(false, "person at 58 is 1"), (true, "person at 58 unknown")]
    {
        let mut rig = Rig::foreign(&format!(
            "objecttracker every-frame-inferred={every_frame_inferred} min-hits=2 predict=false"
        ));
        let mut seen = Vec::new();
        for n in 0..4_u64 {
            let mut buffer = frame(n, 0, None);
            if n % 3 == 0 {
                let at = (40 + 6 * n as u32, 120, 64, 200);
                VideoRegionOfInterestMeta::add(buffer.make_mut(), "person", at);
            }
            seen.push(rig.push(buffer));
        }
        assert_eq!(seen[3], [tracked], "{every_frame_inferred}");
    }
}

#[test]
fn detections_are_told_who_they_are_and_frames_between_where_they_must_be() {
    let mut rig = Rig::new("objecttracker");
    let mut seen = Vec::new();
    for n in 0..12_u64 {
        let x = 40 + 6 * n as u32;
        let found: &[(&str, u32)] = &[("person", x), ("dog", 500)];
        let inferred = n % 3 == 0;
        seen.push(rig.push(frame(n, n / 3, inferred.then_some(found))));
    }
    assert_eq!(seen[0], ["dog at 500 unknown", "person at 40 unknown"]);
    assert!(seen[1].is_empty() && seen[2].is_empty());
    assert_eq!(seen[3], ["dog at 500 is 2", "person at 58 is 1"]);
    assert_eq!(seen[9], ["dog at 500 is 2", "person at 94 is 1"]);
    let [dog, person] = &seen[11][..] else {
        panic!("two boxes: {seen:?}");
    };
    assert_eq!(dog, "dog at 500 is 2 predicted");
    assert!(
        person.starts_with("person at 1") && person.ends_with("is 1 predicted"),
        "{person}"
    );
}

#[test]
fn frames_between_stay_as_they_came_where_that_is_asked_for() {
    let mut rig = Rig::new("objecttracker predict=false");
    for n in 0..6 {
        let found: &[(&str, u32)] = &[("person", 40)];
        let lines = rig.push(frame(n, n / 2, (n % 2 == 0).then_some(found)));
        assert_eq!(lines.is_empty(), n % 2 == 1, "{lines:?}");
    }
}

#[test]
fn what_was_seen_in_an_earlier_frame_is_predicted_where_it_has_gone_since() {
    let mut rig = Rig::new("objecttracker");
    let at = |n: u64| 40 + 6 * n as u32;
    let mut last = Vec::new();
    for n in 0..40_u64 {
        // Each third frame tells of what was there two frames ago.
        let found: &[(&str, u32)] = &[("person", at(n.saturating_sub(2)))];
        let mut buffer = frame(n, n, (n % 3 == 2).then_some(found));
        let fields = buffer.get_mut().expect("a new buffer has one owner");
        if let Ok(mut meta) =
            gst::meta::CustomMeta::from_mut_buffer(fields, "GstEvrObservationMeta")
        {
            meta.mut_structure().set("age", 2 * FRAME.nseconds());
        }
        last = rig.push(buffer);
    }
    // The 40th shows what the 38th told of the 36th.
    let x = last[0]
        .split(' ')
        .nth(2)
        .and_then(|x| x.parse::<u32>().ok());
    let x = x.unwrap_or_else(|| panic!("{last:?}"));
    assert!(
        x.abs_diff(at(39)) <= 4 && last[0].ends_with("predicted"),
        "{last:?}"
    );
}

#[test]
fn a_frame_that_comes_twice_is_tracked_once() {
    let mut rig = Rig::new("objecttracker");
    let found: &[(&str, u32)] = &[("person", 40)];
    assert_eq!(rig.push(frame(0, 0, Some(found))), ["person at 40 unknown"]);
    assert_eq!(rig.push(frame(1, 0, Some(found))), ["person at 40 unknown"]);
    assert_eq!(rig.push(frame(2, 1, Some(found))), ["person at 40 is 1"]);
    assert_eq!(rig.push(frame(3, 1, Some(found))), ["person at 40 is 1"]);
}

#[test]
fn a_track_that_is_over_is_told_by_event_and_message() {
    let mut rig = Rig::new("objecttracker max-age=200000000");
    let both: &[(&str, u32)] = &[("person", 40), ("dog", 500)];
    for n in 0..3 {
        rig.push(frame(n, n, Some(both)));
    }
    for n in 3..7 {
        rig.push(frame(n, n, Some(&both[..1])));
        assert!(rig.ended().is_empty());
    }
    rig.push(frame(8, 8, Some(&both[..1])));
    assert_eq!(rig.ended(), [2]);
    rig.harness.push_event(gst::event::Eos::new());
    assert_eq!(rig.ended(), [1]);
    let said = rig.bus.pop_filtered(&[gst::MessageType::Element]);
    let said = said.expect("a message for each event");
    let json: String = said.structure().expect("fields").get("json").expect("JSON");
    assert_eq!(
        json,
        r#"{"track_id":2,"label":"dog","first":0,"last":80000000,"observations":3}"#
    );
    let bin = rig.harness.element().and_downcast::<gst::Bin>();
    let tracker = bin.expect("a harness wraps what it parses").children();
    assert_eq!(tracker[0].property::<u64>("tracks"), 2);
    assert_eq!(tracker[0].property::<u64>("ended"), 2);
}

#[test]
fn a_counter_behind_counts_observations_and_names_the_tracks_and_their_labels() {
    init();
    let bin = gst::parse::bin_from_description(
        "objecttracker name=tracker ! objectcounter name=count labels=person",
        true,
    );
    let bin = bin.expect("the line links");
    let count = bin.by_name("count").expect("it is in the line");
    let mut harness = gst_check::Harness::with_element(&bin, Some("sink"), Some("src"));
    harness.set_src_caps_str("video/x-raw,format=I420,width=640,height=480,framerate=25/1");
    let model = gst::Structure::builder("evr-model")
        .field("model", "test")
        .field("labels", gst::Array::new(["person", "dog"]))
        .build();
    harness.push_event(gst::event::CustomDownstreamSticky::new(model));
    let mut told = Vec::new();
    for n in 0..8 {
        // The detector is wrong once.
        let label = if n == 6 { "dog" } else { "person" };
        let found: &[(&str, u32)] = &[(label, 40)];
        harness
            .push(frame(n, n / 2, (n % 2 == 0).then_some(found)))
            .expect("frames pass");
        let events = std::iter::from_fn(|| harness.try_pull_event());
        told.extend(events.filter_map(|event| event.structure()?.get::<String>("json").ok()));
    }
    assert_eq!(count.property::<u64>("observed"), 4);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[3].contains(r#""label":"person""#), "{}", told[3]);
    assert!(told[3].contains(r#""track_id":1"#), "{}", told[3]);
}

#[test]
fn the_counters_meta_pad_tells_which_tracks_are_over_beside_what_was_seen_and_at_the_end() {
    init();
    let bin = gst::parse::bin_from_description(
        "objecttracker max-age=100000000 ! objectcounter name=count ! fakesink async=false count.meta ! identity",
        true,
    );
    let bin = bin.expect("the line links");
    let mut harness = gst_check::Harness::with_element(&bin, Some("sink"), Some("src"));
    harness.set_src_caps_str("video/x-raw,format=I420,width=640,height=480,framerate=25/1");
    let both: &[(&str, u32)] = &[("person", 40), ("dog", 500)];
    for n in 0..6 {
        let found = if n < 2 { both } else { &both[..1] };
        harness.push(frame(n, n, Some(found))).expect("frames pass");
    }
    harness.push_event(gst::event::Eos::new());
    let lines = std::iter::from_fn(|| harness.try_pull()).map(|buffer| {
        let map = buffer.map_readable().expect("ordinary memory");
        let text = std::str::from_utf8(&map).expect("text").trim().to_owned();
        text.split_once(r#""ended":"#)
            .map(|(_, ended)| ended.to_owned())
    });
    let ended = |id: i64, label: &str, last: u64, observations: u32| {
        Some(format!(
            r#"[{{"track_id":{id},"label":"{label}","first":0,"last":{last},"observations":{observations}}}]}}"#
        ))
    };
    let expected = [
        None,
        None,
        None,
        None,
        ended(2, "dog", 40_000_000, 2),
        None,
        ended(1, "person", 200_000_000, 6),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}
