//! A model's outputs: tensors of any shape, full of any numbers, read as the layout that their
//! shapes suggest or a config names.

use arbitrary::{Result, Unstructured};
use evr_core::detector::{
    Candidate, Decoder, Element, Labels, Limits, Mapping, ModelConfig, ModelInfo, Rect, Spec,
    Suppression, TensorInfo,
};

use super::Outcome;

const NAMES: &[&str] = &[
    "output",
    "output0",
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
];
/// Those of known layouts, and what breaks products of them.
const DIMENSIONS: &[i64] = &[
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    12,
    84,
    85,
    91,
    92,
    112,
    300,
    64,
    -1,
    0,
    i64::MAX,
    i64::MIN,
];
/// Outputs as the layouts have them, for an input of 64 by 64.
const KNOWN: &[&[(&str, &[i64])]] = &[
    &[("boxes", &[1, 20, 4]), ("scores", &[1, 20, 90])],
    &[
        ("detection_boxes", &[1, 10, 4]),
        ("detection_classes", &[1, 10]),
        ("detection_scores", &[1, 10]),
        ("num_detections", &[1]),
    ],
    &[("output", &[1, 84, 85])],
    &[("output0", &[1, 252, 85])],
    &[("output0", &[1, 84, 84])],
    &[("output0", &[1, 30, 6])],
    &[("logits", &[1, 30, 80]), ("pred_boxes", &[1, 30, 4])],
    &[
        ("labels", &[1, 30]),
        ("boxes", &[1, 30, 4]),
        ("scores", &[1, 30]),
    ],
    &[("output", &[1, 85, 112])],
    &[("output0", &[1, -1, -1])],
];
/// Members of a config with values that may suit them.
const MEMBERS: &[&str] = &[
    r#""layout": "ssd""#,
    r#""layout": "detections""#,
    r#""layout": "detr""#,
    r#""layout": "yolox""#,
    r#""layout": "yolov5""#,
    r#""layout": "yolov8""#,
    r#""layout": "end-to-end""#,
    r#""layout": "nanodet""#,
    r#""boxes": "boxes""#,
    r#""scores": "scores""#,
    r#""class-numbers": "labels""#,
    r#""output": "output""#,
    r#""coding": "cxcywh""#,
    r#""coding": "yxyx""#,
    r#""unit": "fractions""#,
    r#""activation": "sigmoid""#,
    r#""activation": "softmax""#,
    r#""suppression": "agnostic""#,
    r#""suppression": "none""#,
    r#""classes": 1"#,
    r#""classes": 80"#,
    r#""classes": 65536"#,
    r#""first-class": 1"#,
    r#""first-class": 65535"#,
    r#""strides": [8]"#,
    r#""strides": [8, 16, 32, 64]"#,
    r#""width": 8192"#,
    r#""height": 1"#,
    r#""labels": ["a", null, "b"]"#,
];
/// What a number may be beside what the bytes say.
const NUMBERS: &[f32] = &[
    0.0,
    1.0,
    0.5,
    -1.0,
    40.0,
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN_POSITIVE,
];
/// Elements of one output at most.
const MOST: usize = 50_000;

/// Recognises a model and decodes what it puts out; every candidate must be sound.
pub fn body(data: &[u8]) -> Outcome {
    run(&mut Unstructured::new(data)).unwrap_or(Outcome::Refused)
}

fn run(u: &mut Unstructured<'_>) -> Result<Outcome> {
    let config = config(u)?;
    let model = ModelInfo {
        inputs: vec![tensor("images", &[1, 3, 64, 64])],
        outputs: outputs(u)?,
        ..ModelInfo::default()
    };
    let limits = Limits {
        confidence: f32::from(u.arbitrary::<u8>()?) / 255.0,
        iou: f32::from(u.arbitrary::<u8>()?) / 255.0,
        max_detections: u.int_in_range(1..=40)?,
        suppression: *u.choose(&[
            None,
            Some(Suppression::None),
            Some(Suppression::PerClass),
            Some(Suppression::Agnostic),
        ])?,
    };
    let Ok(spec) = Spec::recognise(&model, &config) else {
        return Ok(Outcome::Refused);
    };
    let frame = (u.int_in_range(1..=2000)?, u.int_in_range(1..=2000)?);
    let open = u.int_in_range(0..=400)?;
    let numbers = numbers(u)?;
    let outputs = model.outputs.iter();
    let outputs: Vec<_> = outputs
        .map(|tensor| elements(tensor, &numbers, open))
        .collect();
    let mapping = Mapping::new(spec.input.fit(frame), Rect::whole(frame.0, frame.1), frame);
    let mut decoder = Decoder::default();
    let output = |i: usize| outputs.get(i).map(Vec::as_slice);
    match decoder.decode(&spec.layout, &spec.input, mapping, output, &limits) {
        Ok(found) => {
            sound(found, &limits);
            named(found, spec);
            Ok(Outcome::Taken)
        }
        Err(_) => Ok(Outcome::Refused),
    }
}

fn sound(found: &[Candidate], limits: &Limits) {
    assert!(found.len() <= limits.max_detections);
    assert!(found.is_sorted_by(|a, b| a.score >= b.score));
    for one in found {
        assert!((0.0..=1.0).contains(&one.score) && one.score >= limits.confidence);
        let b = one.bbox;
        assert!(b.l >= 0.0 && b.t >= 0.0 && b.w > 0.0 && b.h > 0.0);
        assert!(b.l + b.w <= 1.0 + 1e-12 && b.t + b.h <= 1.0 + 1e-12);
    }
}

fn named(found: &[Candidate], spec: Spec) {
    let labels = match spec.names {
        Some(names) => Labels::named(names, &spec.layout),
        None => Labels::built_in(&spec.layout),
    };
    let Ok(labels) = labels else { return };
    for named in found.iter().filter_map(|one| labels.detection(one)) {
        assert!(!named.label.is_empty());
    }
}

fn config(u: &mut Unstructured<'_>) -> Result<ModelConfig> {
    let count = u.int_in_range(0..=3)?;
    let members: Result<Vec<_>> = (0..count).map(|_| u.choose(MEMBERS).copied()).collect();
    let json = format!("{{{}}}", members?.join(", "));
    // A member twice is refused.
    Ok(ModelConfig::parse(&json).unwrap_or_default())
}

fn tensor(name: &str, shape: &[i64]) -> TensorInfo {
    TensorInfo {
        name: name.to_owned(),
        element: Element::F32,
        shape: shape.to_vec(),
    }
}

/// Those of a known layout, a little changed, or any.
fn outputs(u: &mut Unstructured<'_>) -> Result<Vec<TensorInfo>> {
    if u.ratio(1, 4)? {
        let count = u.int_in_range(0..=5)?;
        return (0..count).map(|_| any_tensor(u)).collect();
    }
    let known = u.choose(KNOWN)?;
    let mut tensors: Vec<_> = known
        .iter()
        .map(|(name, shape)| tensor(name, shape))
        .collect();
    if u.ratio(1, 4)? {
        let which = u.choose_index(tensors.len())?;
        tensors[which] = any_tensor(u)?;
    }
    Ok(tensors)
}

fn any_tensor(u: &mut Unstructured<'_>) -> Result<TensorInfo> {
    let name = u.choose(NAMES)?;
    let mut shape = vec![1];
    for _ in 0..u.int_in_range(0..=4)? {
        shape.push(*u.choose(DIMENSIONS)?);
    }
    Ok(tensor(name, &shape))
}

/// At least one; what is left of the bytes.
fn numbers(u: &mut Unstructured<'_>) -> Result<Vec<f32>> {
    let mut numbers = vec![*u.choose(NUMBERS)?];
    while numbers.len() < 1000 && !u.is_empty() {
        numbers.push(match u.arbitrary::<u8>()? {
            special @ 0..32 => NUMBERS[usize::from(special) % NUMBERS.len()],
            32..64 => u.arbitrary()?,
            small => f32::from(small - 64) / 100.0,
        });
    }
    Ok(numbers)
}

/// As many numbers as an output of these dimensions holds; `open` where they leave that open.
fn elements(tensor: &TensorInfo, numbers: &[f32], open: usize) -> Vec<f32> {
    let count = tensor.shape.iter().try_fold(1_usize, |count, &dimension| {
        let dimension = if dimension == -1 {
            Some(open)
        } else {
            usize::try_from(dimension).ok()
        };
        count.checked_mul(dimension?)
    });
    let count = count.unwrap_or(open).min(MOST);
    numbers.iter().copied().cycle().take(count).collect()
}
