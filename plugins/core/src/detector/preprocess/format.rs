//! Where the samples of each pixel format lie.

/// How a frame's samples lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// Planes Y, U, V; chroma halved both ways.
    I420,
    /// Planes Y and interleaved UV; chroma halved both ways.
    Nv12,
    /// Packed Y, U, Y, V; chroma halved across.
    Yuy2,
    /// One plane of grey.
    Gray8,
    /// Packed R, G, B.
    Rgb,
    /// Packed B, G, R.
    Bgr,
    /// Packed R, G, B and a byte that is not looked at.
    Rgbx,
    /// Packed B, G, R and a byte that is not looked at.
    Bgrx,
}

/// What a format's components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Yuv,
    Rgb,
    Grey,
}

/// A frame's memory. Unused planes are empty.
#[derive(Debug, Clone, Copy)]
pub struct Planes<'a> {
    /// Each plane from its first row.
    pub data: [&'a [u8]; 3],
    /// Bytes from one row to the next.
    pub stride: [usize; 3],
}

/// Where the samples of one component lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) plane: usize,
    /// Bytes from one sample to the next.
    pub(super) step: usize,
    /// Byte of the first sample in a row.
    pub(super) first: usize,
    /// Pixels a sample, across.
    pub(super) across: usize,
    /// Pixels a sample, down.
    pub(super) down: usize,
}

fn at(plane: usize, step: usize, first: usize, across: usize, down: usize) -> Place {
    Place {
        plane,
        step,
        first,
        across,
        down,
    }
}

impl PixelFormat {
    /// Y, Cb, Cr or R, G, B or grey.
    pub(super) fn places(self) -> Vec<Place> {
        match self {
            Self::I420 => vec![at(0, 1, 0, 1, 1), at(1, 1, 0, 2, 2), at(2, 1, 0, 2, 2)],
            Self::Nv12 => vec![at(0, 1, 0, 1, 1), at(1, 2, 0, 2, 2), at(1, 2, 1, 2, 2)],
            Self::Yuy2 => vec![at(0, 2, 0, 1, 1), at(0, 4, 1, 2, 1), at(0, 4, 3, 2, 1)],
            Self::Gray8 => vec![at(0, 1, 0, 1, 1)],
            Self::Rgb => vec![at(0, 3, 0, 1, 1), at(0, 3, 1, 1, 1), at(0, 3, 2, 1, 1)],
            Self::Bgr => vec![at(0, 3, 2, 1, 1), at(0, 3, 1, 1, 1), at(0, 3, 0, 1, 1)],
            Self::Rgbx => vec![at(0, 4, 0, 1, 1), at(0, 4, 1, 1, 1), at(0, 4, 2, 1, 1)],
            Self::Bgrx => vec![at(0, 4, 2, 1, 1), at(0, 4, 1, 1, 1), at(0, 4, 0, 1, 1)],
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::I420 | Self::Nv12 | Self::Yuy2 => Family::Yuv,
            Self::Gray8 => Family::Grey,
            Self::Rgb | Self::Bgr | Self::Rgbx | Self::Bgrx => Family::Rgb,
        }
    }
}
