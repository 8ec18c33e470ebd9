//! Reading back what a recorder left when it was killed: which samples of a file are whole.
//!
//! Here: the file formats and nothing else. Whoever has the file reads the ranges that are asked
//! for, and writes a new file: of an MP4 from the samples that are found, as its index is built
//! anew; a Matroska file or a transport stream stays as it is but for a few bytes.

mod boxes;
mod ebml;
mod fragments;
mod matroska;
mod mend;
mod mp4;
mod mpegts;
mod segment;
mod tables;

pub use mend::{Mend, MendError, Mended, Patch, Stretch};
pub use mp4::{Scan, ScanError};

use crate::time::Nanos;

/// What was found in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Movie {
    /// The tracks, in the file's order.
    pub tracks: Vec<Track>,
}

impl Movie {
    /// The samples of all tracks.
    pub fn samples(&self) -> usize {
        self.tracks.iter().map(|track| track.samples.len()).sum()
    }
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// What a decoder has to know.
    pub codec: Codec,
    /// In decode order; on every track times count from the start of the file.
    pub samples: Vec<Sample>,
}

/// How a track is coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// The sample entry's four characters, such as `avc1` or `mp4a`.
    pub format: [u8; 4],
    /// Pictures or sound.
    pub media: Media,
    /// The decoder's configuration: the body of `avcC`, `hvcC`, `av1C`, `vpcC` or `dOps`, or the
    /// AudioSpecificConfig out of an `esds`.
    pub config: Option<Vec<u8>>,
}

/// What a track shows or sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Pictures; pixels.
    Video {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Sound.
    Audio {
        /// Samples a second and channel.
        rate: u32,
        /// How many channels.
        channels: u16,
    },
}

/// One coded frame, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its first byte in the file.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u32,
    /// When it is shown, counted from the start of the file.
    pub pts: Nanos,
    /// When it is decoded; before the start of the file where B-frames need it.
    pub dts: Nanos,
    /// How long it is shown.
    pub duration: Nanos,
    /// Decoding may begin here.
    pub sync: bool,
}
