//! What holds of the rules whatever is seen.

use evr_core::{
    counter::{Counter, Emit, Polygon, Raised, Reference, Rule, Zone},
    detection::{BoundingBox, Detection, Observation},
    signal::{Action, Signal, When},
};
use proptest::prelude::*;

const STEP: i64 = 100;

fn any_detection() -> impl Strategy<Value = Detection> {
    let grid = || (0..=16_u8).prop_map(|n| f64::from(n) / 16.0);
    (
        0..3_usize,
        0..=4_u8,
        grid(),
        grid(),
        grid(),
        grid(),
        proptest::option::of(0..4_i64),
    )
        .prop_map(|(label, confidence, x0, y0, x1, y1, track_id)| Detection {
            label: ["a", "b", "c"][label].into(),
            label_id: -1,
            confidence: f64::from(confidence) / 4.0,
            bbox: BoundingBox::from_corners(x0, y0, x1, y1),
            track_id,
            distance: None,
            position: None,
        })
}

fn any_frames() -> impl Strategy<Value = Vec<Vec<Detection>>> {
    proptest::collection::vec(proptest::collection::vec(any_detection(), 0..6), 0..16)
}

fn any_zone() -> impl Strategy<Value = Zone> {
    proptest::collection::vec((0..=8_u8, 0..=8_u8), 3..6).prop_filter_map("no outline", |grid| {
        let corners: Vec<_> = grid
            .iter()
            .map(|(x, y)| (f64::from(*x) / 8.0, f64::from(*y) / 8.0))
            .collect();
        let polygon = Polygon::new(&corners).ok()?;
        Some(Zone {
            name: format!("{grid:?}"),
            polygon,
        })
    })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    (
        proptest::collection::vec(any_zone(), 0..3),
        prop_oneof![
            Just(Reference::BottomCenter),
            Just(Reference::Center),
            Just(Reference::Overlap(0.5))
        ],
        1..3_u32,
        (1..4_u32, 0..3_u32),
        0..4_i64,
        0..4_i64,
        prop_oneof![Just(Emit::WhilePresent), Just(Emit::OnChange)],
    )
        .prop_map(
            |(zones, reference, min_count, (confirm, more), dwell, absence, emit)| Rule {
                zones,
                reference,
                min_count,
                confirm_frames: confirm,
                window_frames: confirm + more,
                min_dwell: dwell * STEP,
                absence_time: absence * STEP,
                emit,
                ..Rule::default()
            },
        )
}

fn run(rules: &[Rule], frames: &[Vec<Detection>]) -> Vec<Vec<Signal>> {
    let mut counter = Counter::new(rules.to_vec());
    let observe = |(n, detections): (usize, &Vec<Detection>)| {
        let observation = Observation {
            seq: n as u64,
            model: "m".into(),
            detections: detections.clone(),
        };
        counter
            .observe(Some(n as i64 * STEP), &observation)
            .expect("each is new")
    };
    let mut raised: Vec<_> = frames.iter().enumerate().map(observe).collect();
    raised.push(counter.end().into_iter().collect());
    let read = |raised: &Raised| raised.signal().expect("it is told as a signal");
    raised
        .iter()
        .map(|all| all.iter().map(read).collect())
        .collect()
}

proptest! {
    #[test]
    fn the_order_of_detections_changes_nothing(
        rule in any_rule(),
        (frames, shuffled) in any_frames().prop_flat_map(|frames| {
            let shuffled: Vec<_> = frames.iter().map(|f| Just(f.clone()).prop_shuffle()).collect();
            (Just(frames), shuffled)
        }),
    ) {
        prop_assert_eq!(run(std::slice::from_ref(&rule), &frames), run(&[rule], &shuffled));
    }

    #[test]
    fn more_zones_never_lose_a_count(rule in any_rule(), more in any_zone(), frames in any_frames()) {
        // No zone at all means everywhere, which no zone adds to.
        prop_assume!(!rule.zones.is_empty());
        let rule = Rule { emit: Emit::WhilePresent, ..rule };
        let mut wider = rule.clone();
        wider.zones.push(more);
        let counts = |rule| -> Vec<u64> {
            let signals = run(&[rule], &frames);
            signals.iter().map(|s| s.first().map_or(0, |s| s.body["count"].as_u64().expect("a count"))).collect()
        };
        for (few, many) in counts(rule).into_iter().zip(counts(wider)) {
            prop_assert!(few <= many, "{} of {}", few, many);
        }
    }

    #[test]
    fn starts_and_stops_alternate_and_no_signal_is_late(
        rules in proptest::collection::vec(any_rule(), 1..3), frames in any_frames(),
    ) {
        let (mut open, mut previous) = (0_u32, i64::MIN);
        let alone = rules.iter().filter(|rule| rule.emit == Emit::OnChange).count() == 1;
        for (n, signals) in run(&rules, &frames).iter().enumerate() {
            for signal in signals {
                let Some(When::Media(at)) = signal.when else { panic!("every frame has a time") };
                // All up to the frame before was said to be known.
                prop_assert!(at > previous, "{} after {}", at, previous);
                match signal.action {
                    Action::Start => open += 1,
                    Action::Stop => {
                        prop_assert!(open > 0);
                        open = 0;
                    }
                    Action::Trigger => {}
                }
                prop_assert!(!alone || open <= 1, "one rule started twice");
            }
            previous = n as i64 * STEP;
        }
        prop_assert_eq!(open, 0, "what has started stops at the end");
    }

    #[test]
    fn rules_do_not_hear_of_each_other(
        rules in proptest::collection::vec(any_rule(), 2..4), frames in any_frames(),
    ) {
        let rules: Vec<_> = rules.into_iter().enumerate().map(|(n, rule)| Rule {
            name: n.to_string(), emit: Emit::WhilePresent, ..rule
        }).collect();
        let together = run(&rules, &frames);
        for (n, rule) in rules.iter().enumerate() {
            let alone = run(std::slice::from_ref(rule), &frames);
            for (all, own) in together.iter().zip(alone) {
                let name = n.to_string();
                let is_mine = |signal: &&Signal| signal.body["rule"] == name;
                let mine: Vec<_> = all.iter().filter(is_mine).cloned().collect();
                prop_assert_eq!(mine, own);
            }
        }
    }
}
