//! The journal: what happened to recordings, one CloudEvent a line, for whoever was not there to
//! hear it on the bus.
//!
//! What belongs here: what a line says, what to do about a last line that a crash has torn, and
//! which recordings a journal has left off telling of.
//! What does not: the file, its lock and its size, which are the shell's.

use std::collections::BTreeMap;

use serde_json::Value;

use super::id::recording_id;
use crate::message::cloudevents::CloudEvent;
use crate::time::Nanos;

/// One fact about one recording.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What happened, in the word of the bus message, such as `evr-recording-started`.
    pub kind: &'a str,
    /// Name of the camera.
    pub source: &'a str,
    /// Id of the recording.
    pub recording: &'a str,
    /// When it happened, in nanoseconds since 1970-01-01T00:00:00Z.
    pub now: Nanos,
    /// The bus message as JSON.
    pub data: &'a Value,
}

impl Entry<'_> {
    /// The line, with its end.
    pub fn line(&self) -> String {
        let mut data = self.data.clone();
        if let Some(sidecar) = data.get_mut("recording").and_then(Value::as_object_mut) {
            // They grow with the clip, and the sidecar has them.
            sidecar.shift_remove("signals");
            sidecar.shift_remove("detections");
        }
        // A name and a number that no other fact has: the parts of a recording share its id.
        let path = ["location", "part"]
            .iter()
            .find_map(|key| data[key].as_str());
        let name = format!(
            "{} {} {}",
            self.kind,
            self.recording,
            path.unwrap_or_default()
        );
        let event = CloudEvent {
            id: &recording_id(&name, 0, self.now, 0),
            source: self.source,
            kind: self.kind,
            subject: Some(self.recording),
            time: self.now,
            data,
        };
        let mut line = event.to_json().to_string();
        line.push('\n');
        line
    }
}

/// The recordings of one camera that a journal begins to tell of and then no more, though their clip
/// may have got its name: a crash can come between the two.
#[derive(Debug)]
pub struct Untold {
    source: String,
    /// What was told last, by the clip's path.
    open: BTreeMap<String, Value>,
}

impl Untold {
    /// Of the camera of that name.
    pub fn new(source: &str) -> Self {
        Self {
            source: source.into(),
            open: BTreeMap::new(),
        }
    }

    /// Reads the next line; one that is none of ours says nothing.
    pub fn read(&mut self, line: &[u8]) {
        let Ok(mut event) = serde_json::from_slice::<serde_json::Map<String, Value>>(line) else {
            return;
        };
        let data = event.remove("data").unwrap_or_default();
        let (Some(location), true) = (
            data["location"].as_str().map(str::to_owned),
            data["source"] == self.source.as_str(),
        ) else {
            return;
        };
        match event.get("type").and_then(Value::as_str) {
            Some("evr-recording-started" | "evr-recording-stopped") => {
                self.open.insert(location, data);
            }
            Some("evr-recording-available" | "evr-recording-recovered") => {
                self.open.remove(&location);
            }
            _ => {}
        }
    }

    /// The paths of their clips, and what was told of each last.
    pub fn into_clips(self) -> impl Iterator<Item = (String, Value)> {
        self.open.into_iter()
    }
}

/// What makes a journal end in a whole line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Healing {
    /// It does.
    None,
    /// Only the line's end is missing.
    End,
    /// So many bytes at the end are half a line.
    Cut(u64),
}

/// Looks at the end of a journal; `all` says that nothing stands before it. `None` asks for more.
pub fn heal(end: &[u8], all: bool) -> Option<Healing> {
    let begun = match end.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => at + 1,
        None if all => 0,
        None => return None,
    };
    let last = &end[begun..];
    Some(if last.is_empty() {
        Healing::None
    } else if serde_json::from_slice::<serde_json::Map<String, Value>>(last).is_ok() {
        Healing::End
    } else {
        Healing::Cut(last.len() as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;
    use proptest::prelude::*;
    use serde_json::json;

    fn line(source: &str, data: &Value) -> String {
        let entry = Entry {
            kind: "evr-recording-available",
            source,
            recording: "0192",
            now: 6 * SECOND,
            data,
        };
        entry.line()
    }

    #[test]
    fn a_line_is_a_cloud_event_without_what_grows() {
        let data = json!({
            "location": "a.mp4",
            "recording": {"state": "complete", "signals": [1], "detections": [2], "counts": {}},
        });
        let line = line("front door/ä", &data);
        let event: Value = serde_json::from_str(&line).expect("JSON");
        let id = event["id"].as_str().expect("a text").to_owned();
        assert_eq!(id.len(), 36);
        assert_eq!(
            event,
            json!({
                "specversion": "1.0",
                "id": id,
                "source": "/evr/front%20door%2F%C3%A4",
                "type": "evr-recording-available",
                "subject": "0192",
                "time": "1970-01-01T00:00:06.000Z",
                "datacontenttype": "application/json",
                "data": {"location": "a.mp4", "recording": {"state": "complete", "counts": {}}},
            })
        );
    }

    #[test]
    fn the_parts_of_a_recording_have_events_of_their_own() {
        let of = |path: &str| line("door", &json!({ "location": path }));
        let id = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["id"].clone();
        assert_ne!(id(&of("a.mp4")), id(&of("a-2.mp4")));
        assert_eq!(id(&of("a.mp4")), id(&of("a.mp4")));
    }

    #[test]
    fn a_journal_that_breaks_off_shows_which_recordings_it_leaves_untold() {
        let mut untold = Untold::new("door");
        let mut tell = |kind: &str, source: &str, path: &str| {
            let kind = format!("evr-recording-{kind}");
            let data = json!({"location": path, "source": source, "n": 1});
            let entry = Entry {
                kind: &kind,
                source,
                recording: "0192",
                now: 0,
                data: &data,
            };
            untold.read(entry.line().as_bytes());
        };
        for (path, last) in [
            ("a", "available"),
            ("b", "stopped"),
            ("c", "recovered"),
            ("d", ""),
        ] {
            tell("started", "door", path);
            tell(last, "door", path);
        }
        tell("started", "yard", "e");
        untold.read(b"{\"type\":\"evr-rec");
        untold.read(b"7");
        let clips: Vec<_> = untold.into_clips().map(|(path, _)| path).collect();
        assert_eq!(clips, ["b", "d"]);
    }

    #[test]
    fn half_a_line_is_cut_off_and_a_whole_one_gets_its_end() {
        assert_eq!(heal(b"", true), Some(Healing::None));
        assert_eq!(heal(b"{}\n", false), Some(Healing::None));
        assert_eq!(heal(b"{}\n{\"a\":", false), Some(Healing::Cut(5)));
        assert_eq!(heal(b"{}\n{\"a\":1}", false), Some(Healing::End));
        assert_eq!(heal(b"{\"a\":1}", true), Some(Healing::End));
        assert_eq!(heal(b"{\"a\":1}", false), None);
        // A number that is cut is still a number.
        assert_eq!(heal(b"{}\n12", false), Some(Healing::Cut(2)));
    }

    proptest! {
        /// Wherever a crash cuts, the lines before stay and what follows is readable.
        #[test]
        fn wherever_a_journal_is_cut_it_heals_to_whole_lines(
            texts in prop::collection::vec(".*", 1..5),
            cut in any::<prop::sample::Index>(),
        ) {
            let whole: String = texts.iter().map(|text| line(text, &json!({"reason": text}))).collect();
            prop_assert_eq!(whole.lines().count(), texts.len());
            let mut bytes = whole.as_bytes()[..cut.index(whole.len() + 1)].to_vec();
            match heal(&bytes, true) {
                Some(Healing::None) => {}
                Some(Healing::End) => bytes.push(b'\n'),
                Some(Healing::Cut(torn)) => bytes.truncate(bytes.len() - torn as usize),
                None => prop_assert!(false, "everything was shown"),
            }
            prop_assert!(whole.as_bytes().starts_with(&bytes));
            prop_assert!(bytes.is_empty() || bytes.ends_with(b"\n"));
            for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                prop_assert!(serde_json::from_slice::<Value>(line).is_ok());
            }
        }

        #[test]
        fn no_journal_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), all: bool) {
            if let Some(Healing::Cut(torn)) = heal(&bytes, all) {
                prop_assert!(torn as usize <= bytes.len());
            }
        }
    }
}
