//! What a Matroska segment turned out to hold, and how it is made good: sizes that were left open,
//! the duration, where things are, and an index of the places where players may begin.

use super::ebml::{self, Header};
use super::matroska::{CUES, Cluster};
use super::mend::{Count, MendError, Mended, Patch, Stretch};
use crate::recording::sidecar::Stream;
use crate::time::{Nanos, SECOND};

const SEEK: u32 = 0x4dbb;
const SEEK_ID: u32 = 0x53ab;
const SEEK_POSITION: u32 = 0x53ac;
const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
const DURATION: u32 = 0x4489;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_NUMBER: u32 = 0xd7;
const DEFAULT_DURATION: u32 = 0x23_e383;
const CODEC_ID: u32 = 0x86;
const CODEC_PRIVATE: u32 = 0x63a2;
const VIDEO: u32 = 0xe0;
const WIDTH: u32 = 0xb0;
const HEIGHT: u32 = 0xba;
const AUDIO: u32 = 0xe1;
const FREQUENCY: u32 = 0xb5;
const CHANNELS: u32 = 0x9f;
const CUE_POINT: u32 = 0xbb;
const CUE_TIME: u32 = 0xb3;
const CUE_POSITIONS: u32 = 0xb7;
const CUE_TRACK: u32 = 0xf7;
const CUE_CLUSTER: u32 = 0xf1;

/// A block that is whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) track: u64,
    /// In the segment's ticks, as is the duration.
    pub(super) time: i64,
    pub(super) duration: Option<u64>,
    pub(super) sync: bool,
    pub(super) frames: u64,
}

#[derive(Debug)]
pub(super) struct Segment {
    at: u64,
    header: Header,
    /// Nanoseconds a tick.
    scale: i64,
    /// Where the duration is, and what it says.
    duration: Option<(u64, Vec<u8>)>,
    seeks: Vec<Seek>,
    tracks: Vec<Track>,
    /// Elements and where they begin.
    places: Vec<(u32, u64)>,
    cues: Vec<Cue>,
    patches: Vec<Patch>,
    /// Where the last whole element ends.
    keep: u64,
}

/// An entry that tells where an element is.
#[derive(Debug)]
struct Seek {
    at: u64,
    len: u64,
    id: u32,
    position_at: u64,
    position: Vec<u8>,
}

#[derive(Debug)]
struct Track {
    number: u64,
    stream: Stream,
    default_duration: Option<Nanos>,
    /// Of the last block that tells it.
    last_duration: Option<Nanos>,
    count: Count,
}

/// A place where a player may begin.
#[derive(Debug, Clone, Copy)]
struct Cue {
    time: i64,
    track: u64,
    cluster: u64,
}

impl Segment {
    pub(super) fn new(at: u64, header: Header) -> Self {
        Self {
            at,
            header,
            scale: 1_000_000,
            duration: None,
            seeks: Vec::new(),
            tracks: Vec::new(),
            places: Vec::new(),
            cues: Vec::new(),
            patches: Vec::new(),
            keep: 0,
        }
    }

    /// Where positions count from.
    fn body(&self) -> u64 {
        self.at + self.header.header as u64
    }

    /// Whether there is such a track.
    pub(super) fn has(&self, track: u64) -> bool {
        self.tracks.iter().any(|own| own.number == track)
    }

    /// An element other than a cluster is whole.
    pub(super) fn place(&mut self, id: u32, at: u64, end: u64) {
        self.places.push((id, at));
        self.keep = end;
    }

    pub(super) fn seek_head(&mut self, bytes: &[u8], at: u64) {
        for seek in ebml::children(bytes).filter(|child| child.id == SEEK) {
            let id = ebml::child(seek.body, SEEK_ID).and_then(ebml::uint);
            let mut inner = ebml::children(seek.body);
            let position = inner.find(|child| child.id == SEEK_POSITION);
            let (Some(id), Some(position)) = (id, position) else {
                continue;
            };
            self.seeks.push(Seek {
                at: at + seek.at as u64,
                len: seek.len as u64,
                id: u32::try_from(id).unwrap_or(0),
                position_at: at + (seek.body_at() + position.body_at()) as u64,
                position: position.body.to_vec(),
            });
        }
    }

    pub(super) fn info(&mut self, bytes: &[u8], at: u64) {
        let scale = ebml::child(bytes, TIMESTAMP_SCALE).and_then(ebml::uint);
        let scale = scale.and_then(|scale| i64::try_from(scale).ok());
        self.scale = scale.filter(|scale| *scale > 0).unwrap_or(self.scale);
        let duration = ebml::children(bytes).find(|child| child.id == DURATION);
        self.duration = duration.map(|it| (at + it.body_at() as u64, it.body.to_vec()));
    }

    pub(super) fn tracks(&mut self, bytes: &[u8]) {
        let entries = ebml::children(bytes).filter(|child| child.id == TRACK_ENTRY);
        self.tracks
            .extend(entries.filter_map(|it| Track::read(it.body)));
    }

    /// A block ends at `end`.
    pub(super) fn block(&mut self, block: &Block, cluster: &Cluster, end: u64) {
        self.keep = end;
        let (pts, scale) = (self.nanos(block.time), self.scale);
        let Some(track) = self.tracks.iter_mut().find(|it| it.number == block.track) else {
            return;
        };
        let duration = block.duration.and_then(|ticks| i64::try_from(ticks).ok());
        track.last_duration = duration.map(|ticks| ticks.saturating_mul(scale));
        for _ in 0..block.frames {
            track.count.push(pts, block.sync);
        }
        if block.sync {
            self.cues.push(Cue {
                time: block.time,
                track: block.track,
                cluster: cluster.at,
            });
        }
    }

    /// A cluster ends at `end`, whatever it said itself.
    pub(super) fn close(&mut self, cluster: &Cluster, end: u64) {
        let size = end - cluster.at - cluster.header.header as u64;
        if cluster.blocks > 0 && cluster.header.size != Some(size) {
            self.resize(cluster.at, &cluster.header, size);
        }
    }

    /// Writes down a size where there is room for it; what is left open reaches to what follows.
    fn resize(&mut self, at: u64, header: &Header, size: u64) {
        if let Some(bytes) = ebml::vint_of(size, header.size_width()) {
            self.patches.push(Patch {
                at: at + header.id_width as u64,
                bytes,
            });
        }
    }

    /// Nobody can make sense of what lies between: readers shall not try.
    pub(super) fn hole(&mut self, from: u64, to: u64) {
        if let Some(bytes) = ebml::void(to - from) {
            self.patches.push(Patch { at: from, bytes });
        }
    }

    fn nanos(&self, ticks: i64) -> Nanos {
        ticks.saturating_mul(self.scale)
    }

    /// How a file of `len` bytes is made good.
    pub(super) fn finish(mut self, len: u64) -> Result<Mended, MendError> {
        if self.tracks.is_empty() {
            return Err(MendError::NoTracks);
        }
        let tracks = self.tracks.iter().filter(|track| track.count.frames() > 0);
        let tracks: Vec<_> = tracks.map(Track::found).collect();
        if tracks.is_empty() {
            return Err(MendError::NoFrame);
        }
        let has_cues = self
            .places
            .iter()
            .any(|(id, at)| *id == CUES && *at < self.keep);
        let tail = if has_cues { Vec::new() } else { self.index() };
        if !tail.is_empty() {
            self.places.push((CUES, self.keep));
        }
        let size = self.keep + tail.len() as u64 - self.body();
        if self.header.size != Some(size) {
            self.resize(self.at, &self.header.clone(), size);
        }
        self.point();
        let is_as_it_was = self.patches.is_empty() && tail.is_empty() && self.keep == len;
        if !is_as_it_was {
            self.tell_duration(&tracks);
        }
        self.patches.retain(|patch| patch.at < self.keep);
        Ok(Mended {
            keep: self.keep,
            patches: self.patches,
            tail,
            tracks,
        })
    }

    /// The index: where the track that leads may begin.
    fn index(&self) -> Vec<u8> {
        let lead = self.tracks.iter().filter(|track| track.count.frames() > 0);
        let lead = lead.min_by_key(|track| track.stream.kind != "video");
        let Some(lead) = lead else {
            return Vec::new();
        };
        let mut points = Vec::new();
        let mut indexed = None;
        for cue in self.cues.iter().filter(|cue| cue.track == lead.number) {
            // Of sound every block would do: one a cluster is enough.
            if lead.stream.kind != "video" && indexed == Some(cue.cluster) {
                continue;
            }
            indexed = Some(cue.cluster);
            let positions = [
                ebml::number(CUE_TRACK, cue.track),
                ebml::number(CUE_CLUSTER, cue.cluster - self.body()),
            ];
            let point = [
                ebml::number(CUE_TIME, u64::try_from(cue.time).unwrap_or(0)),
                ebml::element(CUE_POSITIONS, &positions.concat()),
            ];
            points.extend(ebml::element(CUE_POINT, &point.concat()));
        }
        if points.is_empty() {
            return points;
        }
        ebml::element(CUES, &points)
    }

    /// Makes the entries that tell where things are tell the truth; where there is nothing, nothing
    /// is told.
    fn point(&mut self) {
        for seek in &self.seeks {
            let place = self.places.iter().rev().find(|(id, _)| *id == seek.id);
            let position = place.map(|(_, at)| at - self.body());
            let width = seek.position.len();
            let bytes = position
                .map(u64::to_be_bytes)
                .filter(|bytes| width <= 8 && bytes[..8 - width].iter().all(|byte| *byte == 0));
            match bytes {
                Some(bytes) if bytes[8 - width..] == seek.position => {}
                Some(bytes) => self.patches.push(Patch {
                    at: seek.position_at,
                    bytes: bytes[8 - width..].to_vec(),
                }),
                None => self
                    .patches
                    .extend(ebml::void(seek.len).map(|bytes| Patch { at: seek.at, bytes })),
            }
        }
    }

    /// From the segment's start to the end of its last frame, in ticks.
    fn tell_duration(&mut self, tracks: &[Stretch]) {
        let Some((at, was)) = self.duration.take() else {
            return;
        };
        let end = tracks.iter().map(|track| track.end).max().unwrap_or(0);
        let ticks = end as f64 / self.scale as f64;
        let bytes = match was.len() {
            4 => (ticks as f32).to_be_bytes().to_vec(),
            8 => ticks.to_be_bytes().to_vec(),
            _ => return,
        };
        if bytes != was {
            self.patches.push(Patch { at, bytes });
        }
    }
}

impl Track {
    fn read(entry: &[u8]) -> Option<Self> {
        let number = |within: &[u8], id| ebml::child(within, id).and_then(ebml::uint);
        let small = |within: &[u8], id| number(within, id).and_then(|it| i32::try_from(it).ok());
        let (video, audio) = (ebml::child(entry, VIDEO), ebml::child(entry, AUDIO));
        let codec = ebml::child(entry, CODEC_ID).unwrap_or_default();
        let header = ebml::child(entry, CODEC_PRIVATE).unwrap_or_default();
        let default_duration = number(entry, DEFAULT_DURATION);
        Some(Self {
            number: number(entry, TRACK_NUMBER)?,
            stream: Stream {
                width: video.and_then(|video| small(video, WIDTH)),
                height: video.and_then(|video| small(video, HEIGHT)),
                rate: audio.map(|audio| ebml::child(audio, FREQUENCY).map_or(8000, frequency)),
                channels: audio.map(|audio| small(audio, CHANNELS).unwrap_or(1)),
                ..Stream::new(kind(video.is_some()), self::codec(codec, header))
            },
            default_duration: default_duration
                .and_then(|it| i64::try_from(it).ok())
                .filter(|it| (1..=10 * SECOND).contains(it)),
            last_duration: None,
            count: Count::default(),
        })
    }

    fn found(&self) -> Stretch {
        let duration = self.last_duration.or(self.default_duration);
        self.count.track(self.stream.clone(), duration)
    }
}

fn kind(shows: bool) -> &'static str {
    if shows { "video" } else { "audio" }
}

/// A floating-point number of four or eight bytes.
fn frequency(bytes: &[u8]) -> i32 {
    match bytes.len() {
        4 => ebml::uint(bytes).map_or(0, |bits| f32::from_bits(bits as u32) as i32),
        _ => ebml::uint(bytes).map_or(0, |bits| f64::from_bits(bits) as i32),
    }
}

/// Our word for the codec (Matroska's codec mappings), of which the recorder writes these.
fn codec(id: &[u8], header: &[u8]) -> &'static str {
    let id = id.strip_suffix(b"\0").unwrap_or(id);
    match id {
        b"V_MPEG4/ISO/AVC" => "h264",
        b"V_MPEGH/ISO/HEVC" => "h265",
        b"V_AV1" => "av1",
        b"V_VP8" => "vp8",
        b"V_VP9" => "vp9",
        b"V_MJPEG" => "mjpeg",
        b"A_OPUS" => "opus",
        b"A_PCM/INT/LIT" | b"A_PCM/INT/BIG" | b"A_PCM/FLOAT/IEEE" => "pcm",
        // G.711 has no name of its own: what it is stands in the header of a WAV file.
        b"A_MS/ACM" => match header.first() {
            Some(6) => "alaw",
            Some(7) => "mulaw",
            _ => "unknown",
        },
        _ if id.starts_with(b"A_AAC") => "aac",
        _ => "unknown",
    }
}
