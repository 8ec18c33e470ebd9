//! What applications hear of a recording, as element messages.

use std::path::Path;

use evr_core::recording::sidecar::State;
use evr_core::time::{Nanos, rfc3339};
use serde_json::{Value, json};

use super::files::Lock;

/// What every message says first.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) id: String,
    /// Number of the recording, as the gate counts.
    pub(super) n: u64,
    pub(super) source: String,
    /// Running time of the first frame.
    pub(super) start: Nanos,
    /// The same in UTC, nanoseconds since 1970.
    pub(super) start_utc: Nanos,
}

/// One fact about a recording.
#[derive(Debug)]
pub(super) enum Report<'a> {
    /// Its file is open.
    Started { location: &'a Path },
    /// Its last frame was handed to the muxer.
    Stopped {
        location: &'a Path,
        /// Running time.
        end: Nanos,
        reason: &'a str,
    },
    /// Clip, sidecar and thumbnail are on disk under their final names.
    Available {
        location: &'a Path,
        sidecar: &'a Path,
        thumbnail: Option<&'a Path>,
        state: State,
        end: Nanos,
        frames: u64,
        /// Why it is truncated, or what else ended it.
        reason: &'a str,
        content: Value,
        /// Of the clip, until the journal tells of it.
        lock: Option<Lock>,
    },
    /// A recording that a crash had cut off is on disk under its final names.
    Recovered {
        location: &'a Path,
        sidecar: &'a Path,
        thumbnail: Option<&'a Path>,
        frames: u64,
        content: Value,
        /// As of one that is available.
        lock: Option<Lock>,
    },
    /// There is no clip under a final name.
    Failed {
        /// What was written so far.
        part: Option<&'a Path>,
        reason: &'a str,
    },
}

impl Report<'_> {
    /// The message's fields, and the same as JSON.
    pub(super) fn message(&self, subject: &Subject) -> (gst::Structure, Value) {
        let mut fields = Fields::new(self.name(), subject);
        match self {
            Self::Started { location } => fields.path("location", location),
            Self::Stopped {
                location,
                end,
                reason,
            } => {
                fields.path("location", location);
                fields.time("end", *end);
                fields.text("reason", reason);
            }
            Self::Available {
                location,
                sidecar,
                thumbnail,
                state,
                end,
                frames,
                reason,
                content,
                lock: _,
            } => {
                fields.path("location", location);
                fields.path("sidecar", sidecar);
                if let Some(thumbnail) = thumbnail {
                    fields.path("thumbnail", thumbnail);
                }
                fields.text("state", state.as_str());
                fields.time("end", *end);
                fields.structure.set("frames", *frames);
                fields.json["frames"] = (*frames).into();
                fields.text("reason", reason);
                fields.json["recording"] = content.clone();
            }
            Self::Recovered {
                location,
                sidecar,
                thumbnail,
                frames,
                content,
                lock: _,
            } => {
                fields.path("location", location);
                fields.path("sidecar", sidecar);
                if let Some(thumbnail) = thumbnail {
                    fields.path("thumbnail", thumbnail);
                }
                fields.text("state", State::Recovered.as_str());
                fields.structure.set("frames", *frames);
                fields.json["frames"] = (*frames).into();
                fields.json["recording"] = content.clone();
            }
            Self::Failed { part, reason } => {
                if let Some(part) = part {
                    fields.path("part", part);
                }
                fields.text("state", State::Failed.as_str());
                fields.text("reason", reason);
            }
        }
        (fields.structure, fields.json)
    }

    /// The same as splitmuxsink says it, where that has a word for it: for applications that were
    /// written against that element.
    pub(super) fn fragment(
        &self,
        subject: &Subject,
        sink: &gst::Element,
    ) -> Option<gst::Structure> {
        let (name, location, time) = match self {
            Self::Started { location } => ("opened", location, subject.start),
            Self::Available { location, end, .. } => ("closed", location, *end),
            Self::Stopped { .. } | Self::Recovered { .. } | Self::Failed { .. } => return None,
        };
        let fields = gst::Structure::builder(format!("splitmuxsink-fragment-{name}"))
            .field("location", location.to_string_lossy().as_ref())
            .field("running-time", crate::bridge::time::clock_time(time))
            .field("sink", sink);
        Some(fields.build())
    }

    /// What shall be locked until the journal tells of it.
    pub(super) fn lock(&self) -> Option<Lock> {
        match self {
            Self::Available { lock, .. } | Self::Recovered { lock, .. } => lock.clone(),
            Self::Started { .. } | Self::Stopped { .. } | Self::Failed { .. } => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "evr-recording-started",
            Self::Stopped { .. } => "evr-recording-stopped",
            Self::Available { .. } => "evr-recording-available",
            Self::Recovered { .. } => "evr-recording-recovered",
            Self::Failed { .. } => "evr-recording-failed",
        }
    }
}

/// Typed fields and their JSON, filled side by side.
struct Fields {
    structure: gst::Structure,
    json: Value,
}

impl Fields {
    fn new(name: &str, subject: &Subject) -> Self {
        let start_utc = rfc3339(subject.start_utc);
        let mut fields = Self {
            structure: gst::Structure::new_empty(name),
            // Whoever reads only the text has no message that tells it.
            json: json!({"type": name}),
        };
        fields.text("id", &subject.id);
        fields.structure.set("n", subject.n);
        fields.json["n"] = subject.n.into();
        fields.text("source", &subject.source);
        fields.time("start", subject.start);
        fields.text("time", &start_utc);
        fields
    }

    fn text(&mut self, name: &str, value: &str) {
        self.structure.set(name, value);
        self.json[name] = value.into();
    }

    fn path(&mut self, name: &str, value: &Path) {
        self.text(name, &value.to_string_lossy());
    }

    /// A signed running time in nanoseconds.
    fn time(&mut self, name: &str, value: Nanos) {
        self.structure.set(name, value);
        self.json[name] = value.into();
    }
}
