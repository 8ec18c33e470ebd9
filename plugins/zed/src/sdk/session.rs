//! A camera on a thread of its own: frames come out one by one, settings go in, and a camera that
//! goes is waited for.
//!
//! Belongs here: the thread, what it hands over, and recovery. A live camera's frames never pile
//! up: who fetches slowly gets the newest, and the SDK is grabbed at its own pace. A file's frames
//! wait for whoever fetches them, unless it is paced in real time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::camera::{Camera, Info, Opened};
use super::code::Code;
use super::error::SdkError;
use super::frame::Frame;
use super::library::Sdk;
use super::options::Options;
use crate::control::{Control, Controls};

/// What comes out of a session, in order.
#[derive(Debug)]
pub enum Event {
    Frame(Box<Frame>),
    /// Something that should be told and stops nothing.
    Warning(String),
    /// The camera has gone; frames go on if it comes back.
    Lost(String),
    /// It is back, perhaps as another than it was.
    Back(Info),
    /// The file has ended.
    End,
}

/// What is asked of a running session.
#[derive(Debug)]
enum Order {
    Set(Control),
    Record(PathBuf, i32),
    StopRecording,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    orders: VecDeque<Order>,
    failure: Option<SdkError>,
    /// The thread is to end.
    stopping: bool,
    /// Frames that were replaced by newer ones before anyone fetched them.
    replaced: u64,
    recording: bool,
    /// For a camera that comes back.
    controls: Controls,
    /// The thread has ended.
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        most: Duration,
    ) -> MutexGuard<'a, Waiting> {
        let woken = self.changed.wait_timeout(waiting, most);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    fn tell(&self, event: Event) {
        self.lock().events.push_back(event);
        self.changed.notify_all();
    }
}

/// How long the end of a grab is waited for when a session ends. A grab that hangs keeps its thread.
const LAST_GRAB: Duration = Duration::from_secs(5);
/// How long a wait goes on before it looks whether it is interrupted.
const PIECE: Duration = Duration::from_millis(50);

/// A camera that runs until dropped.
pub struct Session {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    info: Info,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Opens the camera, which may take as long as the options' timeout.
    ///
    /// # Errors
    ///
    /// What the SDK says against it, in words.
    pub fn open(sdk: &Arc<Sdk>, options: Options) -> Result<Self, SdkError> {
        let shared = Arc::new(Shared::default());
        let (say, said) = mpsc::sync_channel(1);
        let run = {
            let (shared, sdk) = (Arc::clone(&shared), Arc::clone(sdk));
            move || {
                let ended = Ended(Arc::clone(&shared));
                Grabber {
                    sdk,
                    options,
                    shared,
                }
                .run(&say);
                drop(ended);
            }
        };
        let thread = thread::Builder::new().name("zed-sdk".into()).spawn(run);
        let thread = thread.map_err(|err| SdkError::Thread {
            cause: err.to_string(),
        })?;
        let info = said.recv().map_err(|_| SdkError::Died)??;
        Ok(Self {
            shared,
            thread: Some(thread),
            info,
        })
    }

    /// The camera as it was opened.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Waits for what comes next; nothing once `interrupted` is set.
    ///
    /// # Errors
    ///
    /// When the camera has failed, or has gone and not come back.
    pub fn next(&self, interrupted: &AtomicBool) -> Result<Option<Event>, SdkError> {
        let mut waiting = self.shared.lock();
        loop {
            if interrupted.load(Ordering::Acquire) {
                return Ok(None);
            }
            if let Some(event) = waiting.events.pop_front() {
                self.shared.changed.notify_all();
                return Ok(Some(event));
            }
            if let Some(failure) = waiting.failure.take() {
                return Err(failure);
            }
            if waiting.ended {
                return Err(SdkError::Died);
            }
            waiting = self.shared.wait(waiting, PIECE);
        }
    }

    /// Changes a setting before the next frame; a warning comes if the camera refuses.
    pub fn set(&self, control: Control) {
        self.shared.lock().controls.set(control);
        self.order(Order::Set(control));
    }

    /// Records into an SVO file from the next frame on, unless it is being written already; a
    /// warning comes if that fails.
    pub fn record(&self, file: PathBuf, compression: i32) {
        self.order(Order::Record(file, compression));
    }

    pub fn stop_recording(&self) {
        self.order(Order::StopRecording);
    }

    /// Whether an SVO file is being written.
    pub fn is_recording(&self) -> bool {
        self.shared.lock().recording
    }

    /// Frames that nobody fetched in time.
    pub fn replaced(&self) -> u64 {
        self.shared.lock().replaced
    }

    fn order(&self, order: Order) {
        self.shared.lock().orders.push_back(order);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        waiting.stopping = true;
        self.shared.changed.notify_all();
        let until = Instant::now() + LAST_GRAB;
        while !waiting.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // A grab hangs in the SDK. Waiting on would hang the application too.
                return;
            }
            waiting = self.shared.wait(waiting, left);
        }
        drop(waiting);
        if let Some(thread) = self.thread.take() {
            // It only has to return; had it panicked, it would have ended as well.
            let _ = thread.join();
        }
    }
}

/// Says that the thread has ended, however it ended.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

/// What runs on the thread.
struct Grabber {
    sdk: Arc<Sdk>,
    options: Options,
    shared: Arc<Shared>,
}

/// How grabbing from an opened camera ended.
enum Outcome {
    Stopped,
    /// The camera is gone.
    Lost(Code),
}

impl Grabber {
    fn run(self, say: &SyncSender<Result<Info, SdkError>>) {
        let mut camera = match Camera::open(&self.sdk, &self.options) {
            Ok(opened) => self.opened(opened),
            Err(err) => {
                // Nobody listens any more only if whoever opened it is gone.
                let _ = say.send(Err(err));
                return;
            }
        };
        if say.send(Ok(camera.info())).is_err() {
            return;
        }
        loop {
            match self.grab(&mut camera) {
                Ok(Outcome::Stopped) => return,
                Ok(Outcome::Lost(code)) => {
                    let what = self.options.input.words();
                    if camera.is_recording() {
                        self.shared.lock().recording = false;
                        let text = "SVO recording ended, since the camera has gone".to_owned();
                        self.shared.tell(Event::Warning(text));
                    }
                    drop(camera);
                    self.shared.tell(Event::Lost(format!(
                        "{what} has gone: {code}; {}",
                        code.cure()
                    )));
                    match self.reopen(code) {
                        Ok(Some(again)) => {
                            camera = again;
                            self.repeat_controls();
                        }
                        Ok(None) => return,
                        Err(err) => return self.fail(err),
                    }
                    self.shared.tell(Event::Back(camera.info()));
                }
                Err(err) => return self.fail(err),
            }
        }
    }

    /// A camera that comes back has forgotten what it was told.
    fn repeat_controls(&self) {
        let mut waiting = self.shared.lock();
        let held: Vec<Order> = waiting.controls.iter().map(Order::Set).collect();
        waiting
            .orders
            .retain(|order| !matches!(order, Order::Set(_)));
        waiting.orders.extend(held);
    }

    fn fail(&self, err: SdkError) {
        self.shared.lock().failure = Some(err);
        self.shared.changed.notify_all();
    }

    fn opened(&self, opened: Opened) -> Camera {
        for warning in opened.warnings {
            self.shared.tell(Event::Warning(warning));
        }
        opened.camera
    }

    /// Grabs until told to stop, or until the camera goes.
    fn grab(&self, camera: &mut Camera) -> Result<Outcome, SdkError> {
        let mut rebooting = false;
        loop {
            if !self.obey(camera) {
                return Ok(Outcome::Stopped);
            }
            let code = camera.grab();
            match code {
                Code::END_OF_SVO => {
                    self.shared.tell(Event::End);
                    return Ok(Outcome::Stopped);
                }
                // The SDK looks for the camera itself and says so with every grab.
                Code::REBOOTING => {
                    if !std::mem::replace(&mut rebooting, true) {
                        let what = self.options.input.words();
                        self.shared
                            .tell(Event::Lost(format!("{what} has gone: {code}")));
                    }
                    if !self.pause(Duration::from_millis(10)) {
                        return Ok(Outcome::Stopped);
                    }
                    continue;
                }
                code if code.is_lost() && self.options.input.is_live() => {
                    return Ok(Outcome::Lost(code));
                }
                code if code.is_error() => {
                    return Err(SdkError::Call {
                        what: "grabbing a frame",
                        code,
                    });
                }
                _ => {}
            }
            if std::mem::take(&mut rebooting) {
                self.shared.tell(Event::Back(camera.info()));
            }
            let (frame, warnings) = camera.retrieve(code)?;
            for warning in warnings {
                self.shared.tell(Event::Warning(warning));
            }
            if !self.hand_over(frame) {
                return Ok(Outcome::Stopped);
            }
        }
    }

    /// Carries out what was asked meanwhile; false when the thread is to end.
    fn obey(&self, camera: &mut Camera) -> bool {
        loop {
            let mut waiting = self.shared.lock();
            if waiting.stopping {
                return false;
            }
            let Some(order) = waiting.orders.pop_front() else {
                return true;
            };
            drop(waiting);
            let refused = match order {
                Order::Set(control) => {
                    let code = camera.set(control);
                    code.is_error()
                        .then(|| format!("the camera refused {control:?}: {code}"))
                }
                Order::Record(file, compression) => camera
                    .record(&file, compression)
                    .err()
                    .map(|err| err.to_string()),
                Order::StopRecording => {
                    camera.stop_recording();
                    None
                }
            };
            self.shared.lock().recording = camera.is_recording();
            if let Some(text) = refused {
                self.shared.tell(Event::Warning(text));
            }
        }
    }

    /// Waits; false when the thread is to end.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut waiting = self.shared.lock();
        loop {
            if waiting.stopping {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            waiting = self.shared.wait(waiting, left.min(PIECE));
        }
    }

    /// Lets a frame be fetched; false when the thread is to end.
    fn hand_over(&self, mut frame: Frame) -> bool {
        let paced = self.options.input.is_live() || self.options.svo_real_time;
        let held = |waiting: &Waiting| {
            let is_frame = |event: &Event| matches!(event, Event::Frame(_));
            waiting.events.iter().position(is_frame)
        };
        let mut waiting = self.shared.lock();
        while let Some(at) = held(&waiting) {
            if waiting.stopping {
                return false;
            }
            if paced {
                waiting.events.remove(at);
                waiting.replaced += 1;
            } else {
                waiting = self.shared.wait(waiting, PIECE);
            }
        }
        frame.lost = waiting.replaced + u64::from(frame.dropped);
        waiting.events.push_back(Event::Frame(Box::new(frame)));
        drop(waiting);
        self.shared.changed.notify_all();
        true
    }

    /// Opens the camera again as soon as it is there; nothing when the thread is to end.
    fn reopen(&self, code: Code) -> Result<Option<Camera>, SdkError> {
        let since = Instant::now();
        loop {
            if !self.pause(self.options.reconnect_interval) {
                return Ok(None);
            }
            match Camera::open(&self.sdk, &self.options) {
                Ok(opened) => return Ok(Some(self.opened(opened))),
                Err(SdkError::Open { code, .. }) if code.is_lost() || code == Code::REBOOTING => {}
                // Anything else will not get better by waiting.
                Err(err) => return Err(err),
            }
            if since.elapsed() >= self.options.reconnect_timeout {
                return Err(SdkError::Gone {
                    what: self.options.input.words(),
                    code,
                    seconds: self.options.reconnect_timeout.as_secs(),
                });
            }
        }
    }
}
