//! What counts, by properties and by rules files, and what a wrong rule is told.

use gst::prelude::*;
use serde_json::Value;

use crate::rig::*;

/// A rules file of this test alone.
fn rules_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("it can be written");
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().expect("an ordinary path")
}

#[test]
fn whoever_is_nearer_than_asked_counts_and_whose_distance_nobody_knows_does_not() {
    let rig = Rig::new("max-distance=3", &["signal"]);
    rig.log();
    for (n, distance) in [(0, Some(2.5)), (1, Some(3.5)), (2, None)] {
        let mut frame = frame(n, n, NONE);
        let buffer = frame.make_mut();
        let whole = (0, 0, 640, 480);
        let mut region = gst_video::VideoRegionOfInterestMeta::add(buffer, "person", whole);
        let space = gst::Structure::builder("space").field_if_some("distance", distance);
        region.add_param(space.build());
        rig.push(frame).expect("frames pass");
    }
    rig.element.set_property("max-distance", 0.0);
    rig.frame(3, ONE).expect("frames pass");
    assert_eq!(
        rig.log(),
        [
            "signal 0 trigger 1 person at 0",
            "signal gap 1",
            "signal gap 2",
            "signal 3 trigger 1 person at 120000000",
        ]
    );
}

#[test]
fn thresholds_are_at_least_and_change_while_playing() {
    let rig = Rig::new(
        "labels=person,truck:0.6 min-confidence=0.5 min-count=2",
        &["signal"],
    );
    rig.log();
    let both = Some(&[("person", 0.5), ("truck", 0.6)][..]);
    let less = Some(&[("person", 0.5), ("truck", 0.59)][..]);
    rig.frame(0, both).expect("frames pass");
    rig.frame(1, less).expect("frames pass");
    rig.element.set_property("labels", "truck:0.59");
    rig.element.set_property("min-count", 1u32);
    rig.frame(2, less).expect("frames pass");
    assert_eq!(
        rig.log(),
        [
            "signal 0 trigger 2 truck at 0",
            "signal gap 1",
            "signal 2 trigger 1 truck at 80000000",
        ]
    );
}

#[test]
fn wrong_labels_do_not_start() {
    let rig = Rig::stopped("labels=person:1.5", &["src"]);
    assert!(rig.element.set_state(gst::State::Paused).is_err());
    assert_eq!(
        rig.said(gst::MessageType::Error).as_deref(),
        Some("count: labels gives \"person\" the confidence \"1.5\": give a number from 0 to 1")
    );
}

#[test]
fn a_label_that_the_model_cannot_find_is_an_error() {
    let rig = Rig::new("labels=Persn", &["src", "signal"]);
    rig.event(model(&["car", "person"]));
    assert_eq!(
        rig.said(gst::MessageType::Error).as_deref(),
        Some("count: labels names \"Persn\", which the model test cannot find: use person, car")
    );
    assert_eq!(rig.frame(0, ONE), Err(gst::FlowError::Error));
    assert_eq!(rig.said(gst::MessageType::Error), None);
}

#[test]
fn wrong_labels_while_playing_are_warned_of_once_and_the_old_ones_stay() {
    let rig = Rig::new("labels=person", &["signal"]);
    rig.event(model(&["car", "person"]));
    rig.log();
    for (n, wrong) in ["person,,", "lorry"].into_iter().enumerate() {
        rig.element.set_property("labels", wrong);
        rig.frame(2 * n as u64, ONE).expect("frames pass");
        rig.frame(2 * n as u64 + 1, NONE).expect("frames pass");
        let said = rig.said(gst::MessageType::Warning).expect("a warning");
        assert!(said.contains(wrong) && said.ends_with("what counted before still counts"));
        assert_eq!(rig.said(gst::MessageType::Warning), None);
    }
    assert_eq!(
        rig.log(),
        [
            "signal 0 trigger 1 person at 0",
            "signal gap 1",
            "signal 2 trigger 1 person at 80000000",
            "signal gap 3",
        ]
    );
}

#[test]
fn presence_is_told_as_start_and_stop_and_what_is_there_at_the_end_stops() {
    let rig = Rig::new(
        "labels=person emit=on-change absence-time=40000000",
        &["src"],
    );
    rig.log();
    for (n, found) in [ONE, ONE, NONE, NONE, ONE].into_iter().enumerate() {
        rig.frame(n as u64, found).expect("frames pass");
    }
    rig.event(gst::event::Eos::new());
    assert_eq!(
        rig.log(),
        [
            "src evr-signal start 1 person at 0",
            "src frame 0",
            "src frame 1",
            "src evr-signal stop null  at 80000000",
            "src frame 2",
            "src frame 3",
            "src evr-signal start 1 person at 160000000",
            "src frame 4",
            "src evr-signal stop null  at 200000000",
            "src eos",
        ]
    );
}

#[test]
fn zones_sizes_and_counts_are_asked_for_by_properties() {
    // The test's regions cover the middle quarter of the frame and stand on 0.75.
    for (properties, counts) in [
        ("zones=low:0,0.5,1,0.5,1,1,0,1", true),
        ("zones=high:0,0,1,0,1,0.5,0,0.5", false),
        ("zones=high:0,0,1,0,1,0.5,0,0.5 reference=overlap", true),
        (
            "zones=high:0,0,1,0,1,0.5,0,0.5 reference=overlap min-overlap=0.6",
            false,
        ),
        ("min-area=0.25", true),
        ("min-area=0.26", false),
        ("max-area=0.24", false),
        ("max-count=0 min-count=0", false),
        ("confirm-frames=2", false),
        ("min-dwell=1", false),
    ] {
        let rig = Rig::new(properties, &[]);
        let _tap = gst_check::Harness::with_element(&rig.element, None, Some("signal"));
        rig.frame(0, ONE).expect("signals are wanted");
        let raised = rig.element.property::<u64>("signals");
        assert_eq!(raised, u64::from(counts), "{properties}");
    }
}

#[test]
fn a_line_counts_tracked_objects_and_says_once_that_others_need_a_tracker() {
    let rig = Rig::new("lines=gate:0.25,0,0.25,1 reference=center", &["signal"]);
    rig.frame(0, ONE).expect("frames pass");
    rig.frame(1, ONE).expect("frames pass");
    let said = rig.said(gst::MessageType::Warning).expect("a warning");
    assert!(said.contains("put a tracker in front"), "{said}");
    assert_eq!(rig.said(gst::MessageType::Warning), None);
    rig.log();
    for (n, x) in [0, 320].into_iter().enumerate() {
        let mut buffer = frame(2 + n as u64, 2 + n as u64, NONE);
        let mut region = gst_video::VideoRegionOfInterestMeta::add(
            buffer.make_mut(),
            "person",
            (x, 120, 160, 240),
        );
        region.add_param(
            gst::Structure::builder("detection")
                .field("confidence", 0.9)
                .field("track_id", 7i64)
                .build(),
        );
        rig.push(buffer).expect("frames pass");
    }
    assert_eq!(
        rig.log(),
        ["signal gap 2", "signal 3 trigger 1 person at 120000000"]
    );
}

#[test]
fn azures_message_counts_what_is_above_the_threshold_and_says_nothing_else() {
    let rig = Rig::new(
        "labels=truck min-confidence=0.5 objectcounter-compatible=true",
        &[],
    );
    let mut harness = gst_check::Harness::with_element(&rig.element, None, Some("signal"));
    let found = [
        ("truck", 0.5),
        ("truck", 0.51),
        ("truck", 0.9),
        ("Truck", 0.9),
    ];
    rig.frame(3, Some(&found)).expect("signals are wanted");
    let buffer = harness.pull().expect("a signal");
    assert_eq!(number(buffer.pts()), 3);
    let map = buffer.map_readable().expect("ordinary memory");
    assert_eq!(std::str::from_utf8(&map).expect("text"), "{\"count\":2}\n");

    let other = Rig::stopped("objectcounter-compatible=true min-area=0.5", &["src"]);
    assert!(other.element.set_state(gst::State::Paused).is_err());
    let said = other.said(gst::MessageType::Error).expect("an error");
    assert!(said.contains("labels and min-confidence alone"), "{said}");
}

#[test]
fn a_rules_file_gives_several_named_rules_which_change_while_playing() {
    let file = rules_file(
        r#"{"rules": [{"name": "people", "labels": "person"},
                      {"name": "pets", "labels": "dog", "signal-label": "pet"}]}"#,
    );
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["src"]);
    rig.event(model(&["person", "dog"]));
    rig.log();
    let both = Some(&[("person", 0.9), ("dog", 0.8)][..]);
    rig.frame(0, both).expect("frames pass");
    for (wrong, says) in [
        (
            "{\"rules\": [{\"name\": \"a\", \"zones\": [\"b\"]}]}",
            "$.rules[0].zones[0]: there is no \"b\"",
        ),
        (
            "{\"rules\": [{\"name\": \"a\", \"labels\": \"lorry\"}]}",
            "$.rules[0].labels: labels names \"lorry\"",
        ),
        (
            "{\"zones\": {\"bow\": [[0,0],[1,1],[1,0],[0,1]]}, \"rules\": [{\"name\": \"a\"}]}",
            "$.zones.bow: the polygon crosses itself",
        ),
        (
            "{\"lines\": {\"dot\": [[0.5,0.5],[0.5,0.5]]}, \"rules\": [{\"name\": \"a\"}]}",
            "$.lines.dot: the line has no length",
        ),
        ("{\"rules\": [{\"name\": \"a\"}]", "line 1"),
    ] {
        std::fs::write(file.path(), wrong).expect("it can be written");
        rig.element.set_property("rules-file", path(&file));
        let n = rig.element.property::<u64>("observed");
        rig.frame(n, both).expect("frames pass");
        let said = rig.said(gst::MessageType::Warning).expect("a warning");
        assert!(
            said.contains(says) && said.ends_with("still counts"),
            "{said}"
        );
    }
    std::fs::write(
        file.path(),
        r#"{"rules": [{"name": "pets", "labels": "dog"}]}"#,
    )
    .expect("it can be written");
    rig.element.set_property("rules-file", path(&file));
    rig.frame(6, both).expect("frames pass");
    let told: Vec<_> = rig
        .log()
        .into_iter()
        .filter(|line| line.contains("trigger"))
        .collect();
    let old = |at: u32| {
        ["person", "pet"].map(|label| format!("src evr-signal trigger 1 {label} at {at}"))
    };
    let mut expected: Vec<_> = (0..6).flat_map(|n| old(n * 40_000_000)).collect();
    expected.push("src evr-signal trigger 1 dog at 240000000".into());
    assert_eq!(told, expected);
}

#[test]
fn wrong_rules_do_not_start_and_say_where_they_are_wrong() {
    let bow =
        rules_file(r#"{"zones": {"bow": [[0,0],[1,1],[1,0],[0,1]]}, "rules": [{"name": "a"}]}"#);
    let dot = rules_file(r#"{"lines": {"dot": [[0.5,0.5],[0.5,0.5]]}, "rules": [{"name": "a"}]}"#);
    let cut = rules_file(r#"{"rules": [{"name": "a"}"#);
    for (properties, says) in [
        (
            format!("rules-file={}", path(&bow)),
            "$.zones.bow: the polygon crosses itself",
        ),
        (
            format!("rules-file={}", path(&dot)),
            "$.lines.dot: the line has no length",
        ),
        (format!("rules-file={}", path(&cut)), "line 1"),
        ("rules-file=/nowhere/rules.json".into(), "cannot be read"),
        (
            "zones=bow:0,0,1,1,1,0,0,1".into(),
            "bow: the polygon crosses itself",
        ),
        (
            "lines=dot:0.5,0.5,0.5,0.5".into(),
            "dot: the line has no length",
        ),
        ("min-count=0".into(), "always holds"),
    ] {
        let rig = Rig::stopped(&properties, &["src"]);
        assert!(rig.element.set_state(gst::State::Paused).is_err());
        let said = rig.said(gst::MessageType::Error).expect("an error");
        assert!(said.starts_with("count: ") && said.contains(says), "{said}");
    }
}

#[test]
fn a_label_in_a_rules_file_that_the_model_cannot_find_is_an_error_at_its_rule() {
    let file = rules_file(
        r#"{"rules": [{"name": "a", "labels": "car"}, {"name": "b", "labels": "lorry"}]}"#,
    );
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["src"]);
    rig.event(model(&["car", "person"]));
    let said = rig.said(gst::MessageType::Error).expect("an error");
    assert!(
        said.contains("$.rules[1].labels: labels names \"lorry\""),
        "{said}"
    );
    assert_eq!(rig.frame(0, ONE), Err(gst::FlowError::Error));
}

#[test]
fn a_bare_frame_behind_a_foreign_detector_shows_nothing_unless_the_user_says_that_it_says_nothing()
{
    for (every_frame_inferred, observed, signals) in [(true, 3, 2), (false, 1, 0)] {
        let rig = Rig::new(
            &format!("min-count=0 max-count=0 every-frame-inferred={every_frame_inferred}"),
            &["signal"],
        );
        rig.frame(0, None).expect("frames pass");
        let mut found = frame(1, 1, None);
        region(found.make_mut(), "person", 0.9);
        rig.push(found).expect("frames pass");
        rig.frame(2, None).expect("frames pass");
        let counted = ["observed", "signals"].map(|name| rig.element.property::<u64>(name));
        assert_eq!(counted, [observed, signals], "{every_frame_inferred}");
    }
}

/// One crowd of one, of the class 1.
const CROWD: &str = "[property]\nconfig-width=640\nconfig-height=480\n[overcrowding-stream-0]\n\
    enable=1\nroi-OC=0;0;640;0;640;480;0;480\nclass-id=1\n";

#[test]
fn a_class_id_that_the_model_has_not_is_an_error_at_its_key() {
    let file = rules_file(CROWD);
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["src"]);
    rig.event(model(&["car", "person"]));
    assert_eq!(rig.said(gst::MessageType::Error), None);
    rig.event(model(&["car"]));
    let said = rig.said(gst::MessageType::Error).expect("an error");
    assert!(
        said.contains("[overcrowding-stream-0] class-id: class-id holds 1"),
        "{said}"
    );
    assert_eq!(rig.frame(0, ONE), Err(gst::FlowError::Error));
}

#[test]
fn that_no_class_id_counts_what_has_no_number_is_said_once() {
    let file = rules_file(CROWD);
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["signal"]);
    rig.log();
    rig.frame(0, ONE).expect("frames pass");
    assert_eq!(rig.said(gst::MessageType::Warning), None);
    for n in 1..3 {
        let mut unnumbered = frame(n, n, NONE);
        let whole = (0, 0, 640, 480);
        gst_video::VideoRegionOfInterestMeta::add(unnumbered.make_mut(), "person", whole);
        rig.push(unnumbered).expect("frames pass");
    }
    let said = rig.said(gst::MessageType::Warning).expect("a warning");
    assert!(said.contains("does not number its classes"), "{said}");
    assert_eq!(rig.said(gst::MessageType::Warning), None);
    assert_eq!(rig.log(), ["signal gap 0", "signal gap 1", "signal gap 2"]);
}

#[test]
fn what_nvdsanalytics_knows_and_the_counter_does_not_is_told() {
    let file = rules_file(
        "[property]\nconfig-width=640\nconfig-height=480\n[overcrowding-stream-0]\nenable=1\n\
         roi-OC=0;0;640;0;640;480;0;480\nobject-threshold=1\ntime-threshold=2000\nclass-id=0\n",
    );
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["signal"]);
    let said = rig.said(gst::MessageType::Warning).expect("a warning");
    assert!(said.contains("time-threshold has no match"), "{said}");
    rig.log();
    rig.frame(0, ONE).expect("frames pass");
    assert_eq!(rig.log(), ["signal 0 trigger 1 person at 0"]);
}

#[test]
fn the_published_schema_takes_the_rules_that_the_element_takes_and_refuses_others() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = std::fs::read(root.join("docs/rules.schema.json")).expect("it is published");
    let schema: Value = serde_json::from_slice(&schema).expect("a schema is JSON");
    jsonschema::meta::validate(&schema).expect("a schema is one");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let scenarios = std::fs::read_dir(root.join("plugins/core/tests/scenarios"));
    let mut taken = 0;
    for entry in scenarios.expect("the scenarios are here") {
        let text = std::fs::read_to_string(entry.expect("a file").path()).expect("text");
        let rules = text.split("\n---\n").next().unwrap_or_default();
        if let Ok(rules) = serde_json::from_str::<Value>(rules) {
            assert!(schema.is_valid(&rules), "{rules}");
            taken += 1;
        }
    }
    assert!(taken >= 10, "only {taken} scenarios with JSON");
    let right = r#"{"rules": [{"name": "a", "labels": ["tench, Tinca tinca", "a:b"],
        "min-distance": 0, "max-count": 4294967295, "reference": "overlap", "min-overlap": 0.75}]}"#;
    let file = rules_file(right);
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["src"]);
    assert_eq!(rig.said(gst::MessageType::Error), None);
    assert!(schema.is_valid(&serde_json::from_str(right).expect("JSON")));
    for wrong in [
        r#"{"rules": []}"#,
        r#"{"rules": [{"labels": "a"}]}"#,
        r#"{"rules": [{"name": "a", "min-cuont": 2}]}"#,
        r#"{"rules": [{"name": "a", "min-area": 2}]}"#,
        r#"{"rules": [{"name": "a", "reference": "top"}]}"#,
        r#"{"rules": [{"name": "a", "min-overlap": 2}]}"#,
        r#"{"rules": [{"name": "a", "labels": []}]}"#,
        r#"{"rules": [{"name": "a", "labels": ["b", " "]}]}"#,
        r#"[{"name": "a"}]"#,
        r#"{"zones": {"a": [[0, 0], [1, 1]]}, "rules": [{"name": "a"}]}"#,
        r#"{"zones": {"a": [[0, 0], [1, 1], [1, 0]]}, "rules": [{"name": "a", "zones": ["a", "a"]}]}"#,
        r#"{"zones": {"a": {"space": {}}}, "rules": [{"name": "a"}]}"#,
        r#"{"zones": {"a": {"space": {"max-w": 1}}}, "rules": [{"name": "a"}]}"#,
    ] {
        let file = rules_file(wrong);
        let rig = Rig::stopped(&format!("rules-file={}", path(&file)), &["src"]);
        assert!(
            rig.element.set_state(gst::State::Paused).is_err(),
            "{wrong}"
        );
        let wrong = serde_json::from_str(wrong).expect("JSON");
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
}
