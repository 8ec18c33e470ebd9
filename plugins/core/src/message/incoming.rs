//! What others tell us, as signals: our own, CloudEvents, Azure's messages and DeepStream's commands.
//!
//! | a JSON object with | is | its signal |
//! |---|---|---|
//! | `specversion` | a CloudEvent | what `data` says, at its own time or the event's |
//! | `command` and `sensor` | DeepStream's command to its Smart Record | `start-recording` at `start`, with a stop at `end` where it is given; `stop-recording` at `end` |
//! | `eventTime`, or `body` and `applicationProperties` | a message of Azure's modules | what `data` or `body` says, at `eventTime` |
//! | anything else | a signal | itself |
//!
//! Of what our own elements say as CloudEvents, `evr-signal` alone raises a signal, itself; of what
//! they say as Azure did, inferences do, each a trigger as there. What they say of recordings and
//! cameras raises none in either. In the other formats it looks like what those systems say and
//! triggers as that does.

use serde_json::{Map, Value};

use crate::signal::{self, Action, MAX_LINE, Signal, SignalError, When};
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
    /// Of what every CloudEvent has to tell.
    #[error("a CloudEvent's {member} is {value}: give a text that is not empty")]
    Attribute {
        /// The member's name.
        member: &'static str,
        /// What it holds.
        value: String,
    },
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

/// What a signal's line may still grow by, in bytes: the time at which it came.
const ROOM: usize = 64;

/// Reads a message.
///
/// # Errors
/// An [`IncomingError`] that names the value; such a message raises nothing.
pub fn read(payload: &[u8]) -> Result<Incoming, IncomingError> {
    let incoming = of(signal::object(payload)?)?;
    // Numbers can be longer than they came: 1e15 is written out.
    let fits = |signal: &Signal| {
        let line = Value::Object(signal.to_json()).to_string();
        line.len() + ROOM <= MAX_LINE
    };
    match incoming.signals.iter().all(fits) {
        true => Ok(incoming),
        false => Err(SignalError::TooLong.into()),
    }
}

fn of(message: Map<String, Value>) -> Result<Incoming, IncomingError> {
    if message.contains_key("specversion") {
        cloud_event(&message)
    } else if message.contains_key("command") && message.contains_key("sensor") {
        deepstream(&message)
    } else if let (Some(body), Some(properties)) =
        (message.get("body"), message.get("applicationProperties"))
    {
        azure(body.clone(), properties)
    } else if message.contains_key("eventTime") {
        let body = message.get("data").cloned().unwrap_or_default();
        azure(body, &Value::Object(message))
    } else {
        let signal = Signal::from_object(message)?;
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
    let [_, id, source, kind] = [
        required(event, "specversion")?,
        required(event, "id")?,
        required(event, "source")?,
        required(event, "type")?,
    ];
    if kind.starts_with("evr-") && kind != "evr-signal" {
        return Ok(Incoming::default());
    }
    let data = match event.get("data") {
        Some(Value::Object(data)) => data.clone(),
        // Whatever else it is, it goes with the signal.
        Some(data) => [("data".to_owned(), data.clone())].into_iter().collect(),
        None => Map::new(),
    };
    let ours = source.strip_prefix("/evr/").map(unescaped);
    let mut signal = Signal::from_object(data)?;
    signal.id = signal.id.or_else(|| Some(id.to_owned()));
    if signal.when.is_none() {
        signal.when = time(event, "time")?;
    }
    Ok(Incoming {
        camera: camera(&signal.body).or(ours),
        signals: vec![signal],
    })
}

fn azure(body: Value, properties: &Value) -> Result<Incoming, IncomingError> {
    let empty = Map::new();
    let properties = properties.as_object().unwrap_or(&empty);
    let kind = text(properties, "eventType");
    if [".Operational.", ".Diagnostics."]
        .iter()
        .any(|class| kind.contains(class))
    {
        return Ok(Incoming::default());
    }
    let mut signal = match body {
        Value::Null => Signal::default(),
        Value::Object(body) => Signal::from_object(body)?,
        _ => return Err(SignalError::NotAnObject.into()),
    };
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

/// An attribute that no CloudEvent goes without (CloudEvents 1.0.2, section "Required attributes").
fn required<'a>(
    event: &'a Map<String, Value>,
    member: &'static str,
) -> Result<&'a str, IncomingError> {
    let value = event.get(member);
    let text = value
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty());
    text.ok_or_else(|| IncomingError::Attribute {
        member,
        value: value.map_or("missing".into(), Value::to_string),
    })
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
    fn a_cloud_event_without_what_every_one_has_is_refused_by_name() {
        let whole = r#"{"specversion":"1.0","id":"x","source":"/a","type":"evr-inference"}"#;
        assert_eq!(signals(whole).0, []);
        let whole: Map<_, _> = serde_json::from_str(whole).expect("JSON");
        for member in ["specversion", "id", "source", "type"] {
            for (value, told) in [
                (Value::from(""), "\"\""),
                (Value::from(1), "1"),
                (Value::Null, "null"),
            ] {
                let mut event = whole.clone();
                event.insert(member.into(), value);
                let event = Value::Object(event).to_string();
                let why = read(event.as_bytes()).expect_err("it says nothing there");
                let expected = format!("a CloudEvent's {member} is {told}: ");
                assert!(why.to_string().starts_with(&expected), "{why}");
            }
        }
        let why = read(br#"{"specversion":"1.0","id":"x"}"#).expect_err("it has no source");
        assert!(why.to_string().contains("source is missing"), "{why}");
    }

    #[test]
    fn a_message_whose_signal_would_be_too_long_for_the_gate_is_refused_here() {
        let numbers = |count: usize| format!("{{\"a\":[{}1]}}", "1e15,".repeat(count));
        assert!(read(numbers(3000).as_bytes()).is_ok());
        let long = numbers(10_000);
        assert!(long.len() < MAX_LINE);
        let why = read(long.as_bytes()).expect_err("its line is longer");
        assert_eq!(why, SignalError::TooLong.into());
        // What the gate reads has a time too.
        let text = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert!(read(text(MAX_LINE - 10).as_bytes()).is_err());
        assert!(read(text(MAX_LINE - 200).as_bytes()).is_ok());
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
