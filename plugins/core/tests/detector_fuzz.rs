//! Whatever stands in a model's outputs, in its shapes, in its metadata or in a model config, there
//! is an error or there are sound candidates, and never a panic.

use std::collections::BTreeMap;

use evr_core::detector::{
    Decoder, Element, Labels, Limits, Mapping, ModelConfig, ModelInfo, Rect, Spec, TensorInfo,
};
use proptest::prelude::*;

const CONFIG_MEMBERS: [&str; 21] = [
    "layout",
    "width",
    "height",
    "resize",
    "pad",
    "colours",
    "scale",
    "mean",
    "std",
    "boxes",
    "scores",
    "class-numbers",
    "output",
    "coding",
    "unit",
    "activation",
    "suppression",
    "strides",
    "classes",
    "first-class",
    "labels",
];
const CONFIG_VALUES: [&str; 26] = [
    "\"ssd\"",
    "\"detections\"",
    "\"detr\"",
    "\"yolox\"",
    "\"yolov5\"",
    "\"yolov8\"",
    "\"end-to-end\"",
    "\"nanodet\"",
    "\"boxes\"",
    "\"scores\"",
    "\"labels\"",
    "\"output\"",
    "\"sigmoid\"",
    "\"softmax\"",
    "\"letterbox\"",
    "\"cxcywh\"",
    "\"fractions\"",
    "0",
    "1",
    "3",
    "80",
    "65535",
    "-1",
    "1e300",
    "[1, 2, 3]",
    "[8, 16, 32, 64]",
];

/// A JSON object of members that exist and values that may suit them.
fn config() -> impl Strategy<Value = String> {
    let member = proptest::sample::select(&CONFIG_MEMBERS[..]);
    let value = proptest::sample::select(&CONFIG_VALUES[..]);
    proptest::collection::btree_map(member, value, 0..4).prop_map(|members| {
        let members = members
            .iter()
            .map(|(member, value)| format!("\"{member}\": {value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
    })
}

fn dimension() -> impl Strategy<Value = i64> {
    prop_oneof![
        proptest::sample::select(&[-1, 0, 1, 2, 3, 4, 5, 6, 7, 12, 84, 85, 91, 92, 112, 300][..]),
        Just(64),
        Just(i64::MAX),
    ]
}

fn outputs() -> impl Strategy<Value = Vec<TensorInfo>> {
    let name = proptest::sample::select(
        &[
            "output",
            "boxes",
            "scores",
            "labels",
            "dets",
            "logits",
            "pred_boxes",
            "detection_boxes",
            "detection_scores",
            "detection_classes",
            "num_detections",
            "cls_pred_8",
            "cls_pred_16",
            "dis_pred_8",
            "dis_pred_16",
        ][..],
    );
    let shape = proptest::collection::vec(dimension(), 0..4).prop_map(|mut shape| {
        if let Some(batch) = shape.first_mut() {
            *batch = 1;
        }
        shape
    });
    let tensor = (name, shape).prop_map(|(name, shape)| TensorInfo {
        name: name.to_owned(),
        element: Element::F32,
        shape,
    });
    proptest::collection::vec(tensor, 0..5)
}

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        any::<f32>(),
        0.0..1.0_f32,
        -10.0..100.0_f32,
        proptest::sample::select(
            &[
                f32::NAN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::MAX,
                0.0,
                1.0
            ][..]
        ),
    ]
}

/// As many numbers as an output of these dimensions may hold, or a few others.
fn elements(tensor: &TensorInfo, numbers: &[f32], open: usize) -> Vec<f32> {
    let count = tensor.shape.iter().try_fold(1_usize, |count, &dimension| {
        let dimension = match dimension {
            -1 => open,
            other => usize::try_from(other).ok()?,
        };
        count.checked_mul(dimension)
    });
    let count = count.unwrap_or(open).min(50_000);
    numbers.iter().copied().cycle().take(count).collect()
}

/// Recognises a model, and decodes what it puts out.
fn body(model: &ModelInfo, json: &str, numbers: &[f32], open: usize, limits: &Limits) {
    let Ok(config) = ModelConfig::parse(json) else {
        return;
    };
    let Ok(Spec {
        input,
        layout,
        names,
    }) = Spec::recognise(model, &config)
    else {
        return;
    };
    let outputs: Vec<_> = model
        .outputs
        .iter()
        .map(|tensor| elements(tensor, numbers, open))
        .collect();
    let mapping = Mapping::new(input.fit((100, 50)), Rect::whole(100, 50), (100, 50));
    let mut decoder = Decoder::default();
    let output = |i: usize| outputs.get(i).map(|elements| &elements[..]);
    let labels = match names {
        Some(names) => Labels::named(names, &layout),
        None => Labels::built_in(&layout),
    };
    if let Ok(found) = decoder.decode(&layout, &input, mapping, output, limits) {
        assert!(found.len() <= limits.max_detections);
        for one in found.iter() {
            assert!((0.0..=1.0).contains(&one.score) && one.score >= limits.confidence);
            let b = one.bbox;
            assert!(b.l >= 0.0 && b.t >= 0.0 && b.w > 0.0 && b.h > 0.0);
            assert!(b.l + b.w <= 1.0 + 1e-12 && b.t + b.h <= 1.0 + 1e-12);
            if let Ok(labels) = &labels {
                let _ = labels.detection(one);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_tensor_makes_a_decoder_panic(
        outputs in outputs(),
        json in config(),
        names in proptest::option::of(proptest::sample::select(
            &["{0: 'a', 1: 'b'}", "['a']", "{9: 'x'}", "no names"][..]
        )),
        numbers in proptest::collection::vec(number(), 1..200),
        open in 0..400_usize,
        confidence in 0.0..=1.0_f32,
        iou in 0.0..=1.0_f32,
    ) {
        let model = ModelInfo {
            inputs: vec![TensorInfo {
                name: "images".into(),
                element: Element::F32,
                shape: vec![1, 3, 64, 64],
            }],
            outputs,
            metadata: names
                .map(|names| ("names".to_owned(), names.to_owned()))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        };
        let limits = Limits { confidence, iou, max_detections: 20, suppression: None };
        body(&model, &json, &numbers, open, &limits);
    }

    #[test]
    fn no_text_makes_the_config_or_the_metadata_panic(text in "\\PC*", braces in "[\\[{]\\PC{0,20}[\\]}]") {
        for text in [text, braces] {
            let _ = ModelConfig::parse(&text);
            let model = ModelInfo {
                metadata: [("names".to_owned(), text.clone()), ("imgsz".to_owned(), text)].into(),
                ..ModelInfo::default()
            };
            prop_assert!(Spec::recognise(&model, &ModelConfig::default()).is_err());
        }
    }
}
