//! One clip while it is being written: its timeline, its writer, and what its sidecar will say.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use evr_core::detection::Detection;
use evr_core::recording::Unit;
use evr_core::recording::clock::Wall;
use evr_core::recording::container::Container;
use evr_core::recording::id::recording_id;
use evr_core::recording::name::{self, Template};
use evr_core::recording::sidecar::{self, Facts, State};
use evr_core::recording::track::{Break, Track, Verdict};
use evr_core::time::{Nanos, SECOND};

use super::caps::Input;
use super::clock::{self, Moment};
use super::company::{Company, Span};
use super::muxer;
use super::pads::Kind;
use super::recorder::{Action, Config};
use super::report::Subject;
use super::streams::Streams;
use super::writer::{Event, MAX_QUEUED, Writer};
use crate::bridge;
use crate::bridge::recording::Recording;

/// How long the beginning of a live clip waits until every pad has told what it brings.
const MAX_PENDING: Nanos = 2 * SECOND;

/// A clip that begins.
pub(super) struct Beginning {
    pub(super) writer: Arc<Writer>,
    pub(super) heard: Receiver<Event>,
    pub(super) subject: Subject,
    pub(super) template: Template,
    /// The path that the template gives, without extension.
    pub(super) stem: String,
    /// Number of the part, from 1.
    pub(super) part: u32,
    /// What is known before anything is written, for whoever finds the file after a crash.
    pub(super) known: Facts,
    pub(super) container: Container,
    pub(super) fragment: gst::ClockTime,
    pub(super) thumbnail: bool,
    /// What stands before the moment that was asked for is not to be shown.
    pub(super) exact_start: bool,
}

/// A clip that ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) facts: Facts,
    /// The gate's cause, or why the clip holds less than promised.
    pub(super) reason: String,
}

/// What the parts of a recording share.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    id: String,
    wall: Wall,
    /// Number of the part, from 1.
    part: u32,
}

/// The open recording, or the part of it that is being written.
pub(super) struct Clip {
    pub(super) recording: Recording,
    moment: Moment,
    input: Input,
    track: Track,
    /// Units that wait until all streams have told what they are.
    pub(super) pending: Vec<Unit<gst::Buffer>>,
    /// `pending_bytes = Σ unit.bytes`.
    pending_bytes: u64,
    /// Why not all that was pending could be written.
    cut: Option<Break>,
    /// Id of the recording that holds the first frames too.
    continues_from: Option<String>,
    /// Of an earlier part.
    identity: Option<Identity>,
    /// Exists from the first unit on.
    file: Option<File>,
    observed: Vec<(Nanos, Vec<Detection>)>,
    /// How many of these have been written down while the recording goes on.
    written_down: usize,
    /// Model and number of the newest observation; a duplicated frame carries it twice.
    newest: (String, u64),
}

struct File {
    writer: Arc<Writer>,
    subject: Subject,
    identity: Identity,
    company: Company,
    /// What the sidecar says of the streams.
    about: Vec<sidecar::Stream>,
}

/// What a clip needs to know that is none of its own.
pub(super) struct Surroundings<'a> {
    pub(super) config: &'a Config,
    pub(super) streams: &'a Streams,
    /// Counts flushes.
    pub(super) epoch: u64,
}

impl Clip {
    pub(super) fn new(recording: Recording, moment: Moment, input: Input) -> Self {
        let stamped = input.stamper.is_some();
        Self {
            recording,
            moment,
            track: Track::new(MAX_QUEUED, stamped, input.frame_duration),
            input,
            pending: Vec::new(),
            pending_bytes: 0,
            cut: None,
            continues_from: None,
            identity: None,
            file: None,
            observed: Vec::new(),
            written_down: 0,
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
        around: &Surroundings,
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
        if self.file.is_none() {
            let (file, beginning) = self.begin(&unit, around);
            actions.push(Action::Begin(Box::new(beginning)));
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            actions.push(Action::Write {
                writer: file.writer.clone(),
                track: 0,
                buffer: unit.payload,
                pts,
                dts,
            });
            let bears_silence = muxer::bears_silence(around.config.container);
            let start = file.subject.start;
            actions.extend(file.company.tell_silence(
                &file.writer,
                start,
                start + pts,
                bears_silence,
            ));
        }
        Ok(actions)
    }

    /// The media waits for us.
    pub(super) fn is_patient(&self) -> bool {
        !self.moment.live
    }

    /// Keeps a unit until the clip can begin.
    pub(super) fn wait(&mut self, unit: Unit<gst::Buffer>) {
        self.pending_bytes += unit.bytes;
        self.pending.push(unit);
    }

    /// Whether the clip must begin with what is known.
    pub(super) fn has_waited(&self) -> bool {
        let (first, last) = (self.pending.first(), self.pending.last());
        let span = first
            .zip(last)
            .map_or(0, |(first, last)| last.pts - first.pts);
        let long = self.moment.live && span >= MAX_PENDING;
        long || self.pending_bytes >= MAX_QUEUED
    }

    /// Begins a clip of which the leading stream is complete.
    pub(super) fn begin_pending(&mut self, around: &Surroundings) -> Vec<Action> {
        let mut actions = Vec::new();
        for unit in std::mem::take(&mut self.pending) {
            match self.push(unit, around) {
                Ok(more) => actions.extend(more),
                Err(why) => {
                    self.cut = Some(why);
                    break;
                }
            }
        }
        actions
    }

    /// Takes from the other streams what is shown before `until`.
    pub(super) fn advance(&mut self, streams: &Streams, until: Nanos) -> Vec<Action> {
        let Some(file) = &mut self.file else {
            return vec![];
        };
        let start = file.subject.start;
        let span = Span { start, until };
        file.company.advance(streams, &file.writer, &span)
    }

    /// A buffer without PTS has come.
    pub(super) fn lose(&mut self) {
        self.track.lose();
    }

    /// The id of the recording, once it has one.
    pub(super) fn id(&self) -> Option<&str> {
        self.file.as_ref().map(|file| file.subject.id.as_str())
    }

    /// What is written now.
    pub(super) fn writer(&self) -> Option<&Arc<Writer>> {
        self.file.as_ref().map(|file| &file.writer)
    }

    /// Whether its file has a track, or needs none, for what this pad brings.
    pub(super) fn has(&self, kind: Kind) -> bool {
        let Some(file) = &self.file else {
            return true;
        };
        kind == Kind::Meta || file.company.audio().any(|own| own == kind)
    }

    /// Whether only another part can hold what has come.
    pub(super) fn needs_a_part(&self) -> bool {
        let file = self.file.as_ref();
        file.is_some_and(|file| file.company.needs_a_part())
    }

    /// From here on the clip wants what comes beside it.
    pub(super) fn start(&self) -> Nanos {
        self.track.start().unwrap_or(self.recording.sync_point)
    }

    /// What was known of time when the recording opened.
    pub(super) fn moment(&self) -> Moment {
        self.moment
    }

    /// What the next part needs to know of this one.
    pub(super) fn identity(&self) -> Option<Identity> {
        let own = self.file.as_ref().map(|file| Identity {
            part: file.identity.part + 1,
            ..file.identity.clone()
        });
        own.or_else(|| self.identity.clone())
    }

    /// Makes this a further part of a recording.
    pub(super) fn set_identity(&mut self, identity: Option<Identity>) {
        self.continues_from = identity.as_ref().map(|identity| identity.id.clone());
        self.identity = identity;
    }

    /// Ends the clip; `cut` says why it holds less than the gate opened for.
    pub(super) fn end(self, cut: Option<String>, around: &Surroundings) -> Option<Action> {
        let Some(mut file) = self.file else {
            return self.empty(around);
        };
        let loss = self.track.loss().or(file.company.loss());
        let silence = file.company.needs_a_part().then_some(Break::Silence);
        let cut = cut
            .or(self.cut.map(|why| why.to_string()))
            .or(loss.map(|loss| loss.to_string()))
            .or(silence.map(|why| why.to_string()));
        let seen = file.company.take_seen();
        let facts = Facts {
            id: file.subject.id,
            state: if cut.is_some() {
                State::Truncated
            } else {
                State::Complete
            },
            source: file.subject.source,
            wall: file.identity.wall,
            start: file.subject.start,
            lead_in: 0,
            end: self.track.end(),
            frames: self.track.frames(),
            holes: self.track.holes().to_vec(),
            streams: file.about,
            asked: self.recording.asked,
            event_start: self.recording.event_start,
            event_end: self.recording.event_end,
            continues_from: self.continues_from,
            part: file.identity.part,
            signals: self.recording.signals,
            observed: seen
                .filter(|seen| !seen.is_empty())
                .unwrap_or(self.observed),
        };
        let reason = cut.unwrap_or(self.recording.cause);
        Some(Action::End(file.writer, Box::new(Ending { facts, reason })))
    }

    /// A recording without a frame; a further part without one is nothing to speak of.
    fn empty(self, around: &Surroundings) -> Option<Action> {
        if self.identity.is_some() {
            return None;
        }
        let reason = match self.track.loss() {
            Some(loss) => format!("there is no clip, as {loss}"),
            None => "the recording ended before its first frame came, so there is no clip".into(),
        };
        Some(without_clip(&self.recording, self.moment, reason, around))
    }

    fn begin(&self, first: &Unit<gst::Buffer>, around: &Surroundings) -> (File, Beginning) {
        let config = around.config;
        let identity = self.identity.clone().unwrap_or_else(|| {
            let reference = clock::reference(&first.payload, first.pts);
            let wall = Wall::best(reference, config.epoch, self.moment.clock);
            let start = wall.unix(first.pts);
            Identity {
                id: recording_id(&config.source, around.epoch, start, self.recording.id),
                wall,
                part: 1,
            }
        });
        let subject = Subject {
            id: identity.id.clone(),
            n: self.recording.id,
            source: config.source.clone(),
            start: first.pts,
            start_utc: identity.wall.unix(first.pts),
        };
        let label = sidecar::label(&self.recording.signals);
        let stem = config.template.stem(&name::Facts {
            start: subject.start_utc,
            id: &subject.id,
            source: &config.source,
            label: label.as_deref().unwrap_or_default(),
            n: self.recording.id,
        });
        let stamper = self.input.stamper.filter(|_| first.dts.is_none());
        let lead = around.streams.lead().unwrap_or(Kind::Video);
        let mut tracks = vec![(lead, self.input.clone(), stamper)];
        let company = Company::new(around.streams, first.pts);
        for kind in company.audio() {
            let mut others = around.streams.beside();
            let input =
                others.find_map(|(own, stream)| stream.input.clone().filter(|_| own == kind));
            tracks.extend(input.map(|input| (kind, input, None)));
        }
        let about: Vec<_> = tracks
            .iter()
            .map(|(_, input, _)| input.about.clone())
            .collect();
        let (writer, heard) = Writer::new(config.container, tracks, !self.moment.live);
        let writer = Arc::new(writer);
        let beginning = Beginning {
            writer: writer.clone(),
            heard,
            subject: subject.clone(),
            template: config.template.clone(),
            stem,
            part: identity.part,
            known: Facts {
                signals: self.recording.signals.clone(),
                ..self.known(&subject, &identity, &about)
            },
            container: config.container,
            fragment: config.fragment,
            exact_start: config.exact_start,
            thumbnail: config.thumbnail && lead == Kind::Video,
        };
        let file = File {
            writer,
            subject,
            identity,
            company,
            about,
        };
        (file, beginning)
    }

    /// What there is to say of a clip that begins.
    fn known(&self, subject: &Subject, identity: &Identity, about: &[sidecar::Stream]) -> Facts {
        Facts {
            id: subject.id.clone(),
            state: State::Recording,
            source: subject.source.clone(),
            wall: identity.wall,
            start: subject.start,
            lead_in: 0,
            end: subject.start,
            frames: 0,
            holes: Vec::new(),
            streams: about.to_vec(),
            asked: self.recording.asked,
            event_start: self.recording.event_start,
            event_end: self.recording.event_end,
            continues_from: self.continues_from.clone(),
            part: identity.part,
            signals: Vec::new(),
            observed: Vec::new(),
        }
    }

    /// Takes what the gate has told since; what is to be written down of it at once.
    pub(super) fn learn(&mut self, news: Recording) -> Option<Action> {
        let signals = news.signals.clone();
        self.recording.learn(news);
        let file = self.file.as_ref()?;
        let seen = self.observed.get(self.written_down..).unwrap_or_default();
        let facts = Facts {
            signals,
            observed: seen.to_vec(),
            ..self.known(&file.subject, &file.identity, &file.about)
        };
        self.written_down = self.observed.len();
        Some(Action::Learn(file.writer.clone(), Box::new(facts)))
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

/// A recording that leaves no clip.
pub(super) fn without_clip(
    recording: &Recording,
    moment: Moment,
    reason: String,
    around: &Surroundings,
) -> Action {
    let config = around.config;
    let wall = Wall::best(None, config.epoch, moment.clock);
    let (n, start) = (recording.id, recording.start);
    let subject = Subject {
        id: recording_id(&config.source, around.epoch, wall.unix(start), n),
        n,
        source: config.source.clone(),
        start,
        start_utc: wall.unix(start),
    };
    Action::Fail(subject, reason)
}
