//! Retention's thread: looks once at what lies on disk, hears of each recording that is finished,
//! and removes what has to go. Nothing that it does holds up media or a recording.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use evr_core::recording::retention::{Fate, Limits, Removal, Retention};

use super::shelf::Shelf;
use crate::bridge::time::utc_now;

/// How often age and free space are looked at when no recording ends.
const TICK: Duration = Duration::from_secs(60);
/// How often the directory is read again: users remove, add and protect recordings by hand.
const RESCAN: Duration = Duration::from_secs(3600);
/// How long stopping waits for what is still to be removed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the thread tells the element, from its own thread.
pub(super) trait Listener: Send + 'static {
    /// A recording was removed.
    fn removed(&self, stem: &str);
    /// A sentence for the user.
    fn warn(&self, sentence: &str);
}

enum Told {
    /// A recording lies under this stem.
    Finished(String),
    /// The disk may be fuller than before.
    Look,
}

/// The thread's other end; without it the thread finishes what it was told and ends.
pub(super) struct Keeper {
    tell: Sender<Told>,
    ended: Receiver<()>,
    hurry: Arc<AtomicBool>,
}

impl Keeper {
    pub(super) fn start(
        shelf: Shelf,
        limits: Limits,
        listener: impl Listener,
    ) -> std::io::Result<Self> {
        let ((tell, told), (end, ended)) = (channel(), channel());
        let hurry = Arc::new(AtomicBool::new(false));
        let hurried = hurry.clone();
        std::thread::Builder::new()
            .name("evr-retention".into())
            .spawn(move || {
                let mut work = Work {
                    shelf,
                    limits,
                    retention: Retention::new(limits),
                    hurry: hurried,
                    listener,
                    short: false,
                };
                work.run(&told);
                drop(end);
            })?;
        Ok(Self { tell, ended, hurry })
    }

    /// A recording is on disk; `sidecar` is its sidecar's path.
    pub(super) fn finished(&self, sidecar: &str) {
        let stem = sidecar.strip_suffix(".json").unwrap_or(sidecar);
        // It listens for as long as we exist.
        let _ = self.tell.send(Told::Finished(stem.into()));
    }

    /// A recording begins, or has failed.
    pub(super) fn look(&self) {
        let _ = self.tell.send(Told::Look);
    }

    /// Waits, but not for ever, until what was told is done.
    pub(super) fn stop(self) {
        drop(self.tell);
        // Nothing is ever sent: the other end is dropped.
        if self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            self.hurry.store(true, Ordering::Relaxed);
        }
    }
}

struct Work<L> {
    shelf: Shelf,
    limits: Limits,
    retention: Retention,
    hurry: Arc<AtomicBool>,
    listener: L,
    /// It was said that the disk is too full and nothing is left to remove.
    short: bool,
}

impl<L: Listener> Work<L> {
    fn run(&mut self, told: &Receiver<Told>) {
        self.scan();
        let mut scanned = Instant::now();
        loop {
            self.enforce();
            match told.recv_timeout(TICK) {
                Ok(first) => {
                    for told in std::iter::once(first).chain(told.try_iter()) {
                        self.hear(&told);
                    }
                }
                Err(RecvTimeoutError::Timeout) if scanned.elapsed() >= RESCAN => {
                    self.scan();
                    scanned = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn hear(&mut self, told: &Told) {
        if let Told::Finished(stem) = told
            && let Some(found) = self.shelf.find(stem)
        {
            self.retention.add(&found.stem, found.finished, found.bytes);
        }
    }

    fn scan(&mut self) {
        let mut retention = Retention::new(self.limits);
        let go_on = || !self.hurry.load(Ordering::Relaxed);
        let scanned = self.shelf.scan(&go_on, &mut |found| {
            retention.add(&found.stem, found.finished, found.bytes);
        });
        self.retention = retention;
        if let Err(err) = scanned {
            self.listener.warn(&format!(
                "the recordings in {} cannot be listed ({err}), so those that were not found stay: \
                 make the directory readable",
                self.shelf.directory.display()
            ));
        }
    }

    /// Removes until every limit holds.
    fn enforce(&mut self) {
        let free = (self.limits.min_free_bytes > 0)
            .then(|| rustix::fs::statvfs(&self.shelf.directory).ok())
            .flatten()
            .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if let Some(free) = free {
            self.retention.free(free);
        }
        let mut removed = false;
        while let Some(Removal { name, .. }) = self.retention.poll(utc_now()) {
            if self.hurry.load(Ordering::Relaxed) {
                return;
            }
            let fate = self.shelf.remove(&name).unwrap_or_else(|err| {
                self.listener.warn(&format!(
                    "the old recording {name} cannot be removed ({err}): remove it yourself, or see \
                     that its directory is writable"
                ));
                Fate::Stays
            });
            self.retention.done(&name, fate);
            if fate == Fate::Removed {
                removed = true;
                self.listener.removed(&name);
            }
        }
        let short = !removed && free.is_some_and(|free| free < self.limits.min_free_bytes);
        if short && !self.short {
            self.listener.warn(&format!(
                "the disk of {} has less left than min-free-bytes asks ({}), and no recording is \
                 left that may go: free it by other means",
                self.shelf.directory.display(),
                self.limits.min_free_bytes
            ));
        }
        self.short = short;
    }
}
