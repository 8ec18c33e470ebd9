//! What is found beside what a reference in Python finds, `tests/reference/frames.py`.

use crate::{asset, clip, frames, harness, observed};

#[derive(serde::Deserialize)]
struct Expected {
    class: i32,
    confidence: f64,
    corners: [f64; 4],
}

#[derive(serde::Deserialize)]
struct Golden {
    frame: usize,
    objects: Vec<Expected>,
}

fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let along = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let both = along(0) * along(1);
    let area = |c: [f64; 4]| (c[2] - c[0]) * (c[3] - c[1]);
    both / (area(a) + area(b) - both)
}

/// Compares what the element says of ten frames with what the reference in Python says.
fn agrees_with_the_reference(model_file: &str, golden: &str, first_id: i32) {
    let golden: Vec<Golden> = serde_json::from_str(golden).expect("a golden");
    let decoded = frames(&format!("{} ! appsink name=out", clip()));
    let caps = decoded[0].caps().expect("a sample has caps").to_owned();
    let mut harness = harness(&format!(
        "onnxdetect model-file={model_file} confidence-threshold=0.4"
    ));
    harness.set_src_caps(caps);
    let (mut least_iou, mut most_apart, mut compared) = (1.0_f64, 0.0_f64, 0);
    for golden in golden {
        let frame = decoded[golden.frame].buffer_owned().expect("a frame");
        assert_eq!(harness.push(frame), Ok(gst::FlowSuccess::Ok));
        let (_, objects) = observed(&harness.pull().expect("a frame")).expect("inferred");
        // One nearer to the threshold may fall on either side of it.
        let sure = |confidence: f64| confidence >= 0.42;
        let of_class = |class: i32| {
            objects
                .iter()
                .filter(move |o| o.label_id == class + first_id)
        };
        for expected in golden.objects.iter().filter(|it| sure(it.confidence)) {
            let overlaps = of_class(expected.class).map(|o| (iou(o.corners, expected.corners), o));
            let best = overlaps.max_by(|a, b| a.0.total_cmp(&b.0));
            let (overlap, object) = best.unwrap_or_else(|| panic!("frame {}", golden.frame));
            least_iou = least_iou.min(overlap);
            most_apart = most_apart.max((object.confidence - expected.confidence).abs());
            compared += 1;
        }
        for object in objects.iter().filter(|object| sure(object.confidence)) {
            let known = golden.objects.iter().any(|expected| {
                expected.class + first_id == object.label_id
                    && iou(object.corners, expected.corners) > 0.9
            });
            assert!(
                known,
                "frame {}: {} {:?}",
                golden.frame, object.label, object.corners
            );
        }
    }
    println!(
        "measured: {compared} objects in ten frames against the reference in Python: least IoU \
         {least_iou:.4}, confidence at most {most_apart:.4} apart"
    );
    assert!(
        compared > 20 && least_iou >= 0.98 && most_apart <= 0.01,
        "{least_iou} {most_apart}"
    );
}

#[test]
fn ten_frames_show_what_a_reference_in_python_sees() {
    asset("ORT_DYLIB_PATH");
    let golden = include_str!("../goldens/ssdlite.json");
    agrees_with_the_reference(&asset("EVR_TEST_MODEL"), golden, 1);
}

#[test]
fn a_model_that_suppresses_in_its_graph_shows_what_the_reference_sees() {
    asset("ORT_DYLIB_PATH");
    let golden = include_str!("../goldens/ssdlite.json");
    // TensorFlow's own exports scale colours in the graph, so that is the guess.
    let colours = r#"model-config={\"scale\":0.00784313725,\"mean\":[1,1,1]}"#;
    let model = format!("{} {colours}", asset("EVR_TEST_MODEL_NMS"));
    agrees_with_the_reference(&model, golden, 1);
}

#[test]
fn ten_frames_show_what_the_reference_sees_with_nanodet() {
    asset("ORT_DYLIB_PATH");
    let golden = include_str!("../goldens/nanodet.json");
    agrees_with_the_reference(&asset("EVR_TEST_MODEL_NANODET"), golden, 0);
}

#[test]
fn ten_frames_show_what_the_reference_sees_with_yolox() {
    asset("ORT_DYLIB_PATH");
    let Ok(model) = std::env::var("EVR_TEST_MODEL_YOLOX") else {
        // No package registry has it.
        println!("not compared: EVR_TEST_MODEL_YOLOX does not name a file yolox_nano.onnx");
        return;
    };
    agrees_with_the_reference(&model, include_str!("../goldens/yolox.json"), 0);
}
