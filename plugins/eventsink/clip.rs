//! One clip while it is being written: its timeline, its writer, and what its sidecar will say.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use evr_core::detection::Detection;
use evr_core::recording::Unit;
use evr_core::recording::clock::Wall;
use evr_core::recording::id::recording_id;
use evr_core::recording::name;
use evr_core::recording::sidecar::{self, Facts, State};
use evr_core::recording::track::{Break, Track, Verdict};
use evr_core::time::Nanos;

use super::caps::Input;
use super::clock::{self, Moment};
use super::recorder::{Action, Config};
use super::report::Subject;
use super::writer::{Event, MAX_QUEUED, Writer};
use crate::bridge;
use crate::bridge::recording::Recording;

/// A clip that begins.
pub(super) struct Beginning {
    pub(super) writer: Arc<Writer>,
    pub(super) heard: Receiver<Event>,
    pub(super) subject: Subject,
    /// The path that the template gives, without extension.
    pub(super) stem: String,
    pub(super) fragment: gst::ClockTime,
    pub(super) thumbnail: bool,
}

/// A clip that ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) facts: Facts,
    /// The gate's cause, or why the clip holds less than promised.
    pub(super) reason: String,
}

/// The open recording, or the part of it that is being written.
pub(super) struct Clip {
    pub(super) recording: Recording,
    moment: Moment,
    input: Input,
    track: Track,
    /// Id of the recording that holds the first frames too.
    continues_from: Option<String>,
    /// Id and UTC mapping of an earlier part; all parts share them.
    identity: Option<(String, Wall)>,
    /// Exists from the first unit on.
    file: Option<File>,
    observed: Vec<(Nanos, Vec<Detection>)>,
    /// Model and number of the newest observation; a duplicated frame carries it twice.
    newest: (String, u64),
}

struct File {
    writer: Arc<Writer>,
    subject: Subject,
    wall: Wall,
}

impl Clip {
    pub(super) fn new(recording: Recording, moment: Moment, input: Input, config: &Config) -> Self {
        Self {
            recording,
            moment,
            track: Track::new(MAX_QUEUED, config.has_timestamper, input.frame_duration),
            input,
            continues_from: None,
            identity: None,
            file: None,
            observed: Vec::new(),
            newest: (String::new(), 0),
        }
    }

    /// Says that the first frames stand in the recording `id` too.
    pub(super) fn continues(&mut self, id: Option<String>) {
        self.continues_from = id;
    }

    /// Takes the next unit.
    ///
    /// # Errors
    /// The clip must end before it.
    pub(super) fn push(
        &mut self,
        unit: Unit<gst::Buffer>,
        config: &Config,
        epoch: u64,
    ) -> Result<Vec<Action>, Break> {
        // Media that waits for us is never dropped.
        let file = self.file.as_ref().filter(|_| self.moment.live);
        let queued = file.map_or(0, |file| file.writer.queued());
        let (pts, dts) = match self.track.push(&unit, queued) {
            Verdict::Skip => return Ok(vec![]),
            Verdict::Break(why) => return Err(why),
            Verdict::Write { pts, dts } => (pts, dts),
        };
        self.observe(&unit);
        let mut actions = Vec::new();
        let writer = match &self.file {
            Some(file) => file.writer.clone(),
            None => {
                let (file, beginning) = self.begin(&unit, config, epoch);
                actions.push(Action::Begin(Box::new(beginning)));
                self.file.insert(file).writer.clone()
            }
        };
        actions.push(Action::Write {
            writer,
            buffer: unit.payload,
            pts,
            dts,
        });
        Ok(actions)
    }

    /// A buffer without PTS has come.
    pub(super) fn lose(&mut self) {
        self.track.lose();
    }

    /// The id of the recording, once it has one.
    pub(super) fn id(&self) -> Option<&str> {
        self.file.as_ref().map(|file| file.subject.id.as_str())
    }

    /// What was known of time when the recording opened.
    pub(super) fn moment(&self) -> Moment {
        self.moment
    }

    /// What the next part needs to know of this one.
    pub(super) fn identity(&self) -> Option<(String, Wall)> {
        let own = self.file.as_ref();
        own.map(|file| (file.subject.id.clone(), file.wall))
            .or_else(|| self.identity.clone())
    }

    /// Makes this a further part of a recording.
    pub(super) fn set_identity(&mut self, identity: Option<(String, Wall)>) {
        self.identity = identity;
    }

    /// Ends the clip; `cut` says why it holds less than the gate opened for.
    pub(super) fn end(self, cut: Option<String>, config: &Config, epoch: u64) -> Option<Action> {
        let Some(file) = self.file else {
            return self.empty(config, epoch);
        };
        let loss = self.track.loss().map(|loss| loss.to_string());
        let cut = cut.or(loss);
        let facts = Facts {
            id: file.subject.id,
            state: if cut.is_some() {
                State::Truncated
            } else {
                State::Complete
            },
            source: file.subject.source,
            wall: file.wall,
            start: file.subject.start,
            end: self.track.end(),
            frames: self.track.frames(),
            holes: self.track.holes().to_vec(),
            streams: vec![self.input.about],
            asked: self.recording.asked,
            event_start: self.recording.event_start,
            event_end: self.recording.event_end,
            continues_from: self.continues_from,
            signals: self.recording.signals,
            observed: self.observed,
        };
        let reason = cut.unwrap_or(self.recording.cause);
        Some(Action::End(file.writer, Box::new(Ending { facts, reason })))
    }

    /// A recording without a frame; a further part without one is nothing to speak of.
    fn empty(self, config: &Config, epoch: u64) -> Option<Action> {
        if self.identity.is_some() {
            return None;
        }
        let wall = Wall::best(None, config.epoch, self.moment.clock);
        let start = self.recording.start;
        let subject = Subject {
            id: recording_id(&config.source, epoch, wall.unix(start), self.recording.id),
            n: self.recording.id,
            source: config.source.clone(),
            start,
            start_utc: wall.unix(start),
        };
        let reason = match self.track.loss() {
            Some(loss) => format!("there is no clip, as {loss}"),
            None => "the recording ended before its first frame came, so there is no clip".into(),
        };
        Some(Action::Fail(subject, reason))
    }

    fn begin(&self, first: &Unit<gst::Buffer>, config: &Config, epoch: u64) -> (File, Beginning) {
        let (id, wall) = self.identity.clone().unwrap_or_else(|| {
            let reference = clock::reference(&first.payload, first.pts);
            let wall = Wall::best(reference, config.epoch, self.moment.clock);
            let start = wall.unix(first.pts);
            (
                recording_id(&config.source, epoch, start, self.recording.id),
                wall,
            )
        });
        let start_utc = wall.unix(first.pts);
        let label = sidecar::label(&self.recording.signals);
        let stem = config.template.stem(&name::Facts {
            start: start_utc,
            id: &id,
            source: &config.source,
            label: label.as_deref().unwrap_or_default(),
            n: self.recording.id,
        });
        let stamp = first.dts.is_none() && config.has_timestamper;
        let (writer, heard) = Writer::new(&self.input.caps, !self.moment.live, stamp);
        let writer = Arc::new(writer);
        let subject = Subject {
            id,
            n: self.recording.id,
            source: config.source.clone(),
            start: first.pts,
            start_utc,
        };
        let beginning = Beginning {
            writer: writer.clone(),
            heard,
            subject: subject.clone(),
            stem,
            fragment: config.fragment,
            thumbnail: config.thumbnail,
        };
        let file = File {
            writer,
            subject,
            wall,
        };
        (file, beginning)
    }

    fn observe(&mut self, unit: &Unit<gst::Buffer>) {
        let Some(seen) = bridge::detection::read(&unit.payload, self.input.size) else {
            return;
        };
        // A foreign detector names no model and counts nothing, so each of its frames is new.
        let this = (seen.model, seen.seq);
        if this.0.is_empty() || this != self.newest {
            self.observed.push((unit.pts, seen.detections));
        }
        self.newest = this;
    }
}
