//! What cannot be used is refused, in one sentence with the cure.

use gst::prelude::*;

use crate::inputs::{Element, Graph, Side, node};
use crate::{asset, detector, failure, frame, harness, init, model, pipeline, says};

#[test]
fn a_model_that_is_none_is_refused_by_name() {
    asset("ORT_DYLIB_PATH");
    let folder = tempfile::tempdir().expect("a folder");
    let garbage = folder.path().join("garbage.onnx");
    std::fs::write(&garbage, "this is no model").expect("written");
    let missing = folder.path().join("missing.onnx");
    for file in [&missing, &garbage, &folder.path().to_owned()] {
        let file = file.display().to_string();
        let sentence = failure(&format!("onnxdetect name=eye model-file={file} ! fakesink"));
        says(
            &sentence,
            &["eye: model-file is", &file, "name an ONNX model"],
        );
    }
    let unset = failure("onnxdetect name=eye ! fakesink");
    says(&unset, &["eye: model-file is not set"]);
}

#[test]
fn a_model_of_unknown_layout_is_refused_with_its_tensors() {
    asset("ORT_DYLIB_PATH");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("identity.onnx");
    let graph = Graph {
        input: (Element::F32, &[Side::Of(1), Side::Of(4)]),
        nodes: vec![node("Identity", &["x"], "y")],
        output: (Element::F32, &[1, 4]),
        extra: None,
    };
    std::fs::write(&file, graph.model()).expect("written");
    let sentence = failure(&format!(
        "onnxdetect model-file={} ! fakesink",
        file.display()
    ));
    says(
        &sentence,
        &[
            "inputs: `x` f32[1,4]; outputs: `y` f32[1,4]",
            "`scores` [1,N,classes]",
        ],
    );
}

#[test]
fn video_that_does_not_suit_is_refused_with_what_is_wrong_and_the_cure() {
    init();
    for (caps, parts) in [
        (
            "video/x-raw,format=GRAY16_LE",
            ["GRAY16_LE", "videoconvert"],
        ),
        (
            "video/x-raw(format:Interlaced),format=I420,interlace-mode=alternate",
            ["single fields", "interleaved or progressive"],
        ),
        (
            "video/x-raw(memory:GLMemory),format=RGBA",
            ["memory:GLMemory", "gldownload"],
        ),
    ] {
        let pipeline = pipeline(&format!(
            "appsrc name=in ! onnxdetect name=eye {} ! fakesink",
            model()
        ));
        let source: gst_app::AppSrc = pipeline.by_name("in").and_downcast().expect("an appsrc");
        let caps: gst::Caps = format!("{caps},width=4,height=4,framerate=25/1")
            .parse()
            .expect("sound caps");
        source.set_caps(Some(&caps));
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let _ = source.push_buffer(gst::Buffer::with_size(64).expect("memory"));
        let bus = pipeline.bus().expect("a pipeline has one");
        let message = bus
            .timed_pop_filtered(gst::ClockTime::from_seconds(30), &[gst::MessageType::Error])
            .expect("it fails");
        pipeline.set_state(gst::State::Null).expect("it stops");
        let gst::MessageView::Error(error) = message.view() else {
            unreachable!("only errors are popped")
        };
        let error = error.error();
        says(error.message(), &["eye: "]);
        says(error.message(), &parts);
    }
}

#[test]
fn a_provider_that_the_library_lacks_is_refused_and_the_one_in_use_is_told() {
    for (provider, parts) in [
        ("cuda", &["execution-provider is cuda", "built without"][..]),
        ("gpu", &["execution-provider names `gpu`", "openvino"]),
    ] {
        let line = format!(
            "onnxdetect name=eye {} execution-provider={provider} ! fakesink",
            model()
        );
        let sentence = failure(&line);
        says(&sentence, &["eye: "]);
        says(&sentence, parts);
    }
    let mut harness = harness(&format!("onnxdetect {}", model()));
    frame(&mut harness, gst_video::VideoFormat::I420, (64, 48));
    let element = detector(&harness);
    let provider: Option<String> = element.property("provider-in-use");
    assert_eq!(provider.as_deref(), Some("cpu"));
}
