//! The one-pass preprocessing against a plain one, and colours against their standards' figures.

use proptest::prelude::*;

use super::*;

const SD: Colour = Colour {
    matrix: Matrix::Bt601,
    full_range: false,
};

fn input(width: usize, height: usize) -> Input {
    Input {
        width,
        height,
        scale: 2.0 / 255.0,
        offset: -1.0,
    }
}

/// A frame whose samples are given one by one, in rows with two bytes of padding.
struct Frame {
    format: PixelFormat,
    size: (usize, usize),
    data: [Vec<u8>; 3],
    stride: [usize; 3],
}

impl Frame {
    fn new(
        format: PixelFormat,
        size: (usize, usize),
        mut sample: impl FnMut(usize, usize, usize) -> u8,
    ) -> Self {
        let half = (size.0.div_ceil(2), size.1.div_ceil(2));
        let mut plane = |components: &[usize], (width, height): (usize, usize)| {
            let mut bytes = Vec::new();
            for y in 0..height {
                for x in 0..width {
                    bytes.extend(components.iter().map(|&component| sample(component, x, y)));
                }
                bytes.extend([255, 255]);
            }
            (bytes, width * components.len() + 2)
        };
        let planes = match format {
            PixelFormat::I420 => [plane(&[0], size), plane(&[1], half), plane(&[2], half)],
            PixelFormat::Nv12 => [plane(&[0], size), plane(&[1, 2], half), (vec![], 0)],
            PixelFormat::Rgb => [plane(&[0, 1, 2], size), (vec![], 0), (vec![], 0)],
        };
        Self {
            format,
            size,
            stride: planes.each_ref().map(|plane| plane.1),
            data: planes.map(|plane| plane.0),
        }
    }

    fn tensor(&self, colour: Colour, input: &Input) -> Vec<f32> {
        let mut tensor = vec![f32::NAN; 3 * input.width * input.height];
        Preprocessor::new(self.format, self.size, colour, input)
            .expect("a sound size")
            .run(&self.planes(), &mut tensor)
            .expect("a sound frame");
        tensor
    }

    fn planes(&self) -> Planes<'_> {
        Planes {
            data: self.data.each_ref().map(|plane| &plane[..]),
            stride: self.stride,
        }
    }

    /// A component at a fractional place of the frame, the slow way.
    fn at(&self, component: usize, x: f64, y: f64) -> f64 {
        let (plane, step, first, sub) = match (self.format, component) {
            (PixelFormat::Rgb, c) => (0, 3, c, 1),
            (_, 0) => (0, 1, 0, 1),
            (PixelFormat::I420, c) => (c, 1, 0, 2),
            (PixelFormat::Nv12, c) => (1, 2, c - 1, 2),
        };
        let (columns, rows) = (self.size.0.div_ceil(sub), self.size.1.div_ceil(sub));
        let clamp =
            |at: f64, samples: usize| (at / sub as f64 - 0.5).clamp(0.0, samples as f64 - 1.0);
        let (x, y) = (clamp(x, columns), clamp(y, rows));
        let mut sum = 0.0;
        for row in 0..rows {
            for column in 0..columns {
                let near = |at: f64, sample: usize| (1.0 - (at - sample as f64).abs()).max(0.0);
                let weight = near(x, column) * near(y, row);
                let byte = self.data[plane][row * self.stride[plane] + column * step + first];
                sum += weight * f64::from(byte);
            }
        }
        sum
    }

    /// What the tensor has to hold at a pixel, by the textbook.
    fn expected(&self, colour: Colour, input: &Input, x: usize, y: usize) -> [f64; 3] {
        let place = |at: usize, from: usize, to: usize| (at as f64 + 0.5) * from as f64 / to as f64;
        let (x, y) = (
            place(x, self.size.0, input.width),
            place(y, self.size.1, input.height),
        );
        let [a, b, c] = [0, 1, 2].map(|component| self.at(component, x, y));
        let (black, white, swing) = match colour.full_range {
            true => (0.0, 255.0, 255.0),
            false => (16.0, 235.0, 224.0),
        };
        let unit = |v: f64| (v - black) / (white - black);
        let colours = if self.format == PixelFormat::Rgb {
            [a, b, c].map(unit)
        } else {
            let (kr, kb) = match colour.matrix {
                Matrix::Bt601 => (0.299, 0.114),
                Matrix::Bt709 => (0.2126, 0.0722),
                Matrix::Bt2020 => (0.2627, 0.0593),
            };
            let (luma, cb, cr) = (unit(a), (b - 128.0) / swing, (c - 128.0) / swing);
            let red = luma + 2.0 * (1.0 - kr) * cr;
            let blue = luma + 2.0 * (1.0 - kb) * cb;
            [red, (luma - kr * red - kb * blue) / (1.0 - kr - kb), blue]
        };
        colours.map(|colour| colour.clamp(0.0, 1.0) * 2.0 - 1.0)
    }
}

proptest! {
    #[test]
    fn every_pixel_is_what_a_plain_conversion_gives(
        format in prop_oneof![
            Just(PixelFormat::I420), Just(PixelFormat::Nv12), Just(PixelFormat::Rgb)
        ],
        matrix in prop_oneof![Just(Matrix::Bt601), Just(Matrix::Bt709), Just(Matrix::Bt2020)],
        full_range: bool,
        size in (1..9_usize, 1..9_usize),
        to in (1..7_usize, 1..7_usize),
        seed in proptest::collection::vec(any::<u8>(), 243),
    ) {
        let colour = Colour { matrix, full_range };
        let frame = Frame::new(format, size, |component, x, y| seed[component * 81 + y * 9 + x]);
        let input = input(to.0, to.1);
        let tensor = frame.tensor(colour, &input);
        for y in 0..to.1 {
            for x in 0..to.0 {
                let expected = frame.expected(colour, &input, x, y);
                for (channel, expected) in expected.into_iter().enumerate() {
                    let got = tensor[(channel * to.1 + y) * to.0 + x];
                    prop_assert!((f64::from(got) - expected).abs() < 1e-4, "{got} {expected}");
                }
            }
        }
    }
}

#[test]
fn black_white_and_red_are_what_the_standards_say() {
    // BT.601, limited: white is 235, pure red is Y 81.5, Cb 90.2, Cr 240.
    for (sample, expected) in [
        ([16, 128, 128], [-1.0, -1.0, -1.0]),
        ([235, 128, 128], [1.0, 1.0, 1.0]),
        ([81, 90, 240], [1.0, -1.0, -1.0]),
        ([255, 128, 128], [1.0, 1.0, 1.0]),
    ] {
        let frame = Frame::new(PixelFormat::I420, (1, 1), |component, _, _| {
            sample[component]
        });
        for (got, expected) in frame.tensor(SD, &input(1, 1)).into_iter().zip(expected) {
            assert!(
                (got - expected).abs() < 0.02,
                "{sample:?}: {got} {expected}"
            );
        }
    }
}

#[test]
fn i420_and_nv12_of_the_same_picture_give_the_same_tensor() {
    let sample = |component: usize, x: usize, y: usize| (component * 40 + x * 7 + y * 11) as u8;
    let [i420, nv12] = [PixelFormat::I420, PixelFormat::Nv12]
        .map(|format| Frame::new(format, (15, 9), sample).tensor(SD, &input(8, 8)));
    assert_eq!(i420, nv12);
}

#[test]
fn a_frame_shorter_than_its_size_is_refused() {
    for format in [PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Rgb] {
        let frame = Frame::new(format, (5, 5), |_, _, _| 0);
        let mut preprocessor =
            Preprocessor::new(format, frame.size, SD, &input(4, 4)).expect("a sound size");
        let mut tensor = vec![0.0; 48];
        let mut planes = frame.planes();
        planes.data[0] = &planes.data[0][..12];
        let result = preprocessor.run(&planes, &mut tensor);
        assert!(matches!(result, Err(FrameError::Short { plane: 0, .. })));
        let mut planes = frame.planes();
        planes.stride[0] = 2;
        assert!(preprocessor.run(&planes, &mut tensor).is_err());
        let short = preprocessor.run(&frame.planes(), &mut tensor[1..]);
        assert_eq!(short, Err(FrameError::Tensor(47)));
    }
}

#[test]
fn no_pixels_and_too_many_are_refused() {
    for size in [(0, 1), (1, 0), (1 << 15, 1)] {
        let result = Preprocessor::new(PixelFormat::I420, size, SD, &input(4, 4));
        assert!(matches!(result, Err(FrameError::Size(..))));
    }
}
