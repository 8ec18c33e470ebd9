//! What can be set, and what must hold before anything runs.

use std::path::PathBuf;
use std::time::Duration;

use evr_core::outbox::Limits;

use crate::outbound::store::StoreError;
use crate::remote::http::{Access, AccessError, Client};

/// What a receiver answers is of no interest beyond its reason.
const MOST_REPLY: usize = 64 << 10;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) source_id: String,
    pub(super) epoch: i64,
    pub(super) journal: Option<String>,
    pub(super) outbox: String,
    pub(super) max_bytes: u64,
    pub(super) max_messages: u64,
    pub(super) drain_time: gst::ClockTime,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access: Access::default(),
            source_id: "camera".into(),
            epoch: -1,
            journal: None,
            outbox: "outbox/webhook".into(),
            max_bytes: 64 << 20,
            max_messages: 100_000,
            drain_time: gst::ClockTime::from_seconds(5),
        }
    }
}

/// Why the element cannot start. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the threads that post cannot be started ({0}): end other programs or allow more threads"
    )]
    Thread(#[from] std::io::Error),
}

/// What runs with it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) client: Client,
    /// Where it posts to, as others may read it.
    pub(super) address: String,
    pub(super) journal: Option<PathBuf>,
    pub(super) outbox: PathBuf,
    pub(super) limits: Limits,
    pub(super) drain_time: Duration,
}

impl Settings {
    pub(super) fn plan(&self) -> Result<Plan, SettingsError> {
        let journal = self.journal.as_deref().filter(|path| !path.is_empty());
        Ok(Plan {
            client: self.access.client(MOST_REPLY)?,
            address: self.access.shown().unwrap_or_default(),
            journal: journal.map(PathBuf::from),
            outbox: PathBuf::from(&self.outbox),
            limits: Limits {
                max_bytes: self.max_bytes,
                max_records: self.max_messages,
            },
            drain_time: self.drain_time.into(),
        })
    }
}
