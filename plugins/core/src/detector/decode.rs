//! Reads a model's outputs: scores and boxes in, candidates out, best first.
//!
//! Every reader compares with the threshold before it touches a box, and no value that a model
//! can put out (NaN, infinities, boxes outside the frame) gets further than here.

use super::{Layout, nms};
use crate::detection::BoundingBox;

/// More candidates than this never reach suppression; the best do. SSDLite has 1917 boxes a frame,
/// so only a threshold near 0 gets here.
const MAX_CANDIDATES: usize = 4096;

/// What is kept of a model's outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The least score that counts, 0..=1.
    pub confidence: f32,
    /// Boxes of one class that overlap by more than this are one object, 0..=1.
    pub iou: f32,
    /// No frame has more detections than this.
    pub max_detections: usize,
}

/// One object, its class still a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Index among the scores of one box, from 0.
    pub class: usize,
    /// Index among all scores of the frame.
    pub place: usize,
    /// 0..=1.
    pub score: f32,
    /// Where in the frame; never empty.
    pub bbox: BoundingBox,
}

/// The outputs do not have the shapes that the model declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An output that the layout reads is not there.
    #[error("the model gave no f32 as output {0}, though it declares so: export it again")]
    Missing(usize),
    /// The number of scores does not fit the number of boxes.
    #[error(
        "the model gave {scores} scores of {classes} classes for {boxes} box coordinates: export \
         it again with outputs whose shapes agree"
    )]
    Lengths {
        /// Elements in the boxes' output.
        boxes: usize,
        /// Elements in the scores' output.
        scores: usize,
        /// Scores a box.
        classes: usize,
    },
}

/// Decodes frame after frame in the same memory.
#[derive(Debug, Default)]
pub struct Decoder {
    candidates: Vec<Candidate>,
}

impl Decoder {
    /// The objects in the outputs of one frame, best first, ties in the model's order. `output`
    /// hands out the elements of an output by its index.
    ///
    /// # Errors
    /// A [`DecodeError`] where the outputs' lengths contradict the layout.
    pub fn decode<'a>(
        &mut self,
        layout: &Layout,
        output: impl Fn(usize) -> Option<&'a [f32]>,
        limits: &Limits,
    ) -> Result<&[Candidate], DecodeError> {
        self.candidates.clear();
        match *layout {
            Layout::SsdRaw {
                boxes,
                scores,
                classes,
            } => {
                let output = |i| output(i).ok_or(DecodeError::Missing(i));
                self.ssd_raw(output(boxes)?, output(scores)?, classes, limits)?;
            }
        }
        self.best_first();
        nms::suppress(&mut self.candidates, limits.iou, limits.max_detections);
        Ok(&self.candidates)
    }

    fn ssd_raw(
        &mut self,
        boxes: &[f32],
        scores: &[f32],
        classes: usize,
        limits: &Limits,
    ) -> Result<(), DecodeError> {
        let (boxes_of_four, rest) = boxes.as_chunks::<4>();
        if classes == 0 || !rest.is_empty() || boxes_of_four.len() * classes != scores.len() {
            return Err(DecodeError::Lengths {
                boxes: boxes.len(),
                scores: scores.len(),
                classes,
            });
        }
        let each_box = boxes_of_four.iter().zip(scores.chunks_exact(classes));
        for (i, (&[y_min, x_min, y_max, x_max], scores)) in each_box.enumerate() {
            // Without a branch a box, which the compiler turns into vector compares.
            let any = scores
                .iter()
                .fold(false, |any, &score| any | (score >= limits.confidence));
            if any {
                let corners = [x_min, y_min, x_max, y_max];
                self.add(i * classes, scores, corners, limits.confidence);
            }
        }
        Ok(())
    }

    /// Adds a candidate for every score of a box that counts; `place` is that of the first score.
    fn add(&mut self, place: usize, scores: &[f32], corners: [f32; 4], confidence: f32) {
        if !corners.iter().all(|corner| corner.is_finite()) {
            return;
        }
        let [x_min, y_min, x_max, y_max] = corners.map(f64::from);
        let bbox = BoundingBox::from_corners(x_min, y_min, x_max, y_max);
        if bbox.area() <= 0.0 {
            return;
        }
        // NaN compares false and is never a candidate.
        let counting = scores
            .iter()
            .enumerate()
            .filter(|(_, score)| **score >= confidence);
        self.candidates
            .extend(counting.map(|(class, &score)| Candidate {
                class,
                place: place + class,
                score: score.clamp(0.0, 1.0),
                bbox,
            }));
    }

    fn best_first(&mut self) {
        // The place breaks ties, so that an unstable sort, which needs no memory, is stable.
        let better =
            |a: &Candidate, b: &Candidate| b.score.total_cmp(&a.score).then(a.place.cmp(&b.place));
        if self.candidates.len() > MAX_CANDIDATES {
            self.candidates
                .select_nth_unstable_by(MAX_CANDIDATES, better);
            self.candidates.truncate(MAX_CANDIDATES);
        }
        self.candidates.sort_unstable_by(better);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAYOUT: Layout = Layout::SsdRaw {
        boxes: 0,
        scores: 1,
        classes: 2,
    };
    const LIMITS: Limits = Limits {
        confidence: 0.5,
        iou: 0.5,
        max_detections: 100,
    };

    fn outputs<'a>(outputs: &'a [&'a [f32]]) -> impl Fn(usize) -> Option<&'a [f32]> {
        |i| outputs.get(i).copied()
    }

    fn decode(boxes: &[[f32; 4]], scores: &[[f32; 2]], limits: &Limits) -> Vec<Candidate> {
        let tensors = [boxes.as_flattened(), scores.as_flattened()];
        Decoder::default()
            .decode(&LAYOUT, outputs(&tensors), limits)
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
        assert_eq!(places, vec![0, 1, 2, 3]);
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
            let result = decoder.decode(&LAYOUT, outputs(&[&boxes, &scores]), &LIMITS);
            assert!(matches!(result, Err(DecodeError::Lengths { .. })));
        }
        let result = decoder.decode(&LAYOUT, outputs(&[&[]]), &LIMITS);
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
        };
        let best = decode(&boxes, &scores, &all);
        assert_eq!(best.len(), 1000);
        assert_eq!(best[0].place, 2 * (n - 1));
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
            let limits = Limits { confidence, iou, max_detections };
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
}
