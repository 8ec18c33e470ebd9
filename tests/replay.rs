//! The example `replay_rules`: rules over what a `meta` pad told, and every decision with its reason.

#[path = "common/stage.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod stage;

use std::{path::PathBuf, process::Command};

use stage::example;

const RULES: &str = r#"{
    "zones": {"door": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]},
    "rules": [
        {"name": "visit", "labels": "person:0.6", "zones": ["door"], "min-dwell": 1000000000},
        {"name": "crowd", "min-count": 2, "confirm-frames": 2}
    ]
}"#;

const SEEN: &str = concat!(
    r#"{"media_time":0,"seq":0,"model":"m","objects":[{"label":"person","confidence":0.9,"box":{"l":0.1,"t":0.1,"w":0.1,"h":0.5},"track_id":7},{"label":"dog","confidence":0.8,"box":{"l":0.8,"t":0.5,"w":0.1,"h":0.1}}]}"#,
    "\n",
    r#"{"media_time":1000000000,"seq":1,"model":"m","objects":[{"label":"person","confidence":0.9,"box":{"l":0.1,"t":0.1,"w":0.1,"h":0.5},"track_id":7},{"label":"person","confidence":0.5,"box":{"l":0.8,"t":0.5,"w":0.1,"h":0.1}}]}"#,
    "\n",
    r#"{"ended":[{"track_id":7,"label":"person","first":0,"last":1000000000,"observations":2}]}"#,
    "\n",
);

/// As `zedsrc` tells frames: with what else it knows of them, and nobody looked at the first.
const UNSEEN: &str = "{\"media_time\":0,\"sensors\":{\"temperature\":36.5}}\n";

const DECIDED: &str = concat!(
    "0.000 visit TooFew: 0 of at least 1 count; person 0.9000 #7: there for 0 s of 1 s; ",
    "dog 0.8000: the label does not count\n",
    "0.000 crowd Unconfirmed { held: 1 }: 2 count, but it held in 1 of the last 2 observations and ",
    "must in 2; person 0.9000 #7: counts; dog 0.8000: counts\n",
    "1.000 visit Holds: 1 count; person 0.9000 #7: counts in door; person 0.5000: below 0.6\n",
    "1.000 crowd Holds: 2 count; person 0.9000 #7: counts; person 0.5000: counts\n",
);

/// Runs the example as cargo has just built it.
fn replay(rules: &str, signals_alone: bool) -> (String, String, bool) {
    replay_seen(rules, SEEN, signals_alone)
}

fn replay_seen(rules: &str, seen: &str, signals_alone: bool) -> (String, String, bool) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path
    };
    let output = Command::new(example("replay_rules"))
        .args(signals_alone.then_some("--signals"))
        .arg(write("rules.json", rules))
        .arg(write("seen.jsonl", seen))
        .output()
        .expect("cargo has built the example beside its tests");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.success(),
    )
}

#[test]
fn every_decision_is_printed_with_its_reason_and_every_signal_as_it_is_told() {
    let (all, _, _) = replay(RULES, false);
    let (signals, _, _) = replay(RULES, true);
    let is_signal = |line: &&str| line.starts_with('{');
    let decided: Vec<_> = all.lines().filter(|line| !is_signal(line)).collect();
    assert_eq!(decided.join("\n") + "\n", DECIDED);
    assert!(all.lines().filter(is_signal).eq(signals.lines()));
    let rules: Vec<String> = signals
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|signal| format!("{} {}", signal["rule"], signal["count"]))
        .collect();
    assert_eq!(rules, [r#""visit" 1"#, r#""crowd" 2"#]);
}

#[test]
fn frames_that_nobody_looked_at_are_passed_over_and_an_unnumbered_line_is_refused() {
    let (all, said, succeeds) = replay_seen(RULES, &(UNSEEN.to_owned() + SEEN), false);
    assert!(succeeds, "{said}");
    assert_eq!(all, replay(RULES, false).0);
    let unnumbered = SEEN.replacen("\"seq\":1,", "", 1);
    let (_, said, succeeds) = replay_seen(RULES, &unnumbered, false);
    assert!(!succeeds);
    assert!(
        said.contains("seen.jsonl, line 2: an observation of the model"),
        "{said}"
    );
}

#[test]
fn what_nvdsanalytics_counts_by_number_is_decided_as_it_was_live() {
    let rules = "[property]\nconfig-width=100\nconfig-height=100\n[overcrowding-stream-0]\n\
        enable=1\nroi-OC=0;0;100;0;100;100;0;100\nclass-id=1\n";
    let found = |seq: u32, label_id: u32| {
        format!(
            "{{\"seq\":{seq},\"model\":\"m\",\"objects\":[{{\"label\":\"a\",\"confidence\":0.9,\
             \"box\":{{\"l\":0.1,\"t\":0.1,\"w\":0.1,\"h\":0.5}},\"label_id\":{label_id}}}]}}\n"
        )
    };
    let (signals, said, _) = replay_seen(rules, &(found(0, 0) + &found(1, 1)), true);
    assert_eq!(signals.lines().count(), 1, "{signals}{said}");
}

#[test]
fn wrong_rules_are_refused_by_file_and_path() {
    let (_, said, succeeds) = replay(r#"{"rules": [{"name": "a", "min-area": 2}]}"#, false);
    assert!(!succeeds);
    assert!(
        said.contains("rules.json: $.rules[0].min-area: min-area is 2"),
        "{said}"
    );
}
