//! How a model's input is to be filled, and where in it a frame then lies.

use serde::Deserialize;

use crate::detection::BoundingBox;

/// Type of the input's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// 8-bit unsigned integer; what the colours became is rounded.
    U8,
}

/// How a frame is brought to the input's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Width and height each by its own ratio; nothing is padded.
    Stretch,
    /// By one ratio, in the middle, padded around.
    Letterbox,
    /// By one ratio, from the top left corner, padded to the right or below.
    LetterboxTopLeft,
}

/// Order of the colours in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colours {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How a model's image input is to be filled.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its index among the model's inputs.
    pub index: usize,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `[1,height,width,3]`, otherwise `[1,3,height,width]`.
    pub interleaved: bool,
    /// Type of its elements.
    pub sample: Sample,
    /// How a frame is brought to its size.
    pub resize: Resize,
    /// The colour, 0..=255, of what no frame covers.
    pub pad: f32,
    /// Order of the colours.
    pub colours: Colours,
    /// A colour c of 0..=255 enters as `(c * scale - mean) / std`, in the input's order.
    pub scale: f32,
    /// See `scale`.
    pub mean: [f32; 3],
    /// See `scale`.
    pub std: [f32; 3],
    /// Index of a second input, i64 `[1,2]`, that takes the size of the picture as width, height.
    pub size_input: Option<usize>,
}

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// At least 1.
    pub width: usize,
    /// At least 1.
    pub height: usize,
}

impl Rect {
    /// All of a frame.
    pub fn whole(width: usize, height: usize) -> Self {
        Self {
            x: 0,
            y: 0,
            width,
            height,
        }
    }

    /// The part of a frame of `width` by `height` that a box covers, outwards to whole pixels, at
    /// least one.
    pub fn of_box(bbox: &BoundingBox, width: usize, height: usize) -> Self {
        let edges = |low: f64, length: f64, size: usize| {
            let size_f = size as f64;
            let first = ((low * size_f).floor().max(0.0) as usize).min(size.saturating_sub(1));
            let last = (((low + length) * size_f).ceil().max(0.0) as usize).min(size);
            (first, last.max(first + 1) - first)
        };
        let (x, width) = edges(bbox.l, bbox.w, width);
        let (y, height) = edges(bbox.t, bbox.h, height);
        Self {
            x,
            y,
            width,
            height,
        }
    }
}

impl Input {
    /// Elements of the input.
    pub fn elements(&self) -> usize {
        3 * self.width * self.height
    }

    /// Where in the input a picture of `width` by `height` pixels comes to lie.
    pub fn fit(&self, (width, height): (usize, usize)) -> Rect {
        if self.resize == Resize::Stretch {
            return Rect::whole(self.width, self.height);
        }
        let ratio = |to: usize, from: usize| to as f64 / from.max(1) as f64;
        let ratio = ratio(self.width, width).min(ratio(self.height, height));
        let scaled = |from: usize, to: usize| {
            // As the exporters' own scripts round: YOLOX cuts off, Ultralytics rounds.
            let scaled = from as f64 * ratio;
            let scaled = match self.resize {
                Resize::LetterboxTopLeft => (scaled + 1e-6).floor(),
                _ => scaled.round(),
            };
            (scaled as usize).clamp(1, to)
        };
        let (w, h) = (scaled(width, self.width), scaled(height, self.height));
        let (x, y) = match self.resize {
            // The odd pixel goes behind, as there.
            Resize::Letterbox => ((self.width - w) / 2, (self.height - h) / 2),
            _ => (0, 0),
        };
        Rect {
            x,
            y,
            width: w,
            height: h,
        }
    }
}

/// From pixels of the input to shares of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mapping {
    scale: [f64; 2],
    offset: [f64; 2],
}

impl Mapping {
    /// For `crop` of a frame of `width` by `height` pixels that lies at `fit` in the input.
    pub fn new(fit: Rect, crop: Rect, (width, height): (usize, usize)) -> Self {
        let axis = |fit: (usize, usize), crop: (usize, usize), size: usize| {
            let scale = crop.1 as f64 / fit.1 as f64 / size as f64;
            (scale, crop.0 as f64 / size as f64 - fit.0 as f64 * scale)
        };
        let (x_scale, x_offset) = axis((fit.x, fit.width), (crop.x, crop.width), width);
        let (y_scale, y_offset) = axis((fit.y, fit.height), (crop.y, crop.height), height);
        Self {
            scale: [x_scale, y_scale],
            offset: [x_offset, y_offset],
        }
    }

    /// The box in the frame; corners in pixels of the input.
    pub fn apply(&self, [x_min, y_min, x_max, y_max]: [f64; 4]) -> BoundingBox {
        let at = |axis: usize, value: f64| value * self.scale[axis] + self.offset[axis];
        BoundingBox::from_corners(at(0, x_min), at(1, y_min), at(0, x_max), at(1, y_max))
    }

    /// The corners in pixels of the input of a box in the frame: left, top, right, bottom.
    pub fn invert(&self, bbox: &BoundingBox) -> [f64; 4] {
        let at = |axis: usize, share: f64| (share - self.offset[axis]) / self.scale[axis];
        let BoundingBox { l, t, w, h } = *bbox;
        [at(0, l), at(1, t), at(0, l + w), at(1, t + h)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(resize: Resize) -> Input {
        Input {
            index: 0,
            width: 416,
            height: 416,
            interleaved: false,
            sample: Sample::F32,
            resize,
            pad: 114.0,
            colours: Colours::Rgb,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            size_input: None,
        }
    }

    #[test]
    fn a_letterbox_keeps_the_shape_and_a_stretch_fills() {
        let rect = |x, y, width, height| Rect {
            x,
            y,
            width,
            height,
        };
        let fit = |resize, size| input(resize).fit(size);
        assert_eq!(fit(Resize::Stretch, (1920, 1080)), rect(0, 0, 416, 416));
        assert_eq!(fit(Resize::Letterbox, (1920, 1080)), rect(0, 91, 416, 234));
        assert_eq!(
            fit(Resize::LetterboxTopLeft, (1080, 1920)),
            rect(0, 0, 234, 416)
        );
        assert_eq!(fit(Resize::Letterbox, (1, 1)), rect(0, 0, 416, 416));
        assert_eq!(fit(Resize::Letterbox, (32767, 1)), rect(0, 207, 416, 1));
    }

    #[test]
    fn what_is_put_into_the_input_maps_back_to_where_it_was() {
        let crop = Rect {
            x: 480,
            y: 270,
            width: 960,
            height: 540,
        };
        for resize in [Resize::Stretch, Resize::Letterbox, Resize::LetterboxTopLeft] {
            let fit = input(resize).fit((crop.width, crop.height));
            let mapping = Mapping::new(fit, crop, (1920, 1080));
            let corners = [fit.x, fit.y, fit.x + fit.width, fit.y + fit.height];
            let bbox = mapping.apply(corners.map(|corner| corner as f64));
            for (got, expected) in [(bbox.l, 0.25), (bbox.t, 0.25), (bbox.w, 0.5), (bbox.h, 0.5)] {
                assert!((got - expected).abs() < 1e-9, "{bbox:?}");
            }
        }
    }

    #[test]
    fn a_box_covers_whole_pixels_and_at_least_one() {
        let of = |l, t, w, h| Rect::of_box(&BoundingBox { l, t, w, h }, 100, 10);
        assert_eq!(of(0.0, 0.0, 1.0, 1.0), Rect::whole(100, 10));
        assert_eq!(of(0.255, 0.5, 0.25, 0.0).x, 25);
        assert_eq!(of(0.255, 0.5, 0.25, 0.0).width, 26);
        assert_eq!(of(1.0, 1.0, 0.0, 0.0).x, 99);
    }
}
