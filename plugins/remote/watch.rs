//! The stream that passes an element which asks a server: which frames are sent, and what becomes
//! of the answers.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use evr_core::detection::Observation;
use evr_core::detector::{Limits, Pace};
use evr_core::remote::{Patience, RemoteError, Vocabulary};
use gst_video::{VideoInfo, VideoRegionOfInterestMeta};

use super::Mode;
use super::desk::{Desk, Job, Outcome};
use crate::bridge::model::Model;
use crate::bridge::{detection, passing};

/// What the user has set.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) pace: Pace,
    /// Only frames on which an element before has put a region.
    pub(crate) annotated_only: bool,
    /// What the observations call the model until it tells.
    pub(crate) model: Model,
}

/// What the element passes on.
#[derive(Debug)]
pub(crate) enum News {
    /// The server fails, by a sentence.
    Trouble(String),
    /// It works again.
    Recovered,
    /// Those behind should know this.
    Model(Model),
}

/// What has been counted since the start.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    /// Frames inferred.
    pub(crate) inferences: u64,
    /// Frames sent of which nothing was said.
    pub(crate) failures: u64,
    /// Frames not sent although it was their turn, since the server was to be left alone.
    pub(crate) skipped: u64,
}

#[derive(Debug)]
struct Running {
    plan: Plan,
    desk: Arc<Desk>,
    patience: Patience,
    vocabulary: Vocabulary,
    started: Instant,
    video: Option<VideoInfo>,
    /// Frames before this running time, in ns, are late for a sink behind.
    late_until: Option<i64>,
    trouble: Option<RemoteError>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    counts: Counts,
}

/// The stream. Its lock is never held while anything is sent, waited for or written.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    fn running<T>(&self, with: impl FnOnce(&mut Running) -> T) -> Option<T> {
        self.state().running.as_mut().map(with)
    }

    pub(crate) fn start(&self, plan: Plan, desk: Desk) {
        let running = Running {
            plan,
            desk: Arc::new(desk),
            patience: Patience::default(),
            vocabulary: Vocabulary::default(),
            started: Instant::now(),
            video: None,
            late_until: None,
            trouble: None,
        };
        *self.state() = State {
            running: Some(running),
            counts: Counts::default(),
        };
    }

    pub(crate) fn stop(&self) {
        // Dropped, and so the threads told, behind the lock.
        let stopped = self.state().running.take();
        drop(stopped);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    pub(crate) fn model(&self) -> Option<Model> {
        self.running(|running| running.plan.model.clone())
    }

    pub(crate) fn caps(&self, info: VideoInfo) {
        self.running(|running| running.video = Some(info));
    }

    pub(crate) fn late(&self, until: Option<i64>) {
        self.running(|running| running.late_until = until);
    }

    /// Whether a frame may wait for its answer.
    pub(crate) fn hurry(&self, hurry: bool) {
        if let Some(desk) = self.running(|running| Arc::clone(&running.desk)) {
            desk.hurry(hurry);
        }
    }

    /// Forgets what belongs to the time before a flush.
    pub(crate) fn flush(&self) {
        let desk = self.running(|running| {
            running.late_until = None;
            running.plan.pace.flush();
            Arc::clone(&running.desk)
        });
        if let Some(desk) = desk {
            desk.flush();
            desk.hurry(false);
        }
    }

    /// A frame passes, `time` being its running time.
    ///
    /// # Errors
    /// A sentence, where the stream cannot go on.
    pub(crate) fn frame(
        &self,
        buffer: &mut gst::BufferRef,
        time: Option<i64>,
        limits: Limits,
    ) -> Result<Vec<News>, String> {
        let known = self.running(|running| {
            let mode = running.plan.mode;
            (Arc::clone(&running.desk), running.video.clone(), mode)
        });
        let Some((desk, info, mode)) = known else {
            return Ok(Vec::new());
        };
        let info = info.ok_or("a frame came before its caps: send caps first")?;
        let settle = |(outcome, then)| (self.settle(outcome), then);
        // Before the next is sent: the server may have to be left alone.
        let mut settled = match mode {
            Mode::Latest => desk.collect().map(settle),
            Mode::Sync => None,
        };
        if self.is_due(buffer, time, &desk) {
            desk.give(Job {
                buffer: passing::share(buffer)?,
                info: info.clone(),
                limits,
                time,
            });
            if mode == Mode::Sync {
                settled = desk.wait().map(settle);
            }
        }
        let Some(((observation, news), then)) = settled else {
            return Ok(Vec::new());
        };
        if let Some(observation) = observation {
            detection::attach(buffer, &observation, (info.width(), info.height()))
                .map_err(|err| err.to_string())?;
            if mode == Mode::Latest {
                let age = time.zip(then);
                let age = age.map_or(0, |(now, then)| now.saturating_sub(then));
                detection::set_age(buffer, u64::try_from(age).unwrap_or(0));
            }
        }
        Ok(news)
    }

    fn is_due(&self, buffer: &gst::BufferRef, time: Option<i64>, desk: &Desk) -> bool {
        let annotated = || {
            let mut regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
            regions.next().is_some()
        };
        let free = desk.is_free();
        let mut state = self.state();
        let State {
            running: Some(running),
            counts,
        } = &mut *state
        else {
            return false;
        };
        let late = running.late_until.zip(time);
        if late.is_some_and(|(until, time)| time < until)
            || (running.plan.annotated_only && !annotated())
            // The turn is kept for the next frame.
            || (running.plan.mode == Mode::Latest && !free)
            || !running.plan.pace.turn(time)
        {
            return false;
        }
        let may = running.patience.may(nanos(running.started));
        counts.skipped += u64::from(!may);
        may
    }

    /// What an outcome says of its frame, and what it is to others.
    fn settle(&self, outcome: Outcome) -> (Option<Observation>, Vec<News>) {
        let mut news = Vec::new();
        let mut state = self.state();
        let State {
            running: Some(running),
            counts,
        } = &mut *state
        else {
            return (None, news);
        };
        if let Some(model) = outcome.model.filter(|model| *model != running.plan.model) {
            running.plan.model = model.clone();
            news.push(News::Model(model));
        }
        let now = nanos(running.started);
        let result = outcome.result.and_then(|found| {
            running.vocabulary.learn(&found)?;
            Ok(found)
        });
        let detections = match result {
            Ok(detections) => detections,
            Err(error) => {
                counts.failures += 1;
                running.patience.failed(now, &error);
                let before = running.trouble.as_ref();
                if !before.is_some_and(|before| before.is_like(&error)) {
                    news.push(News::Trouble(error.to_string()));
                    running.trouble = Some(error);
                }
                return (None, news);
            }
        };
        running.patience.answered(now);
        if running.trouble.take().is_some() {
            news.push(News::Recovered);
        }
        let observation = Observation {
            seq: counts.inferences,
            model: running.plan.model.name.clone(),
            detections,
        };
        counts.inferences += 1;
        (Some(observation), news)
    }
}

fn nanos(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_nanos()).unwrap_or(i64::MAX)
}
