//! What others tell us, as signals: our own, CloudEvents, Azure's messages and DeepStream's commands.
//!
//! | a JSON object with | is | its signal |
//! |---|---|---|
//! | `specversion` | a CloudEvent | what `data` says, at its own time or the event's |
//! | `command` and `sensor` | DeepStream's command to its Smart Record | `start-recording` at `start`, with a stop at `end` where it is given; `stop-recording` at `end` |
//! | `eventTime`, or `body` and `applicationProperties` | a message of Azure's modules | what `data` or `body` says, at `eventTime` |
//! | anything else | a signal | itself |
//!
//! What our own elements tell of recordings and observations raises no signal.

use serde_json::{Map, Value};

use crate::signal::{Action, MAX_LINE, Signal, SignalError, When};
use crate::time::{Nanos, parse_rfc3339};

/// What a message says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Incoming {
    /// In their order; none where the message is no request for a recording.
    pub signals: Vec<Signal>,
    /// The camera that it is meant for, where it says so.
    pub camera: Option<String>,
}

/// Why a message is no signal. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IncomingError {
    /// Neither is what it holds.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// DeepStream's Smart Record knows two commands.
    #[error("a message's command is {0}: send start-recording or stop-recording")]
    Command(String),
    /// It is not RFC 3339.
    #[error("a message's {member} is {value}: give it as RFC 3339")]
    Time {
        /// The member's name.
        member: &'static str,
        /// What it holds.
        value: String,
    },
}

/// Reads a message.
///
/// # Errors
/// An [`IncomingError`] that names the value; such a message raises nothing.
pub fn read(payload: &[u8]) -> Result<Incoming, IncomingError> {
    if payload.len() > MAX_LINE {
        return Err(SignalError::TooLong.into());
    }
    let Ok(Value::Object(message)) = serde_json::from_slice(payload) else {
        // It says why.
        Signal::parse(payload)?;
        return Ok(Incoming::default());
    };
    if message.contains_key("specversion") {
        cloud_event(&message)
    } else if message.contains_key("command") && message.contains_key("sensor") {
        deepstream(&message)
    } else if let (Some(body), Some(properties)) =
        (message.get("body"), message.get("applicationProperties"))
    {
        azure(body, properties)
    } else if message.contains_key("eventTime") {
        let body = message.get("data").cloned().unwrap_or_default();
        azure(&body, &Value::Object(message))
    } else {
        let signal = signal(Value::Object(message))?;
        Ok(Incoming {
            camera: camera(&signal.body),
            signals: vec![signal],
        })
    }
}

/// A time that a message gives is taken if it lies within `most` of when it came (0 = always):
/// an old message, or one of another run, is about now. Gives whether it was.
pub fn is_plausible(when: When, running: Option<Nanos>, utc: Nanos, most: Nanos) -> bool {
    let now = match when {
        When::Media(_) => running,
        When::Utc(_) => Some(utc),
    };
    let (When::Media(time) | When::Utc(time)) = when;
    most == 0 || now.is_some_and(|now| time.abs_diff(now) <= most.unsigned_abs())
}

fn cloud_event(event: &Map<String, Value>) -> Result<Incoming, IncomingError> {
    let kind = text(event, "type");
    if kind.starts_with("evr-") && kind != "evr-signal" {
        return Ok(Incoming::default());
    }
    let data = match event.get("data") {
        Some(Value::Object(data)) => data.clone(),
        // Whatever else it is, it goes with the signal.
        Some(data) => [("data".to_owned(), data.clone())].into_iter().collect(),
        None => Map::new(),
    };
    let ours = text(event, "source").strip_prefix("/evr/").map(unescaped);
    let mut signal = signal(Value::Object(data))?;
    signal.id = signal.id.or_else(|| Some(text(event, "id").to_owned()));
    if signal.when.is_none() {
        signal.when = time(event, "time")?;
    }
    Ok(Incoming {
        camera: camera(&signal.body).or(ours),
        signals: vec![signal],
    })
}

fn azure(body: &Value, properties: &Value) -> Result<Incoming, IncomingError> {
    let empty = Map::new();
    let properties = properties.as_object().unwrap_or(&empty);
    let kind = text(properties, "eventType");
    if [".Operational.", ".Diagnostics."]
        .iter()
        .any(|class| kind.contains(class))
    {
        return Ok(Incoming::default());
    }
    let body = match body {
        Value::Null => Value::Object(Map::new()),
        body => body.clone(),
    };
    let mut signal = signal(body)?;
    if signal.when.is_none() {
        signal.when = time(properties, "eventTime")?;
    }
    if signal.id.is_none() {
        let id = text(properties, "id");
        signal.id = Some(id.to_owned()).filter(|id| !id.is_empty());
    }
    let target = ["eventTarget", "subject"]
        .iter()
        .find_map(|member| pipeline(text(properties, member)));
    Ok(Incoming {
        camera: camera(&signal.body).or(target),
        signals: vec![signal],
    })
}

fn deepstream(message: &Map<String, Value>) -> Result<Incoming, IncomingError> {
    let camera = message["sensor"]["id"].as_str().map(str::to_owned);
    let request = |action, when| Signal {
        action,
        when,
        ..Signal::default()
    };
    let (start, end) = (time(message, "start")?, time(message, "end")?);
    let signals = match message["command"].as_str() {
        Some("start-recording") => {
            let mut signals = vec![request(Action::Start, start)];
            signals.extend(end.map(|end| request(Action::Stop, Some(end))));
            signals
        }
        Some("stop-recording") => vec![request(Action::Stop, end)],
        _ => return Err(IncomingError::Command(message["command"].to_string())),
    };
    Ok(Incoming { signals, camera })
}

fn signal(value: Value) -> Result<Signal, IncomingError> {
    Ok(Signal::parse(value.to_string().as_bytes())?)
}

/// The camera that a plain object names.
fn camera(body: &Map<String, Value>) -> Option<String> {
    ["source_id", "sourceId", "source-id", "source"]
        .iter()
        .find_map(|name| body.get(*name)?.as_str())
        .map(str::to_owned)
}

/// The name in `/…/livePipelines/{name}/…`, or `graphInstances` before it was called so.
fn pipeline(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    parts.find(|part| {
        part.eq_ignore_ascii_case("livePipelines") || part.eq_ignore_ascii_case("graphInstances")
    })?;
    parts.next().map(str::to_owned)
}

fn text<'a>(object: &'a Map<String, Value>, member: &str) -> &'a str {
    object
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn time(object: &Map<String, Value>, member: &'static str) -> Result<Option<When>, IncomingError> {
    match object.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str().and_then(parse_rfc3339) {
            Some(utc) => Ok(Some(When::Utc(utc))),
            None => Err(IncomingError::Time {
                member,
                value: value.to_string(),
            }),
        },
    }
}

/// A segment of a URI's path without its escapes; itself where they are wrong.
fn unescaped(text: &str) -> String {
    crate::broker::unescaped(text).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;
    use proptest::prelude::*;

    fn signals(text: &str) -> (Vec<(Action, Option<When>)>, Option<String>) {
        let incoming = read(text.as_bytes()).expect("it is understood");
        let signals = incoming.signals.iter();
        (
            signals.map(|signal| (signal.action, signal.when)).collect(),
            incoming.camera,
        )
    }

    fn utc(second: i64) -> Option<When> {
        Some(When::Utc(second * SECOND))
    }

    #[test]
    fn a_plain_object_is_a_signal_and_may_name_its_camera() {
        let text = r#"{"action":"stop","media_time":5,"source_id":"door"}"#;
        let expected = vec![(Action::Stop, Some(When::Media(5)))];
        assert_eq!(signals(text), (expected, Some("door".into())));
        assert_eq!(signals("{}"), (vec![(Action::Trigger, None)], None));
    }

    #[test]
    fn a_cloud_event_is_what_its_data_says_at_its_own_time_or_the_events() {
        let event = |kind: &str, data: &str| {
            format!(
                r#"{{"specversion":"1.0","id":"x","source":"/evr/front%20door","type":"{kind}",
                "time":"1970-01-01T00:00:07Z","data":{data}}}"#
            )
        };
        let camera = Some("front door".to_owned());
        let own = event("evr-signal", r#"{"action":"start","media_time":5}"#);
        let expected = vec![(Action::Start, Some(When::Media(5)))];
        assert_eq!(signals(&own), (expected, camera.clone()));
        let others = event("com.example.button", "[1]");
        let expected = vec![(Action::Trigger, utc(7))];
        assert_eq!(signals(&others), (expected, camera));
        let read = read(others.as_bytes()).expect("it is understood");
        assert_eq!(read.signals[0].id.as_deref(), Some("x"));
        assert_eq!(signals(&event("evr-recording-started", "{}")).0, []);
        assert_eq!(signals(&event("evr-inference", "{}")).0, []);
    }

    #[test]
    fn azures_count_is_a_trigger_at_its_event_time() {
        let text = r#"{"body":{"count":2},"applicationProperties":{"eventTime":"1970-01-01T00:00:05.062Z",
            "eventTarget":"/graphInstances/Sample-Graph-1"}}"#;
        let expected = vec![(Action::Trigger, Some(When::Utc(5_062_000_000)))];
        assert_eq!(signals(text), (expected, Some("Sample-Graph-1".into())));
        let grid = r#"{"eventType":"Microsoft.VideoAnalyzer.Operational.RecordingStarted",
            "eventTime":"1970-01-01T00:00:05Z","data":{}}"#;
        assert_eq!(signals(grid).0, []);
        let grid = r#"{"eventTime":"1970-01-01T00:00:05Z","data":{"count":1},
            "subject":"/edgeModules/evr/livePipelines/door/processors/x"}"#;
        let expected = vec![(Action::Trigger, utc(5))];
        assert_eq!(signals(grid), (expected, Some("door".into())));
        assert_eq!(signals(r#"{"count":2}"#).0, [(Action::Trigger, None)]);
    }

    #[test]
    fn deepstreams_commands_start_and_stop() {
        let start = r#"{"command":"start-recording","start":"1970-01-01T00:00:05Z",
            "end":"1970-01-01T00:00:08Z","sensor":{"id":"cam1"}}"#;
        let expected = vec![(Action::Start, utc(5)), (Action::Stop, utc(8))];
        assert_eq!(signals(start), (expected, Some("cam1".into())));
        let stop =
            r#"{"command":"stop-recording","end":"1970-01-01T00:00:08Z","sensor":{"id":"cam1"}}"#;
        assert_eq!(signals(stop).0, [(Action::Stop, utc(8))]);
        let now = r#"{"command":"start-recording","sensor":{}}"#;
        assert_eq!(signals(now), (vec![(Action::Start, None)], None));
    }

    #[test]
    fn what_is_not_understood_says_why() {
        let why = |text: &str| read(text.as_bytes()).expect_err("it is not").to_string();
        assert!(why("hello").contains("JSON"));
        assert!(why("[]").contains("object"));
        assert!(why(r#"{"command":"go","sensor":{}}"#).contains("\"go\""));
        assert!(why(r#"{"command":"stop-recording","end":"noon","sensor":{}}"#).contains("end"));
        assert!(why(r#"{"action":"go"}"#).contains("\"go\""));
        assert!(why(&"x".repeat(MAX_LINE + 1)).contains("longer"));
    }

    #[test]
    fn a_time_far_from_now_is_not_believed() {
        let media = |time| is_plausible(When::Media(time), Some(100), 9000, 10);
        assert!(media(90) && media(110) && !media(89) && !media(111));
        assert!(is_plausible(When::Utc(9010), None, 9000, 10));
        assert!(!is_plausible(When::Utc(9011), None, 9000, 10));
        assert!(!is_plausible(When::Media(0), None, 9000, 10));
        assert!(is_plausible(When::Media(0), None, 9000, 0));
    }

    proptest! {
        #[test]
        fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
