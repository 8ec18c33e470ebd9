//! CloudEvents of version 1.0 in JSON, structured mode
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>): what
//! the journal is written in, and what leaves the process unless the user asks for another format.

use serde_json::{Value, json};

use super::{Fact, Message, What, inference};
use crate::time::{Nanos, rfc3339};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CloudEvent<'a> {
    pub(crate) id: &'a str,
    /// Name of the camera.
    pub(crate) source: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) subject: Option<&'a str>,
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub(crate) time: Nanos,
    pub(crate) data: Value,
}

impl CloudEvent<'_> {
    /// The event as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let mut event = json!({
            "specversion": "1.0",
            "id": self.id,
            "source": format!("/evr/{}", segment(self.source)),
            "type": self.kind,
        });
        if let Some(subject) = self.subject {
            event["subject"] = subject.into();
        }
        event["time"] = rfc3339(self.time).into();
        event["datacontenttype"] = "application/json".into();
        event["data"] = self.data.clone();
        event
    }
}

/// What a fact is told as.
pub(super) fn render(fact: &Fact) -> Option<Message> {
    let event = |kind: &str, data| {
        let id = fact.id();
        let event = CloudEvent {
            id: &id,
            source: &fact.source,
            kind,
            subject: None,
            time: fact.time,
            data,
        };
        Message::new(kind, &event.to_json())
    };
    Some(match &fact.what {
        What::Signal(signal) => event("evr-signal", Value::Object(signal.to_json())),
        What::Observed(seen) if seen.observation.detections.is_empty() => return None,
        What::Observed(seen) => {
            let mut data = inference::of_objects(fact.time, &seen.observation.detections);
            if let Some(media_time) = seen.media_time {
                data["media_time"] = media_time.into();
            }
            event("evr-inference", data)
        }
        What::Camera(told) => event(
            told.news.name(),
            told.news.to_json(&told.source, &told.location),
        ),
        // The journal is written in this format.
        What::Recording(recording) => Message::new(recording.phase.kind(), &recording.event),
    })
}

/// One segment of a URI's path (RFC 3986, section 3.3), with everything but the unreserved escaped.
fn segment(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}
