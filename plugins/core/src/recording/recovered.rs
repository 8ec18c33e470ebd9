//! The sidecar of a recording whose recorder was killed: what it had written down since it began,
//! with what the clip turned out to hold.
//!
//! The unfinished sidecar is a sidecar, followed by a line of news each time that more came to
//! light: adding costs the same however much is known, and a torn line only itself.

use serde_json::{Value, json};

use super::id::recording_id;
use super::sidecar::{ClipFile, Facts, SCHEMA, Sidecar, State, Stream};
use crate::time::{Nanos, SECOND, parse_rfc3339, rfc3339};

/// What was recovered.
#[derive(Debug, Clone)]
pub struct Found {
    /// The new file.
    pub file: ClipFile,
    /// From the first frame to the end of the last.
    pub duration: Nanos,
    /// Frames of the leading stream.
    pub frames: u64,
    /// Streams in the clip.
    pub streams: Vec<Stream>,
    /// When the file was last written to, in nanoseconds since 1970-01-01T00:00:00Z.
    pub modified: Nanos,
}

/// A line of news: what `facts` say of the event, and the signals and objects seen that no line
/// before has told.
pub fn news(facts: &Facts) -> String {
    let unnamed = ClipFile {
        name: String::new(),
        container: "",
        bytes: 0,
    };
    let said = Sidecar::new(facts, unnamed).to_value();
    let news = json!({
        "label": said["label"],
        "event": said["event"],
        "signals": said["signals"],
        "detections": said["detections"],
        "counts": said["counts"],
    });
    format!("{news}\n")
}

/// An unfinished sidecar with all its news; `None` where not even its beginning is whole.
pub fn unfinished(text: &str) -> Option<Value> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut known = values.next()?.ok()?;
    if known["schema"] != SCHEMA || !known["clip"].is_object() {
        return None;
    }
    for news in values.map_while(Result::ok).filter(Value::is_object) {
        add(&mut known, news);
    }
    Some(known)
}

fn add(known: &mut Value, mut news: Value) {
    for list in ["signals", "detections"] {
        if let (Some(known), Some(news)) = (known[list].as_array_mut(), news[list].as_array_mut()) {
            known.append(news);
        }
    }
    for (label, count) in news["counts"].as_object().into_iter().flatten() {
        let most = known["counts"][label].as_u64().max(count.as_u64());
        if let Some(counts) = known["counts"].as_object_mut() {
            counts.insert(label.clone(), most.into());
        }
    }
    if known["label"].is_null() {
        known["label"] = news["label"].take();
    }
    if news["event"].is_object() {
        known["event"] = news["event"].take();
    }
}

/// The sidecar of a clip of `bytes`, where the unfinished one was complete but for its name.
pub fn finished(unfinished: &str, bytes: u64) -> Option<Value> {
    let mut known = self::unfinished(unfinished)?;
    let was_told = known["state"] != State::Recording.as_str();
    let is_whole = bytes > 0 && known["clip"]["bytes"] == bytes;
    known["state"] = State::Recovered.as_str().into();
    (was_told && is_whole).then_some(known)
}

/// The sidecar, from the unfinished one. Where that is missing or torn, the file's own time says
/// when it was, and nobody why.
pub fn sidecar(unfinished: Option<&str>, source: &str, found: &Found) -> Value {
    let known = unfinished.and_then(self::unfinished);
    let mut sidecar = known.unwrap_or_else(|| unknown(source, found));
    let duration = seconds(found.duration);
    sidecar["state"] = State::Recovered.as_str().into();
    let start = sidecar["clip"]["start"].as_str().and_then(parse_rfc3339);
    let end = rfc3339(start.unwrap_or(0).saturating_add(found.duration));
    let clip = &mut sidecar["clip"];
    clip["path"] = found.file.name.clone().into();
    clip["bytes"] = found.file.bytes.into();
    clip["frames"] = found.frames.into();
    clip["duration"] = duration.into();
    clip["end"] = end.clone().into();
    if let Some(detections) = sidecar["detections"].as_array_mut() {
        detections.retain(|seen| seen["t"].as_f64().is_none_or(|t| t <= duration));
    }
    let event = &mut sidecar["event"];
    if event["end_offset"]
        .as_f64()
        .is_some_and(|offset| offset > duration)
    {
        event["end_offset"] = duration.into();
        event["end"] = end.into();
    }
    sidecar
}

fn unknown(source: &str, found: &Found) -> Value {
    let start = found.modified.saturating_sub(found.duration);
    let utc = rfc3339(start);
    json!({
        "schema": SCHEMA,
        "id": recording_id(source, 0, start, 0),
        "state": State::Recovered.as_str(),
        "source": source,
        "label": null,
        "clip": {
            "path": found.file.name,
            "container": found.file.container,
            "bytes": found.file.bytes,
            "start": utc,
            "end": utc,
            "duration": 0.0,
            "frames": 0,
            "streams": found.streams,
            "requested_pre_roll": 0.0,
            "achieved_pre_roll": 0.0,
            "continues_from": null,
            "time_source": "clock",
        },
        "event": {"start": utc, "end": utc, "start_offset": 0.0, "end_offset": 0.0},
        "signals": [],
        "detections": [],
        "counts": {},
    })
}

/// To the microsecond, as in every sidecar.
fn seconds(span: Nanos) -> f64 {
    (span as f64 / SECOND as f64 * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{recording::clock::Wall, time::MILLISECOND};

    fn found() -> Found {
        Found {
            file: ClipFile {
                name: "a.mp4".into(),
                container: "mp4",
                bytes: 1000,
            },
            duration: 2 * SECOND,
            frames: 50,
            streams: vec![Stream::new("video", "h264")],
            modified: 10 * SECOND,
        }
    }

    #[test]
    fn what_was_known_at_the_start_stays_and_the_clip_is_told_as_it_is() {
        let known = json!({
            "schema": SCHEMA,
            "id": "x",
            "state": "recording",
            "clip": {"path": "a.mp4", "start": "1970-01-01T00:00:05.000Z", "frames": 0},
            "event": {"start_offset": 1.0, "end": "1970-01-01T00:00:09.000Z", "end_offset": 4.0},
            "signals": [{"action": "trigger"}],
        });
        let sidecar = sidecar(Some(&known.to_string()), "camera", &found());
        assert_eq!(sidecar["id"], "x");
        assert_eq!(sidecar["state"], "recovered");
        assert_eq!(sidecar["signals"], known["signals"]);
        assert_eq!(sidecar["clip"]["frames"], 50);
        assert_eq!(sidecar["clip"]["end"], "1970-01-01T00:00:07.000Z");
        assert_eq!(sidecar["event"]["end_offset"], 2.0);
    }

    fn facts(signals: Vec<Value>, event_end: Nanos) -> Facts {
        Facts {
            id: "x".into(),
            state: State::Recording,
            source: "camera".into(),
            wall: Wall::best(None, Some(5 * SECOND), None),
            start: 0,
            lead_in: 0,
            end: 0,
            frames: 0,
            holes: Vec::new(),
            streams: Vec::new(),
            asked: 0,
            event_start: SECOND,
            event_end,
            continues_from: None,
            part: 1,
            signals,
            observed: Vec::new(),
        }
    }

    fn seen(at: Nanos, labels: &[&str]) -> Value {
        let bbox = json!({"l": 0.1, "t": 0.1, "w": 0.2, "h": 0.2});
        let objects: Vec<_> = labels
            .iter()
            .map(|label| json!({"label": label, "confidence": 0.5, "box": bbox}))
            .collect();
        json!({"action": "trigger", "media_time": at, "objects": objects})
    }

    #[test]
    fn what_came_to_light_on_the_way_is_told_as_if_it_had_been_known_at_the_end() {
        let signals = [
            seen(SECOND, &["person"]),
            seen(SECOND + MILLISECOND, &["person", "person", "dog"]),
            seen(2 * SECOND, &["person", "cat"]),
        ];
        let said = |signals: &[Value], event_end| {
            Sidecar::new(&facts(signals.to_vec(), event_end), found().file).to_json()
        };
        let mut text = said(&signals[..1], SECOND);
        for (n, at) in [(1, SECOND + MILLISECOND), (2, 2 * SECOND)] {
            text += &news(&facts(vec![signals[n].clone()], at));
        }
        let whole = said(&signals, 2 * SECOND);
        let whole = serde_json::from_str(&whole).expect("a sidecar");
        assert_eq!(unfinished(&text), Some(whole));
        let counts = json!({"person": 2, "dog": 1, "cat": 1});
        assert_eq!(unfinished(&text).expect("whole")["counts"], counts);
    }

    #[test]
    fn wherever_news_are_torn_the_lines_before_stay() {
        let opened = Sidecar::new(
            &facts(vec![seen(SECOND, &["person"])], SECOND),
            found().file,
        );
        let opened = opened.to_json();
        let mut lines = String::new();
        for at in [2, 3] {
            lines += &news(&facts(vec![seen(at * SECOND, &["dog"])], at * SECOND));
        }
        for cut in 0..lines.len() {
            let known = unfinished(&format!("{opened}{}", &lines[..cut])).expect("it was whole");
            let signals = known["signals"].as_array().expect("a list").len();
            // The line break is all that may be missing.
            let whole =
                lines[..cut + 1].lines().count() - usize::from(!lines[..cut + 1].ends_with('\n'));
            assert_eq!(signals, 1 + whole, "cut at {cut}");
        }
        assert!(unfinished(&format!("{opened}5 [] \"x\" {{\"counts\": 3}}")).is_some());
    }

    #[test]
    fn a_sidecar_that_lacked_only_its_name_is_taken_as_it_is_for_that_clip_alone() {
        let mut known = json!({
            "schema": SCHEMA,
            "state": "complete",
            "clip": {"bytes": 1000, "frames": 7},
        });
        let told = finished(&known.to_string(), 1000).expect("it is complete");
        assert_eq!(told["state"], "recovered");
        assert_eq!(told["clip"]["frames"], 7);
        assert_eq!(finished(&known.to_string(), 999), None);
        known["state"] = "recording".into();
        assert_eq!(finished(&known.to_string(), 1000), None);
        assert_eq!(finished("{", 1000), None);
    }

    #[test]
    fn a_torn_sidecar_is_replaced_by_one_that_tells_what_the_file_tells() {
        let sidecar = sidecar(Some("{\"schema\": \"evr/rec"), "camera", &found());
        assert_eq!(sidecar["source"], "camera");
        assert_eq!(sidecar["clip"]["start"], "1970-01-01T00:00:08.000Z");
        assert_eq!(sidecar["clip"]["end"], "1970-01-01T00:00:10.000Z");
        assert_eq!(sidecar["clip"]["duration"], 2.0);
    }
}
