//! The steps all layouts share, on an SSD; the other layouts stand against references in
//! `tests/detector_goldens.rs`.

use proptest::prelude::*;

use super::super::input::{Colours, Rect, Resize, Sample};
use super::super::{Element, ModelConfig, ModelInfo, Spec, TensorInfo};
use super::*;

/// An SSD of two classes.
fn layout() -> Layout {
    let tensor = |name: &str, last| TensorInfo {
        name: name.into(),
        element: Element::F32,
        shape: vec![1, -1, last],
    };
    let model = ModelInfo {
        inputs: vec![TensorInfo {
            shape: vec![1, 3, 4, 4],
            ..tensor("images", 0)
        }],
        outputs: vec![tensor("boxes", 4), tensor("scores", 2)],
        ..ModelInfo::default()
    };
    let spec = Spec::recognise(&model, &ModelConfig::default());
    spec.expect("an SSD").layout
}

/// An input that a frame fills as it is.
fn input() -> Input {
    Input {
        index: 0,
        width: 4,
        height: 4,
        interleaved: false,
        sample: Sample::F32,
        resize: Resize::Stretch,
        pad: 0.0,
        colours: Colours::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        size_input: None,
    }
}

fn whole() -> Mapping {
    Mapping::new(Rect::whole(4, 4), Rect::whole(8, 8), (8, 8))
}
const LIMITS: Limits = Limits {
    confidence: 0.5,
    iou: 0.5,
    max_detections: 100,
    suppression: None,
};

fn outputs<'a>(outputs: &'a [&'a [f32]]) -> impl Fn(usize) -> Option<&'a [f32]> {
    |i| outputs.get(i).copied()
}

fn decode(boxes: &[[f32; 4]], scores: &[[f32; 2]], limits: &Limits) -> Vec<Candidate> {
    let tensors = [boxes.as_flattened(), scores.as_flattened()];
    Decoder::default()
        .decode(&layout(), &input(), whole(), outputs(&tensors), limits)
        .expect("lengths agree")
        .to_vec()
}

/// Class, score and left, top, width, height.
fn outcome(candidates: &[Candidate]) -> Vec<(usize, f32, [f64; 4])> {
    candidates
        .iter()
        .map(|c| (c.class, c.score, [c.bbox.l, c.bbox.t, c.bbox.w, c.bbox.h]))
        .collect()
}

#[test]
fn a_frame_comes_out_best_first_with_each_object_once() {
    let boxes = [
        [0.25, 0.5, 0.75, 1.0],
        [0.25, 0.5, 0.75, 0.9375],
        [0.0, 0.0, 0.5, 0.25],
        [0.5, 0.0, 1.0, 0.25],
    ];
    let scores = [[0.75, 0.0], [0.625, 0.5], [0.25, 0.875], [0.49, 0.25]];
    assert_eq!(
        outcome(&decode(&boxes, &scores, &LIMITS)),
        vec![
            (1, 0.875, [0.0, 0.0, 0.25, 0.5]),
            (0, 0.75, [0.5, 0.25, 0.5, 0.5]),
            (1, 0.5, [0.5, 0.25, 0.4375, 0.5]),
        ]
    );
}

#[test]
fn a_score_at_the_threshold_counts() {
    let one = decode(&[[0.0, 0.0, 1.0, 1.0]], &[[0.5, 0.499]], &LIMITS);
    assert_eq!(outcome(&one), vec![(0, 0.5, [0.0, 0.0, 1.0, 1.0])]);
}

#[test]
fn equal_scores_stay_in_the_order_of_the_model() {
    let boxes = [[0.0, 0.5, 1.0, 1.0], [0.0, 0.0, 1.0, 0.5]];
    let places: Vec<_> = decode(&boxes, &[[0.75, 0.75]; 2], &LIMITS)
        .iter()
        .map(|candidate| candidate.place)
        .collect();
    assert_eq!(places, vec![0, 0, 1, 1]);
}

#[test]
fn nan_and_boxes_outside_the_frame_are_no_objects() {
    let boxes = [
        [0.0, 0.0, 1.0, 1.0],
        [f32::NAN, 0.0, 1.0, 1.0],
        [0.0, 0.0, f32::INFINITY, 1.0],
        [1.5, 0.0, 2.0, 1.0],
        [0.5, 0.5, 0.5, 0.5],
    ];
    let scores = [[f32::NAN; 2], [0.9; 2], [0.9; 2], [0.9; 2], [0.9; 2]];
    assert_eq!(decode(&boxes, &scores, &LIMITS), vec![]);
}

#[test]
fn outputs_that_contradict_each_other_are_refused() {
    let mut decoder = Decoder::default();
    for (boxes, scores) in [(4, 3), (5, 2), (8, 2)] {
        let (boxes, scores) = (vec![0.0; boxes], vec![0.0; scores]);
        let result = decoder.decode(
            &layout(),
            &input(),
            whole(),
            outputs(&[&boxes, &scores]),
            &LIMITS,
        );
        assert!(matches!(
            result,
            Err(DecodeError::Ragged { .. } | DecodeError::Boxes { .. })
        ));
    }
    let result = decoder.decode(&layout(), &input(), whole(), outputs(&[&[]]), &LIMITS);
    assert_eq!(result, Err(DecodeError::Missing(1)));
}

#[test]
fn a_threshold_of_zero_over_many_boxes_ends_soon() {
    let n = 100_000;
    let boxes = vec![[0.25, 0.25, 0.75, 0.75]; n];
    let scores: Vec<_> = (0..n).map(|i| [i as f32 / n as f32, 0.0]).collect();
    let all = Limits {
        confidence: 0.0,
        iou: 1.0,
        max_detections: 1000,
        suppression: None,
    };
    let best = decode(&boxes, &scores, &all);
    assert_eq!(best.len(), 1000);
    assert_eq!(best[0].place, n - 1);
}

proptest! {
    #[test]
    fn whatever_a_model_puts_out_candidates_are_sound(
        boxes in proptest::collection::vec(any::<[f32; 4]>(), 0..50),
        scores in proptest::collection::vec(prop_oneof![any::<f32>(), 0.0..1.0_f32], 100),
        confidence in 0.0..1.0_f32,
        iou in 0.0..1.0_f32,
        max_detections in 1..20_usize,
    ) {
        let limits = Limits { confidence, iou, max_detections, suppression: None };
        let scores = &scores.as_chunks::<2>().0[..boxes.len()];
        let candidates = decode(&boxes, scores, &limits);
        prop_assert!(candidates.len() <= max_detections);
        prop_assert!(candidates.is_sorted_by(|a, b| a.score >= b.score));
        for (i, one) in candidates.iter().enumerate() {
            prop_assert!((confidence..=1.0).contains(&one.score));
            let BoundingBox { l, t, w, h } = one.bbox;
            prop_assert!(l >= 0.0 && t >= 0.0 && w > 0.0 && h > 0.0);
            prop_assert!(l + w <= 1.0 && t + h <= 1.0);
            for other in &candidates[..i] {
                let apart = one.bbox.iou(&other.bbox) <= f64::from(iou);
                prop_assert!(apart || one.class != other.class);
            }
        }
    }
}
