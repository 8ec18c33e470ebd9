//! Times: buffers carry positions in a segment, everything else goes by signed running time.

use evr_core::time::Nanos;

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

/// A signed clock time in nanoseconds; `None` beyond 292 years.
pub(crate) fn signed(time: gst::Signed<gst::ClockTime>) -> Option<Nanos> {
    match time {
        gst::Signed::Positive(time) => Nanos::try_from(time.nseconds()).ok(),
        gst::Signed::Negative(time) => Nanos::try_from(time.nseconds()).ok().map(|time| -time),
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
