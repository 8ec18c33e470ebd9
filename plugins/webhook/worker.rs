//! Two threads: one fills the outbox and decides what is posted next, the other posts. Messages go
//! one by one, oldest first, and the next only when the last was taken or refused, so that they
//! arrive in order; a slow receiver holds up neither pads nor disk.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evr_core::backoff::Backoff;
use evr_core::message::Format;
use evr_core::remote::RemoteError;
use evr_core::remote::webhook::{Verdict, verdict};

use super::settings::{Plan, SettingsError};
use crate::bridge::directory::sync_directory;
use crate::outbound::clerk::{Clerk, Desk};
use crate::outbound::intake::Intake;
use crate::outbound::teller;
use crate::remote::http::Client;

/// How often the pads' and the journal's news are looked for.
const TICK: Duration = Duration::from_millis(20);
/// What was refused, in the outbox, a message a line.
const REFUSED: &str = "refused.jsonl";
/// Beyond this it becomes `refused.jsonl.1`, in place of the last.
const MOST_REFUSED: u64 = 16 << 20;

/// What the thread tells the element, from its own thread.
pub(super) trait Listener: Send + 'static {
    /// A sentence for the user about something wrong.
    fn warn(&self, sentence: &str);
    /// The receiver takes messages again.
    fn recovered(&self);
}

/// What others may look at while it runs.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) waiting: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) refused: AtomicU64,
    stop: AtomicBool,
}

/// The threads' other end.
pub(crate) struct Worker {
    thread: JoinHandle<()>,
    status: Arc<Status>,
}

impl Worker {
    /// Opens the outbox and begins.
    pub(super) fn start(
        plan: Plan,
        intake: Arc<Intake>,
        status: Arc<Status>,
        listener: impl Listener,
    ) -> Result<Self, SettingsError> {
        let desk = Desk {
            outbox: &plan.outbox,
            limits: plan.limits,
            journal: plan.journal.as_deref(),
            format: Format::CloudEvents,
        };
        status.stop.store(false, Ordering::Release);
        let clerk = Clerk::new(&desk, intake)?;
        let (bodies, to_post) = sync_channel(1);
        let (to_tell, verdicts) = sync_channel(1);
        let client = plan.client;
        // It is not waited for: a request may last until its timeout, and what it was about
        // waits on disk until it was taken.
        std::thread::Builder::new()
            .name("evr-webhook-post".into())
            .spawn(move || post(&client, &to_post, &to_tell))?;
        let courier = Courier {
            clerk,
            address: plan.address,
            refused: plan.outbox.join(REFUSED),
            bodies,
            verdicts,
            way: None,
            due: Instant::now(),
            good_since: None,
            backoff: Backoff::default(),
            trouble: None,
            status: status.clone(),
            listener,
            drain_time: plan.drain_time,
        };
        let thread = std::thread::Builder::new()
            .name("evr-webhook".into())
            .spawn(move || courier.run())?;
        Ok(Self { thread, status })
    }
}

impl teller::Worker for Worker {
    fn stop(self) {
        self.status.stop.store(true, Ordering::Release);
        // One that has panicked has said so.
        let _ = self.thread.join();
    }
}

fn post(client: &Client, bodies: &Receiver<String>, verdicts: &SyncSender<Verdict>) {
    const HEADERS: [(&str, &str); 1] = [("Content-Type", "application/cloudevents+json")];
    for body in bodies {
        let said = match client.tell(&HEADERS, body.as_bytes()) {
            Ok(reply) => verdict(reply.status, reply.retry_after, &reply.body),
            Err(err) => Verdict::Again(err),
        };
        if verdicts.send(said).is_err() {
            return;
        }
    }
}

struct Courier<L> {
    clerk: Clerk,
    address: String,
    refused: PathBuf,
    bodies: SyncSender<String>,
    verdicts: Receiver<Verdict>,
    /// The message that is being posted.
    way: Option<(u64, String)>,
    /// Nothing is posted before.
    due: Instant,
    good_since: Option<Instant>,
    backoff: Backoff,
    trouble: Option<RemoteError>,
    status: Arc<Status>,
    listener: L,
    drain_time: Duration,
}

impl<L: Listener> Courier<L> {
    fn run(mut self) {
        let mut until = None;
        loop {
            let stopping = self.status.stop.load(Ordering::Acquire);
            self.clerk.work();
            self.post_next();
            self.tell();
            if stopping {
                let until = *until.get_or_insert_with(|| Instant::now() + self.drain_time);
                // A receiver that fails is not waited for.
                let idle = self.way.is_none();
                if Instant::now() >= until || idle {
                    return;
                }
            }
            match self.verdicts.recv_timeout(TICK) {
                Ok(verdict) => self.settle(verdict),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.listener.warn("the thread that posts has ended");
                    return;
                }
            }
        }
    }

    fn post_next(&mut self) {
        if self.way.is_some() || Instant::now() < self.due {
            return;
        }
        if let Some((number, letter)) = self.clerk.after(0) {
            self.way = Some((number, letter.body.clone()));
            // Its thread takes one whenever none is under way, and `run` sees where it has ended.
            let _ = self.bodies.send(letter.body);
        }
    }

    fn settle(&mut self, verdict: Verdict) {
        let Some((number, body)) = self.way.take() else {
            return;
        };
        match verdict {
            Verdict::Taken => {
                self.clerk.arrived([number]);
                self.status.delivered.fetch_add(1, Ordering::Relaxed);
                self.good_since.get_or_insert_with(Instant::now);
                if self.trouble.take().is_some() {
                    self.listener.recovered();
                }
            }
            Verdict::Refused(error) => self.set_aside(number, &body, &error),
            Verdict::Again(error) => self.wait(error),
        }
    }

    /// A message that would be refused for ever must not hold up those behind it.
    fn set_aside(&mut self, number: u64, body: &str, error: &RemoteError) {
        self.status.refused.fetch_add(1, Ordering::Relaxed);
        let kept = match self.keep(body) {
            Ok(()) => format!("it is kept in {}", self.refused.display()),
            Err(err) => format!("it is lost, since {} {err}", self.refused.display()),
        };
        self.listener.warn(&format!(
            "{} refuses a message, {kept}: {error}",
            self.address
        ));
        self.clerk.arrived([number]);
    }

    fn keep(&self, body: &str) -> io::Result<()> {
        if fs::metadata(&self.refused).is_ok_and(|file| file.len() > MOST_REFUSED) {
            fs::rename(&self.refused, self.refused.with_extension("jsonl.1"))?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.refused)?;
        file.write_all(format!("{body}\n").as_bytes())?;
        // The outbox forgets it next.
        file.sync_data()?;
        sync_directory(&self.refused)
    }

    fn wait(&mut self, error: RemoteError) {
        let held = self.good_since.take().map(|since| since.elapsed());
        let wait = match error {
            RemoteError::Busy(Some(wait)) => wait,
            _ => {
                let held = held.unwrap_or_default().as_nanos();
                self.backoff.lost(i64::try_from(held).unwrap_or(i64::MAX))
            }
        };
        self.due = Instant::now() + Duration::from_nanos(u64::try_from(wait).unwrap_or(0));
        let before = self.trouble.as_ref();
        if !before.is_some_and(|before| before.is_like(&error)) {
            self.listener.warn(&format!(
                "{} takes no message, which are kept on disk and posted again: {error}",
                self.address
            ));
        }
        self.trouble = Some(error);
    }

    fn tell(&mut self) {
        for sentence in self.clerk.news() {
            self.listener.warn(&sentence);
        }
        let count = |to: &AtomicU64, value| to.store(value, Ordering::Relaxed);
        count(&self.status.waiting, self.clerk.waiting());
        count(&self.status.dropped, self.clerk.dropped());
    }
}
