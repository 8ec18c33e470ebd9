//! The sensors' controller, read on a thread of its own, since it speaks 400 times a second.
//!
//! Belongs here: starting it, keeping it talking, and the newest of each value. What a packet says
//! is `hid`'s.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::device::Node;
use super::hid::{self, Environment, Imu};

/// How often the thread looks whether it is to end.
const PIECE: Duration = Duration::from_millis(100);

/// The newest of each value, all uncalibrated.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Readings {
    pub imu: Option<Imu>,
    /// Microteslas.
    pub magnetic_field: Option<[f32; 3]>,
    pub environment: Option<Environment>,
    /// Degrees Celsius beside the left and the right image sensor.
    pub camera_temperature: [Option<f32>; 2],
    /// Reports read so far.
    pub reports: u64,
}

impl Readings {
    fn take_over(&mut self, report: hid::Report) {
        self.imu = report.imu.or(self.imu);
        self.magnetic_field = report.magnetic_field.or(self.magnetic_field);
        self.environment = report.environment.or(self.environment);
        for (held, new) in self
            .camera_temperature
            .iter_mut()
            .zip(report.camera_temperature)
        {
            *held = new.or(*held);
        }
        self.reports += 1;
    }
}

#[derive(Default)]
struct Shared {
    newest: Mutex<Readings>,
    stop: AtomicBool,
}

impl Shared {
    fn newest(&self) -> MutexGuard<'_, Readings> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads until dropped.
pub struct Sensors {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Sensors {
    /// Starts the controller at `path`, whose firmware is `firmware`.
    pub fn open(path: &Path, firmware: u16) -> io::Result<Self> {
        let node = Node::open(path)?;
        node.feature(hid::START)?;
        let shared = Arc::new(Shared::default());
        let reader = Arc::clone(&shared);
        let run = move || {
            // Reading ends with the device; what was read last stays.
            let _ = read(&node, &reader, firmware);
            let _ = node.feature(hid::STOP);
        };
        let thread = thread::Builder::new()
            .name("zed-sensors".into())
            .spawn(run)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub fn newest(&self) -> Readings {
        *self.shared.newest()
    }
}

impl Drop for Sensors {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It only has to return; had it panicked, it would have ended as well.
            let _ = thread.join();
        }
    }
}

fn read(node: &Node, shared: &Shared, firmware: u16) -> io::Result<()> {
    let mut bytes = [0; 64];
    let mut since = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        if !node.wait(PIECE)? {
            continue;
        }
        let length = match node.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => continue,
            Err(err) => return Err(err),
        };
        if let Some(report) = hid::parse(&bytes[..length], firmware) {
            shared.newest().take_over(report);
        }
        since += 1;
        if since == hid::KEEP_ALIVE_EVERY {
            since = 0;
            node.feature(hid::KEEP_ALIVE)?;
        }
    }
    Ok(())
}
