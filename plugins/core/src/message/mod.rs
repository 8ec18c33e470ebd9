//! What leaves the process: facts, and the messages that tell them.
//!
//! A fact is what a signal, an observation or a line of the journal says. A format turns it into
//! messages for somebody: the same fact into the same bytes, also when it is told again.
//!
//! Not here: where messages wait (`outbox`), who sends them and how.

pub(crate) mod cloudevents;
pub mod incoming;

mod azure;
mod deepstream;
mod dlstreamer;
mod frigate;
mod inference;
mod topic;

use std::collections::BTreeMap;

use serde_json::Value;

pub use self::topic::{Template, TopicError};
use crate::camera::Told;
use crate::detection::Observation;
use crate::observed::{self, ObservedError};
use crate::recording::id::recording_id;
use crate::signal::{Signal, SignalError, When};
use crate::time::{Nanos, parse_rfc3339};

/// In whose words facts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Format {
    /// CloudEvents 1.0.
    #[default]
    CloudEvents,
    /// Azure Video Analyzer.
    Azure,
    /// NVIDIA DeepStream, a message an object.
    DeepStream,
    /// NVIDIA DeepStream, a message a frame.
    DeepStreamMinimal,
    /// Frigate.
    Frigate,
    /// Intel DL Streamer.
    DlStreamer,
}

impl Format {
    /// The template of topics that readers of this format expect.
    pub fn topic(self) -> &'static str {
        match self {
            Self::Frigate => "frigate/{kind}",
            _ => "evr/{source}/{kind}",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Name of the camera.
    pub source: String,
    /// When, in nanoseconds since 1970-01-01T00:00:00Z.
    pub time: Nanos,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A signal was raised.
    Signal(Signal),
    /// A frame was looked at.
    Observed(Seen),
    /// Something became of a recording.
    Recording(Recording),
    /// Something became of the connection to the camera.
    Camera(Told),
}

/// What was seen in a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Running time of the frame.
    pub media_time: Option<Nanos>,
    /// Its width and height in pixels, where the line tells them.
    pub size: Option<(u32, u32)>,
    /// What was found in it.
    pub observation: Observation,
}

impl Seen {
    /// What to multiply fractions of the frame with.
    fn scale(&self) -> (f64, f64) {
        let (width, height) = self.size.unwrap_or((1, 1));
        (width.into(), height.into())
    }
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What became of the recording.
    pub phase: Phase,
    /// The whole line, a CloudEvent.
    pub event: Value,
}

impl Recording {
    /// What the recording is about, once its sidecar is written.
    fn label(&self) -> Option<&str> {
        self.event["data"]["recording"]["label"].as_str()
    }

    /// Whether this, which is no beginning, is about the clip that `open` is. The parts of a
    /// recording share its id; one that has failed may have left no file.
    fn ends(&self, open: &Open) -> bool {
        match self.clip() {
            "" => self.text("id") == open.id,
            clip => clip == open.clip,
        }
    }

    /// The path of its clip under its final name, whether or not it has got it.
    fn clip(&self) -> &str {
        let file = self.file();
        file.strip_suffix(".part").unwrap_or(file)
    }

    /// The path of what there is of it: its clip, or what was written so far of one that has
    /// failed.
    fn file(&self) -> &str {
        match self.text("location") {
            "" => self.text("part"),
            location => location,
        }
    }

    /// A member of the event's data, as text; empty where it is none.
    fn text(&self, name: &str) -> &str {
        self.event["data"][name].as_str().unwrap_or_default()
    }
}

/// What became of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Its file is open.
    Started,
    /// It has ended.
    Stopped,
    /// Its clip can be read.
    Available,
    /// There is no clip.
    Failed,
    /// Its clip can be read, although a crash had cut it off.
    Recovered,
}

impl Phase {
    /// The word in the journal and on the bus.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Started => "evr-recording-started",
            Self::Stopped => "evr-recording-stopped",
            Self::Available => "evr-recording-available",
            Self::Failed => "evr-recording-failed",
            Self::Recovered => "evr-recording-recovered",
        }
    }

    fn of(kind: &str) -> Option<Self> {
        [
            Self::Started,
            Self::Stopped,
            Self::Available,
            Self::Failed,
            Self::Recovered,
        ]
        .into_iter()
        .find(|phase| phase.kind() == kind)
    }
}

/// Why a line tells nothing. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FactError {
    /// It is no signal.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// It is no observation.
    #[error(transparent)]
    Observation(#[from] ObservedError),
    /// It stands in a journal but eventsink has not written it.
    #[error("a line of the journal is none of eventsink's and was passed over: {0}")]
    Journal(String),
}

impl Fact {
    /// What a line on a pad tells: a signal, an observation, or news of the camera, which name it
    /// themselves. Tracks that are over in a line of their own are an observation of nothing, as
    /// that is the end of the stream. `utc` maps running times to nanoseconds since 1970;
    /// `arrived` is the running time of a line that tells no time.
    ///
    /// # Errors
    /// A [`FactError`] that names what is wrong.
    pub fn from_line(
        source: &str,
        line: &[u8],
        arrived: Option<Nanos>,
        utc: impl Fn(Option<Nanos>) -> Nanos,
    ) -> Result<Self, FactError> {
        let mut signal = Signal::parse(line)?;
        let members = &signal.body;
        // Signals alone may tell UTC instead.
        let media_time = match signal.when {
            Some(When::Media(running)) => Some(running),
            _ => arrived,
        };
        if let Some(told) = Told::read(members) {
            return Ok(Self {
                source: told.source.clone(),
                time: utc(media_time),
                what: What::Camera(told),
            });
        }
        let observation = if members.contains_key("objects") && members.contains_key("seq") {
            Some(observed::observation(members)?)
        } else {
            observed::is_only_ends(members).then(Observation::default)
        };
        let (time, what) = if let Some(observation) = observation {
            let side = |name: &str| u32::try_from(members.get(name)?.as_u64()?).ok();
            let seen = Seen {
                media_time,
                size: side("width").zip(side("height")),
                observation,
            };
            (utc(media_time), What::Observed(seen))
        } else {
            let time = match signal.when {
                Some(When::Utc(time)) => time,
                Some(When::Media(running)) => utc(Some(running)),
                None => {
                    signal.when = arrived.map(When::Media);
                    utc(arrived)
                }
            };
            (time, What::Signal(signal))
        };
        Ok(Self {
            source: source.to_owned(),
            time,
            what,
        })
    }

    /// What a line of the journal tells.
    ///
    /// # Errors
    /// A [`FactError`] with the beginning of the line.
    pub fn from_journal(line: &[u8]) -> Result<Self, FactError> {
        let wrong = || {
            let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
            FactError::Journal(shown.into_owned())
        };
        let event: Value = serde_json::from_slice(line).map_err(|_| wrong())?;
        let phase = event["type"].as_str().and_then(Phase::of);
        let time = event["time"].as_str().and_then(parse_rfc3339);
        let source = event["data"]["source"].as_str().map(str::to_owned);
        let (Some(phase), Some(time), Some(source)) = (phase, time, source) else {
            return Err(wrong());
        };
        Ok(Self {
            source,
            time,
            what: What::Recording(Recording { phase, event }),
        })
    }

    /// The fact's name: the same for the same fact, whenever it is told.
    pub fn id(&self) -> String {
        let named = match &self.what {
            What::Signal(signal) => signal.id.clone(),
            What::Recording(recording) => recording.event["id"].as_str().map(str::to_owned),
            What::Observed(_) | What::Camera(_) => None,
        };
        named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
            let what = match &self.what {
                What::Signal(signal) => Value::Object(signal.to_json()).to_string(),
                What::Observed(seen) => {
                    observed::line(seen.media_time, &seen.observation, None, &[])
                }
                What::Recording(recording) => recording.event.to_string(),
                What::Camera(told) => told.news.line(&told.source, &told.location, None),
            };
            recording_id(&format!("{} {what}", self.source), 0, self.time, 0)
        })
    }
}

/// One message to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is about: the last part of its topic, perhaps of several levels.
    pub kind: String,
    /// One line of JSON.
    pub body: String,
    /// It describes a state: whoever comes later wants the last one.
    pub retain: bool,
}

impl Message {
    fn new(kind: &str, body: &Value) -> Self {
        Self {
            kind: kind.into(),
            body: body.to_string(),
            retain: false,
        }
    }
}

/// A clip that is being recorded.
#[derive(Debug)]
struct Open {
    /// Of its recording.
    id: String,
    /// Its path under its final name.
    clip: String,
}

/// Turns facts into messages.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    /// Of each camera the clip that is being recorded.
    open: BTreeMap<String, Open>,
    frigate: frigate::Frigate,
}

impl Renderer {
    /// One that has told nothing yet.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            open: BTreeMap::new(),
            frigate: frigate::Frigate::default(),
        }
    }

    /// The messages that tell this fact; none where the format has no words for it.
    pub fn render(&mut self, fact: &Fact) -> Vec<Message> {
        let messages = match self.format {
            Format::CloudEvents => cloudevents::render(fact).into_iter().collect(),
            Format::Azure => azure::render(fact).into_iter().collect(),
            Format::DeepStream => {
                let open = self.open.get(&fact.source);
                deepstream::full(fact, open.map(|open| open.clip.as_str()))
            }
            Format::DeepStreamMinimal => deepstream::minimal(fact).into_iter().collect(),
            Format::Frigate => self.frigate.render(fact),
            Format::DlStreamer => dlstreamer::render(fact).into_iter().collect(),
        };
        if let What::Recording(recording) = &fact.what {
            // The one before may end after this has begun.
            let is_over = |open: &Open| recording.ends(open);
            if recording.phase == Phase::Started {
                let open = Open {
                    id: recording.text("id").to_owned(),
                    clip: recording.clip().to_owned(),
                };
                self.open.insert(fact.source.clone(), open);
            } else if self.open.get(&fact.source).is_some_and(is_over) {
                self.open.remove(&fact.source);
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests;
