//! Which streams a clip can hold, and what is said to the others.

use evr_core::recording::container::{Codec, Container};
use evr_core::recording::sidecar::Stream;
use evr_core::time::Nanos;

use super::muxer;
use super::pads::Kind;

/// What is known of a stream from its caps.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) caps: gst::Caps,
    pub(super) about: Stream,
    /// Width and height in pixels, 0 where the caps do not tell.
    pub(super) size: (u32, u32),
    /// How long a frame is shown, where the caps tell it.
    pub(super) frame_duration: Option<Nanos>,
    /// What works out missing DTS on this machine.
    pub(super) stamper: Option<&'static str>,
    /// What brings it into the muxer's form. Only where nothing can change behind our back:
    /// parameter sets in the frames of H.264 can, so that is upstream's to part.
    pub(super) parser: Option<&'static str>,
}

/// How a codec looks in caps.
struct Form {
    codec: Codec,
    /// Names of its media type.
    media: &'static str,
    /// Its caps where the container keeps parameter sets apart from the frames.
    packed: &'static str,
    /// Its caps in a transport stream.
    stream: &'static str,
    /// Fields without which the muxer does not start.
    needs: &'static [&'static str],
    /// What makes the caps so.
    parser: &'static str,
}

/// Preferred forms first.
const FORMS: [Form; 11] = [
    Form {
        codec: Codec::H264,
        media: "video/x-h264",
        packed: "video/x-h264, stream-format={avc, avc3}, alignment=au",
        stream: "video/x-h264, stream-format=byte-stream, alignment=au",
        needs: &["width", "height"],
        parser: "h264parse",
    },
    Form {
        codec: Codec::H265,
        media: "video/x-h265",
        packed: "video/x-h265, stream-format={hvc1, hev1}, alignment=au",
        stream: "video/x-h265, stream-format=byte-stream, alignment=au",
        needs: &["width", "height"],
        parser: "h265parse",
    },
    Form {
        codec: Codec::Av1,
        media: "video/x-av1",
        packed: "video/x-av1, stream-format=obu-stream, alignment=tu",
        stream: "video/x-av1",
        needs: &["width", "height"],
        parser: "av1parse",
    },
    Form {
        codec: Codec::Vp9,
        media: "video/x-vp9",
        packed: "video/x-vp9",
        stream: "video/x-vp9",
        needs: &["width", "height", "profile", "chroma-format"],
        parser: "vp9parse",
    },
    Form {
        codec: Codec::Vp8,
        media: "video/x-vp8",
        packed: "video/x-vp8",
        stream: "video/x-vp8",
        needs: &["width", "height"],
        parser: "its encoder or depayloader",
    },
    Form {
        codec: Codec::Mjpeg,
        media: "image/jpeg",
        packed: "image/jpeg",
        stream: "image/jpeg",
        needs: &["width", "height"],
        parser: "jpegparse",
    },
    Form {
        codec: Codec::Aac,
        media: "audio/mpeg",
        packed: "audio/mpeg, mpegversion=4, stream-format={raw, adts}",
        stream: "audio/mpeg, mpegversion=4, stream-format={adts, raw}",
        needs: &["rate", "channels"],
        parser: "aacparse",
    },
    Form {
        codec: Codec::Opus,
        media: "audio/x-opus",
        packed: "audio/x-opus",
        stream: "audio/x-opus",
        needs: &["channel-mapping-family"],
        parser: "opusparse",
    },
    Form {
        codec: Codec::Alaw,
        media: "audio/x-alaw",
        packed: "audio/x-alaw",
        stream: "audio/x-alaw",
        needs: &["rate", "channels"],
        parser: "its depayloader",
    },
    Form {
        codec: Codec::Mulaw,
        media: "audio/x-mulaw",
        packed: "audio/x-mulaw",
        stream: "audio/x-mulaw",
        needs: &["rate", "channels"],
        parser: "its depayloader",
    },
    Form {
        codec: Codec::Pcm,
        media: "audio/x-raw",
        packed: "audio/x-raw, layout=interleaved, \
                 format={S16LE, U8, S16BE, S24LE, S24BE, S32LE, S32BE, F32LE, F64LE}",
        stream: "audio/x-raw",
        needs: &["rate", "channels"],
        parser: "audioconvert",
    },
];

/// Media types that are only ever refused, in a sentence: what can be linked to no pad leaves
/// gst-launch waiting for another pad without a word.
const REFUSED: [&str; 24] = [
    "video/mpeg",
    "video/mpegts",
    "video/quicktime",
    "video/x-matroska",
    "video/webm",
    "video/x-msvideo",
    "video/x-flv",
    "video/x-h263",
    "video/x-theora",
    "video/x-dirac",
    "video/x-wmv",
    "video/x-prores",
    "image/png",
    "image/x-jpc",
    "image/x-j2c",
    "audio/x-vorbis",
    "audio/x-flac",
    "audio/x-speex",
    "audio/x-ac3",
    "audio/x-adpcm",
    "audio/G722",
    "audio/AMR",
    "audio/x-wav",
    "audio/x-wma",
];
const JSON: &str = "application/x-json";

impl Form {
    fn is_video(&self) -> bool {
        !self.media.starts_with("audio/")
    }

    fn caps(&self, container: Container) -> gst::Caps {
        let text = match container {
            Container::Mp4 | Container::Matroska => self.packed,
            Container::MpegTs => self.stream,
        };
        text.parse().expect("the table holds caps")
    }
}

fn forms(kind: Kind) -> impl Iterator<Item = &'static Form> {
    FORMS
        .iter()
        .filter(move |form| kind != Kind::Meta && form.is_video() == (kind == Kind::Video))
}

/// What the muxer takes first; then what we want to see coming so as to refuse it in a sentence:
/// without these the source would only say `not-negotiated`.
///
/// Parsers convert to what stands first. Of raw audio only what suits is named where any does,
/// because its converter takes whatever comes.
pub(super) fn answer(kind: Kind, container: Container) -> gst::Caps {
    if kind == Kind::Meta {
        return gst::Caps::new_empty_simple(JSON);
    }
    let mut caps = gst::Caps::new_empty();
    let answer = caps.make_mut();
    let takes = |form: &&Form| container.takes(form.codec);
    for form in forms(kind).filter(takes) {
        answer.append(form.caps(container));
    }
    for form in forms(kind) {
        if !(form.codec == Codec::Pcm && takes(&form)) {
            answer.append(gst::Caps::new_empty_simple(form.media));
        }
    }
    for name in REFUSED {
        if name.starts_with("audio/") == (kind != Kind::Video) {
            answer.append(gst::Caps::new_empty_simple(name));
        }
    }
    if kind == Kind::Video {
        answer.append(gst::Caps::builder("video/x-raw").any_features().build());
    }
    caps
}

/// What may be linked to us. Wider than what can be recorded, or a newcomer's line that lacks an
/// encoder or a parser would end in "could not link" and no advice.
pub(super) fn template(kind: Kind) -> gst::Caps {
    let mut caps = answer(kind, Container::default());
    for form in forms(kind) {
        caps.make_mut()
            .append(gst::Caps::new_empty_simple(form.media));
    }
    caps
}

/// Reads the caps of a stream that a clip can hold.
///
/// # Errors
/// A sentence, to be preceded by the element's name, that says what to send instead.
pub(super) fn accept(kind: Kind, container: Container, caps: &gst::Caps) -> Result<Input, String> {
    let fields = caps.structure(0).ok_or("the stream has empty caps")?;
    let media = fields.name().as_str();
    if kind == Kind::Meta {
        return match media {
            JSON => Ok(lines(caps)),
            other => Err(format!("the pad meta takes {JSON}, not {other}")),
        };
    }
    if media == "video/x-raw" {
        return Err(
            "raw video cannot be recorded: encode it before signalgate, such as x264enc ! \
             h264parse ! signalgate"
                .into(),
        );
    }
    let Some(form) = forms(kind).find(|form| form.media == media) else {
        let instead = match kind {
            Kind::Video => "H.264, such as x264enc ! h264parse ! signalgate",
            _ => "AAC, such as avenc_aac ! aacparse ! signalgate.sink_0",
        };
        return Err(format!("{media} cannot be recorded here: send {instead}"));
    };
    if !container.takes(form.codec) {
        let mut why = form.codec.advice(container);
        if form.codec == Codec::Pcm {
            why.push_str(", or encode it, such as avenc_aac ! aacparse");
        }
        return Err(why);
    }
    let suits = form.caps(container);
    let lacks = form.needs.iter().find(|name| !fields.has_field(**name));
    if let Some(lacks) = lacks.filter(|_| caps.can_intersect(&suits)) {
        return Err(format!(
            "{} without {lacks} in its caps cannot be recorded: put {} before signalgate",
            form.codec.title(),
            form.parser
        ));
    }
    if !caps.can_intersect(&suits) {
        return Err(format!(
            "{} with {fields} cannot be recorded with container={}: put {} before signalgate, \
             which makes it {suits}",
            form.codec.title(),
            container.as_str(),
            form.parser
        ));
    }
    let adts = fields.get::<&str>("stream-format") == Ok("adts");
    let parsed = adts && container != Container::MpegTs;
    let mut caps = caps.clone();
    if form.codec == Codec::Opus && container == Container::Mp4 {
        // How much of the stream's beginning is to be skipped, 312 samples, stands there. mp4mux
        // swaps its bytes, so that players skipped the first 0.3 s of each clip (GStreamer 1.22).
        // A clip does not begin where the stream does, and nothing of it is to be skipped.
        let fields = caps.make_mut().structure_mut(0);
        fields
            .expect("it was read above")
            .remove_field("streamheader");
    }
    Ok(Input {
        parser: parsed.then_some(form.parser),
        ..input(form, &caps, fields)
    })
}

fn lines(caps: &gst::Caps) -> Input {
    Input {
        caps: caps.clone(),
        about: Stream::new("meta", "json"),
        size: (0, 0),
        frame_duration: None,
        stamper: None,
        parser: None,
    }
}

fn input(form: &Form, caps: &gst::Caps, fields: &gst::StructureRef) -> Input {
    let framerate = fields
        .get::<gst::Fraction>("framerate")
        .ok()
        .filter(|rate| rate.numer() > 0 && rate.denom() > 0);
    let number = |name| fields.get::<i32>(name).ok();
    let pixels = |name| number(name).map_or(0, i32::unsigned_abs);
    let kind = if form.is_video() { "video" } else { "audio" };
    Input {
        caps: caps.clone(),
        stamper: muxer::timestamper(form.codec),
        parser: None,
        size: (pixels("width"), pixels("height")),
        frame_duration: framerate
            .map(|rate| 1_000_000_000 * Nanos::from(rate.denom()) / Nanos::from(rate.numer())),
        about: Stream {
            profile: fields.get("profile").ok(),
            width: number("width"),
            height: number("height"),
            framerate: framerate.map(|rate| format!("{}/{}", rate.numer(), rate.denom())),
            rate: number("rate"),
            channels: number("channels"),
            ..Stream::new(kind, form.codec.as_str())
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(kind: Kind, container: Container, caps: &str) -> Result<Input, String> {
        gst::init().expect("GStreamer is installed");
        accept(kind, container, &caps.parse().expect("caps"))
    }

    fn why(kind: Kind, container: Container, caps: &str) -> String {
        judged(kind, container, caps).expect_err("not recordable")
    }

    #[test]
    fn what_cannot_be_recorded_is_told_what_to_do() {
        let mp4 = |caps| why(Kind::Video, Container::Mp4, caps);
        assert!(mp4("video/x-raw, format=I420").contains("before signalgate"));
        assert!(mp4("video/mpeg, mpegversion=2").contains("send H.264"));
        assert!(mp4("video/x-h264, stream-format=byte-stream").contains("h264parse"));
        assert!(mp4("video/x-vp8").contains("set container=matroska"));
        assert!(mp4("video/x-vp9, width=2, height=2").contains("put vp9parse"));
        let audio = |caps| why(Kind::Audio(0), Container::Mp4, caps);
        assert!(audio("audio/x-alaw").contains("set container=matroska"));
        assert!(audio("audio/x-raw, format=S16LE").contains("avenc_aac"));
        assert!(audio("audio/x-flac").contains("send AAC"));
        let stream = why(
            Kind::Video,
            Container::MpegTs,
            "video/x-h264, stream-format=avc, alignment=au, width=2, height=2",
        );
        assert!(stream.contains("byte-stream"), "{stream}");
        assert!(why(Kind::Meta, Container::Mp4, "text/x-raw").contains("application/x-json"));
    }

    #[test]
    fn h264_as_a_parser_makes_it_for_mp4_is_described() {
        let caps = "video/x-h264, stream-format=avc, alignment=au, width=320, height=240, \
                    framerate=30000/1001, profile=high";
        let input = judged(Kind::Video, Container::Mp4, caps).expect("recordable");
        assert_eq!(input.size, (320, 240));
        assert_eq!(input.frame_duration, Some(33_366_666));
        assert_eq!(input.about.framerate.as_deref(), Some("30000/1001"));
        assert!(answer(Kind::Video, Container::Mp4).can_intersect(&input.caps));
    }
}
