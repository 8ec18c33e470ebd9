//! What eventsink does once it has decided, with no lock held: recordings get their threads, their
//! buffers and their end, and applications hear of them.

use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use evr_core::recording::journal::Entry;
use evr_core::recording::retention::Limits;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::clip::Beginning;
use super::finish::{self, Listener, Outcome};
use super::imp::{CAT, EventSink};
use super::journal::{self, Journal};
use super::keeper::{self, Keeper};
use super::pads::Kind;
use super::recorder::{Action, Recorder};
use super::repair::Repair;
use super::report::{Report, Subject};
use super::shelf::Shelf;
use super::writer::{MAX_QUEUED, Writer};
use crate::bridge::{self, time::utc_now};

/// Recordings whose thread has not ended. A live camera that opens more than that while the disk
/// hangs loses the newest.
const MAX_UNFINISHED: usize = 16;
/// How often media that waits for the disk looks whether there is room.
const PATIENCE: Duration = Duration::from_millis(10);

/// How long the media waits for a muxer that waits for a stream of which nothing comes.
const PATIENCE_WITH_SILENCE: Duration = Duration::from_secs(5);

impl EventSink {
    /// Decides under the lock, and does it without: one thread at a time, in the order in which
    /// it was decided, whichever pad's thread that is. Never waits.
    pub(super) fn act(&self, decide: impl FnOnce(&mut Recorder) -> Vec<Action>) {
        {
            let state = &mut *self.state();
            let Some(recorder) = &mut state.recorder else {
                return;
            };
            state.actions.extend(decide(recorder));
            if state.acting {
                return;
            }
            state.acting = true;
        }
        while let Some(action) = self.next_action() {
            self.perform(action);
        }
        self.post_eos_if_due();
    }

    fn next_action(&self) -> Option<Action> {
        let mut state = self.state();
        let action = state.actions.pop_front();
        state.acting = action.is_some();
        action
    }

    fn perform(&self, action: Action) {
        match action {
            Action::Begin(beginning) => self.begin(*beginning),
            Action::Write {
                writer,
                track,
                buffer,
                pts,
                dts,
            } => writer.write(track, buffer, pts, dts),
            Action::Gap {
                writer,
                track,
                pts,
                until,
            } => writer.gap(track, pts, until),
            Action::EndTrack(writer, track) => writer.end_track(track),
            Action::Learn(writer, facts) => writer.learn(facts),
            Action::End(writer, ending) => writer.end(ending),
            Action::Fail(subject, reason) => self.fail(&subject, &reason),
            Action::Warn(sentence) => self.warn(&sentence),
        }
    }

    /// Gives a recording its thread.
    fn begin(&self, beginning: Beginning) {
        {
            let mut state = self.state();
            state.unfinished += 1;
            if state.unfinished > MAX_UNFINISHED && !beginning.writer.patient {
                drop(state);
                let reason = format!("{MAX_UNFINISHED} recordings still wait for the disk");
                return self.refuse(&beginning.writer, &beginning.subject, &reason);
            }
        }
        let (writer, subject) = (beginning.writer.clone(), beginning.subject.clone());
        let sink = self.obj().downgrade();
        let permits = self.permits.clone();
        let spawned = std::thread::Builder::new()
            .name(format!("evr-recording-{}", subject.n))
            .spawn(move || {
                let outcome = finish::run(&beginning, &permits, &Reporter(sink.clone()));
                if let Some(sink) = sink.upgrade() {
                    sink.imp().finished(outcome);
                }
            });
        if let Err(err) = spawned {
            self.refuse(
                &writer,
                &subject,
                &format!("its thread cannot be started: {err}"),
            );
        }
    }

    fn refuse(&self, writer: &Writer, subject: &Subject, reason: &str) {
        writer.set_broken();
        self.fail(subject, reason);
        self.state().unfinished -= 1;
        self.changed.notify_all();
        self.post_eos_if_due();
    }

    fn fail(&self, subject: &Subject, reason: &str) {
        let report = Report::Failed { part: None, reason };
        self.state().failed += 1;
        self.tell(subject, &report);
        self.warn(&format!("recording {} failed: {reason}", subject.id));
    }

    /// Tells journal, retention and applications of a recording.
    pub(super) fn tell(&self, subject: &Subject, report: &Report) {
        let (fields, json) = report.message(subject);
        let line = self.state().journal.is_some().then(|| {
            let entry = Entry {
                kind: fields.name(),
                source: &subject.source,
                recording: &subject.id,
                now: utc_now(),
                data: &json,
            };
            entry.line()
        });
        {
            let mut state = self.state();
            state.recovered += u64::from(matches!(report, Report::Recovered { .. }));
            if let Some(keeper) = &state.keeper {
                match report {
                    Report::Available { sidecar, .. } | Report::Recovered { sidecar, .. } => {
                        keeper.finished(&sidecar.to_string_lossy());
                    }
                    _ => keeper.look(),
                }
            }
            if let (Some(journal), Some(line)) = (&state.journal, line) {
                let written = journal.write(line, report.lock());
                state.unjournaled += u64::from(!written);
            }
        }
        bridge::message::post(self.obj().upcast_ref::<gst::Element>(), fields, &json);
        if let Some(fields) = report.fragment(subject, self.obj().upcast_ref()) {
            let message = gst::message::Element::builder(fields).src(&*self.obj());
            // Nobody listens only while the element is being taken down.
            let _ = self.obj().post_message(message.build());
        }
    }

    pub(super) fn warn(&self, sentence: &str) {
        gst::element_imp_warning!(
            self,
            gst::ResourceError::Write,
            ("{}: {sentence}", self.obj().name())
        );
    }

    /// Called by a recording's thread as its last act.
    fn finished(&self, outcome: Outcome) {
        {
            let mut state = self.state();
            state.recordings += u64::from(outcome != Outcome::Failed);
            state.truncated += u64::from(outcome == Outcome::Truncated);
            state.failed += u64::from(outcome == Outcome::Failed);
            state.unfinished -= 1;
        }
        self.changed.notify_all();
        self.post_eos_if_due();
    }

    /// Retention's thread, where there is a limit.
    pub(super) fn keeper(
        &self,
        shelf: Shelf,
        limits: Limits,
    ) -> Result<Option<Keeper>, gst::ErrorMessage> {
        if !limits.any() {
            return Ok(None);
        }
        let listener = Reporter(self.obj().downgrade());
        let keeper = Keeper::start(shelf, limits, listener).map_err(|err| {
            gst::error_msg!(
                gst::CoreError::Thread,
                (
                    "{}: the thread that removes old recordings cannot be started ({err}): allow \
                     the process more threads, or set no limits",
                    self.obj().name()
                )
            )
        })?;
        Ok(Some(keeper))
    }

    /// The thread that repairs what a crash has left; pictures and a journal may be `wanted`.
    pub(super) fn repair(
        &self,
        shelf: Shelf,
        wanted: (bool, bool),
    ) -> Result<Repair, gst::ErrorMessage> {
        Repair::start(shelf, wanted, Reporter(self.obj().downgrade())).map_err(|err| {
            gst::error_msg!(
                gst::CoreError::Thread,
                (
                    "{}: the thread that repairs recordings cannot be started ({err}): allow the \
                     process more threads",
                    self.obj().name()
                )
            )
        })
    }

    /// The journal of the recordings in `directory`.
    pub(super) fn journal(
        &self,
        directory: &Path,
        max_bytes: u64,
    ) -> Result<Journal, gst::ErrorMessage> {
        let listener = Reporter(self.obj().downgrade());
        Journal::start(directory.join(journal::NAME), max_bytes, listener).map_err(|err| {
            gst::error_msg!(
                gst::CoreError::Thread,
                (
                    "{}: the journal's thread cannot be started ({err}): allow the process more \
                     threads, or set journal=false",
                    self.obj().name()
                )
            )
        })
    }

    pub(super) fn post_eos_if_due(&self) {
        let due = {
            let mut state = self.state();
            if state.eos.is_none() {
                return;
            }
            let ended = state.recorder.as_ref().is_none_or(Recorder::is_at_eos);
            // Whoever follows the journal may be stopped by who hears of the end.
            let written = state.journal.as_ref().is_none_or(Journal::is_written);
            if ended && state.unfinished == 0 && !state.acting && written {
                state.eos.take()
            } else {
                None
            }
        };
        if let Some(seqnum) = due {
            let message = gst::message::Eos::builder()
                .src(&*self.obj())
                .seqnum(seqnum)
                .build();
            // Nobody listens only while the element is being taken down.
            let _ = self.obj().post_message(message);
        }
    }

    /// Media that waits for us waits here until the disk has caught up.
    pub(super) fn wait_for_room(&self, kind: Kind) {
        let mut state = self.state();
        let mut stuck = (u64::MAX, Instant::now());
        while !state.hurry {
            let recorder = state.recorder.as_ref();
            let writer = recorder.and_then(|recorder| recorder.writer(kind)).cloned();
            let Some(writer) = writer.filter(|writer| writer.patient) else {
                return;
            };
            let queued = writer.queued();
            if queued < MAX_QUEUED && state.unfinished <= MAX_UNFINISHED {
                return;
            }
            if queued < stuck.0 {
                stuck = (queued, Instant::now());
            } else if stuck.1.elapsed() > PATIENCE_WITH_SILENCE {
                drop(state);
                writer.end_silent_tracks();
                stuck.1 = Instant::now();
                state = self.state();
            }
            (state, _) = self
                .changed
                .wait_timeout(state, PATIENCE)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Passes on what a recording's thread says, as long as there is an element.
struct Reporter(glib::WeakRef<super::EventSink>);

impl Listener for Reporter {
    fn choose(&self, n: u64) -> Option<String> {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        self.0.upgrade()?.emit_by_name("format-location", &[&n])
    }

    fn report(&self, subject: &Subject, report: &Report) {
        if let Some(sink) = self.0.upgrade() {
            sink.imp().tell(subject, report);
        }
    }

    fn warn(&self, sentence: &str) {
        if let Some(sink) = self.0.upgrade() {
            sink.imp().warn(sentence);
        }
    }
}

impl keeper::Listener for Reporter {
    fn removed(&self, stem: &str) {
        if let Some(sink) = self.0.upgrade() {
            gst::info!(CAT, obj = sink, "{stem} was removed, as a limit asks");
            sink.imp().state().removed += 1;
        }
    }

    fn warn(&self, sentence: &str) {
        Listener::warn(self, sentence);
    }
}

impl journal::Listener for Reporter {
    fn lost(&self, lines: u64) {
        if let Some(sink) = self.0.upgrade() {
            sink.imp().state().unjournaled += lines;
        }
    }

    fn written(&self) {
        if let Some(sink) = self.0.upgrade() {
            sink.imp().post_eos_if_due();
        }
    }

    fn warn(&self, sentence: &str) {
        Listener::warn(self, sentence);
    }
}
