//! What becomes of each boundary and each buffer: decides under the element's lock, acts never.

use std::sync::Arc;

use evr_core::recording::Unit;
use evr_core::recording::kept::Kept;
use evr_core::recording::name::Template;
use evr_core::recording::track::Break;
use evr_core::time::Nanos;

use super::caps::Input;
use super::clip::{Beginning, Clip, Ending};
use super::clock::Moment;
use super::report::Subject;
use super::writer::Writer;
use crate::bridge::recording::{Phase, Recording};
use crate::bridge::time::running_time;

/// Encoded media that may be held for a recording that continues the one before.
const MAX_KEPT: u64 = 256 << 20;

/// The element's settings, as they stood when it started.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) template: Template,
    pub(super) source: String,
    /// UTC of running time 0.
    pub(super) epoch: Option<Nanos>,
    pub(super) fragment: gst::ClockTime,
    pub(super) thumbnail: bool,
    pub(super) has_timestamper: bool,
}

/// What the shell has to do, in order.
pub(super) enum Action {
    Begin(Box<Beginning>),
    Write {
        writer: Arc<Writer>,
        buffer: gst::Buffer,
        /// Counted from the clip's start.
        pts: Nanos,
        dts: Option<Nanos>,
    },
    End(Arc<Writer>, Box<Ending>),
    /// A recording leaves no clip.
    Fail(Subject, String),
    Warn(String),
}

/// A buffer came although no boundary ever did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoGate;

/// The recordings of one stream, one after the other.
pub(super) struct Recorder {
    config: Config,
    input: Option<Input>,
    segment: gst::Segment,
    kept: Kept<gst::Buffer>,
    stage: Stage,
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
    Open(Box<Clip>),
    /// Open, but the clip had to end for good: the rest of the recording is passed over.
    Over,
}

impl Recorder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            input: None,
            segment: gst::Segment::new(),
            kept: Kept::new(MAX_KEPT),
            stage: Stage::Shut,
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

    pub(super) fn segment(&mut self, segment: gst::Segment) {
        self.segment = segment;
    }

    /// Another kind of stream ends the part before a muxer sees it.
    pub(super) fn input(&mut self, input: Input) -> Vec<Action> {
        let changed = self
            .input
            .as_ref()
            .is_some_and(|old| old.caps != input.caps);
        self.input = Some(input);
        if !changed {
            return vec![];
        }
        self.kept.clear();
        match std::mem::replace(&mut self.stage, Stage::Shut) {
            Stage::Open(clip) => self.next_part(*clip, Break::Caps),
            other => {
                self.stage = other;
                vec![]
            }
        }
    }

    pub(super) fn boundary(&mut self, recording: Recording, moment: Moment) -> Vec<Action> {
        if self.newest.as_ref() == Some(&recording) {
            return vec![];
        }
        self.newest = Some(recording.clone());
        match recording.phase {
            Phase::Open => self.open(recording, moment),
            Phase::Close => self.close(recording),
        }
    }

    pub(super) fn buffer(&mut self, buffer: gst::Buffer) -> Result<Vec<Action>, NoGate> {
        if self.newest.is_none() {
            return Err(NoGate);
        }
        let Some(pts) = running_time(&self.segment, buffer.pts()) else {
            if let Stage::Open(clip) = &mut self.stage {
                clip.lose();
            }
            return Ok(vec![]);
        };
        let unit = Unit {
            pts,
            dts: running_time(&self.segment, buffer.dts()),
            duration: buffer
                .duration()
                .and_then(|duration| Nanos::try_from(duration.nseconds()).ok()),
            sync: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            bytes: buffer.size() as u64,
            payload: buffer,
        };
        self.kept.push(unit.clone());
        Ok(self.unit(unit))
    }

    /// The stream has been cut: nothing after it belongs to anything before it.
    pub(super) fn flush(&mut self) -> Vec<Action> {
        let actions = self.stop("the stream was flushed within the recording");
        self.kept.clear();
        self.newest = None;
        self.epoch += 1;
        actions
    }

    /// Upstream has no more; a gate would have closed.
    pub(super) fn eos(&mut self) -> Vec<Action> {
        self.end(None)
    }

    /// Ends what is open, short of its end.
    pub(super) fn stop(&mut self, why: &str) -> Vec<Action> {
        self.end(Some(why.into()))
    }

    fn open(&mut self, recording: Recording, moment: Moment) -> Vec<Action> {
        let mut actions = self.stop("another recording opened before this one was closed");
        let Some(input) = self.input.clone() else {
            self.stage = Stage::Over;
            let sentence = "a recording opened before the caps were known, so it is not written";
            actions.push(Action::Warn(sentence.into()));
            return actions;
        };
        let (n, sync_point) = (recording.id, recording.sync_point);
        let continues_from = recording.continues_from;
        let mut clip = Clip::new(recording, moment, input, &self.config);
        let previous = self.previous.take();
        clip.continues(
            previous
                .filter(|(n, _)| continues_from == Some(*n))
                .map(|(_, id)| id),
        );
        self.stage = Stage::Open(Box::new(clip));
        if continues_from.is_none() {
            return actions;
        }
        match self.kept.since(sync_point) {
            Some(units) => actions.extend(units.into_iter().flat_map(|unit| self.unit(unit))),
            None => actions.push(Action::Warn(format!(
                "recording {n} continues an earlier one, whose frames from {sync_point} ns on are \
                 not kept: it begins at the next sync point"
            ))),
        }
        actions
    }

    fn close(&mut self, recording: Recording) -> Vec<Action> {
        let end = recording.end;
        match &mut self.stage {
            Stage::Open(clip) if clip.recording.id == recording.id => clip.recording = recording,
            Stage::Over => {}
            _ => return vec![],
        }
        let actions = self.end(None);
        self.kept.close(end);
        actions
    }

    fn unit(&mut self, unit: Unit<gst::Buffer>) -> Vec<Action> {
        let Stage::Open(clip) = &mut self.stage else {
            self.outside += u64::from(matches!(self.stage, Stage::Shut));
            return vec![];
        };
        let again = unit.clone();
        match clip.push(unit, &self.config, self.epoch) {
            Ok(actions) => {
                if let Some(id) = clip.id().filter(|_| self.previous.is_none()) {
                    self.previous = Some((clip.recording.id, id.into()));
                }
                actions
            }
            Err(why) => {
                let Stage::Open(clip) = std::mem::replace(&mut self.stage, Stage::Over) else {
                    return vec![];
                };
                let mut actions = self.next_part(*clip, why);
                // A new part takes any unit, or waits for a sync point, so this ends here.
                if let Stage::Open(clip) = &mut self.stage
                    && let Ok(more) = clip.push(again, &self.config, self.epoch)
                {
                    actions.extend(more);
                }
                actions
            }
        }
    }

    /// Ends a part and, where that helps, opens the next one of the same recording.
    fn next_part(&mut self, part: Clip, why: Break) -> Vec<Action> {
        self.stage = match &self.input {
            Some(input) if why.can_go_on() => {
                let mut next = Clip::new(
                    part.recording.clone(),
                    part.moment(),
                    input.clone(),
                    &self.config,
                );
                next.set_identity(part.identity());
                Stage::Open(Box::new(next))
            }
            _ => Stage::Over,
        };
        if part.id().is_none() {
            return vec![];
        }
        part.end(Some(why.to_string()), &self.config, self.epoch)
            .into_iter()
            .collect()
    }

    fn end(&mut self, cut: Option<String>) -> Vec<Action> {
        match std::mem::replace(&mut self.stage, Stage::Shut) {
            Stage::Open(clip) => clip
                .end(cut, &self.config, self.epoch)
                .into_iter()
                .collect(),
            Stage::Shut | Stage::Over => vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventsink::caps;
    use crate::eventsink::writer::MAX_QUEUED;
    use evr_core::recording::sidecar::State;

    const FRAME: usize = 1 << 20;

    fn recorder() -> Recorder {
        gst::init().expect("GStreamer is installed");
        let mut recorder = Recorder::new(Config {
            template: Template::parse("{id}.mp4").expect("a template"),
            source: "camera".into(),
            epoch: None,
            fragment: gst::ClockTime::SECOND,
            thumbnail: false,
            has_timestamper: false,
        });
        let input = caps::accept(&caps::video()).expect("recordable");
        recorder.input(input);
        recorder.segment(gst::FormattedSegment::<gst::ClockTime>::new().upcast());
        recorder
    }

    fn boundary(phase: Phase, end: Nanos) -> Recording {
        Recording {
            id: 1,
            phase,
            asked: 0,
            start: 0,
            sync_point: 0,
            end,
            event_start: 0,
            event_end: 0,
            continues_from: None,
            cause: "trigger".into(),
            signals: vec![],
        }
    }

    /// 10 fps, a sync point every second.
    fn frame(n: u64) -> gst::Buffer {
        let mut buffer = gst::Buffer::with_size(FRAME).expect("memory");
        let fields = buffer.get_mut().expect("a new buffer has one owner");
        fields.set_pts(n * 100 * gst::ClockTime::MSECOND);
        fields.set_dts(fields.pts());
        if !n.is_multiple_of(10) {
            fields.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        buffer
    }

    /// Feeds frames to a writer behind which nobody reads; says which were written.
    fn written(recorder: &mut Recorder, frames: std::ops::Range<u64>) -> Vec<u64> {
        let mut written = Vec::new();
        for n in frames {
            for action in recorder.buffer(frame(n)).expect("a gate has spoken") {
                if let Action::Write {
                    writer,
                    buffer,
                    pts,
                    dts,
                } = action
                {
                    written.push(n);
                    writer.write(buffer, pts, dts);
                }
            }
        }
        written
    }

    #[test]
    fn a_live_camera_whose_disk_hangs_loses_groups_of_pictures_and_never_waits() {
        let mut recorder = recorder();
        let live = Moment {
            live: true,
            clock: None,
        };
        recorder.boundary(boundary(Phase::Open, 0), live);
        let bound = MAX_QUEUED / FRAME as u64;
        let written = written(&mut recorder, 0..100);
        assert_eq!(written, (0..bound).collect::<Vec<_>>());
        let actions = recorder.boundary(boundary(Phase::Close, 10_000_000_000), live);
        let [Action::End(_, ending)] = actions.as_slice() else {
            panic!("the clip ends");
        };
        assert_eq!(ending.facts.state, State::Truncated);
        assert_eq!(ending.facts.frames, bound);
        assert!(ending.reason.contains("could not keep up"));
    }

    #[test]
    fn a_file_that_can_wait_loses_nothing() {
        let mut recorder = recorder();
        let file = Moment {
            live: false,
            clock: None,
        };
        recorder.boundary(boundary(Phase::Open, 0), file);
        assert_eq!(written(&mut recorder, 0..50).len(), 50);
    }

    #[test]
    fn a_boundary_that_comes_twice_counts_once_and_what_lies_outside_is_counted() {
        let mut recorder = recorder();
        let file = Moment {
            live: false,
            clock: None,
        };
        assert_eq!(recorder.buffer(frame(0)).err(), Some(NoGate));
        let open = boundary(Phase::Open, 0);
        recorder.boundary(open.clone(), file);
        assert_eq!(written(&mut recorder, 0..2).len(), 2);
        assert!(recorder.boundary(open, file).is_empty());
        let close = boundary(Phase::Close, 1);
        assert_eq!(recorder.boundary(close.clone(), file).len(), 1);
        assert!(recorder.boundary(close, file).is_empty());
        assert!(written(&mut recorder, 2..4).is_empty());
        assert_eq!(recorder.outside(), 2);
    }
}
