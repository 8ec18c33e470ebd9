//! What can be set, and what must hold before anything runs.

use std::{path::PathBuf, time::Duration};

use evr_core::{
    message::{Format, Template, TopicError},
    outbox::Limits,
};

use super::MessageFormat;
use crate::{
    mqtt::config::{Access, AccessError, Config},
    outbound::store::StoreError,
};

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) topic: Option<String>,
    pub(super) format: MessageFormat,
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
            topic: None,
            format: MessageFormat::default(),
            source_id: "camera".into(),
            epoch: -1,
            journal: None,
            outbox: "outbox/mqtt".into(),
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
    Topic(#[from] TopicError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the thread that talks to the broker cannot be started ({0}): end other programs or allow more threads"
    )]
    Thread(#[from] std::io::Error),
}

/// What runs with it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) topic: Template,
    pub(super) format: Format,
    pub(super) source: String,
    pub(super) journal: Option<PathBuf>,
    pub(super) outbox: PathBuf,
    pub(super) limits: Limits,
    pub(super) drain_time: Duration,
}

impl Settings {
    pub(super) fn plan(&self) -> Result<Plan, SettingsError> {
        let format = Format::from(self.format);
        let topic = self.topic.as_deref().unwrap_or(format.topic());
        let journal = self.journal.as_deref().filter(|path| !path.is_empty());
        Ok(Plan {
            config: self.access.config(&format!("evr-{}", self.source_id))?,
            topic: Template::parse(topic)?,
            format,
            source: self.source_id.clone(),
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
