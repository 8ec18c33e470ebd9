//! The one-pass preprocessing against a plain one, and colours against their standards' figures.

use proptest::prelude::*;

use super::super::input::Resize;
use super::*;

const SD: Colour = Colour {
    matrix: Matrix::Bt601,
    full_range: false,
};

const FORMATS: [PixelFormat; 8] = [
    PixelFormat::I420,
    PixelFormat::Nv12,
    PixelFormat::Yuy2,
    PixelFormat::Gray8,
    PixelFormat::Rgb,
    PixelFormat::Bgr,
    PixelFormat::Rgbx,
    PixelFormat::Bgrx,
];

/// Rows are blended in steps of 1/256, so that a sample is off by half a step of the greatest
/// difference: a colour of 255 by at most 0.5, and by four such in the worst mix of components.
const TOLERANCE: f64 = 4.0 * 2.0 / 512.0;

fn input(width: usize, height: usize) -> Input {
    Input {
        index: 0,
        width,
        height,
        interleaved: false,
        sample: Sample::F32,
        resize: Resize::Stretch,
        pad: 114.0,
        colours: Colours::Rgb,
        scale: 2.0 / 255.0,
        mean: [1.0; 3],
        std: [1.0; 3],
        size_input: None,
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
            PixelFormat::Yuy2 => {
                let mut bytes = Vec::new();
                for y in 0..size.1 {
                    for x in 0..half.0 {
                        let next = (2 * x + 1).min(size.0 - 1);
                        let packed = [(0, 2 * x), (1, x), (0, next), (2, x)];
                        bytes.extend(packed.map(|(component, x)| sample(component, x, y)));
                    }
                    bytes.extend([255, 255]);
                }
                [(bytes, half.0 * 4 + 2), (vec![], 0), (vec![], 0)]
            }
            PixelFormat::Gray8 => [plane(&[0], size), (vec![], 0), (vec![], 0)],
            PixelFormat::Rgb => [plane(&[0, 1, 2], size), (vec![], 0), (vec![], 0)],
            PixelFormat::Bgr => [plane(&[2, 1, 0], size), (vec![], 0), (vec![], 0)],
            PixelFormat::Rgbx => [plane(&[0, 1, 2, 0], size), (vec![], 0), (vec![], 0)],
            PixelFormat::Bgrx => [plane(&[2, 1, 0, 2], size), (vec![], 0), (vec![], 0)],
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
            .run(&self.planes(), TensorMut::F32(&mut tensor))
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
        let (plane, step, first, across, down) = match (self.format, component) {
            (PixelFormat::Gray8, _) => (0, 1, 0, 1, 1),
            (PixelFormat::Rgb, c) => (0, 3, c, 1, 1),
            (PixelFormat::Bgr, c) => (0, 3, 2 - c, 1, 1),
            (PixelFormat::Rgbx, c) => (0, 4, c, 1, 1),
            (PixelFormat::Bgrx, c) => (0, 4, 2 - c, 1, 1),
            (PixelFormat::Yuy2, 0) => (0, 2, 0, 1, 1),
            (PixelFormat::Yuy2, c) => (0, 4, 2 * c - 1, 2, 1),
            (_, 0) => (0, 1, 0, 1, 1),
            (PixelFormat::I420, c) => (c, 1, 0, 2, 2),
            (PixelFormat::Nv12, c) => (1, 2, c - 1, 2, 2),
        };
        let (columns, rows) = (self.size.0.div_ceil(across), self.size.1.div_ceil(down));
        let clamp = |at: f64, sub: usize, samples: usize| {
            (at / sub as f64 - 0.5).clamp(0.0, samples as f64 - 1.0)
        };
        let (x, y) = (clamp(x, across, columns), clamp(y, down, rows));
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
        let rgb = [
            PixelFormat::Rgb,
            PixelFormat::Bgr,
            PixelFormat::Rgbx,
            PixelFormat::Bgrx,
            PixelFormat::Gray8,
        ];
        let colours = if rgb.contains(&self.format) {
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
        format in proptest::sample::select(&FORMATS[..]),
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
                    prop_assert!((f64::from(got) - expected).abs() < TOLERANCE, "{got} {expected}");
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
    for format in FORMATS {
        let frame = Frame::new(format, (5, 5), |_, _, _| 0);
        let mut preprocessor =
            Preprocessor::new(format, frame.size, SD, &input(4, 4)).expect("a sound size");
        let mut tensor = vec![0.0; 48];
        let mut planes = frame.planes();
        planes.data[0] = &planes.data[0][..12];
        let result = preprocessor.run(&planes, TensorMut::F32(&mut tensor));
        assert!(matches!(result, Err(FrameError::Short { plane: 0, .. })));
        let mut planes = frame.planes();
        planes.stride[0] = 2;
        assert!(
            preprocessor
                .run(&planes, TensorMut::F32(&mut tensor))
                .is_err()
        );
        let short = preprocessor.run(&frame.planes(), TensorMut::F32(&mut tensor[1..]));
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

/// The picture in a tensor `[3,h,w]` as an exact ramp would have it: a frame whose red grows with
/// x, green with y.
fn ramp(size: (usize, usize)) -> Frame {
    Frame::new(PixelFormat::Rgb, size, |component, x, y| match component {
        0 => 2 * x as u8,
        1 => 3 * y as u8,
        _ => 7,
    })
}

fn run(frame: &Frame, crop: Rect, input: &Input) -> (Vec<f32>, Mapping) {
    let colour = Colour {
        full_range: true,
        ..SD
    };
    let mut preprocessor =
        Preprocessor::new(frame.format, frame.size, colour, input).expect("a sound size");
    preprocessor.aim(crop);
    let mut tensor = vec![f32::NAN; input.elements()];
    preprocessor
        .run(&frame.planes(), TensorMut::F32(&mut tensor))
        .expect("a sound frame");
    (tensor, preprocessor.mapping())
}

#[test]
fn a_letterbox_pads_around_the_picture_and_leaves_no_element_as_it_was() {
    let plain = Input {
        scale: 1.0,
        mean: [0.0; 3],
        resize: Resize::Letterbox,
        ..input(8, 8)
    };
    let frame = ramp((16, 8));
    let (tensor, _) = run(&frame, Rect::whole(16, 8), &plain);
    for (n, value) in tensor.iter().enumerate() {
        let (channel, y, x) = (n / 64, n / 8 % 8, n % 8);
        let expected = match (channel, y) {
            (_, 0 | 1 | 6 | 7) => 114.0,
            // Two columns and two rows become one.
            (0, _) => 2.0 * (2.0 * x as f32 + 0.5),
            (1, y) => 3.0 * (2.0 * (y - 2) as f32 + 0.5),
            _ => 7.0,
        };
        assert!((value - expected).abs() < 0.02, "{n}: {value} {expected}");
    }
}

#[test]
fn planes_and_pixels_floats_halves_and_bytes_hold_the_same_picture() {
    let plain = Input {
        scale: 1.0,
        mean: [0.0; 3],
        resize: Resize::LetterboxTopLeft,
        ..input(5, 7)
    };
    let frame = ramp((16, 8));
    let (planes, _) = run(&frame, Rect::whole(16, 8), &plain);
    let bgr = Input {
        interleaved: true,
        colours: Colours::Bgr,
        ..plain.clone()
    };
    let (pixels, _) = run(&frame, Rect::whole(16, 8), &bgr);
    for (n, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
        assert_eq!(*pixel, [planes[70 + n], planes[35 + n], planes[n]]);
    }
    let typed = |sample| {
        Preprocessor::new(
            frame.format,
            frame.size,
            Colour {
                full_range: true,
                ..SD
            },
            &Input {
                sample,
                ..plain.clone()
            },
        )
        .expect("a sound size")
    };
    let mut halves = vec![half::f16::NAN; 105];
    let mut bytes = vec![1; 105];
    typed(Sample::F16)
        .run(&frame.planes(), TensorMut::F16(&mut halves))
        .expect("f16");
    typed(Sample::U8)
        .run(&frame.planes(), TensorMut::U8(&mut bytes))
        .expect("u8");
    for ((float, half), byte) in planes.iter().zip(halves).zip(bytes) {
        assert_eq!(half, half::f16::from_f32(*float));
        assert_eq!(f32::from(byte), (float + 0.5).floor());
    }
    let wrong = typed(Sample::F16).run(&frame.planes(), TensorMut::F32(&mut [0.0; 105]));
    assert_eq!(wrong, Err(FrameError::Tensor(105)));
}

proptest! {
    #[test]
    fn a_crop_is_what_a_frame_of_it_alone_would_be(
        crop in (0..20_usize, 0..12_usize, 1..30_usize, 1..20_usize),
        format in proptest::sample::select(&[PixelFormat::Rgb, PixelFormat::Gray8][..]),
    ) {
        let crop = Rect { x: crop.0, y: crop.1, width: crop.2, height: crop.3 };
        let value = |x: usize, y: usize| (x * 9 + y * 5) as u8;
        let frame = Frame::new(format, (20, 12), |_, x, y| value(x, y));
        let (width, height) = (crop.width.min(20 - crop.x), crop.height.min(12 - crop.y));
        let alone = Frame::new(format, (width, height), |_, x, y| value(x + crop.x, y + crop.y));
        let to = Input { resize: Resize::Letterbox, ..input(7, 9) };
        let (part, mapping) = run(&frame, crop, &to);
        let (whole, _) = run(&alone, Rect::whole(width, height), &to);
        for (part, whole) in part.iter().zip(&whole) {
            prop_assert!((part - whole).abs() < 1e-5);
        }
        let fit = to.fit((width, height));
        let corners = [fit.x, fit.y, fit.x + fit.width, fit.y + fit.height];
        let bbox = mapping.apply(corners.map(|corner| corner as f64));
        prop_assert!((bbox.l * 20.0 - crop.x as f64).abs() < 1e-9);
        prop_assert!(((bbox.t + bbox.h) * 12.0 - (crop.y + height) as f64).abs() < 1e-9);
    }

    #[test]
    fn chroma_of_a_crop_stays_within_it(
        x in 0..15_usize, y in 0..9_usize, width in 1..15_usize, height in 1..9_usize,
        format in proptest::sample::select(&[PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Yuy2][..]),
    ) {
        let frame = Frame::new(format, (15, 9), |component, x, y| {
            (component * 31 + x * 11 + y * 17) as u8
        });
        let (tensor, _) = run(&frame, Rect { x, y, width, height }, &input(6, 5));
        prop_assert!(tensor.iter().all(|value| (-1.0..=1.0).contains(value)));
    }
}
