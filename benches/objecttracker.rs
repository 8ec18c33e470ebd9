//! What deciding costs: fifty objects that walk about, tracked and counted by three rules, all at once
//! and one by one, each step of a frame timed on its own. Counting is deciding and telling: of the
//! objects that the rules find, each signal tells every one.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::{hint::black_box, time::Instant};

use evr_core::{
    counter::{Counter, Labels, Rule, parse_lines, parse_zones},
    detection::{BoundingBox, Detection, Observation},
    time::SECOND,
    tracker::{Identity, Tracker},
};

const OBJECTS: usize = 50;
const FRAMES: u64 = 20_000;
const ASPECT: f64 = 16.0 / 9.0;

fn main() {
    let mut tracker = Tracker::default();
    // What a rule that holds in no frame costs is deciding; the rest of its cost is telling.
    let mute = |mut rule: Rule| {
        if rule.lines.is_empty() {
            rule.min_count = OBJECTS as u32 + 1;
        }
        rule
    };
    let all = || rules().map(|(_, rule)| rule);
    let mut ways = vec![
        ("count them by three rules".to_owned(), all().to_vec()),
        ("decide on three rules".into(), all().map(mute).to_vec()),
    ];
    for (name, rule) in rules() {
        let decided = mute(rule.clone());
        ways.push((format!("count them by the rule that {name}"), vec![rule]));
        ways.push((format!("decide on the rule that {name}"), vec![decided]));
    }
    let mut counters: Vec<_> = ways
        .into_iter()
        .map(|(name, rules)| (name, Counter::new(rules), Vec::new()))
        .collect();
    let mut tracked = Vec::new();
    for n in 0..FRAMES {
        let time = Some(n as i64 * 40_000_000);
        let mut observation = Observation {
            seq: n,
            model: "bench".into(),
            detections: (0..OBJECTS).map(|k| walker(k, n)).collect(),
        };
        let begun = Instant::now();
        let outcome = tracker.observe(time, ASPECT, &observation.detections);
        tracked.push(begun.elapsed().as_secs_f64() * 1e6);
        let identities = outcome.identities.into_iter();
        for (detection, identity) in observation.detections.iter_mut().zip(identities) {
            detection.track_id = identity.map(|Identity { id, .. }| id);
        }
        for (_, counter, counted) in &mut counters {
            let begun = Instant::now();
            black_box(counter.observe(time, black_box(&observation)));
            counted.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    let tracked = median(&mut tracked);
    println!("measured: µs to track {OBJECTS} objects in a frame: {tracked:.1}");
    let mut both = None;
    for (name, _, counted) in &mut counters {
        let counted = median(counted);
        println!("measured: µs to {name}, {OBJECTS} in a frame: {counted:.1}");
        both.get_or_insert(tracked + counted);
    }
    let both = both.unwrap_or(tracked);
    println!("measured: µs to track and count {OBJECTS} objects in a frame: {both:.1}");
}

/// What a yard with a gate is watched by: who is there, who loiters, who passes.
fn rules() -> [(&'static str, Rule); 3] {
    let door = "door:0.1,0.2,0.4,0.2,0.4,0.9;yard:0.5,0.1,0.9,0.1,0.9,0.9,0.5,0.9";
    let everyone = Rule {
        labels: Labels::parse("person,car:0.5").expect("a list of labels"),
        ..Rule::default()
    };
    let loiterer = Rule {
        zones: parse_zones(door).expect("two polygons"),
        min_dwell: 5 * SECOND,
        confirm_frames: 3,
        window_frames: 5,
        ..Rule::default()
    };
    let passer = Rule {
        lines: parse_lines("gate:0.45,0,0.45,1").expect("a line"),
        ..Rule::default()
    };
    [
        ("says who is there", everyone),
        ("says who loiters", loiterer),
        ("says who passes", passer),
    ]
}

/// The k-th object, which goes to and fro on its own way and trembles.
fn walker(k: usize, n: u64) -> Detection {
    let phase = k as f64 * 0.7;
    let way = (n as f64 / 90.0 + phase).sin();
    let tremble = ((n * 7919 + k as u64 * 104_729) % 101) as f64 / 1e5;
    let (x, y) = (0.1 * (k % 10) as f64 + 0.04 * way, 0.18 * (k / 10) as f64);
    Detection {
        label: if k.is_multiple_of(5) { "car" } else { "person" }.into(),
        label_id: 1,
        confidence: 0.6 + tremble,
        bbox: BoundingBox::from_corners(x + tremble, y, x + 0.05 + tremble, y + 0.16),
        track_id: None,
        distance: None,
        position: None,
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
