//! From the streaming threads to the one that writes to disk: a queue with a bound, whose full
//! state a streaming thread waits out for a moment, since it waits for a disk and no network, and
//! then loses what it brought.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use evr_core::message::Fact;

/// Facts that wait for the disk.
const MAX_FACTS: usize = 1024;
/// How long a streaming thread waits while as many wait.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Queue {
    facts: VecDeque<Fact>,
    lost: u64,
    /// Nobody waits for room any more.
    hurry: bool,
}

/// The queue.
#[derive(Default)]
pub(crate) struct Intake {
    queue: Mutex<Queue>,
    room: Condvar,
}

impl Intake {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a fact; `false` where it is lost.
    pub(crate) fn push(&self, fact: Fact) -> bool {
        let patience = Instant::now() + PATIENCE;
        let mut queue = self.queue();
        while queue.facts.len() >= MAX_FACTS {
            let left = patience.saturating_duration_since(Instant::now());
            if left.is_zero() || queue.hurry {
                queue.lost += 1;
                return false;
            }
            let waited = self.room.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.facts.push_back(fact);
        true
    }

    /// Everything that waits, oldest first.
    pub(crate) fn take(&self) -> VecDeque<Fact> {
        let facts = std::mem::take(&mut self.queue().facts);
        self.room.notify_all();
        facts
    }

    /// Facts that found no room.
    pub(crate) fn lost(&self) -> u64 {
        self.queue().lost
    }

    /// Whether streaming threads may wait.
    pub(crate) fn hurry(&self, hurry: bool) {
        self.queue().hurry = hurry;
        self.room.notify_all();
    }
}
