//! What inferences mean, and what is said of those that a frame already bears.

use super::super::inferences::{Said, detections};
use super::wire::{Entity, Inference, InferenceType, Motion, Rectangle, Tag, Value};
use crate::detection::{BoundingBox, Detection};
use crate::detector::{Limits, Mapping};

/// What a server found, best first: as [`super::super::read_inferences`] reads it from JSON. A
/// confidence of 0 is one that was not said, which protobuf cannot tell apart.
pub fn objects(
    inferences: Vec<Inference>,
    mapping: Mapping,
    size: (usize, usize),
    limits: &Limits,
) -> Vec<Detection> {
    let said = inferences.into_iter().filter_map(|inference| {
        let (tag, bbox) = match inference.value? {
            Value::Entity(Entity { tag, bbox }) => {
                let Rectangle { l, t, w, h } = bbox?;
                let [l, t, w, h] = [l, t, w, h].map(f64::from);
                (tag, Some(BoundingBox { l, t, w, h }))
            }
            Value::Classification(classification) => (classification.tag, None),
            Value::Motion(_) => return None,
        };
        let Tag { value, confidence } = tag?;
        Some(Said {
            label: value,
            confidence: (confidence != 0.0).then_some(f64::from(confidence)),
            bbox,
            sequence_id: Some(inference.sequence_id),
        })
    });
    detections(said, mapping, size, limits)
}

/// What a frame bears, in shares of the picture that is sent: objects, and where something moves.
pub fn annotations(
    objects: &[Detection],
    motion: &[BoundingBox],
    mapping: Mapping,
    (width, height): (usize, usize),
) -> Vec<Inference> {
    let rectangle = |bbox: &BoundingBox| {
        let [l, t, r, b] = mapping.invert(bbox);
        let (w, h) = (width as f64, height as f64);
        let BoundingBox { l, t, w, h } = BoundingBox::from_corners(l / w, t / h, r / w, b / h);
        let [l, t, w, h] = [l, t, w, h].map(|share| share as f32);
        Some(Rectangle { l, t, w, h })
    };
    let objects = objects.iter().map(|object| Inference {
        r#type: InferenceType::Entity.into(),
        subtype: "objectDetection".into(),
        value: Some(Value::Entity(Entity {
            tag: Some(Tag {
                value: object.label.to_string(),
                confidence: object.confidence as f32,
            }),
            bbox: rectangle(&object.bbox),
        })),
        // As many digits as Azure's; they are read back as the same track.
        sequence_id: object
            .track_id
            .map_or_else(String::new, |track| format!("{track:032x}")),
    });
    let motion = motion.iter().map(|bbox| Inference {
        r#type: InferenceType::Motion.into(),
        value: Some(Value::Motion(Motion {
            bbox: rectangle(bbox),
        })),
        ..Inference::default()
    });
    objects.chain(motion).collect()
}
