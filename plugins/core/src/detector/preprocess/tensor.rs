//! The model's input as it is filled: elements of one type, planes or interleaved.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::super::input::{Rect, Sample};

/// A model's input.
#[derive(Debug)]
pub enum TensorMut<'a> {
    /// Of 32-bit floats.
    F32(&'a mut [f32]),
    /// Of 16-bit floats.
    F16(&'a mut [f16]),
    /// Of bytes.
    U8(&'a mut [u8]),
}

impl TensorMut<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::F32(elements) => elements.len(),
            Self::F16(elements) => elements.len(),
            Self::U8(elements) => elements.len(),
        }
    }

    pub(super) fn sample(&self) -> Sample {
        match self {
            Self::F32(_) => Sample::F32,
            Self::F16(_) => Sample::F16,
            Self::U8(_) => Sample::U8,
        }
    }
}

/// What a colour becomes in the tensor.
pub(super) trait Element: Copy {
    fn from_colour(colour: f32) -> Self;

    fn copy_line(line: &[f32], elements: &mut [Self]) {
        for (element, &colour) in elements.iter_mut().zip(line) {
            *element = Self::from_colour(colour);
        }
    }
}

impl Element for f32 {
    fn from_colour(colour: f32) -> Self {
        colour
    }
}

impl Element for f16 {
    fn from_colour(colour: f32) -> Self {
        Self::from_f32(colour)
    }

    fn copy_line(line: &[f32], elements: &mut [Self]) {
        // By the processor's own instruction where it has one.
        elements.convert_from_f32_slice(line);
    }
}

impl Element for u8 {
    fn from_colour(colour: f32) -> Self {
        (colour + 0.5) as Self
    }
}

/// A tensor of a known size.
#[derive(Debug)]
pub(super) struct Target<'a, E> {
    pub(super) elements: &'a mut [E],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) interleaved: bool,
}

impl<E: Element> Target<'_, E> {
    /// Fills what `fit` leaves.
    pub(super) fn pad(&mut self, fit: Rect, pad: [f32; 3]) {
        let pad = pad.map(E::from_colour);
        let row_length = if self.interleaved {
            3 * self.width
        } else {
            self.width
        };
        for (n, row) in self.elements.chunks_exact_mut(row_length).enumerate() {
            let (channel, y) = (n / self.height, n % self.height);
            let inside = (fit.y..fit.y + fit.height).contains(&y);
            let (left, right) = match inside {
                true => (fit.x, fit.x + fit.width),
                false => (self.width, self.width),
            };
            if self.interleaved {
                let (pixels, _) = row.as_chunks_mut::<3>();
                pixels[..left].fill(pad);
                pixels[right..].fill(pad);
            } else {
                row[..left].fill(pad[channel]);
                row[right..].fill(pad[channel]);
            }
        }
    }

    /// Writes row `row` of the picture, a line a channel.
    pub(super) fn put(&mut self, fit: Rect, row: usize, lines: &[Vec<f32>; 3]) {
        let start = (fit.y + row) * self.width + fit.x;
        if self.interleaved {
            let (pixels, _) = self.elements.as_chunks_mut::<3>();
            let [first, second, third] = lines;
            let colours = first.iter().zip(second).zip(third);
            for (pixel, ((&a, &b), &c)) in pixels[start..start + fit.width].iter_mut().zip(colours)
            {
                *pixel = [a, b, c].map(E::from_colour);
            }
            return;
        }
        let size = self.width * self.height;
        for (plane, line) in self.elements.chunks_exact_mut(size).zip(lines) {
            E::copy_line(&line[..fit.width], &mut plane[start..start + fit.width]);
        }
    }
}
