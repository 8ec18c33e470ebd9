//! Every family by the tensors that its exporter writes.

use super::super::input::{Colours, Resize, Sample};
use super::super::model::Element;
use super::*;

fn tensor(name: &str, shape: &[i64]) -> TensorInfo {
    TensorInfo {
        name: name.into(),
        element: Element::F32,
        shape: shape.into(),
    }
}

fn model(input: &[i64], outputs: &[(&str, &[i64])]) -> ModelInfo {
    ModelInfo {
        inputs: vec![tensor("images", input)],
        outputs: outputs
            .iter()
            .map(|(name, shape)| tensor(name, shape))
            .collect(),
        ..ModelInfo::default()
    }
}

fn spec(model: &ModelInfo) -> Spec {
    Spec::recognise(model, &ModelConfig::default()).expect("a known layout")
}

fn with_config(model: &ModelInfo, json: &str) -> Spec {
    let config = ModelConfig::parse(json).expect("a sound config");
    Spec::recognise(model, &config).expect("a known layout")
}

const NCHW: &[i64] = &[1, 3, 640, 640];

#[test]
fn every_family_is_told_by_its_tensors() {
    let eight = &[1, 3, 416, 416][..];
    for (input, outputs, name, classes) in [
        (
            &[1, 3, 300, 300][..],
            &[("scores", &[1, 1917, 90][..]), ("boxes", &[1, 1917, 4])][..],
            LayoutName::Ssd,
            Some(90),
        ),
        (
            &[1, -1, -1, 3],
            &[
                ("detection_boxes:0", &[1, 100, 4]),
                ("detection_classes:0", &[1, 100]),
                ("detection_scores:0", &[1, 100]),
                ("num_detections:0", &[1]),
            ],
            LayoutName::Detections,
            None,
        ),
        (
            NCHW,
            &[
                ("labels", &[-1, 300]),
                ("boxes", &[-1, 300, 4]),
                ("scores", &[-1, 300]),
            ],
            LayoutName::Detections,
            None,
        ),
        (
            NCHW,
            &[("dets", &[1, 300, 4]), ("labels", &[1, 300, 91])],
            LayoutName::Detr,
            Some(91),
        ),
        (
            NCHW,
            &[("logits", &[1, 100, 92]), ("pred_boxes", &[1, 100, 4])],
            LayoutName::Detr,
            Some(91),
        ),
        (
            NCHW,
            &[("logits", &[-1, 300, 80]), ("pred_boxes", &[-1, 300, 4])],
            LayoutName::Detr,
            Some(80),
        ),
        (
            eight,
            &[("output", &[1, 3549, 85])],
            LayoutName::Yolox,
            Some(80),
        ),
        (
            NCHW,
            &[("output0", &[1, 25200, 85])],
            LayoutName::Yolov5,
            Some(80),
        ),
        (
            NCHW,
            &[("output", &[1, 25200, 85]), ("1", &[1, 3, 80, 80, 85])],
            LayoutName::Yolov5,
            Some(80),
        ),
        (
            NCHW,
            &[("output0", &[1, 25200, 6])],
            LayoutName::Yolov5,
            Some(1),
        ),
        (
            NCHW,
            &[("output0", &[1, 300, 84])],
            LayoutName::Yolov5,
            Some(80),
        ),
        (
            NCHW,
            &[("output0", &[1, 84, 8400])],
            LayoutName::Yolov8,
            Some(80),
        ),
        (
            &[-1, 3, -1, -1],
            &[("output0", &[-1, 84, -1])],
            LayoutName::Yolov8,
            Some(80),
        ),
        (
            NCHW,
            &[("output0", &[1, 5, 8400])],
            LayoutName::Yolov8,
            Some(1),
        ),
        (
            NCHW,
            &[("output0", &[1, 300, 6])],
            LayoutName::EndToEnd,
            None,
        ),
        (
            eight,
            &[("output", &[1, 3598, 112])],
            LayoutName::Nanodet,
            Some(80),
        ),
        (
            eight,
            &[("output", &[1, 3549, 124])],
            LayoutName::Nanodet,
            Some(80),
        ),
        (
            eight,
            &[
                ("cls_pred_stride_8", &[1, 2704, 80]),
                ("cls_pred_stride_16", &[1, 676, 80]),
                ("cls_pred_stride_32", &[1, 169, 80]),
                ("dis_pred_stride_32", &[1, 169, 44]),
                ("dis_pred_stride_8", &[1, 2704, 44]),
                ("dis_pred_stride_16", &[1, 676, 44]),
            ],
            LayoutName::Nanodet,
            Some(80),
        ),
    ] {
        let layout = spec(&model(input, outputs)).layout;
        assert_eq!(
            (layout.name, layout.classes),
            (name, classes),
            "{outputs:?}"
        );
    }
}

#[test]
fn levels_are_paired_from_the_finest_whatever_their_order() {
    let levels = [
        ("dis_pred_stride_16", &[1, 4, 32][..]),
        ("cls_pred_stride_8", &[1, 16, 3]),
        ("cls_pred_stride_16", &[1, 4, 3]),
        ("dis_pred_stride_8", &[1, 16, 32]),
    ];
    let layout = spec(&model(&[1, 3, 32, 32], &levels)).layout;
    let levels = vec![(1, 3), (2, 0)];
    assert_eq!(layout.reader, Reader::Distances { levels, bins: 8 });
    assert_eq!(layout.strides, [8, 16]);
}

#[test]
fn the_filling_is_what_the_family_was_trained_on() {
    let yolox = spec(&model(&[1, 3, 416, 416], &[("output", &[1, 3549, 85])])).input;
    assert_eq!(
        (yolox.resize, yolox.colours, yolox.scale),
        (Resize::LetterboxTopLeft, Colours::Bgr, 1.0)
    );
    let v8 = spec(&model(NCHW, &[("output0", &[1, 84, 8400])])).input;
    assert_eq!(
        (v8.resize, v8.colours, v8.scale),
        (Resize::Letterbox, Colours::Rgb, 1.0 / 255.0)
    );
    let ssd = spec(&model(
        NCHW,
        &[("boxes", &[1, 9, 4]), ("scores", &[1, 9, 2])],
    ))
    .input;
    assert_eq!((ssd.resize, ssd.mean), (Resize::Stretch, [1.0; 3]));
    let rf = spec(&model(
        NCHW,
        &[("dets", &[1, 300, 4]), ("labels", &[1, 300, 91])],
    ))
    .input;
    assert_eq!((rf.mean[0], rf.std[2]), (0.485, 0.225));
}

#[test]
fn an_input_may_be_interleaved_bytes_and_of_open_size() {
    let mut tf = model(
        &[1, -1, -1, 3],
        &[
            ("detection_boxes", &[1, 100, 4]),
            ("detection_classes", &[1, 100]),
            ("detection_scores", &[1, 100]),
        ],
    );
    tf.inputs[0].element = Element::U8;
    let input = spec(&tf).input;
    assert!(input.interleaved);
    assert_eq!(
        (input.sample, input.width, input.scale),
        (Sample::U8, 640, 1.0)
    );
    let sized = with_config(&tf, r#"{"width": 320, "height": 240}"#).input;
    assert_eq!((sized.width, sized.height), (320, 240));
}

#[test]
fn the_exporters_metadata_name_the_classes_and_the_size() {
    let mut v8 = model(&[1, 3, -1, -1], &[("output0", &[1, 38, -1])]);
    let metadata = [
        ("names", "{0: 'cat', 1: 'dog'}"),
        ("imgsz", "[384, 640]"),
        ("task", "segment"),
    ];
    v8.metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let spec = spec(&v8);
    assert_eq!((spec.input.width, spec.input.height), (640, 384));
    // Behind the classes stand the masks' coefficients.
    assert_eq!(spec.layout.classes, Some(2));
    assert_eq!(
        spec.names,
        Some(vec![Some("cat".into()), Some("dog".into())])
    );
    v8.metadata.insert("task".into(), "classify".into());
    let refused = Spec::recognise(&v8, &ModelConfig::default());
    assert_eq!(refused, Err(UnknownLayout::Task("classify".into())));
}

#[test]
fn a_second_input_may_take_the_size_of_the_picture() {
    let mut detr = model(
        NCHW,
        &[
            ("labels", &[1, 300]),
            ("boxes", &[1, 300, 4]),
            ("scores", &[1, 300]),
        ],
    );
    detr.inputs.insert(
        0,
        TensorInfo {
            element: Element::I64,
            ..tensor("orig_target_sizes", &[1, 2])
        },
    );
    let input = spec(&detr).input;
    assert_eq!((input.index, input.size_input), (1, Some(0)));
}

#[test]
fn the_config_overrides_every_guess() {
    let odd = model(NCHW, &[("a", &[1, 9, 4]), ("b", &[1, 9, 3])]);
    let spec = with_config(
        &odd,
        r#"{"layout": "ssd", "boxes": "a", "scores": "b", "first-class": 1, "coding": "xyxy",
            "unit": "pixels", "activation": "sigmoid", "suppression": "agnostic",
            "resize": "letterbox", "colours": "bgr", "scale": 1, "mean": [1, 2, 3],
            "std": [4, 5, 6], "pad": 0, "labels": ["x", "y"]}"#,
    );
    let layout = spec.layout;
    assert_eq!(layout.classes, Some(2));
    assert_eq!(
        (
            layout.coding,
            layout.unit,
            layout.activation,
            layout.suppression
        ),
        (
            Coding::Xyxy,
            Unit::Pixels,
            Activation::Sigmoid,
            Suppression::Agnostic
        )
    );
    let input = spec.input;
    assert_eq!(
        (input.resize, input.colours),
        (Resize::Letterbox, Colours::Bgr)
    );
    assert_eq!(
        (input.mean, input.std, input.pad),
        ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 0.0)
    );
}

#[test]
fn an_unknown_model_is_refused_with_its_tensors_and_the_known_ones() {
    let mut unknown = model(&[1, 3, -1, 416], &[("output", &[1, 1000])]);
    unknown.outputs[0].element = Element::F16;
    let refusal = |config: &str| {
        let config = ModelConfig::parse(config).expect("a sound config");
        let refusal = Spec::recognise(&unknown, &config).expect_err("no detector");
        refusal.to_string()
    };
    for text in [refusal("{}"), refusal(r#"{"layout": "yolov8"}"#)] {
        assert!(text.contains("inputs: `images` f32[1,3,?,416]; outputs: `output` f16[1,1000]"));
        assert!(text.contains("end-to-end ([1,N,6])"), "{text}");
    }
}

#[test]
fn an_input_that_no_memory_holds_or_that_is_no_image_is_refused() {
    for shape in [&[1, 3, 0, 9][..], &[1, 3, i64::MAX, 9], &[1, 4, 9, 9], &[9]] {
        let model = model(shape, &[("output0", &[1, 84, 8400])]);
        let refused = Spec::recognise(&model, &ModelConfig::default());
        assert!(
            matches!(refused, Err(UnknownLayout::Inputs(_))),
            "{shape:?}"
        );
    }
}
