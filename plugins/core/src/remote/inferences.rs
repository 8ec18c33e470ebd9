//! Reads what a server found in the inference schema of Azure's HTTP extension.
//! Source: `LiveVideoAnalytics` "HTTP extension" and its JSON schema, with `sequenceId`, which the
//! schema forgot.

use serde::Deserialize;

use super::RemoteError;
use crate::detection::{BoundingBox, Detection};
use crate::detector::{Limits, Mapping};

/// More inferences than this are no reply to one frame.
const MOST: usize = 10_000;

#[derive(Deserialize)]
struct Reply {
    inferences: Vec<Inference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inference {
    sequence_id: Option<String>,
    entity: Option<Entity>,
    classification: Option<Classification>,
}

#[derive(Deserialize)]
struct Entity {
    tag: Tag,
    #[serde(rename = "box")]
    bbox: BoundingBox,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Classification {
    /// As the schema says it.
    Tagged { tag: Tag },
    /// As samples of its makers say it.
    Plain(Tag),
}

#[derive(Deserialize)]
struct Tag {
    value: String,
    confidence: Option<f64>,
}

/// The objects in `{"inferences":[…]}`, best first. Boxes are shares of the picture that was sent,
/// whose width and height in pixels are `size`, in which the frame lies as `mapping` says; padding is undone. A
/// classification is an object that fills the frame. Motion, text, events and others say nothing
/// of objects and are passed over.
///
/// # Errors
/// [`RemoteError::Reply`] for what is no JSON or not of this schema.
pub fn read_inferences(
    json: &[u8],
    mapping: Mapping,
    size: (usize, usize),
    limits: &Limits,
) -> Result<Vec<Detection>, RemoteError> {
    let reply: Reply =
        serde_json::from_slice(json).map_err(|err| RemoteError::Reply(err.to_string()))?;
    if reply.inferences.len() > MOST {
        let what = format!("{} inferences of one picture", reply.inferences.len());
        return Err(RemoteError::Reply(what));
    }
    let said = reply.inferences.into_iter().filter_map(|inference| {
        let (tag, bbox) = match (inference.entity, inference.classification) {
            (Some(Entity { tag, bbox }), _) => (tag, Some(bbox)),
            (None, Some(Classification::Tagged { tag } | Classification::Plain(tag))) => {
                (tag, None)
            }
            (None, None) => return None,
        };
        Some(Said {
            label: tag.value,
            confidence: tag.confidence,
            bbox,
            sequence_id: inference.sequence_id,
        })
    });
    Ok(detections(said, mapping, size, limits))
}

/// What a server says of an object, in whichever contract.
pub(super) struct Said {
    pub(super) label: String,
    pub(super) confidence: Option<f64>,
    /// In shares of the picture; `None` for what fills the frame.
    pub(super) bbox: Option<BoundingBox>,
    pub(super) sequence_id: Option<String>,
}

/// The objects that count, best first.
pub(super) fn detections(
    said: impl Iterator<Item = Said>,
    mapping: Mapping,
    (width, height): (usize, usize),
    limits: &Limits,
) -> Vec<Detection> {
    let (w, h) = (width as f64, height as f64);
    let found = said.filter_map(|said| {
        let bbox = match said.bbox {
            Some(BoundingBox { l, t, w: bw, h: bh }) => {
                mapping.apply([l * w, t * h, (l + bw) * w, (t + bh) * h])
            }
            None => BoundingBox::from_corners(0.0, 0.0, 1.0, 1.0),
        };
        let confidence = said.confidence.unwrap_or(1.0).clamp(0.0, 1.0);
        let counts = confidence >= f64::from(limits.confidence) && bbox.area() > 0.0;
        counts.then(|| Detection {
            label: said.label.into(),
            label_id: -1,
            confidence,
            bbox,
            track_id: said.sequence_id.as_deref().and_then(track),
            distance: None,
            position: None,
        })
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    found.truncate(limits.max_detections);
    found
}

/// The track of a `sequenceId`: a number in hexadecimal digits, folded where it is a GUID.
fn track(id: &str) -> Option<i64> {
    let digits: String = id.chars().filter(|&c| c != '-').collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    let folded = (number >> 64) as u64 ^ number as u64;
    Some((folded & i64::MAX as u64) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::Rect;

    const LIMITS: Limits = Limits {
        confidence: 0.5,
        iou: 0.5,
        max_detections: 2,
        suppression: None,
    };

    fn read(json: &str) -> Result<Vec<Detection>, RemoteError> {
        // 60 columns in the middle of 100: side bars of 0.2.
        let fit = Rect {
            x: 20,
            y: 0,
            width: 60,
            height: 100,
        };
        let mapping = Mapping::new(fit, Rect::whole(600, 1000), (600, 1000));
        read_inferences(json.as_bytes(), mapping, (100, 100), &LIMITS)
    }

    fn entity(value: &str, confidence: f64, bbox: &str) -> String {
        format!(
            r#"{{"type":"entity","entity":{{"tag":{{"value":"{value}","confidence":{confidence}}},"box":{bbox}}}}}"#
        )
    }

    #[test]
    fn padding_is_undone() {
        let all = entity("person", 0.9, r#"{"l":0.2,"t":0,"w":0.6,"h":1}"#);
        let found = read(&format!(r#"{{"inferences":[{all}]}}"#)).expect("sound");
        let BoundingBox { l, t, w, h } = found[0].bbox;
        for (got, expected) in [(l, 0.0), (t, 0.0), (w, 1.0), (h, 1.0)] {
            assert!((got - expected).abs() < 1e-9, "{:?}", found[0].bbox);
        }
    }

    #[test]
    fn the_best_objects_that_count_come_first() {
        let bbox = r#"{"l":0.3,"t":0.1,"w":0.2,"h":0.2}"#;
        let beside = r#"{"l":0.0,"t":0.1,"w":0.1,"h":0.2}"#;
        let all = [
            entity("a", 0.6, bbox),
            entity("b", 0.8, bbox),
            entity("c", 0.7, bbox),
            entity("faint", 0.4, bbox),
            entity("in the padding", 0.9, beside),
        ];
        let found = read(&format!(r#"{{"inferences":[{}]}}"#, all.join(","))).expect("sound");
        let labels: Vec<_> = found.iter().map(|found| &*found.label).collect();
        assert_eq!(labels, ["b", "c"]);
    }

    #[test]
    fn what_is_no_object_is_passed_over_and_a_class_fills_the_frame() {
        let found = read(
            r#"{"timestamp":1,"inferences":[
                {"type":"motion","motion":{"box":{"l":0,"t":0,"w":1,"h":1}}},
                {"type":"classification","classification":{"tag":{"value":"dark","confidence":0.9}}},
                {"type":"classification","subType":"light","classification":{"confidence":1,"value":"day"}}]}"#,
        )
        .expect("sound");
        let labels: Vec<_> = found.iter().map(|found| &*found.label).collect();
        assert_eq!(labels, ["day", "dark"]);
        assert_eq!(found[0].bbox.area(), 1.0);
    }

    #[test]
    fn tracks_are_read_from_sequence_ids() {
        assert_eq!(track("0000000000000000000000000000002a"), Some(42));
        let guid = track("8f4f2a52-9b52-4b47-b5f7-3f1d0a4c9b11").expect("hexadecimal");
        assert!(guid > 0);
        assert_eq!(track("camera one"), None);
        assert_eq!(track(""), None);
    }

    #[test]
    fn what_is_not_of_the_schema_is_refused() {
        for json in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"inferences":{}}"#,
            r#"{"inferences":[{"entity":{"tag":{"value":"a"}}}]}"#,
            r#"{"inferences":[{"entity":{"tag":{"value":1},"box":{"l":0,"t":0,"w":1,"h":1}}}]}"#,
        ] {
            assert!(matches!(read(json), Err(RemoteError::Reply(_))), "{json}");
        }
    }
}
