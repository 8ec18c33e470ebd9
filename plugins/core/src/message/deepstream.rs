//! What NVIDIA DeepStream's message converter says, full (one message an object) and minimal (one a
//! frame). `videoPath`, which stands empty in stock output, names the clip: that of a recording which
//! has started and not ended, or the one that the message is about.
//!
//! Boxes are in pixels where the line tells the frame's `width` and `height`, else in fractions.

use std::cell::LazyCell;

use serde_json::{Value, json};

use super::{Fact, Message, Seen, What, inference::rounded};
use crate::detection::Detection;
use crate::signal::Signal;
use crate::time::rfc3339;

/// One message an object; signals and recordings have one each.
pub(super) fn full(fact: &Fact, clip: Option<&str>) -> Vec<Message> {
    // A hash of the whole fact, which every object of a frame would make anew.
    let id = LazyCell::new(|| fact.id());
    let message = |n: usize, object: Value, event: &str, clip: &str| {
        let body = json!({
            // One for each message, the same each time.
            "messageid": if n == 0 { id.clone() } else { format!("{}-{n}", *id) },
            "mdsversion": "1.0",
            "@timestamp": rfc3339(fact.time),
            "place": {},
            "sensor": {"id": fact.source, "type": "Camera"},
            "analyticsModule": {"id": "evr", "description": "event-based video recording"},
            "object": object,
            "event": {"id": *id, "type": event},
            "videoPath": clip,
        });
        Message::new("event", &body)
    };
    let open = clip.unwrap_or_default();
    match &fact.what {
        What::Observed(seen) => {
            let detections = seen.observation.detections.iter().enumerate();
            let told = detections.map(|(n, object)| message(n, of(object, seen), "detected", open));
            told.collect()
        }
        What::Signal(signal) => vec![message(0, named(signal), signal.action.as_str(), open)],
        What::Recording(recording) => {
            let event = recording.phase.kind().trim_start_matches("evr-");
            let object = match recording.label() {
                Some(label) => json!({"id": "-1", label: {}}),
                None => json!({}),
            };
            vec![message(0, object, event, recording.file())]
        }
        // It has no words for cameras.
        What::Camera(_) => Vec::new(),
    }
}

/// One message a frame; nothing else has a form.
pub(super) fn minimal(fact: &Fact) -> Option<Message> {
    let What::Observed(seen) = &fact.what else {
        return None;
    };
    let (width, height) = seen.scale();
    let objects = seen.observation.detections.iter().map(|object| {
        let (b, px) = (object.bbox, |v: f64| rounded(v, 1e3));
        format!(
            "{}|{}|{}|{}|{}|{}|#|{}",
            object.track_id.unwrap_or(-1),
            px(b.l * width),
            px(b.t * height),
            px((b.l + b.w) * width),
            px((b.t + b.h) * height),
            // It separates.
            object.label.replace('|', "_"),
            rounded(object.confidence, 1e4),
        )
    });
    let objects: Vec<_> = objects.collect();
    if objects.is_empty() {
        return None;
    }
    let body = json!({
        "version": "4.0",
        "id": seen.observation.seq.to_string(),
        "@timestamp": rfc3339(fact.time),
        "sensorId": fact.source,
        "objects": objects,
    });
    Some(Message::new("frame", &body))
}

fn of(object: &Detection, seen: &Seen) -> Value {
    let (width, height) = seen.scale();
    let (b, px) = (object.bbox, |v: f64| rounded(v, 1e3));
    json!({
        "id": object.track_id.unwrap_or(-1).to_string(),
        &*object.label: {"confidence": rounded(object.confidence, 1e4)},
        "bbox": {
            "topleftx": px(b.l * width),
            "toplefty": px(b.t * height),
            "bottomrightx": px((b.l + b.w) * width),
            "bottomrighty": px((b.t + b.h) * height),
        },
    })
}

fn named(signal: &Signal) -> Value {
    match signal.body.get("label").and_then(Value::as_str) {
        Some(label) => json!({"id": "-1", label: {}}),
        None => json!({}),
    }
}
