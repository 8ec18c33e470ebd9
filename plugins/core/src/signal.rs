//! Signals: statements with a media time that the gate reacts to.
//!
//! On the wire a signal is one line of JSON. Four members have a meaning (`action`, `id`,
//! `media_time`, `time`); everything else is free and travels into the sidecar as it came.

use serde_json::{Map, Value};

use crate::time::{Nanos, parse_rfc3339};

/// The longest line that is read as a signal, in bytes; a longer one is refused whole.
pub const MAX_LINE: usize = 64 * 1024;

/// What a signal asks of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Action {
    /// Something happened at this time: open, or stay open for the minimum activation time.
    #[default]
    Trigger,
    /// Open, and stay open until `stop`.
    Start,
    /// End what `start` began.
    Stop,
}

impl Action {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// When a signal says its frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `media_time`: a running time.
    Media(Nanos),
    /// `time`: nanoseconds since 1970-01-01T00:00:00Z.
    Utc(Nanos),
}

/// One statement that the gate reacts to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Signal {
    /// What it asks.
    pub action: Action,
    /// The sender's name for it.
    pub id: Option<String>,
    /// When its frame was; `None` leaves that to the way it arrived.
    pub when: Option<When>,
    /// Every member but the four above, in the order in which they came.
    pub body: Map<String, Value>,
}

/// Why a line is no signal. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Not JSON at all.
    #[error("a signal is not JSON ({0}): send one JSON object a line")]
    NotJson(String),
    /// JSON, but no object.
    #[error("a signal is JSON but no object: send one JSON object a line, such as {{}}")]
    NotAnObject,
    /// Longer than [`MAX_LINE`].
    #[error("a signal is longer than {MAX_LINE} bytes and was dropped: send less of it")]
    TooLong,
    /// `action` is something else.
    #[error("a signal's action is {0}: use \"trigger\", \"start\" or \"stop\"")]
    Action(String),
    /// `media_time` is no integer.
    #[error("a signal's media_time is {0}: give the running time as integer nanoseconds")]
    MediaTime(String),
    /// `time` is not RFC 3339.
    #[error("a signal's time is {0}: give it as RFC 3339, such as \"2026-01-31T12:00:00.000Z\"")]
    Time(String),
}

impl Signal {
    /// Reads one line, without its newline.
    ///
    /// # Errors
    /// A [`SignalError`] that names the value; such a line triggers nothing.
    pub fn parse(line: &[u8]) -> Result<Self, SignalError> {
        Self::from_object(object(line)?)
    }

    /// The signal that an object is, which was read already.
    ///
    /// # Errors
    /// As [`Signal::parse`].
    pub fn from_object(mut body: Map<String, Value>) -> Result<Self, SignalError> {
        let action = match body.shift_remove("action") {
            None => Action::Trigger,
            Some(value) => match value.as_str() {
                Some("trigger") => Action::Trigger,
                Some("start") => Action::Start,
                Some("stop") => Action::Stop,
                _ => return Err(SignalError::Action(value.to_string())),
            },
        };
        let id = match body.shift_remove("id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id),
            Some(other) => Some(other.to_string()),
        };
        let time = match body.shift_remove("time") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_str().and_then(parse_rfc3339) {
                Some(utc) => Some(When::Utc(utc)),
                None => return Err(SignalError::Time(value.to_string())),
            },
        };
        let when = match body.shift_remove("media_time") {
            None | Some(Value::Null) => time,
            Some(value) => match value.as_i64() {
                Some(running) => Some(When::Media(running)),
                None => return Err(SignalError::MediaTime(value.to_string())),
            },
        };
        Ok(Self {
            action,
            id,
            when,
            body,
        })
    }

    /// The signal as one JSON object; `media_time` stands in it when it is known.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("action".into(), self.action.as_str().into());
        if let Some(id) = &self.id {
            object.insert("id".into(), id.as_str().into());
        }
        match self.when {
            Some(When::Media(running)) => {
                object.insert("media_time".into(), running.into());
            }
            Some(When::Utc(utc)) => {
                object.insert("time".into(), crate::time::rfc3339(utc).into());
            }
            None => {}
        }
        object.extend(self.body.clone());
        object
    }
}

/// The object in one line, without its newline.
pub(crate) fn object(line: &[u8]) -> Result<Map<String, Value>, SignalError> {
    if line.len() > MAX_LINE {
        return Err(SignalError::TooLong);
    }
    match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(SignalError::NotAnObject),
        Err(err) => Err(SignalError::NotJson(err.to_string())),
    }
}

/// Cuts a stream of bytes into lines, however buffers split or join them.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    /// The line in progress has outgrown [`MAX_LINE`]; its rest is skipped.
    overlong: bool,
}

impl Lines {
    /// Takes the next bytes and hands every line they complete to `each`, without its newline;
    /// empty lines are skipped and an overlong one arrives as an error.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Result<&[u8], SignalError>)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (piece, ends) = match piece.strip_suffix(b"\n") {
                Some(piece) => (piece, true),
                None => (piece, false),
            };
            if self.partial.len() + piece.len() > MAX_LINE {
                self.overlong = true;
                self.partial.clear();
            }
            if !self.overlong {
                self.partial.extend_from_slice(piece);
            }
            if ends {
                self.end(&mut each);
            }
        }
    }

    /// The stream has ended: what stands without a newline is a line too.
    pub fn finish(&mut self, mut each: impl FnMut(Result<&[u8], SignalError>)) {
        self.end(&mut each);
    }

    fn end(&mut self, each: &mut impl FnMut(Result<&[u8], SignalError>)) {
        if std::mem::take(&mut self.overlong) {
            each(Err(SignalError::TooLong));
        } else if !self.partial.trim_ascii().is_empty() {
            each(Ok(self.partial.trim_ascii()));
        }
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_a_trigger_without_a_time() {
        assert_eq!(Signal::parse(b"{}"), Ok(Signal::default()));
    }

    #[test]
    fn azures_count_message_is_a_trigger_that_keeps_its_count() {
        let signal = Signal::parse(br#"{"count":2}"#).expect("an object is a signal");
        assert_eq!(signal.action, Action::Trigger);
        assert_eq!(signal.body["count"], 2);
    }

    #[test]
    fn media_time_wins_over_time() {
        let line = br#"{"time":"1970-01-01T00:00:01Z","media_time":-5,"action":"stop","id":7}"#;
        let signal = Signal::parse(line).expect("all four members are right");
        assert_eq!(signal.when, Some(When::Media(-5)));
        assert_eq!(signal.action, Action::Stop);
        assert_eq!(signal.id.as_deref(), Some("7"));
        assert!(signal.body.is_empty());
    }

    #[test]
    fn what_is_no_signal_says_why() {
        let why = |line: &[u8]| Signal::parse(line).expect_err("not a signal").to_string();
        assert!(why(b"hello").contains("not JSON"));
        assert!(why(b"[1]").contains("no object"));
        assert!(why(br#"{"action":"go"}"#).contains("\"go\""));
        assert!(why(br#"{"media_time":1.5}"#).contains("1.5"));
        assert!(why(br#"{"time":"noon"}"#).contains("\"noon\""));
    }

    #[test]
    fn lines_are_found_however_buffers_cut_them() {
        let text = b"{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}";
        for size in 1..=text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.push(piece, |line| found.push(line.expect("short").to_vec()));
            }
            lines.finish(|line| found.push(line.expect("short").to_vec()));
            assert_eq!(found, [&b"{\"a\":1}"[..], b"{\"b\":2}", b"{\"c\":3}"]);
        }
    }

    #[test]
    fn an_overlong_line_is_refused_once_and_the_next_is_read() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let mut each = |line: Result<&[u8], SignalError>| found.push(line.map(<[u8]>::to_vec));
        for _ in 0..3 {
            lines.push(&vec![b'x'; MAX_LINE], &mut each);
        }
        lines.push(b"\n{}\n", &mut each);
        assert_eq!(found, [Err(SignalError::TooLong), Ok(b"{}".to_vec())]);
    }
}
