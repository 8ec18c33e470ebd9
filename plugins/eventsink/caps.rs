//! Which streams a clip can hold, and what is said to the others.

use evr_core::recording::sidecar::Stream;
use evr_core::time::Nanos;

/// What is known of the stream from its caps.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) caps: gst::Caps,
    pub(super) about: Stream,
    /// Width and height in pixels, 0 where the caps do not tell.
    pub(super) size: (u32, u32),
    /// How long a frame is shown, where the caps tell it.
    pub(super) frame_duration: Option<Nanos>,
}

/// What the muxer takes.
pub(super) fn video() -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "avc")
        .field("alignment", "au")
        .build()
}

/// The answer to a caps query: what the muxer takes first, then what we want to see coming so as
/// to refuse it in a sentence; without these the source would only say `not-negotiated`. H.264 of
/// another form is not among them, or parsers would not convert it.
pub(super) fn answer() -> gst::Caps {
    let mut caps = video();
    let refused = caps.make_mut();
    for name in [
        "video/x-h265",
        "video/x-av1",
        "video/x-vp8",
        "video/x-vp9",
        "video/mpeg",
        "image/jpeg",
    ] {
        refused.append(gst::Caps::new_empty_simple(name));
    }
    refused.append(gst::Caps::builder("video/x-raw").any_features().build());
    caps
}

/// What may be linked to us. Wider than what can be recorded, or a newcomer's line that lacks an
/// encoder or a parser would end in "could not link" and no advice.
pub(super) fn template() -> gst::Caps {
    let mut caps = answer();
    caps.make_mut()
        .append(gst::Caps::new_empty_simple("video/x-h264"));
    caps
}

/// Reads the caps of a stream that a clip can hold.
///
/// # Errors
/// A sentence, to be preceded by the element's name, that says what to send instead.
pub(super) fn accept(caps: &gst::Caps) -> Result<Input, String> {
    let fields = caps.structure(0).ok_or("the stream has empty caps")?;
    match fields.name().as_str() {
        "video/x-h264" => {}
        "video/x-raw" => {
            return Err(
                "raw video cannot be recorded: encode it before signalgate, such as \
                 x264enc ! h264parse ! signalgate"
                    .into(),
            );
        }
        other => {
            return Err(format!(
                "{other} cannot be recorded in MP4 here: send H.264, such as \
                 x264enc ! h264parse ! signalgate"
            ));
        }
    }
    if !caps.can_intersect(&video()) {
        return Err(format!(
            "H.264 with {fields} cannot be recorded in MP4: put h264parse before signalgate, which \
             makes it stream-format=avc, alignment=au"
        ));
    }
    let framerate = fields
        .get::<gst::Fraction>("framerate")
        .ok()
        .filter(|rate| rate.numer() > 0 && rate.denom() > 0);
    let dimension = |name| fields.get::<i32>(name).ok();
    let pixels = |name| dimension(name).map_or(0, i32::unsigned_abs);
    Ok(Input {
        caps: caps.clone(),
        size: (pixels("width"), pixels("height")),
        frame_duration: framerate
            .map(|rate| 1_000_000_000 * Nanos::from(rate.denom()) / Nanos::from(rate.numer())),
        about: Stream {
            kind: "video",
            codec: "h264",
            profile: fields.get("profile").ok(),
            width: dimension("width"),
            height: dimension("height"),
            framerate: framerate.map(|rate| format!("{}/{}", rate.numer(), rate.denom())),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(caps: &str) -> String {
        let caps = caps.parse::<gst::Caps>().expect("caps");
        accept(&caps).expect_err("not recordable")
    }

    #[test]
    fn what_cannot_be_recorded_is_told_what_to_do() {
        gst::init().expect("GStreamer is installed");
        assert!(why("video/x-raw, format=I420").contains("before signalgate"));
        assert!(why("video/x-h265").contains("send H.264"));
        assert!(why("video/x-h264, stream-format=byte-stream").contains("h264parse"));
    }

    #[test]
    fn h264_as_a_parser_makes_it_for_mp4_is_described() {
        gst::init().expect("GStreamer is installed");
        let caps = "video/x-h264, stream-format=avc, alignment=au, width=320, height=240, \
                    framerate=30000/1001, profile=high";
        let caps = caps.parse::<gst::Caps>().expect("caps");
        let input = accept(&caps).expect("recordable");
        assert_eq!(input.size, (320, 240));
        assert_eq!(input.frame_duration, Some(33_366_666));
        assert_eq!(input.about.framerate.as_deref(), Some("30000/1001"));
        assert!(answer().can_intersect(&caps));
    }
}
