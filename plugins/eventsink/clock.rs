//! Where UTC comes from: reads the senders' timestamps and, in a live pipeline, our clock.

use std::time::{SystemTime, UNIX_EPOCH};

use evr_core::time::Nanos;
use gst::prelude::*;

/// Seconds from 1900-01-01, where NTP counts from, to 1970-01-01.
const NTP_TO_UNIX: Nanos = 2_208_988_800 * evr_core::time::SECOND;

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

fn utc_of_running_time_0(element: &gst::Element) -> Option<Nanos> {
    let running = element.current_running_time()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Nanos::try_from(now.as_nanos()).ok()? - Nanos::try_from(running.nseconds()).ok()?)
}

/// UTC of running time 0 by the sender's clock, if the buffer shown at `running` tells it.
pub(super) fn reference(buffer: &gst::BufferRef, running: Nanos) -> Option<Nanos> {
    buffer
        .iter_meta::<gst::ReferenceTimestampMeta>()
        .find_map(|meta| {
            let time = Nanos::try_from(meta.timestamp().nseconds());
            match meta.reference().structure(0)?.name().as_str() {
                "timestamp/x-unix" => time.ok(),
                // 292 years from 1900 do fit, though barely: NTP's own era ends in 2036.
                "timestamp/x-ntp" => time.ok().map(|time| time - NTP_TO_UNIX),
                _ => None,
            }
        })
        .map(|time| time.saturating_sub(running))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_senders_time_is_read_from_unix_and_ntp_timestamps_and_from_no_others() {
        gst::init().expect("GStreamer is installed");
        let of = |name: &str, nanoseconds: u64| {
            let mut buffer = gst::Buffer::new();
            let caps = gst::Caps::new_empty_simple(name);
            gst::ReferenceTimestampMeta::add(
                buffer.get_mut().expect("a new buffer has one owner"),
                &caps,
                gst::ClockTime::from_nseconds(nanoseconds),
                gst::ClockTime::NONE,
            );
            reference(&buffer, 7)
        };
        assert_eq!(of("timestamp/x-unix", 10), Some(3));
        assert_eq!(of("timestamp/x-ntp", NTP_TO_UNIX as u64 + 10), Some(3));
        assert_eq!(of("timestamp/x-ptp", 10), None);
        assert_eq!(reference(&gst::Buffer::new(), 7), None);
    }
}
