//! What the gate says of itself: its counters, and a warning where it had to decide against its wish.

use gst::{prelude::*, subclass::prelude::*};

use super::imp::{SignalGate, State};

/// What a user should know of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Warnings {
    forced: bool,
    oversized: bool,
    /// For the first time; a stream that is too late stays so.
    missed: bool,
}

impl State {
    /// What has happened since the last time that a user should know of.
    pub(super) fn take_warnings(&mut self) -> Warnings {
        let (now, warned) = (self.gate.stats(), self.warned);
        self.warned = now;
        Warnings {
            forced: now.forced > warned.forced,
            oversized: now.oversized > warned.oversized,
            missed: now.missed > 0 && warned.missed == 0,
        }
    }
}

impl SignalGate {
    /// The property `stats`.
    pub(super) fn stats_structure(&self) -> gst::Structure {
        let (stats, rejected) = {
            let state = self.lock();
            (state.gate.stats(), state.rejected)
        };
        gst::Structure::builder("application/x-evr-gate-stats")
            .field("held-time", stats.held_time.unsigned_abs())
            .field("held-bytes", stats.held_bytes)
            .field("held-buffers", stats.held_buffers)
            .field("gop-time", stats.gop_time.unsigned_abs())
            .field("signal-lag", stats.signal_lag.max(0).unsigned_abs())
            .field("accepted", stats.accepted)
            .field("late", stats.late)
            .field("ignored", stats.ignored)
            .field("rejected", rejected)
            .field("recordings", stats.recordings)
            .field("short", stats.short)
            .field("empty", stats.empty)
            .field("forced", stats.forced)
            .field("evicted", stats.evicted)
            .field("oversized", stats.oversized)
            .field("missed", stats.missed)
            .build()
    }

    /// Tells the user what the gate had to do against its wish.
    pub(super) fn warn(&self, warnings: Warnings) {
        if !warnings.forced && !warnings.oversized && !warnings.missed {
            return; // As after nearly every buffer; a name is a copy.
        }
        let name = self.obj().name();
        if warnings.forced {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Failed,
                ("{name} decided before all signals were known: the analysis is too far behind, \
                     raise max-size-bytes or max-signal-lag, or let the analysis skip frames")
            );
        }
        if warnings.oversized {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Failed,
                ("{name} holds a single group of pictures larger than its bounds: raise \
                     max-size-bytes, -time or -buffers, or shorten the camera's keyframe interval")
            );
        }
        if warnings.missed {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Failed,
                ("{name} closed a recording without all of the audio or metadata of a stream that \
                     is too far behind the video: raise max-signal-lag, or bring the streams closer")
            );
        }
    }
}
