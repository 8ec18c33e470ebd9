//! One component of a frame, resized: rows blended, then columns picked.

use std::ops::Range;

use pulp::Arch;

use super::FrameError;
use super::format::{Place, Planes};

/// A blended sample counts 256 times one of the frame, so 16 bits hold it.
pub(super) const WHOLE: u16 = 256;

/// The part of a frame that is taken, along one axis, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) first: usize,
    pub(super) length: usize,
    /// Pixels a sample.
    pub(super) subsampling: usize,
}

/// Two neighbouring samples and how far towards the second to go.
#[derive(Debug, Clone, Copy)]
struct Tap {
    low: usize,
    fraction: f32,
}

/// One of the frame's components, and where its samples for the picture in the tensor lie.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) place: Place,
    /// Bytes within a row, of the first sample for each column of the picture.
    columns: Vec<u32>,
    /// Positions are rows of the plane.
    rows: Vec<Tap>,
    /// Bytes from a sample to the next, and rows to the next; 0 where there is but one.
    next: usize,
    below: usize,
    /// The bytes of each row that hold the samples.
    pub(super) span: Range<usize>,
    /// For each column of the picture the two blended samples that it lies between, the second in the
    /// upper 16 bits.
    pairs: Vec<u32>,
    /// How far towards the second to go.
    fractions: Vec<f32>,
    /// One row of the picture, 256 times too bright.
    pub(super) line: Vec<f32>,
}

impl Component {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            columns: Vec::new(),
            rows: Vec::new(),
            next: 0,
            below: 0,
            span: 0..0,
            pairs: Vec::new(),
            fractions: Vec::new(),
            line: Vec::new(),
        }
    }

    /// Finds the samples for a picture of `width` by `height`.
    pub(super) fn aim(&mut self, columns: Axis, width: usize, rows: Axis, height: usize) {
        let Place { step, first, .. } = self.place;
        let samples = columns.samples();
        self.span = samples.start * step + first..(samples.end - 1) * step + first + 1;
        self.next = if samples.len() > 1 { step } else { 0 };
        self.below = usize::from(rows.samples().len() > 1);
        self.columns.clear();
        self.fractions.clear();
        for tap in columns.taps(width) {
            // A row of a frame is no longer than its width times the bytes of a pixel.
            self.columns.push((tap.low * step + first) as u32);
            self.fractions.push(tap.fraction);
        }
        self.rows.clear();
        self.rows.extend(rows.taps(height));
        self.pairs.resize(width, 0);
        self.line.resize(width, 0.0);
    }

    pub(super) fn check(&self, planes: &Planes<'_>) -> Result<(), FrameError> {
        let plane = self.place.plane;
        let (data, stride) = (planes.data[plane], planes.stride[plane]);
        // Rows go from top to bottom.
        let last_row = self.rows.last().map_or(0, |tap| tap.low + self.below);
        let end = last_row
            .checked_mul(stride)
            .and_then(|start| start.checked_add(self.span.end));
        if self.span.end <= stride && end.is_some_and(|end| end <= data.len()) {
            return Ok(());
        }
        Err(FrameError::Short {
            plane,
            bytes: data.len(),
            stride,
        })
    }

    /// Blends the two rows of the plane between which row `y` of the picture lies, the bytes in
    /// `span`; `check` has found them within the plane.
    pub(super) fn blend(
        &self,
        arch: Arch,
        planes: &Planes<'_>,
        y: usize,
        span: Range<usize>,
        blended: &mut [u16],
    ) {
        let plane = self.place.plane;
        let (data, stride) = (planes.data[plane], planes.stride[plane]);
        let tap = self.rows[y];
        let row = |row: usize| &data[row * stride..][span.clone()];
        let (upper, lower) = (row(tap.low), row(tap.low + self.below));
        let down = (tap.fraction * f32::from(WHOLE)).round() as u16;
        let up = WHOLE - down;
        let blended = &mut blended[span.clone()];
        arch.dispatch(|| {
            for ((blended, &above), &below) in blended.iter_mut().zip(upper).zip(lower) {
                *blended = u16::from(above) * up + u16::from(below) * down;
            }
        });
    }

    /// Picks the picture's columns out of a blended row and interpolates them.
    pub(super) fn pick(&mut self, arch: Arch, blended: &[u16]) {
        // Known to the compiler to be as long, so that it checks once a pixel.
        let high = &blended[self.next..];
        let low = &blended[..high.len()];
        for (pair, &at) in self.pairs.iter_mut().zip(&self.columns) {
            let at = at as usize;
            *pair = u32::from(low[at]) | u32::from(high[at]) << 16;
        }
        let (line, pairs, fractions) = (&mut self.line, &self.pairs, &self.fractions);
        arch.dispatch(|| {
            for ((value, &pair), &fraction) in line.iter_mut().zip(pairs).zip(fractions) {
                // Signed, as most processors turn no unsigned numbers into floats.
                let (low, high) = ((pair & 0xffff) as i32 as f32, (pair >> 16) as i32 as f32);
                *value = low + (high - low) * fraction;
            }
        });
    }
}

impl Axis {
    /// The samples that stand for these pixels; never none.
    fn samples(&self) -> Range<usize> {
        let end = (self.first + self.length).div_ceil(self.subsampling);
        self.first / self.subsampling..end
    }

    /// For each of `to` pixels of the picture the samples that it lies between. The second of them
    /// is the next, if there is more than one.
    fn taps(&self, to: usize) -> impl Iterator<Item = Tap> {
        let Self {
            first,
            length,
            subsampling,
        } = *self;
        let samples = self.samples();
        let ratio = length as f64 / to as f64;
        (0..to).map(move |i| {
            let pixel = first as f64 + (i as f64 + 0.5) * ratio;
            let centre = pixel / subsampling as f64 - 0.5;
            let (least, most) = (samples.start as f64, (samples.end - 1) as f64);
            let centre = centre.clamp(least, most);
            let low = (centre as usize).min(samples.end.saturating_sub(2).max(samples.start));
            Tap {
                low,
                fraction: (centre - low as f64) as f32,
            }
        })
    }
}
