//! A recording's own thread: opens its file, waits for its end, and makes it last.
//!
//! Everything that a slow or broken disk can hold up happens here and nowhere else.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use evr_core::recording::container::Container;
use evr_core::recording::name;
use evr_core::recording::recovered;
use evr_core::recording::sidecar::{self, ClipFile, Facts, Sidecar, State};
use evr_core::time::{MILLISECOND, Nanos};
use gst::prelude::*;

use super::clip::{Beginning, Ending};
use super::files::Files;
use super::lead_in;
use super::report::{Report, Subject};
use super::thumbnail::{self, Picture};
use super::writer::Event;

/// How long the muxer and the disk may take to write what is queued once a recording has ended.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// How long a pipeline may take to let go of its file.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// What helps against everything that a file system refuses.
const CURE: &str = "see that its directory is writable and its disk has room";

/// How a recording's thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Complete,
    Truncated,
    Failed,
}

/// What the thread tells the element, from its own thread.
pub(super) trait Listener {
    /// The name that the application gives to a clip of recording `n`, if it wants to.
    fn choose(&self, n: u64) -> Option<String>;
    /// For applications.
    fn report(&self, subject: &Subject, report: &Report);
    /// A sentence for the user.
    fn warn(&self, sentence: &str);
}

/// How many recordings may be finished at once: each decodes a thumbnail.
#[derive(Debug)]
pub(super) struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(count),
            freed: Condvar::new(),
        }
    }

    fn with<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .freed
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        drop(free);
        let done = work();
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
        done
    }
}

/// Runs a recording from its first unit to its final names.
pub(super) fn run(beginning: &Beginning, permits: &Permits, listener: &impl Listener) -> Outcome {
    let outcome = record(beginning, permits, listener);
    beginning.writer.set_broken();
    outcome.unwrap_or_else(|failure| {
        let part = failure.files.as_ref().map(Files::clip_part);
        let part = part.filter(|part| part.exists());
        let report = Report::Failed {
            part: part.as_deref(),
            reason: &failure.reason,
        };
        listener.report(&beginning.subject, &report);
        listener.warn(&format!(
            "recording {} failed: {}",
            beginning.subject.id, failure.reason
        ));
        Outcome::Failed
    })
}

/// Why there is no clip.
struct Failure {
    reason: String,
    files: Option<Files>,
}

fn record(
    beginning: &Beginning,
    permits: &Permits,
    listener: &impl Listener,
) -> Result<Outcome, Failure> {
    let (stem, extension) = (stem(beginning, listener), beginning.container.extension());
    let files = Files::reserve(&stem, extension).map_err(|err| Failure {
        reason: format!("{stem}.{extension} cannot be created ({err}): {CURE}"),
        files: None,
    })?;
    let written = write(beginning, &files, listener);
    let mut ending = match written {
        Ok(ending) => ending,
        Err(reason) => {
            files.abandon();
            let files = Some(files);
            return Err(Failure { reason, files });
        }
    };
    if beginning.exact_start && beginning.container == Container::Mp4 {
        hide_lead_in(beginning, &files, &mut ending.facts, listener);
    }
    permits
        .with(|| publish(beginning, &files, &ending, listener))
        .map_err(|reason| {
            files.abandon();
            let files = Some(files);
            Failure { reason, files }
        })
}

/// The path without extension: the application's choice, else what the template gives.
fn stem(beginning: &Beginning, listener: &impl Listener) -> String {
    let chosen = listener.choose(beginning.subject.n).and_then(|path| {
        let chosen = beginning.template.chosen(&path, beginning.container);
        chosen.map_err(|why| listener.warn(&why.to_string())).ok()
    });
    let stem = chosen.as_ref().unwrap_or(&beginning.stem);
    name::part(stem, beginning.part)
}

/// What is not hidden is shown: nothing is lost.
fn hide_lead_in(beginning: &Beginning, files: &Files, facts: &mut Facts, listener: &impl Listener) {
    // Something must be left to be shown.
    let lead_in = facts.asked.min(facts.end - MILLISECOND) - facts.start;
    if lead_in < MILLISECOND {
        return;
    }
    match lead_in::hide(&files.clip_part(), lead_in) {
        Ok(()) => {
            facts.lead_in = lead_in;
            facts.start += lead_in;
        }
        Err(why) => listener.warn(&format!(
            "recording {} shows its lead-in, as it cannot be hidden: {why}",
            beginning.subject.id
        )),
    }
}

/// Lets the private pipeline write the clip's `.part` until it is whole.
fn write(
    beginning: &Beginning,
    files: &Files,
    listener: &impl Listener,
) -> Result<Box<Ending>, String> {
    let pipeline = beginning
        .writer
        .pipeline(&files.clip_part(), beginning.fragment)
        .map_err(|err| format!("its pipeline cannot be built: {err}"))?;
    let started = pipeline.set_state(gst::State::Playing);
    let written = match started {
        Ok(_) => {
            let location = files.clip();
            let report = Report::Started {
                location: &location,
            };
            listener.report(&beginning.subject, &report);
            announce(beginning, files, listener);
            listen(beginning, files, listener)
        }
        Err(_) => Err(match beginning.heard.try_recv() {
            Ok(Event::Broken(why)) => unwritable(files, &why),
            _ => "its pipeline does not start".into(),
        }),
    };
    shut_down(&pipeline);
    written
}

/// Leaves word for whoever finds the file after a crash.
fn announce(beginning: &Beginning, files: &Files, listener: &impl Listener) {
    let clip = ClipFile {
        name: files.clip_name(),
        container: beginning.container.as_str(),
        bytes: 0,
    };
    let sidecar = Sidecar::new(&beginning.known, clip);
    if let Err(err) = files.announce(&sidecar.to_json()) {
        listener.warn(&format!(
            "after a crash nobody would know why recording {} was made, as its sidecar cannot be \
             begun ({err}): {CURE}",
            beginning.subject.id
        ));
    }
}

/// Waits for the pipeline to let go of its file, but not for ever: what hangs in a write hangs
/// here too, and the failure is to be told all the same.
pub(super) fn shut_down(pipeline: &gst::Pipeline) {
    let (done, is_done) = channel();
    pipeline.call_async(move |pipeline| {
        // A pipeline always reaches NULL, and nobody may be left to hear of it.
        let _ = pipeline.set_state(gst::State::Null);
        let _ = done.send(());
    });
    let _ = is_done.recv_timeout(SHUTDOWN);
}

fn listen(
    beginning: &Beginning,
    files: &Files,
    listener: &impl Listener,
) -> Result<Box<Ending>, String> {
    let mut ended: Option<(Box<Ending>, Instant)> = None;
    let mut notes = Ok(());
    loop {
        let event = match &ended {
            None => beginning
                .heard
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            Some((_, deadline)) => beginning
                .heard
                .recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        match event {
            Ok(Event::Learnt(facts)) => {
                // The clip itself hears of a disk that is full, and tells of it.
                notes = notes.and_then(|()| files.note(&recovered::news(&facts)));
            }
            Ok(Event::Ended(ending)) => {
                beginning.writer.drain();
                let report = Report::Stopped {
                    location: &files.clip(),
                    end: ending.facts.end,
                    reason: &ending.reason,
                };
                listener.report(&beginning.subject, &report);
                ended = Some((ending, Instant::now() + DEADLINE));
            }
            Ok(Event::Written) => {
                if let Some((ending, _)) = ended {
                    return Ok(ending);
                }
            }
            Ok(Event::Broken(why)) => return Err(unwritable(files, &why)),
            Err(RecvTimeoutError::Timeout) => {
                return Err(unwritable(
                    files,
                    &format!("its end took longer than {} s", DEADLINE.as_secs()),
                ));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the element went away within the recording".into());
            }
        }
    }
}

fn unwritable(files: &Files, why: &str) -> String {
    let part = files.clip_part();
    format!("{} cannot be written ({why}): {CURE}", part.display())
}

/// Thumbnail, sidecar, final names.
fn publish(
    beginning: &Beginning,
    files: &Files,
    ending: &Ending,
    listener: &impl Listener,
) -> Result<Outcome, String> {
    let facts = &ending.facts;
    let part = files.clip_part();
    let bytes = std::fs::metadata(&part)
        .map_err(|err| format!("{} is gone: {err}", part.display()))?
        .len();
    let clip = ClipFile {
        name: files.clip_name(),
        container: beginning.container.as_str(),
        bytes,
    };
    let sidecar = Sidecar::new(facts, clip);
    let incomplete = |err| {
        format!(
            "{} cannot be completed ({err}): {CURE}",
            files.clip().display()
        )
    };
    // Before the picture, which must not take their last bytes of disk.
    files.secure(&sidecar.to_json()).map_err(incomplete)?;
    let pictured = beginning.thumbnail && {
        let pictured = picture(files, facts);
        if let Err(why) = &pictured {
            listener.warn(&format!(
                "recording {} has no thumbnail: {why}",
                beginning.subject.id
            ));
        }
        pictured.is_ok()
    };
    files.publish(pictured).map_err(incomplete)?;
    let thumbnail = pictured.then(|| files.thumbnail());
    let report = Report::Available {
        location: &files.clip(),
        sidecar: &files.sidecar(),
        thumbnail: thumbnail.as_deref(),
        state: facts.state,
        end: facts.end,
        frames: facts.frames,
        reason: &ending.reason,
        content: sidecar.to_value(),
        lock: files.lock(),
    };
    listener.report(&beginning.subject, &report);
    if facts.state == State::Truncated {
        listener.warn(&format!(
            "recording {} is truncated: {}",
            beginning.subject.id, ending.reason
        ));
        return Ok(Outcome::Truncated);
    }
    Ok(Outcome::Complete)
}

fn picture(files: &Files, facts: &Facts) -> Result<(), String> {
    let objects = facts.signals.first().map(sidecar::objects);
    let jpeg = thumbnail::take(&Picture {
        clip: &files.clip_part(),
        at: moment(facts),
        objects: objects.unwrap_or_default(),
    })?;
    files.write_thumbnail(&jpeg).map_err(|err| err.to_string())
}

/// The event's start, counted from the clip's. A millisecond later, because the track's ticks may
/// put its frame that much behind; within the clip, because a seek to its end finds nothing.
fn moment(facts: &Facts) -> Nanos {
    let last = (facts.end - facts.start - MILLISECOND).max(0);
    (facts.event_start - facts.start + MILLISECOND).clamp(0, last)
}
