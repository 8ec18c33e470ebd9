//! What a clip can be: file formats, and which codecs each of them holds.
//!
//! The table says what GStreamer's stock muxers write so that it plays again, which is less than
//! the formats allow: MP4 could hold G.711, but mp4mux does not take it.

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Container {
    /// MP4, in fragments while it grows.
    #[default]
    Mp4,
    /// Matroska.
    Matroska,
    /// MPEG transport stream.
    MpegTs,
}

impl Container {
    /// All of them, the preferred one first.
    pub const ALL: [Self; 3] = [Self::Mp4, Self::Matroska, Self::MpegTs];

    /// The word in properties and sidecars.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Matroska => "matroska",
            Self::MpegTs => "mpegts",
        }
    }

    /// What file names end in, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Matroska => "mkv",
            Self::MpegTs => "ts",
        }
    }

    /// Whether a clip in this format can hold such a stream.
    pub fn takes(self, codec: Codec) -> bool {
        match codec {
            Codec::H264 | Codec::H265 | Codec::Aac | Codec::Opus => true,
            Codec::Av1 | Codec::Vp9 => self != Self::MpegTs,
            Codec::Vp8 | Codec::Mjpeg | Codec::Alaw | Codec::Mulaw | Codec::Pcm => {
                self == Self::Matroska
            }
        }
    }
}

/// How a stream is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are their own names")]
pub enum Codec {
    H264,
    H265,
    Av1,
    Vp8,
    Vp9,
    Mjpeg,
    Aac,
    Opus,
    Alaw,
    Mulaw,
    Pcm,
}

impl Codec {
    /// The word in sidecars.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Av1 => "av1",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Mjpeg => "mjpeg",
            Self::Aac => "aac",
            Self::Opus => "opus",
            Self::Alaw => "alaw",
            Self::Mulaw => "mulaw",
            Self::Pcm => "pcm",
        }
    }

    /// The word in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Av1 => "AV1",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Mjpeg => "Motion JPEG",
            Self::Aac => "AAC",
            Self::Opus => "Opus",
            Self::Alaw => "G.711 A-law",
            Self::Mulaw => "G.711 µ-law",
            Self::Pcm => "raw audio",
        }
    }

    /// Says what to do where `container` does not hold this codec.
    pub fn advice(self, container: Container) -> String {
        let others: Vec<_> = Container::ALL
            .into_iter()
            .filter(|other| other.takes(self))
            .map(|other| format!("container={}", other.as_str()))
            .collect();
        format!(
            "{} cannot be recorded with container={}: set {}",
            self.title(),
            container.as_str(),
            others.join(" or ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_format_refuses_another_is_named_for() {
        assert_eq!(
            Codec::Alaw.advice(Container::Mp4),
            "G.711 A-law cannot be recorded with container=mp4: set container=matroska"
        );
        assert_eq!(
            Codec::Vp9.advice(Container::MpegTs),
            "VP9 cannot be recorded with container=mpegts: set container=mp4 or container=matroska"
        );
        assert!(Container::Mp4.takes(Codec::Av1) && !Container::MpegTs.takes(Codec::Pcm));
    }
}
