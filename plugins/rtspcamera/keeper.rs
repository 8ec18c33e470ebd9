//! The thread that keeps a session going: it begins the first, hears how each ends, and begins the
//! next.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evr_core::backoff::Backoff;
use evr_core::camera::News;
use evr_core::time::Nanos;
use gst::prelude::*;

use super::session::{Event, Plan, Session, Time};
use super::streams::Streams;

/// How often it looks whether anything comes, and says that nothing does.
const TICK: Duration = Duration::from_millis(500);

/// What the thread is told.
enum Command {
    Play(Time),
    Pause,
    Eos(gst::Seqnum),
    Stop,
    /// In the session of that number.
    Heard(u64, Event),
}

/// The element, as the thread sees it.
pub(super) trait Listener: Send + 'static {
    /// For applications.
    fn tell(&self, news: &News);
    /// A sentence for the user; the thread goes on.
    fn warn(&self, sentence: &str);
    /// Nothing more will be told, since the stream ends.
    fn end(&self, seqnum: gst::Seqnum);
    /// Downstream has failed, which no other session mends.
    fn fail(&self, flow: gst::FlowError);
}

/// The thread's other end.
pub(super) struct Keeper {
    commands: Sender<Command>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(
        plan: Plan,
        streams: Arc<Streams>,
        listener: impl Listener,
    ) -> std::io::Result<Self> {
        let (commands, heard) = channel();
        let watch = Watch {
            plan,
            streams,
            listener,
            commands: commands.clone(),
            time: None,
            session: None,
            count: 0,
            backoff: Backoff::default(),
            retry: Instant::now(),
            told: None,
        };
        let thread = std::thread::Builder::new()
            .name("evr-rtspcamera".into())
            .spawn(move || watch.run(&heard))?;
        Ok(Self { commands, thread })
    }

    pub(super) fn play(&self, time: Time) {
        self.send(Command::Play(time));
    }

    pub(super) fn pause(&self) {
        self.send(Command::Pause);
    }

    pub(super) fn eos(&self, seqnum: gst::Seqnum) {
        self.send(Command::Eos(seqnum));
    }

    /// Hangs up, and waits until that is done. The pads must not hold up what is being pushed.
    pub(super) fn stop(self) {
        self.send(Command::Stop);
        // It ends without a value, and never by a panic.
        let _ = self.thread.join();
    }

    fn send(&self, command: Command) {
        // The thread lives until it is told to stop.
        let _ = self.commands.send(command);
    }
}

struct Watch<L> {
    plan: Plan,
    streams: Arc<Streams>,
    listener: L,
    /// For sessions to speak to.
    commands: Sender<Command>,
    /// While the pipeline plays.
    time: Option<Time>,
    session: Option<Running>,
    /// Sessions so far.
    count: u64,
    backoff: Backoff,
    /// When the next session may begin.
    retry: Instant,
    /// What the user was told last, as long as nothing has come since.
    told: Option<String>,
}

struct Running {
    session: Session,
    began: Instant,
    /// Buffers that had come when it was last looked at, and when that was first so.
    arrived: (u64, Instant),
    /// It has told what it will send.
    described: bool,
    /// The status code with which the camera refused it.
    refused: Option<u16>,
}

impl<L: Listener> Watch<L> {
    fn run(mut self, heard: &Receiver<Command>) {
        loop {
            let command = match self.time {
                Some(_) => heard.recv_timeout(TICK),
                None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match command {
                Ok(Command::Play(time)) => {
                    self.time = Some(time);
                    self.retry = Instant::now();
                }
                Ok(Command::Pause) => self.rest(),
                Ok(Command::Eos(seqnum)) => {
                    self.rest();
                    self.streams.eos(seqnum);
                    self.listener.end(seqnum);
                }
                Ok(Command::Heard(n, event)) if n == self.count => self.hear(event),
                Ok(Command::Heard(..)) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look();
        }
    }

    fn rest(&mut self) {
        (self.session, self.time) = (None, None);
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::News(news) => {
                match (&news, &mut self.session) {
                    (News::Connected { .. }, Some(running)) => running.described = true,
                    (News::Refused { code }, Some(running)) => running.refused = Some(*code),
                    (News::Unsupported { media, encoding }, _) => {
                        let media = media.as_str();
                        self.listener.warn(&format!(
                            "the camera's {media} is {encoding}, which is not taken: set another \
                             encoding in the camera, such as H264 and AAC"
                        ));
                    }
                    _ => {}
                }
                self.listener.tell(&news);
            }
            Event::Over(reason) => self.lose(reason),
            Event::Stopped(gst::FlowError::Flushing) => {}
            Event::Stopped(flow) => {
                self.rest();
                if flow != gst::FlowError::Eos {
                    self.listener.fail(flow);
                }
            }
        }
    }

    /// Begins a session where one is due, and ends one in which nothing comes.
    fn look(&mut self) {
        let Some(time) = &self.time else {
            return;
        };
        let now = Instant::now();
        let timeout = Duration::from_nanos(self.plan.timeout.nseconds());
        let Some(running) = &mut self.session else {
            self.streams.gap(time.settled(self.plan.latency));
            if now >= self.retry {
                self.begin();
            }
            return;
        };
        let arrived = running.session.arrived();
        if arrived != running.arrived.0 {
            running.arrived = (arrived, now);
            self.told = None;
        } else if now - running.arrived.1 >= timeout {
            let reason = format!("nothing has come for {} s", timeout.as_secs_f32());
            self.lose(reason);
        } else if arrived == 0 {
            self.streams.gap(time.settled(self.plan.latency));
        }
    }

    fn begin(&mut self) {
        let Some(time) = &self.time else {
            return;
        };
        self.count += 1;
        let (n, commands) = (self.count, self.commands.clone());
        let events = move |event| {
            // Nobody hears it only when the element is being taken down.
            let _ = commands.send(Command::Heard(n, event));
        };
        match Session::begin(&self.plan, time, &self.streams, events) {
            Ok(session) => {
                let began = Instant::now();
                self.session = Some(Running {
                    session,
                    began,
                    arrived: (0, began),
                    described: false,
                    refused: None,
                });
            }
            Err(err) => self.lose(format!("its session cannot be built here: {err}")),
        }
    }

    /// The session is over, or could not even begin.
    fn lose(&mut self, reason: String) {
        let running = self.session.take();
        let held = running
            .as_ref()
            .filter(|running| running.arrived.0 > 0 || running.session.arrived() > 0)
            .map_or(Duration::ZERO, |running| running.began.elapsed());
        let wait = self
            .backoff
            .lost(Nanos::try_from(held.as_nanos()).unwrap_or(Nanos::MAX));
        let wait = Duration::from_nanos(wait.unsigned_abs());
        let refused = running.as_ref().and_then(|running| running.refused);
        let described = running.as_ref().is_some_and(|running| running.described);
        // Hangs up; whatever holds that up holds up only this thread.
        drop(running);
        self.retry = Instant::now() + wait;
        if described {
            self.listener.tell(&News::Lost {
                reason: reason.clone(),
            });
        }
        let cure = match refused {
            Some(401 | 403) => "check user-id and user-pw",
            Some(404) => "check the path in location",
            _ => "check that it is on and can be reached",
        };
        if self.told.as_ref() != Some(&reason) {
            let location = &self.plan.address.location;
            self.listener.warn(&format!(
                "{location} is not there ({reason}): {cure}; it is tried again until it comes back"
            ));
            self.told = Some(reason);
        }
    }
}

impl Time {
    /// The running time up to which everything would have come by now.
    fn settled(&self, latency: u32) -> gst::ClockTime {
        let now = self.clock.time().saturating_sub(self.base);
        now.saturating_sub(gst::ClockTime::from_mseconds(latency.into()))
    }
}
