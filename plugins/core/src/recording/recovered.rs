//! The sidecar of a recording whose recorder was killed: what it had written down when it began,
//! with what the clip turned out to hold.

use serde_json::{Value, json};

use super::id::recording_id;
use super::sidecar::{ClipFile, SCHEMA, State, Stream};
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

/// The sidecar, from the unfinished one. Where that is missing or torn, the file's own time says
/// when it was, and nobody why.
pub fn sidecar(unfinished: Option<&str>, source: &str, found: &Found) -> Value {
    let known = unfinished
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .filter(|known| known["schema"] == SCHEMA && known["clip"].is_object());
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

    #[test]
    fn a_torn_sidecar_is_replaced_by_one_that_tells_what_the_file_tells() {
        let sidecar = sidecar(Some("{\"schema\": \"evr/rec"), "camera", &found());
        assert_eq!(sidecar["source"], "camera");
        assert_eq!(sidecar["clip"]["start"], "1970-01-01T00:00:08.000Z");
        assert_eq!(sidecar["clip"]["end"], "1970-01-01T00:00:10.000Z");
        assert_eq!(sidecar["clip"]["duration"], 2.0);
    }
}
