//! Making a file good where it lies: what of it to keep, what to write over and behind that.

use thiserror::Error;

use super::matroska::Matroska;
use super::mpegts::MpegTs;
use crate::recording::container::Container;
use crate::recording::sidecar::Stream;
use crate::time::Nanos;

/// Why nothing can be recovered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MendError {
    /// Nobody knows what the bytes are.
    #[error("the file was cut before it told what streams it has")]
    NoTracks,
    /// There is nothing to show.
    #[error("the file was cut before its first frame was complete")]
    NoFrame,
}

/// Bytes that take the place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The place of the first.
    pub at: u64,
    /// As many as are replaced.
    pub bytes: Vec<u8>,
}

/// How a file becomes a good one: cut it after `keep` bytes, lay the patches over it and add the
/// tail. One that needs nothing of that is kept whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// Bytes to keep.
    pub keep: u64,
    /// Within what is kept; none overlaps another.
    pub patches: Vec<Patch>,
    /// What comes behind it.
    pub tail: Vec<u8>,
    /// What the file holds then, in its own order; at least one frame.
    pub tracks: Vec<Stretch>,
}

/// A track of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// What the file tells of it.
    pub stream: Stream,
    /// Whole ones.
    pub frames: u64,
    /// When the first is shown, in the file's own time.
    pub start: Nanos,
    /// When the last is over.
    pub end: Nanos,
    /// When the first is shown from which decoding may begin.
    pub first_sync: Option<Nanos>,
}

impl Mended {
    /// The track that tells how long the file is: pictures, if there are any.
    pub fn lead(&self) -> Option<&Stretch> {
        let shows = |track: &&Stretch| track.stream.kind == "video";
        let tracks = || self.tracks.iter().filter(|track| track.frames > 0);
        tracks().find(shows).or_else(|| tracks().next())
    }
}

/// Walks a file: read what [`need`](Self::need) asks for, [`feed`](Self::feed) it, until nothing is
/// asked for; then [`finish`](Self::finish).
#[derive(Debug)]
pub struct Mend(Kind);

#[derive(Debug)]
enum Kind {
    Matroska(Box<Matroska>),
    MpegTs(Box<MpegTs>),
}

impl Mend {
    /// A walk through a file of `len` bytes; `None` for a container of which a new file is made
    /// instead, see [`Scan`](super::Scan).
    pub fn new(container: Container, len: u64) -> Option<Self> {
        match container {
            Container::Mp4 => None,
            Container::Matroska => Some(Self(Kind::Matroska(Box::new(Matroska::new(len))))),
            Container::MpegTs => Some(Self(Kind::MpegTs(Box::new(MpegTs::new(len))))),
        }
    }

    /// The bytes that are needed next: from where, and how many. They lie within the file.
    pub fn need(&self) -> Option<(u64, usize)> {
        match &self.0 {
            Kind::Matroska(walk) => walk.need(),
            Kind::MpegTs(walk) => walk.need(),
        }
    }

    /// Takes the bytes that were needed. Fewer of them end the walk.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Kind::Matroska(walk) => walk.feed(bytes),
            Kind::MpegTs(walk) => walk.feed(bytes),
        }
    }

    /// What is to be done.
    ///
    /// # Errors
    /// There is nothing that could be played.
    pub fn finish(self) -> Result<Mended, MendError> {
        match self.0 {
            Kind::Matroska(walk) => walk.finish(),
            Kind::MpegTs(walk) => walk.finish(),
        }
    }
}

/// Frames as they are counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    frames: u64,
    /// The earliest.
    first: Nanos,
    /// The two latest, the second of them later or equal.
    last: (Nanos, Nanos),
    first_sync: Option<Nanos>,
}

impl Count {
    /// Takes a frame.
    pub(super) fn push(&mut self, pts: Nanos, sync: bool) {
        if self.frames == 0 {
            (self.first, self.last) = (pts, (pts, pts));
        } else if pts > self.last.1 {
            self.last = (self.last.1, pts);
        } else {
            self.last.0 = self.last.0.max(pts);
        }
        self.frames += 1;
        self.first = self.first.min(pts);
        if sync && self.first_sync.is_none() {
            self.first_sync = Some(pts);
        }
    }

    /// A track of these frames, the last of which is shown for as long as `duration` or the
    /// distance from the one before it tells.
    pub(super) fn track(&self, stream: Stream, duration: Option<Nanos>) -> Stretch {
        let step = self.last.1.saturating_sub(self.last.0);
        Stretch {
            stream,
            frames: self.frames,
            start: self.first,
            end: self.last.1.saturating_add(duration.unwrap_or(step)),
            first_sync: self.first_sync,
        }
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }
}
