use super::*;
use crate::detector::Rect;

const LIMITS: Limits = Limits {
    confidence: 0.5,
    iou: 0.5,
    max_detections: 10,
    suppression: None,
};

/// YOLOX-like of 32x32: 16 + 4 + 1 cells of 5 + 80 numbers would be long, so a graph that has
/// chosen: `[1,N,6]`.
const METADATA: &str = r#"{"name":"small","versions":["1"],"platform":"onnxruntime_onnx",
    "inputs":[{"name":"images","datatype":"FP32","shape":[-1,3,2,4]}],
    "outputs":[{"name":"other","datatype":"INT64","shape":[-1]},
               {"name":"output0","datatype":"FP32","shape":[-1,300,6]}]}"#;

fn served(data: TensorData) -> Served {
    let config = ModelConfig::parse(
        r#"{"layout":"end-to-end","output":"output0","labels":["cat","dog"],"classes":2}"#,
    );
    Served::recognise(METADATA.as_bytes(), &config.expect("sound"), None, data).expect("known")
}

fn mapping() -> Mapping {
    Mapping::new(Rect::whole(4, 2), Rect::whole(400, 200), (400, 200))
}

fn read(json_bytes: Option<usize>, body: &[u8]) -> Result<Vec<Detection>, RemoteError> {
    served(TensorData::Binary).read(200, json_bytes, body, mapping(), &LIMITS)
}

#[test]
fn a_model_is_known_by_its_metadata() {
    let served = served(TensorData::Binary);
    assert_eq!(served.name(), "small");
    assert_eq!((served.input().width, served.input().height), (4, 2));
    assert_eq!(served.labels().names().collect::<Vec<_>>(), ["cat", "dog"]);
}

#[test]
fn what_is_no_metadata_is_refused() {
    for text in ["", "{}", "<html>", r#"{"name":1,"inputs":[],"outputs":[]}"#] {
        let error = Served::recognise(
            text.as_bytes(),
            &ModelConfig::default(),
            None,
            TensorData::Json,
        );
        assert!(matches!(error, Err(ServedError::Metadata(_))), "{text}");
    }
}

#[test]
fn a_binary_request_has_its_tensors_behind_the_json() {
    let mut served = served(TensorData::Binary);
    if let TensorMut::F32(elements) = served.elements() {
        elements.fill(0.5);
    }
    let request = served.request();
    let json_bytes = request.json_bytes.expect("binary");
    let json: Value = serde_json::from_slice(&request.body[..json_bytes]).expect("JSON");
    assert_eq!(json["inputs"][0]["shape"], json!([1, 3, 2, 4]));
    assert_eq!(json["inputs"][0]["parameters"]["binary_data_size"], 96);
    assert_eq!(json["parameters"]["binary_data_output"], true);
    assert_eq!(request.body[json_bytes..], 0.5_f32.to_le_bytes().repeat(24));
}

#[test]
fn a_json_request_has_its_numbers_in_the_json() {
    let request = served(TensorData::Json).request();
    assert_eq!(request.json_bytes, None);
    let json: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(json["inputs"][0]["data"], json!(vec![0.0; 24]));
    assert_eq!(json["inputs"][0]["datatype"], "FP32");
}

#[test]
fn both_kinds_of_reply_give_the_same_objects() {
    let json =
        br#"{"model_name":"small","outputs":[{"name":"output0","datatype":"FP32","shape":[1,2,6],
        "data":[[[1,0.5,3,1.5,0.75,1],[0,0,1,1,0.25,0]]]}]}"#;
    let found = read(None, json).expect("sound");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].label, "dog");
    assert_eq!(
        (
            found[0].bbox.l,
            found[0].bbox.t,
            found[0].bbox.w,
            found[0].bbox.h
        ),
        (0.25, 0.25, 0.5, 0.5)
    );
    let head = br#"{"outputs":[{"name":"other","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}},
        {"name":"output0","datatype":"FP32","shape":[1,1,6],"parameters":{"binary_data_size":24}}]}"#;
    let mut body = head.to_vec();
    body.extend(7_i64.to_le_bytes());
    for number in [1.0_f32, 0.5, 3.0, 1.5, 0.75, 1.0] {
        body.extend(number.to_le_bytes());
    }
    assert_eq!(read(Some(head.len()), &body).expect("sound"), found);
}

#[test]
fn a_reply_that_lies_about_its_sizes_is_refused() {
    let say = |shape: &str, rest: &str| {
        format!(r#"{{"outputs":[{{"name":"output0","datatype":"FP32","shape":{shape},{rest}}}]}}"#)
    };
    for json in [
        say("[1,2,6]", r#""data":[1,2,3]"#),
        say("[1,1,6]", r#""data":["a"]"#),
        say("[-1,6]", r#""data":[]"#),
        say("[9223372036854775807,9223372036854775807]", r#""data":[]"#),
        say("[1,1,6]", r#""parameters":{"binary_data_size":24}"#),
        say(
            "[1,1,6]",
            r#""parameters":{"binary_data_size":18446744073709551615}"#,
        ),
        say("[]", r#""data":[]"#),
        "{}".into(),
        r#"{"outputs":[]}"#.into(),
    ] {
        let error = read(None, json.as_bytes()).expect_err(&json);
        assert!(matches!(error, RemoteError::Reply(_)), "{json}");
    }
    assert!(read(Some(usize::MAX), b"{}").is_err());
}

#[test]
fn a_refusal_says_what_the_server_said() {
    let body = br#"{"error":"unknown model"}"#;
    let error = refusal(404, body).expect_err("refused");
    assert!(error.to_string().contains("unknown model"), "{error}");
    assert_eq!(refusal(503, b""), Err(RemoteError::Busy(None)));
}
