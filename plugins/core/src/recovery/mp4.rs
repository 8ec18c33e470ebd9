//! An MP4 file that may end anywhere.
//!
//! Fragments follow the first `moov`; a file that was being finalised may have a second one, at its
//! end, which tells of every sample. Only samples whose bytes the file holds are told.

use thiserror::Error;

use super::boxes::{Header, LONG, SHORT};
use super::tables::{self, Entry, Table};
use super::{Movie, Sample, Track, fragments};
use crate::time::{Nanos, SECOND};

/// An index larger than this is damage: it would tell of days of video.
const MAX_INDEX: u64 = 256 << 20;

/// Why nothing can be recovered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScanError {
    /// There is no index of any sample.
    #[error("the file was cut before its first fragment was complete")]
    NoIndex,
    /// The index tells of samples that the file does not hold.
    #[error("none of the {0} samples that the file tells of is whole")]
    NoSample(usize),
}

/// Walks a file: read what [`need`](Self::need) asks for, [`feed`](Self::feed) it, until nothing is
/// asked for; then [`finish`](Self::finish).
#[derive(Debug)]
pub struct Scan {
    /// Bytes of the file.
    len: u64,
    at: u64,
    stage: Stage,
    tables: Vec<Table>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    /// The body of an index of this kind and length is wanted; the box itself is that long.
    Index([u8; 4], usize, u64),
    Over,
}

impl Scan {
    /// A walk through a file of `len` bytes.
    pub fn new(len: u64) -> Self {
        Self {
            len,
            at: 0,
            stage: Stage::Header,
            tables: Vec::new(),
        }
    }

    /// The bytes that are needed next: from where, and how many. They lie within the file.
    pub fn need(&self) -> Option<(u64, usize)> {
        let left = self.len.saturating_sub(self.at);
        match self.stage {
            Stage::Header if left >= SHORT as u64 => {
                Some((self.at, left.min(LONG as u64) as usize))
            }
            Stage::Header | Stage::Over => None,
            Stage::Index(_, length, size) => Some((self.at + size - length as u64, length)),
        }
    }

    /// Takes the bytes that were needed. Fewer of them end the walk.
    pub fn feed(&mut self, bytes: &[u8]) {
        match self.stage {
            Stage::Header => self.header(bytes),
            Stage::Index(kind, length, size) if bytes.len() == length => {
                if &kind == b"moov" {
                    self.moov(bytes);
                } else {
                    fragments::read(bytes, self.at, &mut self.tables);
                }
                self.at += size;
                self.stage = Stage::Header;
            }
            Stage::Index(..) | Stage::Over => self.stage = Stage::Over,
        }
    }

    fn header(&mut self, bytes: &[u8]) {
        let Some(header) = Header::read(bytes) else {
            self.stage = Stage::Over;
            return;
        };
        let end = header.size.and_then(|size| self.at.checked_add(size));
        let Some((size, end)) = header.size.zip(end).filter(|(_, end)| *end <= self.len) else {
            // Cut within this box: what it would have told is lost, and nothing follows it.
            self.stage = Stage::Over;
            return;
        };
        let body = size - header.header as u64;
        match &header.kind {
            b"moov" | b"moof" if body <= MAX_INDEX => {
                self.stage = Stage::Index(header.kind, body as usize, size);
            }
            _ => self.at = end,
        }
    }

    /// A second `moov` is the finished index; it replaces the first where it tells of more.
    fn moov(&mut self, bytes: &[u8]) {
        let tables = tables::read(bytes);
        let count = |tables: &[Table]| {
            tables
                .iter()
                .map(|table| table.entries.len())
                .sum::<usize>()
        };
        if self.tables.is_empty() || count(&tables) > count(&self.tables) {
            self.tables = tables;
        }
    }

    /// What was found.
    ///
    /// # Errors
    /// There is nothing that could be played.
    pub fn finish(self) -> Result<Movie, ScanError> {
        let told: usize = self.tables.iter().map(|table| table.entries.len()).sum();
        if told == 0 {
            return Err(ScanError::NoIndex);
        }
        let tracks = self.tables.into_iter().map(|table| table.track(self.len));
        let tracks = tracks.filter(|track| !track.samples.is_empty()).collect();
        let movie = Movie { tracks };
        if movie.samples() == 0 {
            return Err(ScanError::NoSample(told));
        }
        Ok(movie)
    }
}

impl Table {
    /// The samples that a file of `len` bytes holds.
    fn track(self, len: u64) -> Track {
        let whole = |entry: &&Entry| {
            let end = entry.offset.checked_add(u64::from(entry.size));
            entry.size > 0 && end.is_some_and(|end| end <= len)
        };
        let samples = self.entries.iter().filter(whole);
        let samples = samples.map(|entry| self.sample(entry)).collect();
        Track {
            codec: self.codec.clone(),
            samples,
        }
    }

    fn sample(&self, entry: &Entry) -> Sample {
        let dts = entry.dts.saturating_add(self.shift);
        Sample {
            offset: entry.offset,
            size: entry.size,
            pts: self.nanos(dts.saturating_add(entry.composition)),
            dts: self.nanos(dts),
            duration: self.nanos(i64::from(entry.duration)),
            sync: entry.sync,
        }
    }

    /// Ticks as time, to the nearest nanosecond.
    fn nanos(&self, ticks: i64) -> Nanos {
        let scale = i128::from(self.timescale);
        let nanos = (i128::from(ticks) * i128::from(SECOND) + scale / 2).div_euclid(scale);
        nanos.clamp(i128::from(Nanos::MIN), i128::from(Nanos::MAX)) as Nanos
    }
}
