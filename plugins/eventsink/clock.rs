//! Where UTC comes from: reads the senders' timestamps and, in a live pipeline, our clock.

use evr_core::time::Nanos;
use gst::prelude::*;

use crate::bridge::time::{reference_utc, utc_of_running_time_0};

/// What is known of time when a recording opens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The media comes at its own pace and does not wait for us.
    pub(super) live: bool,
    /// UTC of running time 0 by this machine's clock, where the media is live.
    pub(super) clock: Option<Nanos>,
}

impl Moment {
    /// Asks upstream and the clock; not to be called under a lock.
    pub(super) fn now(pad: &gst::Pad, element: &gst::Element) -> Self {
        let mut latency = gst::query::Latency::new();
        let live = pad.peer_query(&mut latency) && latency.result().0;
        Self {
            live,
            clock: live.then(|| utc_of_running_time_0(element)).flatten(),
        }
    }
}

/// UTC of running time 0 by the sender's clock, if the buffer shown at `running` tells it.
pub(super) fn reference(buffer: &gst::BufferRef, running: Nanos) -> Option<Nanos> {
    reference_utc(buffer).map(|time| time.saturating_sub(running))
}
