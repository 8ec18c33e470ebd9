//! Lines of JSON that say what was seen: what comes on a `meta` pad, for the sidecar's detections.

use serde_json::Value;

use super::sidecar::objects;
use crate::detection::{BoundingBox, Detection};
use crate::time::Nanos;

/// Why a line says nothing of what was seen. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// Not JSON at all, or JSON but no object.
    #[error(
        "a line on the pad meta is no JSON object and was left out: send one object a line, with \
         the member objects or inferences"
    )]
    NotAnObject,
}

/// What one line says was seen, and when; `None` where it speaks of no objects. Empty lists are
/// kept: somebody looked and found nothing.
///
/// Objects stand in `objects`, as in signals, or in `inferences`, as in Azure Video Analyzer's
/// schema; the time is `media_time`, else `pts`, that of the line's buffer.
///
/// # Errors
/// A [`MetaError`]; nothing of such a line counts.
pub fn read(line: &[u8], pts: Nanos) -> Result<Option<(Nanos, Vec<Detection>)>, MetaError> {
    let value: Value = serde_json::from_slice(line).map_err(|_| MetaError::NotAnObject)?;
    let members = value.as_object().ok_or(MetaError::NotAnObject)?;
    let at = members.get("media_time").and_then(Value::as_i64);
    let seen = if members.contains_key("objects") {
        objects(&value)
    } else if let Some(inferences) = members.get("inferences").and_then(Value::as_array) {
        inferences.iter().filter_map(entity).collect()
    } else {
        return Ok(None);
    };
    Ok(Some((at.unwrap_or(pts), seen)))
}

fn entity(inference: &Value) -> Option<Detection> {
    let entity = inference.get("entity")?;
    let tag = entity.get("tag")?;
    Some(Detection {
        label: tag.get("value")?.as_str()?.to_owned().into(),
        label_id: -1,
        confidence: tag.get("confidence").and_then(Value::as_f64).unwrap_or(1.0),
        bbox: serde_json::from_value::<BoundingBox>(entity.get("box")?.clone()).ok()?,
        track_id: entity.get("id").and_then(Value::as_i64),
        distance: None,
        position: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OBJECTS: &str = r#"{"media_time": 7, "objects": [{"label": "person", "confidence": 0.5,
        "box": {"l": 0.0, "t": 0.25, "w": 0.5, "h": 0.5}}]}"#;
    const INFERENCES: &str = r#"{"inferences": [{"type": "entity", "entity": {
        "tag": {"value": "person", "confidence": 0.5},
        "box": {"l": 0.0, "t": 0.25, "w": 0.5, "h": 0.5}}}, {"type": "motion"}]}"#;

    #[test]
    fn objects_are_read_in_either_vocabulary() {
        let (at, ours) = read(OBJECTS.as_bytes(), 3).expect("JSON").expect("objects");
        let (pts, azure) = read(INFERENCES.as_bytes(), 3)
            .expect("JSON")
            .expect("objects");
        assert_eq!((at, pts), (7, 3));
        assert_eq!((ours.len(), azure.len()), (1, 1));
        assert_eq!(ours[0].bbox, azure[0].bbox);
        assert_eq!(ours[0].label, azure[0].label);
    }

    #[test]
    fn nothing_found_counts_nothing_said_does_not_and_nonsense_is_told() {
        assert_eq!(read(br#"{"objects": []}"#, 3), Ok(Some((3, vec![]))));
        assert_eq!(read(br#"{"count": 2}"#, 3), Ok(None));
        assert_eq!(read(b"[1]", 3), Err(MetaError::NotAnObject));
        assert_eq!(read(b"{", 3), Err(MetaError::NotAnObject));
    }

    proptest! {
        #[test]
        fn no_line_panics(line: Vec<u8>) {
            let _ = read(&line, 0);
        }
    }
}
