//! Times: buffers carry positions in a segment, everything else goes by signed running time.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use evr_core::time::Nanos;
use gst::prelude::*;

/// The running time of a position in `segment`; negative before the segment's start, which is
/// where the lead-in of an accurate seek lies.
///
/// `None` where the segment counts no time (filesrc's bytes) or the position has none.
pub(crate) fn running_time(
    segment: &gst::Segment,
    position: Option<gst::ClockTime>,
) -> Option<Nanos> {
    let segment = segment.downcast_ref::<gst::ClockTime>()?;
    signed(segment.to_running_time_full(position?)?)
}

/// 146 years: sums and differences of two times within are times too. NTP's clock, which some
/// pipelines run by, counts since 1900.
const FURTHEST: Nanos = Nanos::MAX / 2;

/// A signed clock time in nanoseconds; `None` beyond 146 years, which no media lasts.
pub(crate) fn signed(time: gst::Signed<gst::ClockTime>) -> Option<Nanos> {
    let within = |time: gst::ClockTime| {
        let time = Nanos::try_from(time.nseconds()).ok()?;
        (time <= FURTHEST).then_some(time)
    };
    match time {
        gst::Signed::Positive(time) => within(time),
        gst::Signed::Negative(time) => within(time).map(|time| -time),
    }
}

/// A running time as GStreamer's unsigned one, 0 where it is negative: for GAP events and
/// messages, which know no other.
pub(crate) fn clock_time(time: Nanos) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(time).unwrap_or(0))
}

/// A span in a property that GStreamer counts unsigned; what no `i64` holds is as good as for ever.
pub(crate) fn span(time: u64) -> Nanos {
    Nanos::try_from(time).unwrap_or(Nanos::MAX)
}

/// Nanoseconds since 1970-01-01T00:00:00Z by this machine's clock; 0 for anything before.
pub(crate) fn utc_now() -> Nanos {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.ok()
        .and_then(|now| Nanos::try_from(now.as_nanos()).ok())
        .unwrap_or(0)
}

/// UTC of an element's running time 0 by this machine's clock; `None` where it has no clock.
pub(crate) fn utc_of_running_time_0(element: &impl IsA<gst::Element>) -> Option<Nanos> {
    let running = || Some(span(element.current_running_time()?.nseconds()));
    utc_of_0(running, utc_now)
}

/// Of three looks at the two clocks the closest counts: a thread that is held up between the one
/// and the other would be off by as long.
fn utc_of_0(running: impl Fn() -> Option<Nanos>, utc: impl Fn() -> Nanos) -> Option<Nanos> {
    let look = || {
        let before = running()?;
        let utc = utc();
        Some((running()? - before, utc.saturating_sub(before)))
    };
    let looks = [look(), look(), look()].into_iter().flatten();
    let closest = looks.min_by_key(|(apart, _)| *apart);
    closest.map(|(_, utc)| utc)
}

const UNIX: &str = "timestamp/x-unix";

/// Says when a buffer was captured, in nanoseconds since 1970-01-01T00:00:00Z.
pub(crate) fn set_reference_utc(buffer: &mut gst::BufferRef, captured: u64) {
    static REFERENCE: LazyLock<gst::Caps> = LazyLock::new(|| gst::Caps::new_empty_simple(UNIX));
    // All bits set mean no time to GStreamer.
    if let Ok(captured) = gst::ClockTime::try_from(captured) {
        gst::ReferenceTimestampMeta::add(buffer, &REFERENCE, captured, gst::ClockTime::NONE);
    }
}

/// Seconds from NTP's epoch, 1900, to 1970.
const NTP_TO_UNIX: Nanos = 2_208_988_800 * evr_core::time::SECOND;

/// The instant at which a buffer was captured, in nanoseconds since 1970-01-01T00:00:00Z, where a
/// `GstReferenceTimestampMeta` of Unix or NTP time tells.
pub(crate) fn reference_utc(buffer: &gst::BufferRef) -> Option<Nanos> {
    buffer
        .iter_meta::<gst::ReferenceTimestampMeta>()
        .find_map(|meta| {
            let name = meta.reference().structure(0)?.name();
            let time = meta.timestamp().nseconds();
            match name.as_str() {
                UNIX => Nanos::try_from(time).ok(),
                // NTP counts beyond an i64 of nanoseconds since 1900.
                "timestamp/x-ntp" => {
                    Nanos::try_from(time.checked_sub(NTP_TO_UNIX.unsigned_abs())?).ok()
                }
                _ => None,
            }
        })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn who_is_held_up_between_two_clocks_is_not_misled() {
        const UTC: Nanos = 1_000_000;
        // Each look goes to the running time, to the wall clock and to the running time again.
        for held_up in 0..7 {
            let (now, looks) = (Cell::new(0), Cell::new(0));
            let look = || {
                let late = if looks.get() == held_up { 500 } else { 0 };
                now.set(now.get() + 1 + late);
                looks.set(looks.get() + 1);
                now.get()
            };
            let utc = utc_of_0(|| Some(look()), || UTC + look());
            assert_eq!(utc, Some(UTC + 1), "held up before look {held_up}");
        }
        assert_eq!(utc_of_0(|| None, || UTC), None);
    }

    #[test]
    fn two_times_can_be_added_and_subtracted() {
        let most = gst::ClockTime::from_nseconds(FURTHEST.unsigned_abs());
        let (last, first) = (gst::Signed::Positive(most), gst::Signed::Negative(most));
        let (last, first) = (signed(last).expect("near"), signed(first).expect("near"));
        assert!(last.checked_add(last).is_some() && last.checked_sub(first).is_some());
        let beyond = most + gst::ClockTime::from_nseconds(1);
        for beyond in [beyond, gst::ClockTime::MAX] {
            assert_eq!(signed(gst::Signed::Positive(beyond)), None);
            assert_eq!(signed(gst::Signed::Negative(beyond)), None);
        }
    }

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
            reference_utc(&buffer)
        };
        let ntp = NTP_TO_UNIX.unsigned_abs();
        assert_eq!(of("timestamp/x-unix", 10), Some(10));
        assert_eq!(of("timestamp/x-ntp", ntp + 10), Some(10));
        assert_eq!(of("timestamp/x-ntp", ntp - 1), None);
        assert_eq!(of("timestamp/x-ptp", 10), None);
        assert_eq!(reference_utc(&gst::Buffer::new()), None);
        let mut buffer = gst::Buffer::new();
        let fields = buffer.get_mut().expect("a new buffer has one owner");
        set_reference_utc(fields, u64::MAX);
        assert_eq!(reference_utc(fields), None);
        set_reference_utc(fields, 10);
        assert_eq!(reference_utc(fields), Some(10));
    }
}
