//! Every layout against `tests/reference/decoders.py`, which says in NumPy what its tensors mean:
//! the same tensors have to give the same detections, and the second time without an allocation.

use std::collections::BTreeMap;

use evr_core::detector::{
    Candidate, Decoder, Element, Limits, Mapping, ModelConfig, ModelInfo, Rect, Spec, TensorInfo,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    input: Vec<i64>,
    metadata: BTreeMap<String, String>,
    config: Option<serde_json::Value>,
    frame: (usize, usize),
    limits: GoldenLimits,
    outputs: Vec<Output>,
    detections: Vec<Expected>,
}

#[derive(Deserialize)]
struct GoldenLimits {
    confidence: f32,
    iou: f32,
    max_detections: usize,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    shape: Vec<i64>,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct Expected {
    class: usize,
    score: f32,
    corners: [f64; 4],
}

fn tensor(name: &str, shape: &[i64]) -> TensorInfo {
    TensorInfo {
        name: name.into(),
        element: Element::F32,
        shape: shape.into(),
    }
}

fn spec(golden: &Golden) -> Spec {
    let outputs = golden.outputs.iter();
    let model = ModelInfo {
        inputs: vec![tensor("images", &golden.input)],
        outputs: outputs.map(|o| tensor(&o.name, &o.shape)).collect(),
        metadata: golden.metadata.clone(),
    };
    let config = golden
        .config
        .as_ref()
        .map_or_else(ModelConfig::default, |config| {
            ModelConfig::parse(&config.to_string()).expect("a sound config")
        });
    Spec::recognise(&model, &config).expect("a known layout")
}

fn decode(golden: &Golden) -> Vec<Candidate> {
    let Spec { input, layout, .. } = spec(golden);
    let whole = Rect::whole(golden.frame.0, golden.frame.1);
    let mapping = Mapping::new(input.fit(golden.frame), whole, golden.frame);
    let limits = Limits {
        confidence: golden.limits.confidence,
        iou: golden.limits.iou,
        max_detections: golden.limits.max_detections,
        suppression: None,
    };
    let output = |i: usize| Some(&golden.outputs.get(i)?.values[..]);
    let mut decoder = Decoder::default();
    let mut decode = || {
        let found = decoder.decode(&layout, &input, mapping, output, &limits);
        found.expect("lengths agree").len()
    };
    decode();
    let again = allocation_counter::measure(|| assert!(decode() <= golden.limits.max_detections));
    assert_eq!(
        again.count_total, 0,
        "a frame like the last takes no memory: {again:?}"
    );
    let found = decoder.decode(&layout, &input, mapping, output, &limits);
    found.expect("lengths agree").clone()
}

#[track_caller]
fn agrees(text: &str) {
    let golden: Golden = serde_json::from_str(text).expect("a golden");
    let found = decode(&golden);
    assert_eq!(found.len(), golden.detections.len());
    for (found, expected) in found.iter().zip(&golden.detections) {
        assert_eq!(found.class, expected.class);
        assert!((found.score - expected.score).abs() < 1e-5);
        let bbox = found.bbox;
        let corners = [bbox.l, bbox.t, bbox.l + bbox.w, bbox.t + bbox.h];
        for (got, expected) in corners.into_iter().zip(expected.corners) {
            assert!((got - expected).abs() < 1e-5, "{corners:?} {expected}");
        }
    }
}

macro_rules! goldens {
    ($($test:ident: $file:literal,)*) => {
        $(
            #[test]
            fn $test() {
                agrees(include_str!(concat!("goldens/", $file, ".json")));
            }
        )*
    };
}

goldens! {
    an_ssd_before_its_suppression: "ssd",
    tensorflows_chosen_boxes: "tensorflow",
    rt_detrs_chosen_boxes: "rt-detr",
    rf_detrs_logits: "rf-detr",
    the_first_detrs_choice: "detr-softmax",
    yolox_on_its_grid: "yolox",
    yolov5_in_rows: "yolov5",
    yolov8_in_columns: "yolov8",
    yolov8_by_its_config: "yolov8-agnostic-logits",
    six_numbers_a_box: "end-to-end",
    nanodet_plus_in_one_output: "nanodet-plus",
    nanodet_in_a_pair_a_level: "nanodet-levels",
}
