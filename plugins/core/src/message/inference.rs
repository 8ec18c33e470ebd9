//! What was found, in the vocabulary of Azure Video Analyzer's inference schema, with the
//! `sequenceId` of a tracked object, which that schema forgot.

use serde_json::{Map, Value, json};

use crate::detection::Detection;
use crate::signal::Signal;
use crate::time::{Nanos, SECOND};

/// Ticks of 90 kHz since 1970, by which inferences are told from one another.
fn ticks(utc: Nanos) -> i64 {
    let ticks = i128::from(utc) * 90_000 / i128::from(SECOND);
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

/// The objects of one frame.
pub(super) fn of_objects(utc: Nanos, detections: &[Detection]) -> Value {
    let inferences: Vec<_> = detections.iter().map(entity).collect();
    json!({"timestamp": ticks(utc), "inferences": inferences})
}

/// A signal, as an event with its plain members as properties, which are texts there.
pub(super) fn of_signal(utc: Nanos, signal: &Signal) -> Value {
    let mut properties = Map::new();
    for (name, value) in signal.to_json() {
        let text = match value {
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        properties.insert(name, text.into());
    }
    let name = ["rule", "line", "label"]
        .iter()
        .find_map(|name| signal.body.get(*name)?.as_str());
    let event = json!({"name": name.unwrap_or(signal.action.as_str()), "properties": properties});
    json!({
        "timestamp": ticks(utc),
        "inferences": [{"type": "event", "subtype": "signal", "event": event}],
    })
}

fn entity(detection: &Detection) -> Value {
    let mut inference = json!({"type": "entity", "subtype": "objectDetection"});
    if let Some(track_id) = detection.track_id {
        // 32 hexadecimal digits, as Azure's tracker writes them.
        inference["sequenceId"] = format!("{track_id:032x}").into();
    }
    inference["entity"] = json!({
        "tag": {"value": detection.label, "confidence": rounded(detection.confidence, 1e4)},
        "box": {
            "l": rounded(detection.bbox.l, 1e6),
            "t": rounded(detection.bbox.t, 1e6),
            "w": rounded(detection.bbox.w, 1e6),
            "h": rounded(detection.bbox.h, 1e6),
        },
    });
    inference
}

/// More digits are noise: a millionth of the frame is less than a pixel of any camera.
pub(super) fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
