//! What an inference server answers.

use evr_core::{
    detection::Detection,
    detector::{Limits, Mapping, ModelConfig, Rect},
    remote::{
        self, RemoteError,
        kserve::{Served, TensorData},
    },
};

use super::Outcome;

const LIMITS: Limits = Limits {
    confidence: 0.25,
    iou: 0.5,
    max_detections: 10,
    suppression: None,
};
const SECOND: i64 = 1_000_000_000;
const SIZE: usize = 100;
/// A model whose graph has chosen among its boxes.
const METADATA: &str = r#"{"name":"small",
    "inputs":[{"name":"images","datatype":"FP32","shape":[-1,3,2,4]}],
    "outputs":[{"name":"output0","datatype":"FP32","shape":[-1,300,6]}]}"#;
const CONFIG: &str = r#"{"layout":"end-to-end","labels":["cat","dog"],"classes":2}"#;

/// Reads the first line as a `Retry-After` and as the length of the JSON before tensors, what
/// follows as a reply of each contract, and everything as a model's metadata.
pub fn body(data: &[u8]) -> Outcome {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (head, body) = data.split_at(end.unwrap_or(data.len()));
    let (head, body) = (String::from_utf8_lossy(head), body.get(1..).unwrap_or(&[]));
    if let Some(pause) = remote::retry_after(&head, SECOND) {
        assert!((0..=3600 * SECOND).contains(&pause));
    }
    let known = Served::recognise(data, &ModelConfig::default(), None, TensorData::Binary);
    let replies = [azure(body), kserve(head.trim().parse().ok(), body)];
    let taken = known.is_ok() || replies.iter().any(Result::is_ok);
    for found in replies.iter().flatten() {
        check(found);
    }
    match taken {
        true => Outcome::Taken,
        false => Outcome::Refused,
    }
}

fn mapping() -> Mapping {
    let whole = Rect::whole(SIZE, SIZE);
    Mapping::new(whole, whole, (SIZE, SIZE))
}

fn azure(body: &[u8]) -> Result<Vec<Detection>, RemoteError> {
    // What goes into a log is short, whatever the server says.
    let refusal = remote::azure(400, None, body).expect_err("a fault");
    assert!(refusal.to_string().len() < 1000);
    let json = remote::azure(200, None, body)?.expect("a body");
    remote::read_inferences(json, mapping(), (SIZE, SIZE), &LIMITS)
}

fn kserve(json_bytes: Option<usize>, body: &[u8]) -> Result<Vec<Detection>, RemoteError> {
    let config = ModelConfig::parse(CONFIG).expect("a config");
    let served = Served::recognise(METADATA.as_bytes(), &config, None, TensorData::Binary);
    let mut served = served.expect("a model");
    let mapping = Mapping::new(Rect::whole(4, 2), Rect::whole(400, 200), (400, 200));
    served.read(200, json_bytes, body, mapping, &LIMITS)
}

/// Whatever was said, boxes lie in the frame and the best come first.
fn check(found: &[Detection]) {
    assert!(found.len() <= LIMITS.max_detections);
    assert!(found.is_sorted_by(|a, b| a.confidence >= b.confidence));
    for detection in found {
        assert!((0.0..=1.0).contains(&detection.confidence));
        let bbox = detection.bbox;
        for (from, length) in [(bbox.l, bbox.w), (bbox.t, bbox.h)] {
            assert!(
                from >= 0.0 && length > 0.0 && from + length <= 1.0 + 1e-9,
                "{bbox:?}"
            );
        }
    }
}
