//! The sidecar: what a recording shows and why it was made, as JSON beside its clip.
//!
//! The same input gives the same bytes: members keep their order, paths are file names, spans are
//! decimal seconds to the microsecond, and nothing is said of this run or machine.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::clock::{TimeSource, Wall};
use super::track::Hole;
use crate::detection::{BoundingBox, Detection};
use crate::time::{Nanos, rfc3339};

/// The value of `schema`.
pub const SCHEMA: &str = "evr/recording/1";

/// How a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being written, and its sidecar is not under its final name.
    Recording,
    /// It holds everything it promised.
    Complete,
    /// A crash cut it; everything that had reached the disk is in it.
    Recovered,
    /// It plays but holds less than promised.
    Truncated,
    /// It could not be written.
    Failed,
}

impl State {
    /// The word in sidecars and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Complete => "complete",
            Self::Recovered => "recovered",
            Self::Truncated => "truncated",
            Self::Failed => "failed",
        }
    }

    /// What a word in a sidecar says of a clip under its final name.
    pub fn finished(word: &str) -> Option<Self> {
        [Self::Complete, Self::Recovered, Self::Truncated]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// One stream of the clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// `video` or `audio`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Such as `h264`.
    pub codec: &'static str,
    /// The codec's profile, where the caps tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<i32>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<i32>,
    /// Frames a second as a fraction, such as `30000/1001`, where the caps tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framerate: Option<String>,
    /// Samples a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<i32>,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<i32>,
}

impl Stream {
    /// A stream of which no more is known.
    pub fn new(kind: &'static str, codec: &'static str) -> Self {
        Self {
            kind,
            codec,
            profile: None,
            width: None,
            height: None,
            framerate: None,
            rate: None,
            channels: None,
        }
    }
}

/// What is known of a recording when it ends. Times are signed running times in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Id of the recording.
    pub id: String,
    /// Whether anything is missing.
    pub state: State,
    /// Name of the camera.
    pub source: String,
    /// How running time becomes UTC.
    pub wall: Wall,
    /// PTS of the first frame that is shown.
    pub start: Nanos,
    /// How much stands in the clip before that and is not shown.
    pub lead_in: Nanos,
    /// End of the last frame.
    pub end: Nanos,
    /// Frames in the clip.
    pub frames: u64,
    /// Where the clip shows nothing for long.
    pub holes: Vec<Hole>,
    /// Streams in the clip.
    pub streams: Vec<Stream>,
    /// The first moment that was asked for.
    pub asked: Nanos,
    /// The first moment the signals speak of.
    pub event_start: Nanos,
    /// The last moment the signals speak of.
    pub event_end: Nanos,
    /// Id of the recording that holds this one's first frames too; of a further part its own.
    pub continues_from: Option<String>,
    /// Number of the part, from 1, where the recording had to be cut into several.
    pub part: u32,
    /// The signals, each with `media_time`.
    pub signals: Vec<Value>,
    /// What inference said of frames of the clip, if it was told beside them or rode on them.
    pub observed: Vec<(Nanos, Vec<Detection>)>,
}

/// The finished file that a sidecar speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipFile {
    /// Its name, without directories.
    pub name: String,
    /// Such as `mp4`.
    pub container: &'static str,
    /// Its size.
    pub bytes: u64,
}

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sidecar {
    schema: &'static str,
    id: String,
    state: State,
    source: String,
    label: Option<String>,
    clip: Clip,
    event: Event,
    signals: Vec<Value>,
    detections: Vec<Seen>,
    counts: BTreeMap<String, usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Clip {
    path: String,
    container: &'static str,
    bytes: u64,
    /// Only where a lead-in is hidden, in seconds; every other time counts from behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_lead_in: Option<f64>,
    /// Only of a second part and those behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    start: String,
    end: String,
    duration: f64,
    frames: u64,
    /// Only where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<Gap>,
    streams: Vec<Stream>,
    requested_pre_roll: f64,
    achieved_pre_roll: f64,
    continues_from: Option<String>,
    time_source: TimeSource,
}

/// A stretch of the clip in which nothing is shown, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Gap {
    t: f64,
    duration: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Event {
    start: String,
    end: String,
    start_offset: f64,
    end_offset: f64,
}

/// What was seen at one moment of the clip.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Seen {
    t: f64,
    objects: Vec<Detection>,
}

impl Sidecar {
    /// Everything the sidecar of `clip` says.
    pub fn new(facts: &Facts, clip: ClipFile) -> Self {
        let utc = |running| rfc3339(facts.wall.unix(running));
        let offset = |running: Nanos| seconds(running.saturating_sub(facts.start));
        let pre_roll = |from: Nanos| seconds(facts.event_start.saturating_sub(from).max(0));
        let detections = detections(facts);
        Self {
            schema: SCHEMA,
            id: facts.id.clone(),
            state: facts.state,
            source: facts.source.clone(),
            label: label(&facts.signals),
            clip: Clip {
                path: clip.name,
                container: clip.container,
                bytes: clip.bytes,
                hidden_lead_in: Some(seconds(facts.lead_in)).filter(|span| *span > 0.0),
                part: Some(facts.part).filter(|part| *part > 1),
                start: utc(facts.start),
                end: utc(facts.end),
                duration: offset(facts.end),
                frames: facts.frames,
                gaps: facts
                    .holes
                    .iter()
                    .map(|hole| Gap {
                        t: offset(hole.start),
                        duration: seconds(hole.end - hole.start),
                    })
                    .collect(),
                streams: facts.streams.clone(),
                requested_pre_roll: pre_roll(facts.asked),
                achieved_pre_roll: pre_roll(facts.start),
                continues_from: facts.continues_from.clone(),
                time_source: facts.wall.source,
            },
            event: Event {
                start: utc(facts.event_start),
                end: utc(facts.event_end),
                start_offset: offset(facts.event_start),
                end_offset: offset(facts.event_end),
            },
            signals: facts
                .signals
                .iter()
                .map(|signal| placed(signal, facts))
                .collect(),
            counts: counts(&detections),
            detections: detections
                .into_iter()
                .map(|(at, objects)| Seen {
                    t: offset(at),
                    objects: objects.iter().map(rounded).collect(),
                })
                .collect(),
        }
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("members are strings, numbers and lists");
        text.push('\n');
        text
    }

    /// The same without line breaks, for messages.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("members are strings, numbers and lists")
    }
}

/// What a recording is about: the first label that a signal or one of its objects names.
pub fn label(signals: &[Value]) -> Option<String> {
    signals.iter().find_map(|signal| {
        let own = signal.get("label").and_then(Value::as_str);
        own.map(str::to_owned).or_else(|| {
            objects(signal)
                .into_iter()
                .next()
                .map(|object| object.label.into_owned())
        })
    })
}

/// The objects that a signal brings itself; what is no object is passed over.
pub fn objects(signal: &Value) -> Vec<Detection> {
    let list = signal.get("objects").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|object| serde_json::from_value(object.clone()).ok())
        .collect()
}

fn media_time(signal: &Value) -> Option<Nanos> {
    signal.get("media_time").and_then(Value::as_i64)
}

/// The signal with its place in the clip and its UTC.
fn placed(signal: &Value, facts: &Facts) -> Value {
    let mut signal = signal.clone();
    if let (Some(at), Some(members)) = (media_time(&signal), signal.as_object_mut()) {
        members.insert("t".into(), seconds(at.saturating_sub(facts.start)).into());
        members.insert("time".into(), rfc3339(facts.wall.unix(at)).into());
    }
    signal
}

/// What rode on the frames, else what the signals bring, by time.
fn detections(facts: &Facts) -> Vec<(Nanos, Vec<Detection>)> {
    let mut detections = facts.observed.clone();
    if detections.is_empty() {
        detections = facts
            .signals
            .iter()
            .filter_map(|signal| Some((media_time(signal)?, objects(signal))))
            .filter(|(_, objects)| !objects.is_empty())
            .collect();
    }
    // Frames come in decode order.
    detections.sort_by_key(|(at, _)| *at);
    detections
}

fn counts(detections: &[(Nanos, Vec<Detection>)]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, objects) in detections {
        for object in objects {
            let now = objects.iter().filter(|o| o.label == object.label).count();
            let most = counts.entry(object.label.to_string()).or_default();
            *most = now.max(*most);
        }
    }
    counts
}

/// Decimal seconds to the microsecond: no frame lasts shorter, and no binary fraction shows.
fn seconds(span: Nanos) -> f64 {
    (span as f64 / 1e3).round() / 1e6
}

fn rounded(detection: &Detection) -> Detection {
    let round = |value: f64| (value * 1e6).round() / 1e6;
    let bbox = detection.bbox;
    Detection {
        confidence: round(detection.confidence),
        bbox: BoundingBox {
            l: round(bbox.l),
            t: round(bbox.t),
            w: round(bbox.w),
            h: round(bbox.h),
        },
        distance: detection.distance.map(round),
        position: detection.position.map(|position| position.map(round)),
        ..detection.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;
    use serde_json::json;

    #[test]
    fn a_hole_is_told_in_seconds_into_the_clip() {
        let hole = Hole {
            start: 4 * SECOND,
            end: 5 * SECOND + SECOND / 2,
        };
        let facts = Facts {
            holes: vec![hole],
            ..facts()
        };
        let value = Sidecar::new(&facts, clip()).to_value();
        assert_eq!(value["clip"]["gaps"], json!([{"t": 2.0, "duration": 1.5}]));
    }

    fn facts() -> Facts {
        Facts {
            id: "0192".into(),
            state: State::Complete,
            source: "camera".into(),
            wall: Wall::best(None, None, None),
            start: 2 * SECOND,
            lead_in: 0,
            end: 12 * SECOND,
            frames: 100,
            holes: vec![],
            streams: vec![Stream {
                width: Some(768),
                height: Some(576),
                framerate: Some("10/1".into()),
                ..Stream::new("video", "h264")
            }],
            asked: 3 * SECOND,
            event_start: 6 * SECOND,
            event_end: 9 * SECOND + 33_333_333,
            continues_from: None,
            part: 1,
            signals: vec![
                json!({"action": "trigger"}),
                json!({"action": "trigger", "media_time": 6 * SECOND, "label": "person", "objects": [
                    {"label": "person", "confidence": 0.1 + 0.2, "box": {"l": 0.25, "t": 0.0, "w": 0.5, "h": 1.0}},
                    {"label": "person", "confidence": 0.5, "box": {"l": 0.0, "t": 0.0, "w": 0.5, "h": 1.0}},
                    "nonsense",
                ]}),
            ],
            observed: vec![],
        }
    }

    fn clip() -> ClipFile {
        ClipFile {
            name: "clip.mp4".into(),
            container: "mp4",
            bytes: 5,
        }
    }

    #[test]
    fn members_stand_in_the_promised_order() {
        let value = Sidecar::new(&facts(), clip()).to_value();
        let keys = |value: &Value| -> Vec<String> {
            value
                .as_object()
                .expect("an object")
                .keys()
                .cloned()
                .collect()
        };
        assert_eq!(
            keys(&value).join(" "),
            "schema id state source label clip event signals detections counts"
        );
        assert_eq!(
            keys(&value["clip"]).join(" "),
            "path container bytes start end duration frames streams requested_pre_roll \
             achieved_pre_roll continues_from time_source"
        );
        assert_eq!(
            keys(&value["event"]).join(" "),
            "start end start_offset end_offset"
        );
    }

    #[test]
    fn times_are_utc_and_offsets_count_from_the_clips_start() {
        let value = Sidecar::new(&facts(), clip()).to_value();
        assert_eq!(value["clip"]["start"], "1970-01-01T00:00:02.000Z");
        assert_eq!(value["clip"]["duration"], 10.0);
        assert_eq!(value["clip"]["requested_pre_roll"], 3.0);
        assert_eq!(value["clip"]["achieved_pre_roll"], 4.0);
        assert_eq!(value["clip"]["time_source"], "media");
        assert_eq!(value["event"]["start"], "1970-01-01T00:00:06.000Z");
        assert_eq!(value["event"]["end_offset"], 7.033333);
        assert_eq!(value["signals"][1]["t"], 4.0);
        assert_eq!(value["signals"][1]["time"], "1970-01-01T00:00:06.000Z");
    }

    #[test]
    fn without_frames_that_carry_them_detections_come_from_the_signals() {
        let value = Sidecar::new(&facts(), clip()).to_value();
        assert_eq!(value["label"], "person");
        assert_eq!(value["detections"][0]["t"], 4.0);
        assert_eq!(value["detections"][0]["objects"][0]["confidence"], 0.3);
        assert_eq!(value["counts"], json!({"person": 2}));
    }

    #[test]
    fn what_rode_on_the_frames_wins_and_is_sorted_by_time() {
        let seen = objects(&facts().signals[1]);
        let facts = Facts {
            observed: vec![(8 * SECOND, seen[..1].to_vec()), (7 * SECOND, vec![])],
            ..facts()
        };
        let value = Sidecar::new(&facts, clip()).to_value();
        assert_eq!(value["detections"][0], json!({"t": 5.0, "objects": []}));
        assert_eq!(value["detections"][1]["t"], 6.0);
        assert_eq!(value["counts"], json!({"person": 1}));
    }

    #[test]
    fn a_start_after_the_signal_is_no_negative_pre_roll() {
        let facts = Facts {
            asked: 8 * SECOND,
            start: 7 * SECOND,
            ..facts()
        };
        let value = Sidecar::new(&facts, clip()).to_value();
        assert_eq!(value["clip"]["requested_pre_roll"], 0.0);
        assert_eq!(value["clip"]["achieved_pre_roll"], 0.0);
    }
}
