//! What holds of the rules whatever is seen.

use evr_core::{
    counter::{
        Bounds, Counter, Emit, Extent, Labels, Polygon, Raised, Reference, Rule, Volume, Zone,
    },
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
        proptest::option::of([-4..=4_i8, -4..=4_i8, 0..=4_i8]),
    )
        .prop_map(
            |(label, confidence, x0, y0, x1, y1, track_id, position)| Detection {
                label: ["a", "b", "c"][label].into(),
                label_id: -1,
                confidence: f64::from(confidence) / 4.0,
                bbox: BoundingBox::from_corners(x0, y0, x1, y1),
                track_id,
                distance: None,
                position: position.map(|position| position.map(f64::from)),
            },
        )
}

fn any_frames() -> impl Strategy<Value = Vec<Vec<Detection>>> {
    proptest::collection::vec(proptest::collection::vec(any_detection(), 0..6), 0..16)
}

fn any_polygon() -> impl Strategy<Value = Zone> {
    proptest::collection::vec((0..=8_u8, 0..=8_u8), 3..6).prop_filter_map("no outline", |grid| {
        let corners: Vec<_> = grid
            .iter()
            .map(|(x, y)| (f64::from(*x) / 8.0, f64::from(*y) / 8.0))
            .collect();
        let polygon = Polygon::new(&corners).ok()?;
        Some(Zone {
            name: format!("{grid:?}"),
            extent: Extent::Frame(polygon),
        })
    })
}

/// Bounds along one axis, or their half, or none.
fn any_bounds() -> impl Strategy<Value = Bounds> {
    let bound = || proptest::option::of((-4..=4_i8).prop_map(f64::from));
    (bound(), bound()).prop_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => Bounds {
            min: Some(a.min(b)),
            max: Some(a.max(b)),
        },
        (min, max) => Bounds { min, max },
    })
}

fn any_volume() -> impl Strategy<Value = Zone> {
    let bounds = [any_bounds(), any_bounds(), any_bounds()];
    bounds.prop_filter_map("no bound", |bounds| {
        Some(Zone {
            name: format!("{bounds:?}"),
            extent: Extent::Space(Volume::new(bounds).ok()?),
        })
    })
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop_oneof![any_polygon(), any_volume()]
}

/// A rule that asks for nothing but labels and confidence, or for nothing.
fn any_labels() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(("", 0.0)), Just(("a,b:0.75", 0.5))].prop_map(|(labels, min_confidence)| {
        Rule {
            labels: Labels::parse(labels).expect("a right list"),
            min_confidence,
            ..Rule::default()
        }
    })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    (
        any_labels(),
        proptest::collection::vec(any_zone(), 0..3),
        prop_oneof![
            Just(Reference::BottomCenter),
            Just(Reference::Center),
            (0..=2_u8).prop_map(|half| Reference::Overlap(f64::from(half) / 2.0))
        ],
        1..3_u32,
        (1..4_u32, 0..3_u32),
        0..4_i64,
        0..4_i64,
        prop_oneof![Just(Emit::WhilePresent), Just(Emit::OnChange)],
    )
        .prop_map(
            |(labels, zones, reference, min_count, (confirm, more), dwell, absence, emit)| Rule {
                zones,
                reference,
                min_count,
                confirm_frames: confirm,
                window_frames: confirm + more,
                min_dwell: dwell * STEP,
                absence_time: absence * STEP,
                emit,
                ..labels
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

/// How many count in each frame that raises a trigger, and 0 in each other.
fn counts(rule: Rule, frames: &[Vec<Detection>]) -> Vec<u64> {
    let count = |signal: &Signal| signal.body["count"].as_u64().expect("a count");
    let frames = run(&[rule], frames).into_iter();
    let counts = frames.map(|signals| signals.first().map_or(0, count));
    counts.collect()
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
        for (few, many) in counts(rule, &frames).into_iter().zip(counts(wider, &frames)) {
            prop_assert!(few <= many, "{} of {}", few, many);
        }
    }

    #[test]
    fn a_wider_zone_in_space_never_loses_a_count(
        rule in any_rule(), bounds in [any_bounds(), any_bounds(), any_bounds()],
        axis in 0..3_usize, by in 0..3_u8, frames in any_frames(),
    ) {
        let mut wider = bounds;
        let Bounds { min, max } = &mut wider[axis];
        // To no bound at all, or one step on.
        (*min, *max) = match by {
            0 => (None, *max),
            1 => (*min, None),
            _ => (min.map(|min| min - 1.0), max.map(|max| max + 1.0)),
        };
        let in_zone = |bounds| {
            let extent = Extent::Space(Volume::new(bounds).ok()?);
            let zones = vec![Zone { name: "zone".into(), extent }];
            Some(counts(Rule { zones, emit: Emit::WhilePresent, ..rule.clone() }, &frames))
        };
        if let Some((few, many)) = in_zone(bounds).zip(in_zone(wider)) {
            for (few, many) in few.into_iter().zip(many) {
                prop_assert!(few <= many, "{} of {}", few, many);
            }
        }
    }

    #[test]
    fn nobody_counts_in_space_of_whom_no_position_is_known(
        rule in any_rule(), zone in any_volume(), outside in any::<bool>(), frames in any_frames(),
    ) {
        let rule = Rule { zones: vec![zone], outside, ..rule };
        let mut placeless = frames;
        for object in placeless.iter_mut().flatten() {
            object.position = None;
        }
        prop_assert!(run(&[rule], &placeless).iter().all(Vec::is_empty));
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
