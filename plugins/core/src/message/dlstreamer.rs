//! What Intel DL Streamer's metaconvert says of a frame. It has no words for signals, recordings
//! and cameras.
//!
//! Boxes are in pixels where the line tells the frame's `width` and `height`, else in fractions.

use serde_json::{Value, json};

use super::{Fact, Message, What, inference::rounded};
use crate::detection::Detection;

pub(super) fn render(fact: &Fact) -> Option<Message> {
    let What::Observed(seen) = &fact.what else {
        return None;
    };
    if seen.observation.detections.is_empty() {
        return None;
    }
    let scale = seen.scale();
    let objects = seen.observation.detections.iter().enumerate();
    let objects: Vec<_> = objects.map(|(n, object)| of(n, object, scale)).collect();
    let mut body = json!({"objects": objects});
    if let Some((width, height)) = seen.size {
        body["resolution"] = json!({"width": width, "height": height});
    }
    body["source"] = fact.source.as_str().into();
    if let Some(media_time) = seen.media_time {
        body["timestamp"] = media_time.into();
    }
    body["system_timestamp"] = crate::time::rfc3339(fact.time).into();
    Some(Message::new("frame", &body))
}

fn of(n: usize, object: &Detection, (width, height): (f64, f64)) -> Value {
    let (b, px) = (object.bbox, |v: f64| rounded(v, 1e3));
    let fraction = |v: f64| rounded(v, 1e6);
    let mut told = json!({
        "x": px(b.l * width),
        "y": px(b.t * height),
        "w": px(b.w * width),
        "h": px(b.h * height),
        "region_id": n,
        "roi_type": object.label,
        "detection": {
            "bounding_box": {
                "x_min": fraction(b.l),
                "y_min": fraction(b.t),
                "x_max": fraction(b.l + b.w),
                "y_max": fraction(b.t + b.h),
            },
            "confidence": rounded(object.confidence, 1e4),
            "label": object.label,
        },
    });
    if let Some(track_id) = object.track_id {
        told["id"] = track_id.into();
    }
    told
}
