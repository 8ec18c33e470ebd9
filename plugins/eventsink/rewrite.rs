//! A new clip from what is whole of one that a crash has cut off, read back before it is trusted.
//!
//! An MP4's samples go through the muxer of every other clip, the same bytes at the same times. The
//! other containers need a few bytes written over, see `mend`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use evr_core::recording::container::Container;
use evr_core::recording::sidecar::Stream;
use evr_core::recovery::{Codec, Media, Movie, Sample, Scan};
use evr_core::time::Nanos;
use gst::prelude::*;

use super::caps::{self, Input};
use super::files::Files;
use super::finish;
use super::mend;
use super::pads::Kind;
use super::writer::{Event, MAX_QUEUED, Writer};

/// How long muxer and disk may take for what is queued.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a full queue is looked at again.
const TICK: Duration = Duration::from_millis(2);
/// Fragments of the new file; a crash during the repair leaves the old one as it was.
const FRAGMENT: gst::ClockTime = gst::ClockTime::from_seconds(1);

/// Why there is no new clip.
#[derive(Debug)]
pub(super) enum Why {
    /// The old one holds nothing that could be in it.
    Never(String),
    /// The disk refuses, or was too slow.
    NotNow(String),
}

impl From<std::io::Error> for Why {
    fn from(err: std::io::Error) -> Self {
        Self::NotNow(err.to_string())
    }
}

/// What the new clip holds.
#[derive(Debug)]
pub(super) struct Rewritten {
    /// Of the leading stream, as is the duration.
    pub(super) frames: u64,
    pub(super) duration: Nanos,
    pub(super) streams: Vec<Stream>,
}

/// Makes a new file beside the `.part` of what that holds.
///
/// # Errors
/// Why there is none.
pub(super) fn rewrite(files: &Files, container: Container) -> Result<Rewritten, Why> {
    let (old, new) = (files.clip_part(), files.new_part());
    let written = match container {
        Container::Mp4 => remux(&old, &new),
        Container::Matroska | Container::MpegTs => mend::mend(container, &old, &new),
    };
    written.inspect_err(|_| {
        // The next start makes it anew.
        let _ = std::fs::remove_file(&new);
    })
}

fn remux(old: &Path, new: &Path) -> Result<Rewritten, Why> {
    let container = Container::Mp4;
    let mut old = File::open(old)?;
    let mut movie = scan(&mut old)?;
    // As in every clip, pictures lead.
    movie.tracks.sort_by_key(|track| kind(&track.codec, 0));
    let tracks = movie.tracks.iter().enumerate().map(track);
    let tracks: Vec<_> = tracks.collect::<Result<_, _>>().map_err(Why::Never)?;
    let streams = tracks
        .iter()
        .map(|(_, input, _)| input.about.clone())
        .collect();
    let (writer, heard) = Writer::new(container, tracks, true);
    let pipeline = writer
        .pipeline(new, FRAGMENT)
        .map_err(|err| Why::NotNow(format!("its pipeline cannot be built: {err}")))?;
    let written = match pipeline.set_state(gst::State::Playing) {
        Ok(_) => feed(&mut old, &movie, &writer, &heard),
        Err(_) => Err("the new file's pipeline does not start".into()),
    };
    finish::shut_down(&pipeline);
    written.map_err(Why::NotNow)?;
    verify(new, &movie)?;
    let lead = movie.tracks.first().map(|track| track.samples.as_slice());
    let lead = lead.unwrap_or_default();
    let start = lead.iter().map(|sample| sample.pts).min().unwrap_or(0);
    let end = |sample: &Sample| sample.pts.saturating_add(sample.duration);
    let end = lead.iter().map(end).max();
    Ok(Rewritten {
        frames: lead.len() as u64,
        duration: end.unwrap_or(start).saturating_sub(start),
        streams,
    })
}

fn scan(file: &mut File) -> Result<Movie, Why> {
    let mut scan = Scan::new(file.metadata()?.len());
    while let Some((at, length)) = scan.need() {
        scan.feed(&read(file, at, length)?);
    }
    scan.finish().map_err(|err| Why::Never(err.to_string()))
}

/// The bytes of a file from `at` on.
pub(super) fn read(file: &mut File, at: u64, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Pushes all samples in the order in which they are decoded, and waits for the last byte.
fn feed(
    old: &mut File,
    movie: &Movie,
    writer: &Writer,
    heard: &Receiver<Event>,
) -> Result<(), String> {
    let mut samples: Vec<(usize, &Sample)> = movie
        .tracks
        .iter()
        .enumerate()
        .flat_map(|(n, track)| track.samples.iter().map(move |sample| (n, sample)))
        .collect();
    samples.sort_by_key(|(_, sample)| sample.dts);
    for (track, sample) in samples {
        let since = Instant::now();
        while writer.queued() > MAX_QUEUED {
            hear(heard, TICK)?;
            if since.elapsed() > PATIENCE {
                return Err(too_slow());
            }
        }
        let bytes =
            read(old, sample.offset, sample.size as usize).map_err(|err| err.to_string())?;
        let mut shown = *sample;
        if let Some(last) = lasting(&movie.tracks[track].samples, sample) {
            shown.duration = last;
        }
        writer.write(track, buffer(bytes, &shown), sample.pts, Some(sample.dts));
    }
    writer.drain();
    let since = Instant::now();
    while !hear(heard, PATIENCE.saturating_sub(since.elapsed()))? {
        if since.elapsed() >= PATIENCE {
            return Err(too_slow());
        }
    }
    Ok(())
}

/// How long the last sample must last, if this is it. The cut may have taken frames that are shown
/// before others that are left, and players hide what is shown behind the sum of all durations.
fn lasting(samples: &[Sample], sample: &Sample) -> Option<Nanos> {
    let (first, last) = (samples.first()?, samples.last()?);
    if last != sample {
        return None;
    }
    let start = samples.iter().map(|sample| sample.pts).min()?;
    let end = samples.iter().map(|it| it.pts.saturating_add(it.duration));
    let span = end.max()?.saturating_sub(start);
    let rest = span.saturating_sub(last.dts.saturating_sub(first.dts));
    Some(rest.max(sample.duration))
}

fn too_slow() -> String {
    format!("the disk took longer than {} s", PATIENCE.as_secs())
}

/// Whether the last byte has been written, after waiting for `patience` at most.
fn hear(heard: &Receiver<Event>, patience: Duration) -> Result<bool, String> {
    match heard.recv_timeout(patience) {
        Ok(Event::Written) => Ok(true),
        Ok(Event::Broken(why)) => Err(why),
        Ok(Event::Learnt(_) | Event::Ended(_)) | Err(RecvTimeoutError::Timeout) => Ok(false),
        Err(RecvTimeoutError::Disconnected) => Err("its pipeline went away".into()),
    }
}

fn buffer(bytes: Vec<u8>, sample: &Sample) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let fields = buffer.get_mut().expect("a new buffer has one owner");
    fields.set_duration(crate::bridge::time::clock_time(sample.duration));
    if !sample.sync {
        fields.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    buffer
}

/// The new file is trusted only if it holds what was found in the old one.
fn verify(new: &Path, old: &Movie) -> Result<(), Why> {
    let mut file = File::open(new)?;
    let (found, expected) = (scan(&mut file)?.samples(), old.samples());
    if found == expected {
        Ok(())
    } else {
        let why = format!("the new file holds {found} of {expected} samples");
        Err(Why::Never(why))
    }
}

fn kind(codec: &Codec, index: u32) -> Kind {
    match codec.media {
        Media::Video { .. } => Kind::Video,
        Media::Audio { .. } => Kind::Audio(index),
    }
}

fn track(
    (index, track): (usize, &evr_core::recovery::Track),
) -> Result<(Kind, Input, Option<&'static str>), String> {
    let kind = kind(&track.codec, index as u32);
    let name = String::from_utf8_lossy(&track.codec.format).into_owned();
    let caps = caps_of(&track.codec).ok_or_else(|| format!("it holds a stream of kind {name}"))?;
    Ok((kind, caps::accept(kind, Container::Mp4, &caps)?, None))
}

/// The caps that the muxer was given.
fn caps_of(codec: &Codec) -> Option<gst::Caps> {
    let caps = match &codec.format {
        b"avc1" => gst::Caps::builder("video/x-h264").field("stream-format", "avc"),
        b"avc3" => gst::Caps::builder("video/x-h264").field("stream-format", "avc3"),
        b"hvc1" => gst::Caps::builder("video/x-h265").field("stream-format", "hvc1"),
        b"hev1" => gst::Caps::builder("video/x-h265").field("stream-format", "hev1"),
        b"av01" => gst::Caps::builder("video/x-av1").field("stream-format", "obu-stream"),
        b"vp09" => vp9(codec.config.as_deref()?),
        b"jpeg" | b"mjpa" => gst::Caps::builder("image/jpeg"),
        b"mp4a" => gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4)
            .field("stream-format", "raw")
            .field("framed", true),
        b"Opus" => gst::Caps::builder("audio/x-opus").field("channel-mapping-family", 0),
        _ => return None,
    };
    let caps = match &codec.format {
        b"avc1" | b"avc3" | b"hvc1" | b"hev1" => caps.field("alignment", "au"),
        b"av01" => caps.field("alignment", "tu"),
        _ => caps,
    };
    let caps = match codec.media {
        Media::Video { width, height } => caps
            .field("width", i32::from(width))
            .field("height", i32::from(height)),
        Media::Audio { rate, channels } => caps
            .field("rate", i32::try_from(rate).ok()?)
            .field("channels", i32::from(channels)),
    };
    let has_data = !matches!(&codec.format, b"vp09" | b"Opus");
    let data = codec.config.clone().filter(|_| has_data);
    Some(
        caps.field_if_some("codec_data", data.map(gst::Buffer::from_slice))
            .build(),
    )
}

/// What vp9parse would tell, out of a `vpcC` (VP Codec ISO Media File Format Binding, 2.2).
fn vp9(config: &[u8]) -> gst::caps::Builder<gst::caps::NoFeature> {
    let profile = config.get(4).copied().unwrap_or(0);
    let chroma = match config.get(6).map_or(0, |byte| byte >> 1 & 7) {
        2 => "4:2:2",
        3 => "4:4:4",
        _ => "4:2:0",
    };
    gst::Caps::builder("video/x-vp9")
        .field("profile", profile.to_string())
        .field("chroma-format", chroma)
}
