//! Frame after frame, a picture becomes a tensor and a tensor becomes candidates without a single
//! heap allocation, whatever stands in it.

use std::collections::BTreeMap;

use evr_core::detector::{
    Colour, Decoder, Element, Limits, Matrix, ModelConfig, ModelInfo, Pace, PixelFormat, Planes,
    Preprocessor, Rect, Spec, Suppression, TensorInfo, TensorMut,
};

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
