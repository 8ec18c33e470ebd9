//! From running time to UTC: one mapping a recording, and where it was taken from.

use serde::Serialize;

use crate::time::Nanos;

/// Where the UTC times of a recording come from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeSource {
    /// The sender's clock, as reference timestamps on the buffers tell it.
    Reference,
    /// The user's word: UTC of running time 0.
    Property,
    /// This machine's clock, read once at the start of the recording.
    Clock,
    /// Nobody's: a file, whose running time 0 counts as 1970-01-01T00:00:00Z.
    Media,
}

impl TimeSource {
    /// The word in sidecars and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Property => "property",
            Self::Clock => "clock",
            Self::Media => "media",
        }
    }
}

/// A mapping from running time to UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    /// Where it comes from.
    pub source: TimeSource,
    /// UTC of running time 0, in nanoseconds since 1970-01-01T00:00:00Z.
    pub epoch: Nanos,
}

impl Wall {
    /// The best of what is known; each argument is UTC of running time 0 by that source.
    pub fn best(reference: Option<Nanos>, property: Option<Nanos>, clock: Option<Nanos>) -> Self {
        [
            (TimeSource::Reference, reference),
            (TimeSource::Property, property),
            (TimeSource::Clock, clock),
        ]
        .into_iter()
        .find_map(|(source, epoch)| epoch.map(|epoch| Self { source, epoch }))
        .unwrap_or(Self {
            source: TimeSource::Media,
            epoch: 0,
        })
    }

    /// UTC of a running time, in nanoseconds since 1970-01-01T00:00:00Z.
    pub fn unix(&self, running: Nanos) -> Nanos {
        self.epoch.saturating_add(running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_senders_clock_wins_over_the_users_word_and_that_over_ours() {
        let source = |r, p, c| Wall::best(r, p, c).source;
        assert_eq!(source(Some(3), Some(2), Some(1)), TimeSource::Reference);
        assert_eq!(source(None, Some(2), Some(1)), TimeSource::Property);
        assert_eq!(source(None, None, Some(1)), TimeSource::Clock);
        assert_eq!(Wall::best(None, None, None).unix(7), 7);
    }
}
