//! The thread that talks to the broker: fills the outbox, sends what waits in it, oldest first, and
//! forgets what the broker has acknowledged. A lost connection is tried again with growing waits,
//! and what was on its way is sent again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use evr_core::{backoff::Backoff, message::Template, time::Nanos};

use super::settings::{Plan, SettingsError};
use crate::{
    mqtt::{
        config::Config,
        link::{Link, News, Presence, WINDOW},
    },
    outbound::{
        clerk::{Clerk, Desk},
        intake::Intake,
        teller,
    },
};

/// How often the pads' and the journal's news are looked for.
const TICK: Duration = Duration::from_millis(20);
/// How long good-bye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the thread tells the element, from its own thread.
pub(super) trait Listener: Send + 'static {
    /// A sentence for the user about something wrong.
    fn warn(&self, sentence: &str);
    /// The broker is there, or not, and why.
    fn connected(&self, broker: &str, up: Result<(), &str>);
}

/// What others may look at while it runs.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) connected: AtomicBool,
    pub(super) stored: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) delivered: AtomicU64,
    stop: AtomicBool,
}

/// The thread's other end.
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
            format: plan.format,
        };
        let presence = Presence {
            topic: plan.topic.fill(&plan.source, "available"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let post = Post {
            clerk: Clerk::new(&desk, intake)?,
            config: plan.config,
            topic: plan.topic,
            presence,
            status: status.clone(),
            listener,
            drain_time: plan.drain_time,
            drain_until: None,
            told: None,
        };
        let thread = std::thread::Builder::new()
            .name("evr-mqtt".into())
            .spawn(move || {
                runtime.block_on(post.run());
                // A name may still be being looked up.
                runtime.shutdown_background();
            })?;
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

/// The messages of one connection that are on their way.
#[derive(Default)]
struct Way {
    /// The last that was given to the connection.
    last: u64,
    /// Given to it, but not sent; 0 is none of the outbox's.
    given: VecDeque<u64>,
    /// Sent under a number of the connection's.
    sent: HashMap<u16, u64>,
}

/// How a connection has ended.
enum End {
    /// By us.
    Stopped,
    /// After so long, and why.
    Lost(Duration, String),
}

struct Post<L> {
    clerk: Clerk,
    config: Config,
    topic: Template,
    presence: Presence,
    status: Arc<Status>,
    listener: L,
    drain_time: Duration,
    /// Set once we stop.
    drain_until: Option<Instant>,
    /// What was last said of the broker.
    told: Option<bool>,
}

impl<L: Listener> Post<L> {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            match self.connection().await {
                End::Stopped => break,
                End::Lost(held, why) => {
                    self.tell(Err(&why));
                    let held = Nanos::try_from(held.as_nanos()).unwrap_or(Nanos::MAX);
                    let wait = Duration::from_nanos(backoff.lost(held).unsigned_abs());
                    if self.wait(wait).await {
                        break;
                    }
                }
            }
        }
        self.work();
    }

    /// Goes on filling the outbox; `true` where the time to send is over.
    async fn wait(&mut self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            self.work();
            if self.is_over() {
                return true;
            }
            tokio::time::sleep(TICK).await;
        }
        false
    }

    /// One connection, from its attempt to its end.
    async fn connection(&mut self) -> End {
        let mut link = Link::open(&self.config, Some(&self.presence));
        let mut up: Option<Instant> = None;
        let mut way = Way::default();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                news = link.next() => match news {
                    News::Up => {
                        up = Some(Instant::now());
                        self.tell(Ok(()));
                        if link.publish(&self.presence.topic, Presence::ONLINE, true) {
                            way.given.push_back(0);
                        }
                    }
                    News::Sent(number) => {
                        if let Some(record) = way.given.pop_front() {
                            way.sent.insert(number, record);
                        }
                    }
                    News::Acked(number, refused) => self.acked(way.sent.remove(&number), refused),
                    News::Down(why) => {
                        let held = up.map(|since| since.elapsed()).unwrap_or_default();
                        return End::Lost(held, why);
                    }
                    News::Message { .. } | News::Subscribed(_) => {}
                },
                _ = tick.tick() => self.work(),
            }
            if up.is_some() {
                self.send(&link, &mut way);
            }
            if self.is_over() {
                if up.is_some() {
                    farewell(&mut link, &self.presence).await;
                }
                return End::Stopped;
            }
        }
    }

    /// Gives the connection what waits, as far as its window goes.
    fn send(&mut self, link: &Link, way: &mut Way) {
        while way.given.len() + way.sent.len() < WINDOW {
            let Some((number, letter)) = self.clerk.after(way.last) else {
                return;
            };
            let topic = self.topic.fill(&letter.source, &letter.kind);
            if !link.publish(&topic, &letter.body, letter.retain) {
                return;
            }
            way.last = number;
            way.given.push_back(number);
        }
    }

    fn acked(&mut self, record: Option<u64>, refused: Option<String>) {
        if let Some(why) = refused {
            self.listener.warn(&format!(
                "the broker refuses a message for good ({why}), which is dropped: see what it lets us publish"
            ));
        } else if record.is_some_and(|record| record > 0) {
            self.status.delivered.fetch_add(1, Ordering::Relaxed);
        }
        self.clerk.arrived(record);
        self.look();
    }

    /// Puts what has happened on disk.
    fn work(&mut self) {
        self.clerk.work();
        for sentence in self.clerk.news() {
            self.listener.warn(&sentence);
        }
        self.look();
    }

    fn look(&self) {
        let Status {
            stored,
            waiting,
            dropped,
            ..
        } = &*self.status;
        stored.store(self.clerk.stored(), Ordering::Relaxed);
        waiting.store(self.clerk.waiting(), Ordering::Relaxed);
        dropped.store(self.clerk.dropped(), Ordering::Relaxed);
    }

    /// Whether we stop and there is nothing left to send, or no time.
    fn is_over(&mut self) -> bool {
        if !self.status.stop.load(Ordering::Acquire) {
            return false;
        }
        let until = match self.drain_until {
            Some(until) => until,
            None => {
                // What came last may not have been looked at.
                self.work();
                *self.drain_until.insert(Instant::now() + self.drain_time)
            }
        };
        // A broker that is not there now will not be there in a moment.
        let in_vain = self.told == Some(false) || Instant::now() >= until;
        self.clerk.waiting() == 0 || in_vain
    }

    /// Says once that the broker is there, or not.
    fn tell(&mut self, up: Result<(), &str>) {
        self.status.connected.store(up.is_ok(), Ordering::Relaxed);
        if self.told.replace(up.is_ok()) != Some(up.is_ok()) {
            self.listener
                .connected(&format!("{:?}", self.config.broker), up);
        }
    }
}

/// Says that we go, so that nobody takes us for lost.
async fn farewell(link: &mut Link, presence: &Presence) {
    link.publish(&presence.topic, Presence::OFFLINE, true);
    link.close();
    let closed = async { while !matches!(link.next().await, News::Down(_)) {} };
    // A broker that does not listen learns it by our absence.
    let _ = tokio::time::timeout(FAREWELL, closed).await;
}
