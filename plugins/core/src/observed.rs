//! An observation as one line of JSON, as `meta` pads tell it and sidecars and replays read it:
//!
//! ```json
//! {"media_time":80000000,"seq":2,"model":"ssdlite","width":768,"height":576,
//!  "objects":[{"label":"person","confidence":0.81,"box":{"l":0.1,"t":0.2,"w":0.3,"h":0.4},
//!  "track_id":7,"label_id":0}]}
//! ```
//!
//! `media_time` is running time in nanoseconds and is missing where the frame has none; `model` is
//! missing where the detector does not tell its name; `width` and `height` are the frame's in
//! pixels, which those need who count boxes in pixels; `objects` may be empty and is never missing,
//! since it says that somebody looked. Objects are those of signals, with the class's number in its
//! model as `label_id`, where the detector tells one. Where tracks are over, `ended`
//! lists them, each with `track_id`, `label`, `first`, `last` and `observations`; at the end of a
//! stream that stands in a line of its own, without `objects`. Readers pass over other members.

use serde_json::{Map, Value};

use crate::detection::{Detection, Observation};
use crate::json::{Members, Text};
use crate::time::Nanos;
use crate::tracker::Ended;

/// Why a line is no observation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObservedError {
    /// Not JSON at all.
    #[error("an observation is not JSON ({0}): send one JSON object a line")]
    NotJson(String),
    /// JSON, but without `objects`.
    #[error("an observation has no list \"objects\": send an empty one where nothing was found")]
    NoObjects,
    /// The number of the observation is missing, and a model that numbers them is there.
    #[error(
        "an observation of the model \"{0}\" has no number \"seq\", by which one that comes twice \
         is known: give it, or leave model out"
    )]
    NoSeq(String),
    /// One of the objects is none.
    #[error("an observation's object {index} is wrong ({reason}): give label, confidence and box")]
    Object {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The line, without its newline, of a frame of this width and height, with the tracks that are
/// over since the last.
pub fn line(
    media_time: Option<Nanos>,
    observation: &Observation,
    size: Option<(u32, u32)>,
    ended: &[Ended],
) -> String {
    let objects = observation.detections.len();
    let mut text = Text::with_capacity(128 * (objects + ended.len() + 1));
    text.object(|members| {
        if let Some(media_time) = media_time {
            members.name("media_time").integer(media_time);
        }
        observed(members, observation, size);
        if !ended.is_empty() {
            members.name("ended").list(ended, over);
        }
    });
    text.finish()
}

/// The line of a frame of which more is known than what was seen: that stands in `beside`, between
/// its time and the observation, which is missing where nobody looked.
pub fn line_beside(
    media_time: Option<Nanos>,
    beside: &Map<String, Value>,
    observation: Option<&Observation>,
    size: (u32, u32),
) -> String {
    let objects = observation.map_or(0, |seen| seen.detections.len());
    let mut text = Text::with_capacity(128 * (objects + beside.len() + 1));
    text.object(|members| {
        if let Some(media_time) = media_time {
            members.name("media_time").integer(media_time);
        }
        for (name, value) in beside {
            members.given_name(name).value(value);
        }
        if let Some(observation) = observation {
            observed(members, observation, Some(size));
        }
    });
    text.finish()
}

/// The line for tracks that are over at the end of a stream; `None` where there are none.
pub fn end(ended: &[Ended]) -> Option<String> {
    let mut text = Text::default();
    text.object(|members| members.name("ended").list(ended, over));
    (!ended.is_empty()).then(|| text.finish())
}

fn observed(members: &mut Members<'_>, observation: &Observation, size: Option<(u32, u32)>) {
    members.name("seq").integer(observation.seq);
    if !observation.model.is_empty() {
        members.name("model").string(&observation.model);
    }
    if let Some((width, height)) = size {
        members.name("width").integer(width);
        members.name("height").integer(height);
    }
    let objects = members.name("objects");
    objects.list(&observation.detections, |text, detection| {
        text.object(|members| {
            detection.tell(members.raw());
            if detection.label_id != -1 {
                members.name("label_id").integer(detection.label_id);
            }
        });
    });
}

fn over(text: &mut Text, ended: &Ended) {
    text.object(|members| {
        members.name("track_id").integer(ended.id);
        members.name("label").string(&ended.label);
        members.name("first").integer(ended.first);
        members.name("last").integer(ended.last);
        members.name("observations").integer(ended.hits);
    });
}

/// Whether a line shows nothing that anybody saw: that of a frame that nobody looked at, or of
/// tracks alone.
pub fn shows_nothing(line: &[u8]) -> bool {
    let members: Result<Map<String, Value>, _> = serde_json::from_slice(line);
    members.is_ok_and(|members| !members.contains_key("objects"))
}

/// Whether a line that was read already only says that tracks are over: a list of tracks, and no `objects`.
pub(crate) fn is_only_ends(members: &Map<String, Value>) -> bool {
    let ended = members.get("ended").and_then(Value::as_array);
    let is_track = |track: &Value| track["track_id"].is_i64();
    !members.contains_key("objects")
        && ended.is_some_and(|tracks| !tracks.is_empty() && tracks.iter().all(is_track))
}

/// Reads a line: when its frame was, where it says so, and what was seen.
///
/// # Errors
/// An [`ObservedError`] that says which part is wrong; nothing of such a line counts.
pub fn parse(line: &[u8]) -> Result<(Option<Nanos>, Observation), ObservedError> {
    let value: Value =
        serde_json::from_slice(line).map_err(|err| ObservedError::NotJson(err.to_string()))?;
    let members = value.as_object().ok_or(ObservedError::NoObjects)?;
    let media_time = members.get("media_time").and_then(Value::as_i64);
    Ok((media_time, observation(members)?))
}

/// What was seen, in a line that was read already.
pub(crate) fn observation(members: &Map<String, Value>) -> Result<Observation, ObservedError> {
    let objects = members.get("objects").and_then(Value::as_array);
    let mut detections = Vec::new();
    for (index, object) in objects.ok_or(ObservedError::NoObjects)?.iter().enumerate() {
        let mut detection: Detection =
            serde_json::from_value(object.clone()).map_err(|err| ObservedError::Object {
                index,
                reason: err.to_string(),
            })?;
        detection.label_id = object
            .get("label_id")
            .and_then(Value::as_i64)
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or(-1);
        detections.push(detection);
    }
    let model = members.get("model").and_then(Value::as_str);
    let model = model.unwrap_or_default();
    let seq = members.get("seq").and_then(Value::as_u64);
    if seq.is_none() && !model.is_empty() {
        return Err(ObservedError::NoSeq(model.to_owned()));
    }
    Ok(Observation {
        seq: seq.unwrap_or(0),
        model: model.to_owned(),
        detections,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::BoundingBox;
    use crate::recording::meta;
    use proptest::prelude::*;

    fn any_observation() -> impl Strategy<Value = Observation> {
        let detection = (
            "[a-z\"\\\\ é]{1,6}",
            0..=1000_u32,
            0..=1000_u32,
            proptest::option::of(any::<i64>()),
        )
            .prop_map(|(label, confidence, left, track_id)| Detection {
                label: label.into(),
                label_id: left as i32 % 90 - 1,
                confidence: f64::from(confidence) / 1e3,
                bbox: BoundingBox {
                    l: f64::from(left) / 1e3,
                    t: 0.5,
                    w: 0.0,
                    h: 0.25,
                },
                track_id,
                distance: (left % 2 == 0).then_some(f64::from(left) / 100.0),
                position: (left % 4 == 0).then_some([-f64::from(left) / 100.0, 0.25, 3.0]),
            });
        (
            any::<u64>(),
            "[a-z]{0,4}",
            proptest::collection::vec(detection, 0..4),
        )
            .prop_map(|(seq, model, detections)| Observation {
                seq,
                model,
                detections,
            })
    }

    proptest! {
        #[test]
        fn what_is_told_is_read_back_and_the_sidecar_reads_the_same(
            at in proptest::option::of(any::<i64>()),
            observation in any_observation(),
            size in proptest::option::of(any::<(u32, u32)>()),
        ) {
            let line = line(at, &observation, size, &[]);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(parse(line.as_bytes()), Ok((at, observation.clone())));
            let (_, seen) = meta::read(line.as_bytes(), 0).expect("JSON").expect("objects");
            prop_assert_eq!(seen.len(), observation.detections.len());
        }

        #[test]
        fn no_line_panics(line: Vec<u8>) {
            let _ = parse(&line);
        }
    }

    #[test]
    fn what_else_is_known_of_a_frame_stands_before_what_was_seen_in_it() {
        let beside = serde_json::json!({"sensors": {"temperature": 36.5}, "time": "\"\n"});
        let beside = beside.as_object().expect("an object");
        let nobody = Observation::default();
        let told = line_beside(Some(80), beside, Some(&nobody), (4, 2));
        assert_eq!(
            told,
            r#"{"media_time":80,"sensors":{"temperature":36.5},"time":"\"\n","seq":0,"width":4,"height":2,"objects":[]}"#
        );
        assert_eq!(parse(told.as_bytes()), Ok((Some(80), nobody)));
        let unseen = line_beside(None, &Map::new(), None, (4, 2));
        assert_eq!(unseen, "{}");
        assert!(shows_nothing(unseen.as_bytes()) && !shows_nothing(told.as_bytes()));
        assert!(!shows_nothing(b"{") && !shows_nothing(b"[]"));
    }

    #[test]
    fn tracks_that_are_over_stand_beside_what_was_seen_and_alone_at_the_end() {
        let over = [Ended {
            id: 7,
            label: "cat".into(),
            first: -1,
            last: 40,
            hits: 2,
        }];
        let told =
            r#""ended":[{"track_id":7,"label":"cat","first":-1,"last":40,"observations":2}]}"#;
        let nobody = Observation::default();
        let beside = line(Some(80), &nobody, None, &over);
        assert_eq!(
            beside,
            format!(r#"{{"media_time":80,"seq":0,"objects":[],{told}"#)
        );
        assert_eq!(parse(beside.as_bytes()), Ok((Some(80), nobody)));
        let only_ends =
            |line: &[u8]| serde_json::from_slice(line).is_ok_and(|members| is_only_ends(&members));
        assert!(!only_ends(beside.as_bytes()));
        assert!(!shows_nothing(beside.as_bytes()));
        let alone = end(&over).expect("a track is over");
        assert_eq!(alone, format!("{{{told}"));
        assert!(only_ends(alone.as_bytes()));
        assert!(shows_nothing(alone.as_bytes()));
        for other in [
            r#"{"ended":true}"#,
            r#"{"ended":[]}"#,
            r#"{"ended":[{}]}"#,
            "{}",
            "[",
        ] {
            assert!(!only_ends(other.as_bytes()), "{other}");
        }
        assert_eq!(end(&[]), None);
    }

    #[test]
    fn what_is_no_observation_says_why() {
        let why = |line: &[u8]| parse(line).expect_err("no observation").to_string();
        assert!(why(b"{").contains("not JSON"));
        assert!(why(b"{}").contains("no list"));
        assert!(why(br#"{"objects":[{"label":"a"}]}"#).contains("object 0"));
        assert!(why(br#"{"model":"m","objects":[]}"#).contains("\"m\" has no number \"seq\""));
        assert!(why(br#"{"model":"m","seq":-1,"objects":[]}"#).contains("no number"));
    }
}
