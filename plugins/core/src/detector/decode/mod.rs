//! Reads a model's outputs: scores and boxes in, candidates out, best first.
//!
//! Every reader compares with the threshold before it touches a box, and no value that a model
//! can put out (NaN, infinities, boxes outside the frame) gets further than here. What belongs
//! here: the steps all layouts share. The layouts' own stand in `readers` and `distances`.

use super::input::{Input, Mapping};
use super::layout::{Coding, Layout, Suppression, Unit};
use super::nms;
use crate::detection::BoundingBox;

mod distances;
mod readers;
mod score;

/// More candidates than this never reach suppression; the best do. SSDLite has 1917 boxes a frame,
/// so only a threshold near 0 gets here.
const MAX_CANDIDATES: usize = 4096;
/// The worse half goes each time this many have come together.
const FULL: usize = 2 * MAX_CANDIDATES;

/// What is kept of a model's outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The least score that counts, 0..=1.
    pub confidence: f32,
    /// Boxes that overlap by more than this are one object, 0..=1.
    pub iou: f32,
    /// No frame has more detections than this.
    pub max_detections: usize,
    /// Which boxes that is said of; the layout's own where this is `None`.
    pub suppression: Option<Suppression>,
}

/// One object, its class still a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The class, from 0.
    pub class: usize,
    /// Index among the model's boxes.
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
    #[error("the model gave no numbers as output {0}, though it declares so: export it again")]
    Missing(usize),
    /// An output does not hold whole boxes.
    #[error(
        "output {output} of the model holds {elements} elements, which are not {width} a box: \
         export it again, or correct model-config"
    )]
    Ragged {
        /// Index of the output.
        output: usize,
        /// Elements in it.
        elements: usize,
        /// Elements a box.
        width: usize,
    },
    /// Two outputs, or an output and the grid, speak of different numbers of boxes.
    #[error(
        "the model gave {boxes} boxes where {expected} were due: export it again with outputs \
         whose shapes agree, or correct model-config"
    )]
    Boxes {
        /// Boxes found.
        boxes: usize,
        /// Boxes by the other output or the grid.
        expected: usize,
    },
}

/// Decodes frame after frame in the same memory.
#[derive(Debug, Default)]
pub struct Decoder {
    candidates: Vec<Candidate>,
}

/// Takes what a reader finds in one frame.
struct Sink<'a> {
    candidates: &'a mut Vec<Candidate>,
    confidence: f32,
    coding: Coding,
    /// From the boxes' numbers to pixels of the input.
    unit: [f64; 2],
    mapping: Mapping,
}

impl Decoder {
    /// The objects in the outputs of one frame, best first, ties in the model's order. `output`
    /// hands out the elements of an output by its index, `mapping` says where the frame lies in
    /// the input.
    ///
    /// # Errors
    /// A [`DecodeError`] where the outputs' lengths contradict the layout.
    pub fn decode<'a>(
        &mut self,
        layout: &Layout,
        input: &Input,
        mapping: Mapping,
        output: impl Fn(usize) -> Option<&'a [f32]>,
        limits: &Limits,
    ) -> Result<&mut Vec<Candidate>, DecodeError> {
        self.candidates.clear();
        // Once, so that no busy frame has to find memory.
        self.candidates.reserve(FULL);
        let mut sink = Sink {
            candidates: &mut self.candidates,
            confidence: limits.confidence,
            coding: layout.coding,
            unit: match layout.unit {
                Unit::Pixels => [1.0; 2],
                Unit::Fractions => [input.width as f64, input.height as f64],
            },
            mapping,
        };
        let output = |i| output(i).ok_or(DecodeError::Missing(i));
        sink.read(layout, (input.width, input.height), output)?;
        self.finish(layout, limits);
        Ok(&mut self.candidates)
    }

    /// Puts the candidates of several parts of a frame together: best first, each object once.
    pub fn merge(candidates: &mut Vec<Candidate>, layout: &Layout, limits: &Limits) {
        candidates.sort_unstable_by(better);
        let by_default = match layout.suppression {
            // Parts overlap, so that even a model that chooses by itself says things twice.
            Suppression::None => Suppression::PerClass,
            other => other,
        };
        let suppression = limits.suppression.unwrap_or(by_default);
        nms::suppress(
            candidates,
            suppression,
            false,
            limits.iou,
            limits.max_detections,
        );
    }

    fn finish(&mut self, layout: &Layout, limits: &Limits) {
        keep_best(&mut self.candidates);
        self.candidates.sort_unstable_by(better);
        nms::suppress(
            &mut self.candidates,
            limits.suppression.unwrap_or(layout.suppression),
            layout.one_class,
            limits.iou,
            limits.max_detections,
        );
    }
}

/// Place and class break ties, so that an unstable sort, which needs no memory, is stable.
fn better(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let ties = || (a.place, a.class).cmp(&(b.place, b.class));
    b.score.total_cmp(&a.score).then_with(ties)
}

fn keep_best(candidates: &mut Vec<Candidate>) {
    if candidates.len() > MAX_CANDIDATES {
        candidates.select_nth_unstable_by(MAX_CANDIDATES, better);
        candidates.truncate(MAX_CANDIDATES);
    }
}

impl Sink<'_> {
    /// Adds the box numbered `place`, in the layout's coding, as an object of `class`.
    fn add(&mut self, place: usize, class: usize, score: f32, four: [f32; 4]) {
        let [a, b, c, d] = four.map(f64::from);
        let corners = match self.coding {
            Coding::Xyxy => [a, b, c, d],
            Coding::Yxyx => [b, a, d, c],
            Coding::Cxcywh => [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0],
        };
        self.add_corners(place, class, score, corners);
    }

    /// Adds the box between two corners, in the layout's unit.
    fn add_corners(&mut self, place: usize, class: usize, score: f32, corners: [f64; 4]) {
        if !corners.iter().all(|corner| corner.is_finite()) {
            return;
        }
        let [x, y] = self.unit;
        let [x_min, y_min, x_max, y_max] = corners;
        let bbox = self
            .mapping
            .apply([x_min * x, y_min * y, x_max * x, y_max * y]);
        // Empty boxes and those beside the frame; NaN compares false.
        let sound = bbox.area() > 0.0 && score >= self.confidence;
        if !sound {
            return;
        }
        if self.candidates.len() == FULL {
            keep_best(self.candidates);
        }
        self.candidates.push(Candidate {
            class,
            place,
            score: score.clamp(0.0, 1.0),
            bbox,
        });
    }
}

#[cfg(test)]
mod tests;
