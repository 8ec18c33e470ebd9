//! A detector on a thread of its own, for a stream that waits for nobody: it takes one frame at a
//! time, and what it says is picked up by whoever passes next.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use evr_core::detection::Observation;
use evr_core::detector::Limits;
use gst_video::VideoInfo;

use super::detector::Detector;

/// What is said of a frame over which the code broke.
const PANICKED: &str = "inference panicked: report this with the model";

/// A frame to be inferred.
#[derive(Debug)]
pub(super) struct Job {
    /// Shares its memory with the frame that passes.
    pub(super) buffer: gst::Buffer,
    pub(super) info: VideoInfo,
    pub(super) limits: Limits,
    /// Its running time in ns.
    pub(super) time: Option<i64>,
}

/// What was said of a frame.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) result: Result<Observation, String>,
    /// The running time of the frame that it speaks of.
    pub(super) time: Option<i64>,
}

#[derive(Debug, Default)]
struct Desk {
    job: Option<Job>,
    done: Option<Done>,
    /// From taking a job to laying down what came of it.
    busy: bool,
    /// Counts flushes: what was begun before one is of no interest.
    epoch: u64,
    closed: bool,
}

impl Desk {
    /// Whether what was begun at this count of flushes is still of interest.
    fn waits_for(&self, epoch: u64) -> bool {
        self.epoch == epoch && !self.closed
    }
}

#[derive(Debug, Default)]
struct Shared {
    desk: Mutex<Desk>,
    changed: Condvar,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("nothing panics under this lock")
    }
}

/// The thread. It ends when this is dropped, after the inference at hand: of a frame of which several
/// parts are inferred, after that part.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(detector: Detector) -> Result<Self, std::io::Error> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("onnxdetect".into())
            .spawn(move || work(&theirs, detector))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What has come of a frame since this was last asked, and whether another would be taken at
    /// once. One look tells both: what is finished between two would be written over by the next.
    pub(super) fn collect(&self) -> (Option<Done>, bool) {
        let mut desk = self.shared.desk();
        (desk.done.take(), !desk.busy && desk.job.is_none())
    }

    pub(super) fn give(&self, job: Job) {
        self.shared.desk().job = Some(job);
        self.shared.changed.notify_one();
    }

    /// Forgets what is under way.
    pub(super) fn flush(&self) {
        let mut desk = self.shared.desk();
        desk.epoch += 1;
        // Frames are released behind the lock.
        let dropped = (desk.job.take(), desk.done.take());
        drop(desk);
        drop(dropped);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.desk().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to release.
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, mut detector: Detector) {
    loop {
        let mut desk = shared.desk();
        let job = loop {
            if desk.closed {
                return;
            }
            match desk.job.take() {
                Some(job) => break job,
                None => {
                    desk = shared
                        .changed
                        .wait(desk)
                        .expect("nothing panics under this lock");
                }
            }
        };
        desk.busy = true;
        let epoch = desk.epoch;
        drop(desk);
        let Job {
            buffer,
            info,
            limits,
            time,
        } = job;
        let wanted = || shared.desk().waits_for(epoch);
        let looked = AssertUnwindSafe(|| detector.frame(&buffer, &info, &limits, wanted));
        // Else the stream would pass for ever with nobody looking and nobody saying so.
        let result = catch_unwind(looked).unwrap_or_else(|_| Err(PANICKED.to_owned()));
        drop(buffer);
        let mut desk = shared.desk();
        desk.busy = false;
        if let (Some(result), true) = (result.transpose(), desk.waits_for(epoch)) {
            desk.done = Some(Done { result, time });
        }
    }
}
