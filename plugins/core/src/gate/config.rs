//! The gate's settings, checked.

use crate::time::{MILLISECOND, Nanos, SECOND, seconds};

/// How much may be held, `None` meaning no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Bytes of all streams together.
    pub bytes: Option<u64>,
    /// Buffers of all streams together.
    pub buffers: Option<u64>,
    /// From the oldest held unit of the reference stream to the newest.
    pub time: Option<Nanos>,
}

/// What the gate goes by. Every span is in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// W: how long after the first signal's arrival an earlier one may still move the start back.
    pub evaluation_window: Nanos,
    /// O: added to the first signal's time to get the start; negative is pre-roll.
    pub signal_offset: Nanos,
    /// Tmin: how long one trigger keeps the gate open.
    pub minimum_activation: Nanos,
    /// Tmax: the longest activation, counted from its first signal.
    pub maximum_activation: Nanos,
    /// How late a signal of an unwatermarked pad may be without being late.
    pub signal_latency: Nanos,
    /// How far a watermarked pad may fall behind before it is waited for no longer.
    pub max_signal_lag: Nanos,
    /// How much may be held.
    pub bounds: Bounds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            evaluation_window: SECOND,
            signal_offset: -5 * SECOND,
            minimum_activation: 10 * SECOND,
            maximum_activation: 300 * SECOND,
            signal_latency: 2 * SECOND,
            max_signal_lag: 30 * SECOND,
            bounds: Bounds {
                bytes: Some(256 << 20),
                buffers: None,
                time: None,
            },
        }
    }
}

/// Why settings do not go together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing could ever be recorded.
    #[error(
        "activation-signal-offset ({}) is not below minimum-activation-time ({}): a single trigger \
         would record nothing, lower the offset or raise the time",
        Span(*offset), Span(*minimum)
    )]
    Offset {
        /// O.
        offset: Nanos,
        /// Tmin.
        minimum: Nanos,
    },
    /// The cap would cut every activation.
    #[error(
        "minimum-activation-time ({}) is above maximum-activation-time ({}): lower the first or \
         raise the second",
        Span(*minimum), Span(*maximum)
    )]
    Maximum {
        /// Tmin.
        minimum: Nanos,
        /// Tmax.
        maximum: Nanos,
    },
    /// A trigger would keep the gate open for no time at all.
    #[error("minimum-activation-time is 0: give at least one frame's duration, such as 1000000000")]
    ZeroMinimum,
}

/// Prints a span as seconds and as the number to type.
struct Span(Nanos);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 % MILLISECOND == 0 {
            write!(f, "{} s", seconds(self.0))
        } else {
            write!(f, "{} ns", self.0)
        }
    }
}

impl Config {
    /// Refuses settings that do not go together.
    ///
    /// # Errors
    /// The two values, and what to do.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (offset, minimum, maximum) = (
            self.signal_offset,
            self.minimum_activation,
            self.maximum_activation,
        );
        if minimum <= 0 {
            return Err(ConfigError::ZeroMinimum);
        }
        if minimum > maximum {
            return Err(ConfigError::Maximum { minimum, maximum });
        }
        if offset >= minimum {
            return Err(ConfigError::Offset { offset, minimum });
        }
        Ok(())
    }

    /// `min(O, 0)`: how far before a signal its recording may begin.
    pub(super) fn lead(&self) -> Nanos {
        self.signal_offset.min(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_do_not_go_together_are_refused_with_both_values() {
        let config = Config {
            signal_offset: 10 * SECOND,
            ..Config::default()
        };
        let why = config
            .validate()
            .expect_err("O = Tmin records nothing")
            .to_string();
        assert!(why.contains("activation-signal-offset (10 s)") && why.contains("time (10 s)"));

        let config = Config {
            maximum_activation: 1_500_000_001,
            ..Config::default()
        };
        let why = config.validate().expect_err("Tmin > Tmax").to_string();
        assert!(
            why.contains("(10 s)") && why.contains("(1500000001 ns)"),
            "{why}"
        );

        let config = Config {
            minimum_activation: 0,
            signal_offset: -1,
            ..Config::default()
        };
        assert_eq!(config.validate(), Err(ConfigError::ZeroMinimum));
        assert_eq!(Config::default().validate(), Ok(()));
    }
}
