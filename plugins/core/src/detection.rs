//! What inference says of a frame.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::json::Text;

/// A box in fractions of the frame, origin top left: `0 ≤ l`, `0 ≤ t`, `l + w ≤ 1`, `t + h ≤ 1`.
///
/// The field names are those of Azure Video Analyzer's inference schema, which sidecars, signals
/// and messages speak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left edge.
    pub l: f64,
    /// Top edge.
    pub t: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl BoundingBox {
    /// The box between two corners, clamped to the frame; corners may come in any order.
    pub fn from_corners(x_min: f64, y_min: f64, x_max: f64, y_max: f64) -> Self {
        let clamp = |v: f64| if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) };
        let (l, r) = (clamp(x_min.min(x_max)), clamp(x_max.max(x_min)));
        let (t, b) = (clamp(y_min.min(y_max)), clamp(y_max.max(y_min)));
        Self {
            l,
            t,
            w: r - l,
            h: b - t,
        }
    }

    /// Share of the frame that the box covers, 0..1.
    pub fn area(&self) -> f64 {
        self.w * self.h
    }

    /// Intersection over union, 0..1; 0 where both boxes are empty.
    pub fn iou(&self, other: &Self) -> f64 {
        let w = (self.l + self.w).min(other.l + other.w) - self.l.max(other.l);
        let h = (self.t + self.h).min(other.t + other.h) - self.t.max(other.t);
        let both = w.max(0.0) * h.max(0.0);
        let either = self.area() + other.area() - both;
        if either > 0.0 { both / either } else { 0.0 }
    }
}

/// Name of a class: whoever has it for good lends it, as fifty objects a frame would else be fifty
/// allocations.
pub type Label = Cow<'static, str>;

/// One object in one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Name of the class, such as `person`.
    pub label: Label,
    /// Index of the class in the model's own numbering.
    #[serde(default, skip_serializing)]
    pub label_id: i32,
    /// 0..1.
    pub confidence: f64,
    /// Where in the frame.
    #[serde(rename = "box")]
    pub bbox: BoundingBox,
    /// Identity between frames, where a tracker has run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track_id: Option<i64>,
    /// Metres from the camera, where something measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f64>,
    /// Where it is from the camera, in metres, where something measured it: to the right, down and
    /// away, if whoever measured has not chosen other axes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<[f64; 3]>,
}

/// What a score that somebody else gives is as a confidence: within 0..1, and 0 where it is no
/// number, as nobody vouches for such an object.
pub fn confidence(score: f64) -> f64 {
    if score.is_nan() {
        0.0
    } else {
        score.clamp(0.0, 1.0)
    }
}

impl Detection {
    /// Writes the members of the object as signals and observations tell it: those of [`Detection`],
    /// rounded, as a millionth of the frame is less than a pixel of any camera and more digits are
    /// noise.
    pub(crate) fn tell(&self, text: &mut Text) {
        text.literal(r#""label":"#);
        text.string(&self.label);
        text.literal(r#","confidence":"#);
        text.decimal::<4>(self.confidence);
        let BoundingBox { l, t, w, h } = self.bbox;
        text.literal(r#","box":{"l":"#);
        text.decimal::<6>(l);
        text.literal(r#","t":"#);
        text.decimal::<6>(t);
        text.literal(r#","w":"#);
        text.decimal::<6>(w);
        text.literal(r#","h":"#);
        text.decimal::<6>(h);
        text.literal("}");
        if let Some(track_id) = self.track_id {
            text.literal(r#","track_id":"#);
            text.integer(track_id);
        }
        if let Some(distance) = self.distance {
            text.literal(r#","distance":"#);
            text.decimal::<4>(distance);
        }
        if let Some(position) = self.position {
            text.literal(r#","position":"#);
            text.list(position, Text::decimal::<4>);
        }
    }
}

/// What inference said of one frame. An empty list says "looked and found nothing"; a frame that
/// was not inferred has no observation at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// Counts the detector's inferences from 0, so that a duplicated frame counts once.
    pub seq: u64,
    /// Name of the model, such as `ssdlite_mobilenet_v2`.
    pub model: String,
    /// The objects, best first.
    pub detections: Vec<Detection>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_clamped_to_the_frame_whatever_order_its_corners_have() {
        let bbox = BoundingBox::from_corners(1.5, 0.75, 0.5, -1.0);
        assert_eq!(
            bbox,
            BoundingBox {
                l: 0.5,
                t: 0.0,
                w: 0.5,
                h: 0.75
            }
        );
    }

    #[test]
    fn a_box_of_nan_is_empty() {
        assert_eq!(
            BoundingBox::from_corners(f64::NAN, f64::NAN, f64::NAN, f64::NAN).area(),
            0.0
        );
    }

    #[test]
    fn a_confidence_is_a_share_of_1_whatever_the_score() {
        let scores = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.25, 1.5, -0.5];
        assert_eq!(scores.map(confidence), [0.0, 1.0, 0.0, 0.25, 1.0, 0.0]);
    }

    #[test]
    fn boxes_overlap_by_their_shared_area_over_their_joint_area() {
        let left = BoundingBox {
            l: 0.0,
            t: 0.0,
            w: 0.5,
            h: 1.0,
        };
        let middle = BoundingBox {
            l: 0.25,
            t: 0.0,
            w: 0.5,
            h: 1.0,
        };
        assert_eq!(left.iou(&left), 1.0);
        assert!((left.iou(&middle) - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(left.iou(&BoundingBox { l: 0.5, ..left }), 0.0);
    }
}
