//! What becomes of each boundary and each buffer: decides under the element's lock, acts never.

use std::sync::Arc;

use evr_core::recording::Unit;
use evr_core::recording::container::Container;
use evr_core::recording::kept::Kept;
use evr_core::recording::name::Template;
use evr_core::recording::sidecar::Facts;
use evr_core::recording::track::Break;
use evr_core::time::Nanos;

use crate::bridge::recording::{Phase, Recording};
use crate::eventsink::caps::Input;
use crate::eventsink::clip::{Beginning, Clip, Ending, Surroundings};
use crate::eventsink::clock::Moment;
use crate::eventsink::pads::Kind;
use crate::eventsink::report::Subject;
use crate::eventsink::streams::Streams;
use crate::eventsink::writer::Writer;

mod opening;
mod parts;

/// Encoded media that may be held for a recording that continues the one before.
const MAX_KEPT: u64 = 256 << 20;

/// The element's settings, as they stood when it started.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) template: Template,
    pub(super) container: Container,
    pub(super) source: String,
    /// UTC of running time 0.
    pub(super) epoch: Option<Nanos>,
    pub(super) fragment: gst::ClockTime,
    pub(super) thumbnail: bool,
    pub(super) exact_start: bool,
}

/// What the shell has to do, in order.
pub(super) enum Action {
    Begin(Box<Beginning>),
    Write {
        writer: Arc<Writer>,
        /// Number of the stream in its clip.
        track: usize,
        buffer: gst::Buffer,
        /// Counted from the clip's start.
        pts: Nanos,
        dts: Option<Nanos>,
    },
    /// A track has nothing in `[pts, until)`.
    Gap {
        writer: Arc<Writer>,
        track: usize,
        pts: Nanos,
        until: Nanos,
    },
    /// The clip goes on without a track.
    EndTrack(Arc<Writer>, usize),
    /// What came to light of a clip since it was last spoken of.
    Learn(Arc<Writer>, Box<Facts>),
    End(Arc<Writer>, Box<Ending>),
    /// A recording leaves no clip.
    Fail(Subject, String),
    Warn(String),
}

/// A buffer came although no boundary ever did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoGate;

/// The recordings of one camera, one after the other.
pub(super) struct Recorder {
    config: Config,
    streams: Streams,
    /// Of the leading stream.
    kept: Kept<gst::Buffer>,
    /// How far the leading stream has come.
    position: Nanos,
    stage: Stage,
    /// Clips that have all of the leading stream and wait for the others, and their ends.
    closing: Vec<(Clip, Nanos)>,
    /// The newest boundary; a sticky event may come twice.
    newest: Option<Recording>,
    /// Number and id of the newest clip, for the one that continues it.
    previous: Option<(u64, String)>,
    /// Counts flushes.
    epoch: u64,
    /// Buffers that came between two recordings.
    outside: u64,
}

enum Stage {
    Shut,
    /// Open, but the caps have not come that say what the clip will hold.
    Early(Box<(Recording, Moment)>),
    Open(Box<Clip>),
    /// Open, but the clip had to end for good: the rest of the recording is passed over.
    Over,
}

impl Recorder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            streams: Streams::default(),
            kept: Kept::new(MAX_KEPT),
            position: Nanos::MIN,
            stage: Stage::Shut,
            closing: Vec::new(),
            newest: None,
            previous: None,
            epoch: 0,
            outside: 0,
        }
    }

    /// Buffers that came between two recordings and were dropped.
    pub(super) fn outside(&self) -> u64 {
        self.outside
    }

    /// What the leading pad's buffers go to now.
    pub(super) fn writer(&self, kind: Kind) -> Option<&Arc<Writer>> {
        match &self.stage {
            Stage::Open(clip) if self.streams.lead() == Some(kind) => clip.writer(),
            _ => None,
        }
    }

    /// Nothing more comes on any pad.
    pub(super) fn is_at_eos(&self) -> bool {
        self.streams.are_at_eos()
    }

    /// There is a pad.
    pub(super) fn add(&mut self, kind: Kind) {
        self.streams.add(kind);
    }

    /// It is gone.
    pub(super) fn remove(&mut self, kind: Kind) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.streams.lead() == Some(kind) {
            actions = self.stop("the pad was taken away within the recording");
            self.kept.clear();
        }
        self.streams.remove(kind);
        actions.extend(self.advance());
        actions
    }

    pub(super) fn segment(&mut self, kind: Kind, segment: gst::Segment) {
        self.streams.get(kind).segment = segment;
    }

    /// Another kind of stream ends the part before a muxer sees it.
    pub(super) fn input(&mut self, kind: Kind, input: Input) -> Vec<Action> {
        let stream = self.streams.get(kind);
        let known = stream.input.replace(input.clone());
        let changed = known.is_some_and(|known| known.caps != input.caps);
        let lead = self.streams.lead() == Some(kind);
        if lead && changed {
            self.kept.clear();
        }
        if lead && matches!(self.stage, Stage::Early(_)) {
            return self.open_early();
        }
        let Stage::Open(clip) = &self.stage else {
            return self.advance();
        };
        let why = match kind {
            _ if changed && kind != Kind::Meta => Break::Caps,
            _ if !lead && !clip.has(kind) => Break::Stream,
            _ => return self.advance(),
        };
        let mut actions = self.begin_pending();
        actions.extend(self.advance());
        if !lead && changed {
            if let Stage::Open(clip) = &mut self.stage {
                actions.extend(clip.advance(&self.streams, Nanos::MAX));
            }
            self.streams.get(kind).units.drop_before(Nanos::MAX);
        }
        actions.extend(self.part(why));
        if !lead {
            actions.extend(self.again());
        }
        actions
    }

    pub(super) fn boundary(
        &mut self,
        kind: Kind,
        recording: Recording,
        moment: Moment,
    ) -> Vec<Action> {
        if self.streams.lead() != Some(kind) {
            if recording.phase == Phase::Close {
                self.streams.get(kind).closed = recording.id;
            }
            return self.advance();
        }
        if self.newest.as_ref() == Some(&recording) {
            return vec![];
        }
        if recording.phase != Phase::Update {
            self.newest = Some(recording.clone());
        }
        match recording.phase {
            Phase::Open => self.open(recording, moment),
            Phase::Close => self.close(recording),
            Phase::Update => self.learn(recording),
        }
    }

    pub(super) fn buffer(
        &mut self,
        kind: Kind,
        buffer: gst::Buffer,
    ) -> Result<Vec<Action>, NoGate> {
        let lead = self.streams.lead() == Some(kind);
        if lead && self.newest.is_none() {
            return Err(NoGate);
        }
        let stream = self.streams.get(kind);
        let unit = stream.unit(buffer);
        if !lead {
            match unit {
                Some(unit) => stream.units.push(unit),
                None => stream.untimed += 1,
            }
            return Ok(self.advance());
        }
        let Some(unit) = unit else {
            if let Stage::Open(clip) = &mut self.stage {
                clip.lose();
            }
            return Ok(vec![]);
        };
        self.position = self.position.max(unit.pts);
        self.kept.push(unit.clone());
        let mut actions = self.unit(unit);
        actions.extend(self.advance());
        Ok(actions)
    }

    /// Nothing comes on a pad before `time`, a position in its segment.
    pub(super) fn gap(&mut self, kind: Kind, time: gst::ClockTime) -> Vec<Action> {
        let stream = self.streams.get(kind);
        if let Some(time) = crate::bridge::time::running_time(&stream.segment, Some(time)) {
            stream.units.reached(time);
        }
        self.advance()
    }

    /// The stream has been cut: nothing after it belongs to anything before it.
    pub(super) fn flush(&mut self, kind: Kind) -> Vec<Action> {
        if self.streams.lead() != Some(kind) {
            let n = self.newest.as_ref().map_or(0, |newest| newest.id);
            let stream = self.streams.get(kind);
            stream.units.clear();
            (stream.closed, stream.eos) = (n, false);
            return self.advance();
        }
        let actions = self.stop("the stream was flushed within the recording");
        self.kept.clear();
        self.streams.clear();
        self.position = Nanos::MIN;
        self.newest = None;
        self.epoch += 1;
        actions
    }

    /// A pad has no more; a gate would have closed.
    pub(super) fn eos(&mut self, kind: Kind) -> Vec<Action> {
        self.streams.get(kind).eos = true;
        let mut actions = Vec::new();
        if self.streams.lead() == Some(kind) {
            actions = self.end(None, Nanos::MAX);
        }
        actions.extend(self.advance());
        actions
    }

    /// Ends what is open, short of its end.
    pub(super) fn stop(&mut self, why: &str) -> Vec<Action> {
        let mut actions = self.end(Some(why.into()), Nanos::MAX);
        for (mut clip, until) in std::mem::take(&mut self.closing) {
            actions.extend(clip.begin_pending(&self.surroundings()));
            actions.extend(clip.advance(&self.streams, until));
            actions.extend(clip.end(None, &self.surroundings()));
        }
        actions
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            config: &self.config,
            streams: &self.streams,
            epoch: self.epoch,
        }
    }

    /// More is known of why the open recording is made.
    fn learn(&mut self, news: Recording) -> Vec<Action> {
        match &mut self.stage {
            Stage::Open(clip) if clip.recording.id == news.id => {
                clip.learn(news).into_iter().collect()
            }
            Stage::Early(early) if early.0.id == news.id => {
                early.0.learn(news);
                vec![]
            }
            _ => vec![],
        }
    }

    fn close(&mut self, recording: Recording) -> Vec<Action> {
        let end = recording.end;
        let mut actions = Vec::new();
        match &mut self.stage {
            Stage::Open(clip) if clip.recording.id == recording.id => clip.recording = recording,
            Stage::Early(early) if early.0.id == recording.id => early.0 = recording,
            Stage::Over => {}
            _ => return actions,
        }
        actions.extend(self.end(None, end));
        self.kept.close(end);
        actions.extend(self.advance());
        actions
    }

    fn unit(&mut self, unit: Unit<gst::Buffer>) -> Vec<Action> {
        let known = self.streams.are_known();
        let Stage::Open(clip) = &mut self.stage else {
            self.outside += u64::from(matches!(self.stage, Stage::Shut));
            return vec![];
        };
        if clip.id().is_none() && !known {
            clip.wait(unit);
            let waited = clip.has_waited();
            return if waited { self.begin_pending() } else { vec![] };
        }
        let mut actions = self.begin_pending();
        actions.extend(self.write(unit));
        actions
    }

    /// Begins the open clip with the units that have waited for that.
    fn begin_pending(&mut self) -> Vec<Action> {
        let Stage::Open(clip) = &mut self.stage else {
            return vec![];
        };
        let pending = std::mem::take(&mut clip.pending);
        if pending.is_empty() {
            return vec![];
        }
        self.streams.stop_waiting();
        let actions = pending.into_iter().map(|unit| self.write(unit));
        actions.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// Ends what is open as far as the leading stream goes; the others have until `until`.
    fn end(&mut self, cut: Option<String>, until: Nanos) -> Vec<Action> {
        let mut actions = match &self.stage {
            // Media that waits for us comes as it can, all of it.
            Stage::Open(clip) if cut.is_none() && clip.is_patient() => vec![],
            _ => self.begin_pending(),
        };
        let mut clip = match std::mem::replace(&mut self.stage, Stage::Shut) {
            Stage::Open(clip) => clip,
            Stage::Early(early) => {
                actions.push(self.unknown(&early.0, early.1));
                return actions;
            }
            Stage::Shut | Stage::Over => return actions,
        };
        if cut.is_some() || (clip.id().is_none() && clip.pending.is_empty()) {
            actions.extend(clip.advance(&self.streams, until));
            actions.extend(clip.end(cut, &self.surroundings()));
        } else {
            self.closing.push((*clip, until));
            actions.extend(self.advance());
        }
        actions
    }

    /// Does what has become possible since the last time.
    fn advance(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.streams.are_known() {
            actions = self.begin_pending();
        }
        let known = self.streams.are_known();
        let around = Surroundings {
            config: &self.config,
            streams: &self.streams,
            epoch: self.epoch,
        };
        for (clip, until) in &mut self.closing {
            if known {
                actions.extend(clip.begin_pending(&around));
            }
            actions.extend(clip.advance(&self.streams, *until));
        }
        let done = |clip: &Clip, until| {
            let (n, lead) = (clip.recording.id, self.position);
            let lead = Some(lead).filter(|_| !clip.is_patient());
            clip.pending.is_empty() && self.streams.are_through(n, until, lead)
        };
        while let Some((clip, until)) = self.closing.first()
            && done(clip, *until)
        {
            let (clip, _) = self.closing.remove(0);
            actions.extend(clip.end(None, &self.surroundings()));
        }
        // Behind the newest frame it is not known yet what belongs to the recording.
        let until = self.position.saturating_add(1);
        let mut needs_a_part = false;
        if let Stage::Open(clip) = &mut self.stage {
            actions.extend(clip.advance(&self.streams, until));
            needs_a_part = clip.needs_a_part();
        }
        if needs_a_part {
            actions.extend(self.part(Break::Silence));
            actions.extend(self.again());
        }
        self.forget();
        actions
    }

    /// Lets go of what no clip can want any more of the streams beside the leading one.
    fn forget(&mut self) {
        let open = match &self.stage {
            Stage::Open(clip) => Some(clip.start()),
            Stage::Early(early) => Some(early.0.sync_point),
            Stage::Shut | Stage::Over => None,
        };
        let closing = self.closing.iter().map(|(clip, _)| clip.start());
        let needed = closing.chain(open).chain(self.kept.start()).min();
        self.streams.drop_before(needed.unwrap_or(Nanos::MIN));
    }
}

#[cfg(test)]
mod tests;
