//! Signals on pads: JSON Lines with caps `application/x-json`. A producer whose GAP events tell
//! up to where its signals are known says `watermark=(boolean)true` in its caps.

use evr_core::signal::Signal;

const MEDIA_TYPE: &str = "application/x-json";
const WATERMARK: &str = "watermark";
/// Name of the serialized event that carries a signal in band, beside the video it speaks of.
const EVR_SIGNAL: &str = "evr-signal";

/// What a consumer of signals takes.
pub(crate) fn any_caps() -> gst::Caps {
    gst::Caps::new_empty_simple(MEDIA_TYPE)
}

/// What a producer that promises watermarks sends.
pub(crate) fn watermarked_caps() -> gst::Caps {
    gst::Caps::builder(MEDIA_TYPE)
        .field(WATERMARK, true)
        .build()
}

/// Whether everything in these caps promises watermarks.
pub(crate) fn is_watermarked(caps: &gst::CapsRef) -> bool {
    !caps.is_any()
        && !caps.is_empty()
        && caps
            .iter()
            .all(|structure| structure.get::<bool>(WATERMARK) == Ok(true))
}

/// One buffer with whole lines.
pub(crate) fn text_buffer(lines: Vec<u8>, pts: Option<gst::ClockTime>) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(lines);
    buffer
        .get_mut()
        .expect("a new buffer has one owner")
        .set_pts(pts);
    buffer
}

/// The in-band form of a signal's line, for a producer of which no `signal` pad was requested.
pub(crate) fn to_event(line: &str) -> gst::Event {
    gst::event::CustomDownstream::new(
        gst::Structure::builder(EVR_SIGNAL)
            .field("json", line)
            .build(),
    )
}

/// The line of an in-band signal; `None` for any other event.
pub(crate) fn from_event(event: &gst::EventRef) -> Option<String> {
    let fields = event
        .structure()
        .filter(|fields| fields.name() == EVR_SIGNAL)?;
    fields.get("json").ok()
}

/// A signal as it is told, without a newline.
pub(crate) fn line(signal: &Signal) -> String {
    serde_json::Value::Object(signal.to_json()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_caps_that_all_promise_it_are_watermarked() {
        gst::init().expect("GStreamer is installed");
        assert!(is_watermarked(&watermarked_caps()));
        assert!(!is_watermarked(&any_caps()));
        assert!(!is_watermarked(&gst::Caps::new_any()));
        let mut both = watermarked_caps();
        both.merge(any_caps());
        assert!(!is_watermarked(&both) || both.size() == 1);
    }

    #[test]
    fn a_signal_comes_out_of_its_event_as_it_went_in() {
        gst::init().expect("GStreamer is installed");
        let signal = Signal::parse(br#"{"media_time":5,"label":"person"}"#).expect("a signal");
        let told = from_event(&to_event(&line(&signal))).expect("the event carries it");
        assert_eq!(Signal::parse(told.as_bytes()), Ok(signal));
    }
}
