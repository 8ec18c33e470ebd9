//! The picture of a frame that a server gets: its size, how the frame lies in it, and the formats
//! that need no encoder.

use crate::detector::{Colours, Input, Resize, Sample};

/// How a frame is brought to the size that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// By one ratio, to fit inside; the picture is as small as the frame then is.
    PreserveAspectRatio,
    /// By one ratio, in the middle of black.
    Pad,
    /// Width and height each by its own ratio.
    Stretch,
}

/// What pictures are asked for. A side of `None` follows from the other, or is the frame's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// How a frame is brought to the size.
    pub scaling: Scaling,
    /// In pixels.
    pub width: Option<usize>,
    /// In pixels.
    pub height: Option<usize>,
}

/// No such picture can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("scaling by {0:?} needs both width and height: set both, or scaling=preserve-aspect-ratio")]
pub struct PictureError(Scaling);

impl Picture {
    /// Whether such a picture can be made of any frame.
    ///
    /// # Errors
    /// [`PictureError`] where only one side is given to what needs both.
    pub fn check(&self) -> Result<(), PictureError> {
        let one = self.width.is_some() != self.height.is_some();
        match one && self.scaling != Scaling::PreserveAspectRatio {
            true => Err(PictureError(self.scaling)),
            false => Ok(()),
        }
    }

    /// The picture of a frame of `width` by `height` pixels, as R, G, B of a byte each.
    pub fn input(&self, (width, height): (usize, usize)) -> Input {
        let ratio = |to: Option<usize>, from: usize| Some(to? as f64 / from.max(1) as f64);
        let (across, down) = (ratio(self.width, width), ratio(self.height, height));
        let (to_width, to_height) = match (self.scaling, across, down) {
            (_, None, None) => (width, height),
            (Scaling::Pad | Scaling::Stretch, ..) => {
                (self.width.unwrap_or(width), self.height.unwrap_or(height))
            }
            (Scaling::PreserveAspectRatio, across, down) => {
                let ratio = match (across, down) {
                    (Some(across), Some(down)) => across.min(down),
                    (across, down) => across.or(down).unwrap_or(1.0),
                };
                let scaled = |from: usize| ((from as f64 * ratio).round() as usize).max(1);
                (scaled(width), scaled(height))
            }
        };
        Input {
            index: 0,
            width: to_width,
            height: to_height,
            interleaved: true,
            sample: Sample::U8,
            resize: match self.scaling {
                Scaling::Pad => Resize::Letterbox,
                Scaling::PreserveAspectRatio | Scaling::Stretch => Resize::Stretch,
            },
            pad: 0.0,
            colours: Colours::Rgb,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            size_input: None,
        }
    }
}

/// The layouts of raw pictures, by Azure's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the layouts")]
pub enum RawFormat {
    Yuv420p,
    Rgb565be,
    Rgb565le,
    Rgb555be,
    Rgb555le,
    Rgb24,
    Bgr24,
    Argb,
    Rgba,
    Abgr,
    Bgra,
}

/// The picture `rgb`, rows of R, G, B without gaps, in another layout, without gaps either.
pub fn raw(rgb: &[u8], width: usize, format: RawFormat) -> Vec<u8> {
    let (pixels, _) = rgb.as_chunks::<3>();
    let each = |to: fn([u8; 3]) -> [u8; 4]| pixels.iter().copied().flat_map(to).collect();
    let short = |green: u32, big: bool| {
        let bytes = pixels.iter().flat_map(|&[r, g, b]| {
            let (r, b) = (u16::from(r) >> 3, u16::from(b) >> 3);
            let word = r << (5 + green) | (u16::from(g) >> (8 - green)) << 5 | b;
            match big {
                true => word.to_be_bytes(),
                false => word.to_le_bytes(),
            }
        });
        bytes.collect()
    };
    match format {
        RawFormat::Rgb24 => rgb.to_vec(),
        RawFormat::Bgr24 => pixels.iter().flat_map(|&[r, g, b]| [b, g, r]).collect(),
        RawFormat::Argb => each(|[r, g, b]| [255, r, g, b]),
        RawFormat::Rgba => each(|[r, g, b]| [r, g, b, 255]),
        RawFormat::Abgr => each(|[r, g, b]| [255, b, g, r]),
        RawFormat::Bgra => each(|[r, g, b]| [b, g, r, 255]),
        RawFormat::Rgb565be => short(6, true),
        RawFormat::Rgb565le => short(6, false),
        RawFormat::Rgb555be => short(5, true),
        RawFormat::Rgb555le => short(5, false),
        RawFormat::Yuv420p => yuv420p(pixels, width.max(1)),
    }
}

/// Planes Y, U, V of BT.601 in 16..=235, chroma of two by two pixels.
fn yuv420p(pixels: &[[u8; 3]], width: usize) -> Vec<u8> {
    let luma = |&[r, g, b]: &[u8; 3]| {
        let [r, g, b] = [r, g, b].map(i32::from);
        (16 + (66 * r + 129 * g + 25 * b + 128) / 256) as u8
    };
    let mut planes: Vec<u8> = pixels.iter().map(luma).collect();
    let rows: Vec<_> = pixels.chunks_exact(width).collect();
    let mut chroma = [Vec::new(), Vec::new()];
    for pair in rows.chunks(2) {
        for x in (0..width).step_by(2) {
            let near = pair.iter().flat_map(|row| &row[x..(x + 2).min(width)]);
            let (mut sums, mut n) = ([0; 3], 0);
            for pixel in near {
                for (sum, &colour) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(colour);
                }
                n += 1;
            }
            let [r, g, b] = sums.map(|sum| sum / n);
            chroma[0].push((128 + (-38 * r - 74 * g + 112 * b) / 256) as u8);
            chroma[1].push((128 + (112 * r - 94 * g - 18 * b) / 256) as u8);
        }
    }
    planes.extend(chroma.into_iter().flatten());
    planes
}

/// The picture `rgb` as a BMP file of 24 bits a pixel.
pub fn bmp(rgb: &[u8], width: usize, height: usize) -> Vec<u8> {
    const HEADERS: usize = 54;
    let stride = (3 * width).next_multiple_of(4);
    let size = HEADERS + stride * height;
    // Sides are below 2^15, so that all of these fit.
    let long = |value: usize| (value as u32).to_le_bytes();
    let mut file = Vec::with_capacity(size);
    file.extend(b"BM");
    file.extend(long(size));
    file.extend([0; 4]);
    file.extend(long(HEADERS));
    file.extend(long(40));
    file.extend(long(width));
    file.extend(long(height));
    // One plane, 24 bits, not compressed, 72 dots an inch.
    file.extend([1, 0, 24, 0, 0, 0, 0, 0]);
    file.extend(long(stride * height));
    file.extend(long(2835));
    file.extend(long(2835));
    file.extend([0; 8]);
    // From the lowest row up.
    for row in rgb.chunks_exact(3 * width.max(1)).take(height).rev() {
        let (pixels, _) = row.as_chunks::<3>();
        file.extend(pixels.iter().flat_map(|&[r, g, b]| [b, g, r]));
        file.resize(file.len() + stride - 3 * width, 0);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(scaling: Scaling, width: Option<usize>, height: Option<usize>) -> (usize, usize) {
        let picture = Picture {
            scaling,
            width,
            height,
        };
        picture.check().expect("it can be made");
        let input = picture.input((1920, 1080));
        (input.width, input.height)
    }

    #[test]
    fn a_picture_has_the_size_that_its_scaling_gives() {
        let (keep, pad) = (Scaling::PreserveAspectRatio, Scaling::Pad);
        assert_eq!(size(keep, None, None), (1920, 1080));
        assert_eq!(size(keep, Some(640), None), (640, 360));
        assert_eq!(size(keep, None, Some(360)), (640, 360));
        assert_eq!(size(keep, Some(416), Some(416)), (416, 234));
        assert_eq!(size(pad, Some(416), Some(416)), (416, 416));
        assert_eq!(size(Scaling::Stretch, Some(300), Some(300)), (300, 300));
        assert_eq!(size(pad, None, None), (1920, 1080));
        let one = Picture {
            scaling: pad,
            width: Some(416),
            height: None,
        };
        assert!(one.check().is_err());
    }

    #[test]
    fn raw_pictures_have_their_layouts() {
        let red = [255, 0, 0];
        assert_eq!(raw(&red, 1, RawFormat::Bgr24), [0, 0, 255]);
        assert_eq!(raw(&red, 1, RawFormat::Argb), [255, 255, 0, 0]);
        assert_eq!(raw(&red, 1, RawFormat::Rgb565be), [0b1111_1000, 0]);
        assert_eq!(raw(&red, 1, RawFormat::Rgb565le), [0, 0b1111_1000]);
        assert_eq!(raw(&red, 1, RawFormat::Rgb555be), [0b0111_1100, 0]);
        let green = [0, 255, 0];
        assert_eq!(raw(&green, 1, RawFormat::Rgb565be), [0b111, 0b1110_0000]);
        assert_eq!(raw(&green, 1, RawFormat::Rgb555be), [0b11, 0b1110_0000]);
    }

    #[test]
    fn yuv_of_odd_sides_has_chroma_for_every_pixel() {
        let white = [255; 3 * 3 * 3];
        let planes = raw(&white, 3, RawFormat::Yuv420p);
        assert_eq!(planes.len(), 9 + 4 + 4);
        assert_eq!(planes[..9], [235; 9]);
        assert_eq!(planes[9..], [128; 8]);
        let red = raw(&[255, 0, 0], 1, RawFormat::Yuv420p);
        // BT.601's red.
        for (got, expected) in red.into_iter().zip([81_u8, 90, 240]) {
            assert!(got.abs_diff(expected) <= 1, "{got} is not {expected}");
        }
    }

    #[test]
    fn a_bmp_has_rows_from_below_of_whole_words() {
        let file = bmp(&[1, 2, 3, 4, 5, 6], 1, 2);
        assert_eq!(file.len(), 54 + 8);
        assert_eq!(file[54..], [6, 5, 4, 0, 3, 2, 1, 0]);
        assert_eq!(file[2], 62);
    }
}
