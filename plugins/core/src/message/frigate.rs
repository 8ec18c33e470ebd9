//! What Frigate says, for Home Assistant and dashboards that listen to it: `events` and `reviews` for
//! each recording, and how many of each label are seen now, whenever that changes.
//!
//! A recording is one event of Frigate's, from its start (`new`) to its clip (`end`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Fact, Message, Phase, Recording, What, inference::rounded, topic::level};
use crate::time::{Nanos, SECOND, parse_rfc3339};

/// What was last said of each camera.
#[derive(Debug, Default)]
pub(super) struct Frigate {
    counts: BTreeMap<String, BTreeMap<String, usize>>,
    /// What a signal last spoke of: a recording that starts is about that.
    labels: BTreeMap<String, String>,
}

impl Frigate {
    pub(super) fn render(&mut self, fact: &Fact) -> Vec<Message> {
        match &fact.what {
            What::Signal(signal) => {
                if let Some(label) = signal.body.get("label").and_then(Value::as_str) {
                    self.labels.insert(fact.source.clone(), label.to_owned());
                }
                Vec::new()
            }
            What::Observed(seen) => {
                let mut now: BTreeMap<String, usize> = BTreeMap::new();
                for object in &seen.observation.detections {
                    *now.entry(object.label.to_string()).or_default() += 1;
                }
                self.count(&fact.source, now)
            }
            What::Recording(recording) => self.recording(fact, recording),
            // It has no words for cameras.
            What::Camera(_) => Vec::new(),
        }
    }

    /// Tells how many there are where that is news; none is told once.
    fn count(&mut self, source: &str, now: BTreeMap<String, usize>) -> Vec<Message> {
        let before = self.counts.entry(source.to_owned()).or_default();
        let gone = before.keys().filter(|label| !now.contains_key(*label));
        let gone = gone.map(|label| (label.clone(), 0));
        let news = now
            .iter()
            .filter(|(label, count)| before.get(*label) != Some(count))
            .map(|(label, count)| (label.clone(), *count));
        let told = news.chain(gone).map(|(label, count)| Message {
            kind: format!("{}/{}", level(source), level(&label)),
            body: count.to_string(),
            retain: true,
        });
        let told = told.collect();
        *before = now;
        told
    }

    fn recording(&self, fact: &Fact, recording: &Recording) -> Vec<Message> {
        let (kind, ended) = match recording.phase {
            Phase::Started => ("new", false),
            // One that has failed ends too, without a clip.
            Phase::Available | Phase::Recovered | Phase::Failed => ("end", true),
            Phase::Stopped => return Vec::new(),
        };
        let label = recording
            .label()
            .or_else(|| self.labels.get(&fact.source).map(String::as_str))
            .unwrap_or("unknown");
        let after = event(fact, recording, label, ended);
        let before = match ended {
            true => event(fact, recording, label, false),
            false => after.clone(),
        };
        let id = &after["id"];
        let review = |ended: bool| {
            json!({
                "id": id,
                "camera": fact.source,
                "start_time": after["start_time"],
                "end_time": if ended { after["end_time"].clone() } else { Value::Null },
                "severity": "alert",
                "data": {"detections": [id], "objects": [label], "sub_labels": [], "zones": [], "audio": []},
            })
        };
        let reviews = json!({"type": kind, "before": review(false), "after": review(ended)});
        let events = json!({"type": kind, "before": before, "after": after});
        vec![
            Message::new("events", &events),
            Message::new("reviews", &reviews),
        ]
    }
}

/// A recording as Frigate's tracked object.
fn event(fact: &Fact, recording: &Recording, label: &str, ended: bool) -> Value {
    let data = &recording.event["data"];
    let content = &data["recording"];
    let time = |value: &Value| value.as_str().and_then(parse_rfc3339);
    let start = time(&data["time"]).unwrap_or(fact.time);
    let end = seconds(time(&content["clip"]["end"]).unwrap_or(fact.time));
    let has_clip = ended && recording.phase != Phase::Failed;
    let mut event = Map::new();
    let mut set = |name: &str, value: Value| event.insert(name.into(), value);
    set("id", id(&data["id"], &data["time"]).into());
    set("camera", fact.source.as_str().into());
    set("frame_time", seconds(start).into());
    set("start_time", seconds(start).into());
    set("end_time", if ended { end.into() } else { Value::Null });
    set("label", label.into());
    set("sub_label", Value::Null);
    set("top_score", Value::Null);
    set("score", Value::Null);
    set("false_positive", false.into());
    set("stationary", false.into());
    set("active", (!ended).into());
    set("current_zones", json!([]));
    set("entered_zones", json!([]));
    set("has_clip", has_clip.into());
    set(
        "has_snapshot",
        (has_clip && data["thumbnail"].is_string()).into(),
    );
    Value::Object(event)
}

/// `<seconds>.<microseconds>-<six characters>`, from the time at which the clip begins and its id.
fn id(recording: &Value, begins: &Value) -> String {
    let begins = begins.as_str().and_then(parse_rfc3339).unwrap_or(0);
    let name = recording.as_str().unwrap_or_default();
    let tail = name.len().saturating_sub(6);
    let tail = name.get(tail..).unwrap_or_default();
    let micros = begins.rem_euclid(SECOND) / 1000;
    format!("{}.{micros:06}-{tail}", begins.div_euclid(SECOND))
}

fn seconds(utc: Nanos) -> f64 {
    rounded(utc as f64 / SECOND as f64, 1e6)
}
