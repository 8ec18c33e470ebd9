//! Frame after frame, a picture becomes a tensor and a tensor becomes candidates without a single
//! heap allocation, whatever stands in it and whatever it is made of. That each layout is read without
//! one is a part of `detector_goldens`.

use std::collections::BTreeMap;

use evr_core::detector::{
    Colour, Decoder, Element, Input, Limits, Matrix, ModelConfig, ModelInfo, Pace, PixelFormat,
    Planes, Preprocessor, Rect, Sample, Spec, Suppression, TensorInfo, TensorMut,
};
use half::f16;

fn yolo() -> Spec {
    let tensor = |name: &str, shape: &[i64]| TensorInfo {
        name: name.into(),
        element: Element::F32,
        shape: shape.into(),
    };
    let model = ModelInfo {
        inputs: vec![tensor("images", &[1, 3, 640, 640])],
        outputs: vec![tensor("output0", &[1, 84, 8400])],
        metadata: BTreeMap::new(),
    };
    Spec::recognise(&model, &ModelConfig::default()).expect("a YOLOv8")
}

#[test]
fn nothing_is_allocated_between_frames() {
    let Spec { input, layout, .. } = yolo();
    let colour = Colour {
        matrix: Matrix::Bt709,
        full_range: false,
    };
    let frame = vec![77; 1920 * 1080 * 3 / 2];
    let planes = Planes {
        data: [
            &frame[..1920 * 1080],
            &frame[1920 * 1080..],
            &frame[1920 * 1350..],
        ],
        stride: [1920, 960, 960],
    };
    let mut preprocessor =
        Preprocessor::new(PixelFormat::I420, (1920, 1080), colour, &input).expect("a sound size");
    let mut decoder = Decoder::default();
    let mut tensor = vec![0.0; input.elements()];
    let limits = Limits {
        confidence: 0.25,
        iou: 0.5,
        max_detections: 300,
        suppression: Some(Suppression::PerClass),
    };
    let mut pace = Pace::new(1, Some((25, 1)));
    let quiet = vec![0.1; 84 * 8400];
    let crowded: Vec<f32> = (0..84 * 8400)
        .map(|n| (n * 37 % 101) as f32 / 100.0)
        .collect();
    let broken = vec![f32::NAN; 84 * 8400];
    let parts = [
        Rect::whole(1920, 1080),
        Rect {
            x: 100,
            y: 101,
            width: 500,
            height: 900,
        },
    ];
    let mut frame = |output: &[f32]| {
        for part in parts {
            preprocessor.aim(part);
            preprocessor
                .run(&planes, TensorMut::F32(&mut tensor))
                .expect("a sound frame");
            let mapping = preprocessor.mapping();
            decoder
                .decode(&layout, &input, mapping, |_| Some(output), &limits)
                .expect("lengths agree");
        }
        pace.turn(Some(0));
    };
    // Warm up with what has least in it.
    frame(&quiet);
    for output in [&quiet, &crowded, &broken, &crowded] {
        let allocated = allocation_counter::measure(|| frame(output));
        assert_eq!(allocated.count_total, 0, "{allocated:?}");
    }
}

/// Frames of each format become tensors of each type, by planes and by pixels, of which the second
/// takes no memory.
#[test]
fn no_format_and_no_type_of_tensor_takes_memory_for_a_second_frame() {
    use PixelFormat::{Bgr, Bgrx, Gray8, I420, Nv12, Rgb, Rgbx, Yuy2};
    let (width, height) = (640, 480);
    let bytes = vec![77; width * height * 4];
    let halved = [&bytes[..], &bytes, &bytes];
    for (format, data, stride) in [
        (I420, halved, [width, width / 2, width / 2]),
        (Nv12, [&bytes, &bytes, &[]], [width, width, 0]),
        (Yuy2, [&bytes, &[], &[]], [2 * width, 0, 0]),
        (Gray8, [&bytes, &[], &[]], [width, 0, 0]),
        (Rgb, [&bytes, &[], &[]], [3 * width, 0, 0]),
        (Bgr, [&bytes, &[], &[]], [3 * width, 0, 0]),
        (Rgbx, [&bytes, &[], &[]], [4 * width, 0, 0]),
        (Bgrx, [&bytes, &[], &[]], [4 * width, 0, 0]),
    ] {
        let planes = Planes { data, stride };
        for interleaved in [false, true] {
            let input = |sample| Input {
                sample,
                interleaved,
                ..yolo().input
            };
            let of = |input: &Input, tensor: &mut dyn FnMut(&mut Preprocessor)| {
                let colour = Colour {
                    matrix: Matrix::Bt601,
                    full_range: true,
                };
                let made = Preprocessor::new(format, (width, height), colour, input);
                let mut preprocessor = made.expect("a sound size");
                tensor(&mut preprocessor);
                let again = allocation_counter::measure(|| tensor(&mut preprocessor));
                assert_eq!(again.count_total, 0, "{format:?}, {:?}", input.sample);
            };
            let floats = input(Sample::F32);
            let mut tensor = vec![0.0; floats.elements()];
            of(&floats, &mut |it| {
                it.run(&planes, TensorMut::F32(&mut tensor))
                    .expect("a sound frame");
            });
            let halves = input(Sample::F16);
            let mut tensor = vec![f16::ZERO; halves.elements()];
            of(&halves, &mut |it| {
                it.run(&planes, TensorMut::F16(&mut tensor))
                    .expect("a sound frame");
            });
            let whole = input(Sample::U8);
            let mut tensor = vec![0; whole.elements()];
            of(&whole, &mut |it| {
                it.run(&planes, TensorMut::U8(&mut tensor))
                    .expect("a sound frame");
            });
        }
    }
}
