//! What can be set, and what must hold before anything runs.

use evr_core::time::Nanos;

use crate::{
    bridge::time::span,
    mqtt::config::{Access, AccessError, Config},
};

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) topic: String,
    pub(super) source_id: Option<String>,
    pub(super) max_delay: gst::ClockTime,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access: Access::default(),
            topic: "evr/trigger".into(),
            source_id: None,
            max_delay: gst::ClockTime::from_seconds(60),
        }
    }
}

/// Why the element cannot start. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("topic is {0:?}: + must stand alone between slashes and # alone at the end")]
    Topic(String),
    #[error(
        "the thread that talks to the broker cannot be started ({0}): end other programs or allow more threads"
    )]
    Thread(#[from] std::io::Error),
}

/// What runs with it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) topic: String,
    pub(super) source: Option<String>,
    pub(super) max_delay: Nanos,
}

impl Settings {
    pub(super) fn plan(&self) -> Result<Plan, SettingsError> {
        if !is_pattern(&self.topic) {
            return Err(SettingsError::Topic(self.topic.clone()));
        }
        let source = self.source_id.clone().filter(|source| !source.is_empty());
        let name = source.as_deref().unwrap_or("all");
        Ok(Plan {
            config: self.access.config(&format!("evr-listener-{name}"))?,
            topic: self.topic.clone(),
            source,
            max_delay: span(self.max_delay.nseconds()),
        })
    }
}

/// Whether this is a topic filter (MQTT 3.1.1, section 4.7).
fn is_pattern(topic: &str) -> bool {
    let levels = topic.split('/').count();
    let good = |(n, level): (usize, &str)| match level {
        "+" => true,
        "#" => n + 1 == levels,
        level => !level.contains(['+', '#', '\0']),
    };
    !topic.is_empty() && topic.split('/').enumerate().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_cannot_be_had_is_told_with_what_to_do() {
        let told = SettingsError::from(std::io::Error::other("no more")).to_string();
        assert!(told.contains("(no more): end other programs"), "{told}");
    }

    #[test]
    fn a_topic_may_be_a_pattern_but_not_a_broken_one() {
        for good in ["a", "a/b", "+/b", "a/#", "#", "/"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", "a+", "#/a", "a/b#", "a\0"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
