//! Golden scenarios: every file of `tests/scenarios` holds a rules file and, below a line of dashes,
//! what was seen and what it raises.
//!
//! ```text
//! 0.2  person .9 [.1 .2 .3 .4] #7, dog .5 [0 0 1 1]
//!      > start at 0.2 rule=door label=person count=1 objects=person#7
//! 0.4  -
//! ```
//!
//! A frame is its time in seconds and its objects, each with label, confidence, left, top, width,
//! height and perhaps a track, a distance and a position in metres (`#7 @2.5
//! (0 .7 2.4)`); `-` says that nothing was found, `?` that nobody looked. What is expected follows,
//! one signal a line. `gap 5.0` has no frames until then, `begin` begins another stream, `end` ends
//! the stream, `flush` flushes it; `rules` is followed by the rules from then on, in one line.
//! `EVR_BLESS=1` writes what is raised.

#![expect(
    clippy::disallowed_methods,
    reason = "the scenarios are files; what they are played on reads none"
)]

use std::{fmt::Write, fs, path::Path};

use evr_core::{
    counter::{Counter, Raised, rules_file},
    detection::{BoundingBox, Detection, Observation},
    signal::When,
    time::{Nanos, SECOND, seconds},
};
use serde_json::Value;

fn detection(text: &str) -> Detection {
    let (label, rest) = text.trim().split_once(' ').expect("a label and numbers");
    let (confidence, rest) = rest.split_once('[').expect("a box in brackets");
    let (corners, track) = rest.split_once(']').expect("a box in brackets");
    let number = |text: &str| text.trim().parse::<f64>().expect("a number");
    let [l, t, w, h] = corners.split_whitespace().map(number).collect::<Vec<_>>()[..] else {
        panic!("a box has four numbers: {text}")
    };
    let (track, position) = match track.trim().strip_suffix(')') {
        Some(track) => {
            let (track, position) = track.split_once('(').expect("both brackets");
            let numbers: Vec<_> = position.split_whitespace().map(number).collect();
            (track, Some(numbers.try_into().expect("three numbers")))
        }
        None => (track, None),
    };
    let (track, distance) = match track.split_once('@') {
        Some((track, distance)) => (track, Some(number(distance))),
        None => (track, None),
    };
    let track = track.trim().strip_prefix('#');
    Detection {
        label: label.to_owned().into(),
        label_id: -1,
        confidence: number(confidence),
        bbox: BoundingBox { l, t, w, h },
        track_id: track.map(|id| id.parse().expect("a track id")),
        distance,
        position,
    }
}

/// A time that is written in seconds.
fn nanos(seconds: &str) -> Nanos {
    let seconds = seconds.parse::<f64>().expect("a time in seconds");
    (seconds * SECOND as f64).round() as Nanos
}

fn summary(raised: &Raised) -> String {
    let signal = raised.signal().expect("it is told as a signal");
    assert_eq!(signal.action, raised.action);
    assert_eq!(signal.when, raised.media_time.map(When::Media));
    let mut text = format!("> {}", signal.action.as_str());
    if let Some(When::Media(at)) = signal.when {
        write!(text, " at {}", seconds(at)).expect("a string takes all");
    }
    for (name, value) in &signal.body {
        let value = match (name.as_str(), value) {
            ("since" | "last_seen", Value::Number(at)) => {
                seconds(at.as_i64().expect("a time")).to_string()
            }
            ("objects", Value::Array(objects)) => {
                objects.iter().map(object).collect::<Vec<_>>().join("+")
            }
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        };
        write!(text, " {name}={value}").expect("a string takes all");
    }
    text
}

/// An object by its label, and what else is said of it.
fn object(object: &Value) -> String {
    let mut text = object["label"].as_str().expect("a label").to_owned();
    if let Some(id) = object["track_id"].as_i64() {
        write!(text, "#{id}").expect("a string takes all");
    }
    if let Some(distance) = object["distance"].as_f64() {
        write!(text, " {distance}m").expect("a string takes all");
    }
    if let Some(zones) = object["zones"].as_array() {
        let zones: Vec<_> = zones.iter().filter_map(Value::as_str).collect();
        write!(text, "@{}", zones.join("&")).expect("a string takes all");
    }
    if let Some(dwell) = object["dwell"].as_i64() {
        write!(text, "~{}s", seconds(dwell)).expect("a string takes all");
    }
    text
}

/// The scenario with the signals that are raised in place of those expected.
fn play(text: &str) -> String {
    let (rules, frames) = text.split_once("\n---\n").expect("a line of dashes");
    let (rules, _) = rules_file::parse_any(rules).expect("right rules");
    let mut counter = Counter::new(rules);
    let mut played = String::new();
    let mut seq = 0;
    for line in frames
        .lines()
        .filter(|line| !line.trim_start().starts_with('>'))
    {
        played += line;
        played.push('\n');
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        let signals = match (what, rest.trim_start()) {
            ("flush", _) => {
                counter.flush();
                vec![]
            }
            ("rules", rules) => {
                counter.configure(rules_file::parse(rules).expect("right rules"));
                vec![]
            }
            ("gap", end) => counter.gap(nanos(end)).into_iter().collect(),
            ("begin", _) => counter.begin().into_iter().collect(),
            ("end", _) => counter.end().into_iter().collect(),
            (time, "?") => counter.unobserved(nanos(time)).into_iter().collect(),
            (time, objects) => {
                let objects = objects.trim_start_matches('-');
                let objects = objects.split(',').filter(|object| !object.is_empty());
                let observation = Observation {
                    seq,
                    model: "m".into(),
                    detections: objects.map(detection).collect(),
                };
                seq += 1;
                counter
                    .observe(Some(nanos(time)), &observation)
                    .expect("each is new")
            }
        };
        for signal in &signals {
            let told = summary(signal).replace(" model=m", "");
            writeln!(played, "     {told}").expect("a string takes all");
        }
    }
    format!(
        "{}\n---\n{played}",
        text.split("\n---\n").next().unwrap_or_default()
    )
}

#[test]
fn every_scenario_raises_exactly_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut wrong = Vec::new();
    let mut played = 0;
    for entry in fs::read_dir(folder).expect("the scenarios are here") {
        let path = entry.expect("a folder can be read").path();
        let text = fs::read_to_string(&path).expect("a scenario is text");
        let result = play(&text);
        played += 1;
        if std::env::var_os("EVR_BLESS").is_some() {
            fs::write(&path, &result).expect("a scenario can be written");
        } else if result != text {
            wrong.push(format!("{} should read:\n{result}", path.display()));
        }
    }
    assert!(played >= 10, "only {played} scenarios");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
