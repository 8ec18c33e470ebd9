//! Files that are right, those that are not and what is said of them, and any text at all.

use proptest::prelude::*;

use super::*;
use crate::counter::shape::Extent;
use crate::counter::volume::{Bounds, Volume};

#[test]
fn every_member_is_read() {
    let rules = parse(
        r#"{
                "$schema": "rules.schema.json",
                "zones": {
                    "door": [[0, 0], [0.5, 0], [0.5, 1]],
                    "dock": {"space": {"min-x": -1.5, "max-x": 1.5, "max-z": 3}}
                },
                "lines": {"gate": [[0.5, 0], [0.5, 1]]},
                "rules": [
                    {"name": "loiter", "signal-label": "loitering", "labels": ["person", "dog:0.6"],
                     "min-confidence": 0.5, "min-area": 0.01, "max-area": 0.9, "min-distance": 1,
                     "max-distance": 3.5, "min-count": 2,
                     "max-count": 5, "zones": ["door"], "outside": true,
                     "reference": "overlap", "min-overlap": 0.25, "min-dwell": 7,
                     "confirm-frames": 2, "window-frames": 3, "absence-time": 4,
                     "unobserved-time": 5, "emit": "on-change"},
                    {"name": "crossing", "labels": "person", "lines": ["gate"],
                     "direction": "left-to-right", "reference": "center", "zones": ["dock"]}
                ]
            }"#,
    )
    .expect("a right file");
    let [loiter, crossing] = &rules[..] else {
        panic!("two rules")
    };
    assert_eq!(
        *loiter,
        Rule {
            name: "loiter".into(),
            path: "$.rules[0]".into(),
            signal_label: Some("loitering".into()),
            labels: Labels::parse("person,dog:0.6").expect("a right list"),
            min_confidence: 0.5,
            min_area: 0.01,
            max_area: 0.9,
            min_distance: Some(1.0),
            max_distance: Some(3.5),
            min_count: 2,
            max_count: Some(5),
            zones: loiter.zones.clone(),
            outside: true,
            reference: Reference::Overlap(0.25),
            min_dwell: 7,
            confirm_frames: 2,
            window_frames: 3,
            absence_time: 4,
            unobserved_time: 5,
            emit: Emit::OnChange,
            ..Rule::default()
        }
    );
    assert_eq!(loiter.zones[0].name, "door");
    let bounds = |min, max| Bounds { min, max };
    let dock = Volume::new([
        bounds(Some(-1.5), Some(1.5)),
        Bounds::default(),
        bounds(None, Some(3.0)),
    ]);
    let dock = Extent::Space(dock.expect("bounds in order"));
    assert_eq!(crossing.zones[0].extent, dock);
    assert_eq!(crossing.lines[0].name, "gate");
    assert_eq!(crossing.direction, Direction::LeftToRight);
    assert_eq!(crossing.reference, Reference::Center);
}

#[test]
fn what_is_wrong_is_told_with_its_path() {
    let rule = |members: &str| format!(r#"{{"rules": [{{"name": "a"{members}}}]}}"#);
    let shapes = |shapes: &str| format!(r#"{{{shapes}, "rules": [{{"name": "a"}}]}}"#);
    for (text, says) in [
            ("{".to_owned(), "$: EOF"),
            (r#"{"rules": []}"#.into(), "$.rules: there is no rule"),
            (
                rule(r#", "min-cuont": 2"#),
                "$.rules[0].min-cuont: unknown field",
            ),
            (
                rule(r#", "min-count": -1"#),
                "$.rules[0].min-count: invalid value",
            ),
            (rule(r#", "labels": 7"#), "$.rules[0].labels: give a string"),
            (
                rule(r#", "labels": "a:2""#),
                "$.rules[0].labels: labels gives \"a\"",
            ),
            (
                rule(r#", "labels": ["a", "b:2"]"#),
                "$.rules[0].labels[1]: labels gives \"b\" the confidence \"2\"",
            ),
            (
                rule(r#", "labels": ["b:"]"#),
                "$.rules[0].labels[0]: labels gives \"b\" the confidence \"\"",
            ),
            (
                rule(r#", "labels": ["a", " "]"#),
                "$.rules[0].labels[1]: this label is empty: name one",
            ),
            (
                rule(r#", "labels": [":0.5"]"#),
                "$.rules[0].labels[0]: this label is empty",
            ),
            (
                rule(r#", "labels": ["a", "b", "a:0.5"]"#),
                "$.rules[0].labels[2]: labels names \"a\" twice",
            ),
            (
                rule(r#", "labels": []"#),
                "$.rules[0].labels: this list holds no label, so nothing would count",
            ),
            (
                rule(r#", "zones": ["b"]"#),
                "$.rules[0].zones[0]: there is no \"b\"",
            ),
            (
                rule(r#", "min-area": 2"#),
                "$.rules[0].min-area: min-area is 2",
            ),
            (
                rule(r#", "max-distance": -2"#),
                "$.rules[0].max-distance: max-distance is -2: give metres",
            ),
            (
                rule(r#", "min-overlap": 2"#),
                "$.rules[0].min-overlap: min-overlap is 2",
            ),
            (
                rule(r#", "max-count": 0"#),
                "$.rules[0].min-count: min-count is 1 and max-count 0, so it never holds: lower \
                 min-count to 0 or raise max-count to 1",
            ),
            (
                rule(r#", "min-count": 0, "max-count": 4294967295"#),
                "$.rules[0].min-count: min-count is 0, which always holds",
            ),
            (
                rule(r#", "outside": true"#),
                "$.rules[0].outside: outside is asked for without a zone",
            ),
            (r#"[{"name": "a"}]"#.into(), "$: this is a list"),
            (
                rule(r#"}, {"name": "a""#),
                "$.rules[1].name: \"a\" is empty or taken",
            ),
            (
                shapes(r#""zones": {"bow": [[0,0],[1,1],[1,0],[0,1]]}"#),
                "$.zones.bow: the polygon crosses itself: its edges 0 and 2 meet",
            ),
            (
                shapes(r#""zones": {"a": [[0,0],[1,0],[1]]}"#),
                "$.zones.a[2]: invalid length",
            ),
            (
                shapes(r#""zones": {"a": 7}"#),
                "$.zones.a: invalid type: integer `7`, expected corners such as",
            ),
            (
                shapes(r#""zones": {"dock": {"space": {}}}"#),
                "$.zones.dock.space: space without a bound holds everything: give one",
            ),
            (
                shapes(r#""zones": {"dock": {"space": {"min-z": 3, "max-z": 2}}}"#),
                "$.zones.dock.space: min-z is greater than max-z",
            ),
            (
                shapes(r#""zones": {"dock": {"space": {"max-zz": 2}}}"#),
                "$.zones.dock.space.max-zz: unknown field",
            ),
            (
                shapes(r#""zones": {"dock": {"spaces": {}}}"#),
                "$.zones.dock.spaces: unknown field",
            ),
            (
                shapes(r#""zones": {"dock": {"space": {"max-z": "near"}}}"#),
                "$.zones.dock.space.max-z: invalid type",
            ),
            (
                shapes(r#""lines": {"dot": [[0.5,0.5],[0.5,0.5]]}"#),
                "$.lines.dot: the line has no length",
            ),
            (shapes(r#""lines": {"l": [[0,0]]}"#), "$.lines.l"),
            (
                shapes(r#""zones": {"a": [[0,0],[1,0],[1,1]], "a": [[0,0],[1,0],[0,1]]}"#),
                "$.zones.a: \"a\" stands here twice",
            ),
            (
                shapes(r#""lines": {"l": [[0,0],[1,0]], "l": [[0,0],[1,1]]}"#),
                "$.lines.l: \"l\" stands here twice",
            ),
            (
                r#"{"zones": {"a": [[0,0],[1,0],[1,1]]}, "rules": [{"name": "r", "zones": ["a", "a"]}]}"#
                    .into(),
                "$.rules[0].zones[1]: \"a\" stands here twice",
            ),
            (
                r#"{"lines": {"l": [[0,0],[1,0]]}, "rules": [{"name": "r", "lines": ["l", "l"]}]}"#
                    .into(),
                "$.rules[0].lines[1]: \"l\" stands here twice",
            ),
            (rule("") + "x", "$: trailing characters"),
        ] {
            let said = parse(&text).expect_err(says).to_string();
            assert!(said.starts_with(says), "{said}");
        }
}

#[test]
fn a_label_in_a_list_may_hold_commas_and_colons() {
    let text = r#"{"rules": [{"name": "a", "labels": ["tench, Tinca tinca", "a:b", "c:d:0.6"]}]}"#;
    let rules = parse(text).expect("a right file");
    let threshold = |label| rules[0].labels.threshold(label, 0.5);
    assert_eq!(threshold("tench, Tinca tinca"), Some(0.5));
    assert_eq!(threshold("a:b"), Some(0.5));
    assert_eq!(threshold("c:d"), Some(0.6));
    for other in ["tench", "Tinca tinca", "a", "b", "c", "zebra"] {
        assert_eq!(threshold(other), None, "{other}");
    }
}

#[test]
fn members_that_ask_for_nothing_mean_what_such_properties_mean() {
    let text = r#"{"rules": [{"name": "a", "labels": "", "min-distance": 0, "max-distance": 0,
            "max-count": 4294967295}]}"#;
    let rules = parse(text).expect("a right file");
    let plain = Rule {
        name: "a".into(),
        path: "$.rules[0]".into(),
        ..Rule::default()
    };
    assert_eq!(rules, [plain]);
}

#[test]
fn what_is_no_ini_is_read_as_json() {
    for list in ["[]", " [ {\"name\": \"a\"} ]", "[\n{", "[1, 2]"] {
        let said = parse_any(list).expect_err(list).to_string();
        assert!(said.starts_with("$: this is a list"), "{list}: {said}");
    }
    for ini in ["[property]", "# rules", "; rules"] {
        let said = parse_any(ini).expect_err(ini).to_string();
        assert!(said.starts_with("[property] enable"), "{ini}: {said}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,64}") {
        let _ = parse(&text);
    }
}
