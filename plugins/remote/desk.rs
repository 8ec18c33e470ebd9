//! Frames on their way to a server and back: a bounded number of them, each on a thread of its own,
//! handed back in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use evr_core::detection::Detection;
use evr_core::detector::Limits;
use evr_core::remote::RemoteError;
use gst_video::VideoInfo;

use crate::bridge::model::Model;

/// A frame to be inferred.
#[derive(Debug)]
pub(crate) struct Job {
    /// Shares its memory with the frame that passes.
    pub(crate) buffer: gst::Buffer,
    pub(crate) info: VideoInfo,
    pub(crate) limits: Limits,
    /// Its running time in ns.
    pub(crate) time: Option<i64>,
}

/// What came of a frame.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Vec<Detection>, RemoteError>,
    /// The model that spoke, where it has told what it is since it was last asked.
    pub(crate) model: Option<Model>,
}

/// Has a frame inferred. It may take as long as its own timeout.
pub(crate) trait Ask: Send + 'static {
    fn ask(&mut self, job: &Job) -> Outcome;
}

/// A frame under way, or its outcome until somebody takes it.
#[derive(Debug)]
struct Place {
    ticket: u64,
    time: Option<i64>,
    outcome: Option<Outcome>,
}

#[derive(Debug, Default)]
struct Book {
    jobs: VecDeque<(u64, Job)>,
    /// In the order of the frames; never longer than there are threads.
    places: VecDeque<Place>,
    next: u64,
    /// Nobody waits any more, until a flush is over.
    hurry: bool,
    closed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    book: Mutex<Book>,
    /// A job came, or it closes.
    given: Condvar,
    /// An outcome came, or nobody waits any more.
    answered: Condvar,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nothing panics under this lock")
    }
}

/// The threads. They end by themselves after the request at hand once this is dropped, and nobody
/// waits for them: a request may last until its timeout, and a pipeline should stop at once.
#[derive(Debug)]
pub(crate) struct Desk {
    shared: Arc<Shared>,
    most: usize,
}

impl Desk {
    /// A thread for each of `askers`.
    pub(crate) fn start<A: Ask>(name: &str, askers: Vec<A>) -> Result<Self, std::io::Error> {
        let desk = Self {
            shared: Arc::default(),
            most: askers.len(),
        };
        for asker in askers {
            let shared = Arc::clone(&desk.shared);
            std::thread::Builder::new()
                .name(name.into())
                .spawn(move || work(&shared, asker))?;
        }
        Ok(desk)
    }

    /// Whether a frame would be taken.
    pub(crate) fn is_free(&self) -> bool {
        self.shared.book().places.len() < self.most
    }

    /// Takes a frame.
    pub(crate) fn give(&self, job: Job) {
        let mut book = self.shared.book();
        let ticket = book.next;
        book.next += 1;
        book.places.push_back(Place {
            ticket,
            time: job.time,
            outcome: None,
        });
        book.jobs.push_back((ticket, job));
        drop(book);
        self.shared.given.notify_one();
    }

    /// What came of the oldest frame, with that frame's time; `None` while it is under way.
    pub(crate) fn collect(&self) -> Option<(Outcome, Option<i64>)> {
        self.shared.book().take()
    }

    /// Waits for what comes of the oldest frame; `None` if somebody is in a hurry.
    pub(crate) fn wait(&self) -> Option<(Outcome, Option<i64>)> {
        let mut book = self.shared.book();
        loop {
            if let Some(done) = book.take() {
                return Some(done);
            }
            if book.hurry || book.places.is_empty() {
                return None;
            }
            let waited = self.shared.answered.wait(book);
            book = waited.expect("nothing panics under this lock");
        }
    }

    /// Whether nobody may wait.
    pub(crate) fn hurry(&self, hurry: bool) {
        self.shared.book().hurry = hurry;
        self.shared.answered.notify_all();
    }

    /// Forgets what is under way.
    pub(crate) fn flush(&self) {
        let mut book = self.shared.book();
        // Frames are released behind the lock.
        let dropped = (
            std::mem::take(&mut book.jobs),
            std::mem::take(&mut book.places),
        );
        drop(book);
        drop(dropped);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.flush();
        self.shared.book().closed = true;
        self.shared.given.notify_all();
        self.shared.answered.notify_all();
    }
}

impl Book {
    fn take(&mut self) -> Option<(Outcome, Option<i64>)> {
        let time = self.places.front()?.time;
        let outcome = self.places.front_mut()?.outcome.take()?;
        self.places.pop_front();
        Some((outcome, time))
    }
}

fn work(shared: &Shared, mut asker: impl Ask) {
    loop {
        let mut book = shared.book();
        let (ticket, job) = loop {
            if book.closed {
                return;
            }
            match book.jobs.pop_front() {
                Some(job) => break job,
                None => {
                    let waited = shared.given.wait(book);
                    book = waited.expect("nothing panics under this lock");
                }
            }
        };
        drop(book);
        let outcome = asker.ask(&job);
        drop(job);
        let mut book = shared.book();
        // Gone after a flush.
        if let Some(place) = book.places.iter_mut().find(|place| place.ticket == ticket) {
            place.outcome = Some(outcome);
        }
        drop(book);
        shared.answered.notify_all();
    }
}
