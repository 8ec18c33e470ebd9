//! What is found in real video, and what it is called.

use std::path::Path;

use crate::{
    asset, best_person, buffer, clip, failure, frame, frames, harness, model, observed, says,
};

#[test]
fn people_are_found_exactly_while_they_are_there() {
    let samples = frames(&format!(
        "{} ! onnxdetect {} inference-interval=2 ! appsink name=out",
        clip(),
        model()
    ));
    assert_eq!(samples.len(), 300);
    for (i, sample) in samples.iter().enumerate() {
        let Some((seq, objects)) = observed(buffer(sample)) else {
            assert_eq!(i % 2, 1, "frame {i} was not inferred");
            continue;
        };
        assert_eq!((seq as usize) * 2, i, "every second frame is inferred");
        let present = (60..120).contains(&i) || (200..240).contains(&i);
        let people: Vec<_> = objects.iter().filter(|o| o.label == "person").collect();
        assert_eq!(!people.is_empty(), present, "frame {i}");
        assert!(objects.is_sorted_by(|a, b| a.confidence >= b.confidence));
        for person in people {
            let [l, t, r, b] = person.corners;
            assert!((0.5..0.97).contains(&person.confidence));
            // Pedestrians seen from a first floor, in part at the frame's edges.
            let (w, h) = (r - l, b - t);
            assert!(
                (0.01..0.2).contains(&w) && (0.05..0.5).contains(&h),
                "{i}: {w} {h}"
            );
        }
    }
}

#[test]
fn every_format_shows_the_same_people() {
    let found = |format: &str| -> Vec<_> {
        let line = format!(
            "{} ! videoconvert ! video/x-raw,format={format} ! onnxdetect {} \
             inference-interval=35 confidence-threshold=0.6 ! appsink name=out",
            clip(),
            model()
        );
        let samples = frames(&line);
        samples.iter().filter_map(|s| observed(buffer(s))).collect()
    };
    let i420 = found("I420");
    assert!(i420.iter().any(|(_, objects)| objects.len() > 1));
    for other in ["NV12", "YV12", "YUY2", "BGRx"].map(found) {
        assert_eq!(i420.len(), other.len());
        for ((_, one), (_, other)) in i420.iter().zip(&other) {
            // An object near the threshold may be on either side of it.
            for person in one.iter().filter(|object| object.confidence > 0.65) {
                let same = other.iter().any(|candidate| {
                    let far = std::iter::zip(person.corners, candidate.corners)
                        .any(|(a, b)| (a - b).abs() > 0.02);
                    !far && (person.confidence - candidate.confidence).abs() < 0.05
                });
                assert!(same, "{} {:?}", person.confidence, person.corners);
            }
        }
    }
}

#[test]
fn the_labels_come_before_the_first_frame_and_behind_the_segment() {
    let mut harness = harness(&format!("onnxdetect {}", model()));
    frame(&mut harness, gst_video::VideoFormat::I420, (64, 48));
    let events: Vec<_> = std::iter::from_fn(|| harness.try_pull_event()).collect();
    let at = |wanted: &dyn Fn(&gst::Event) -> bool| events.iter().position(wanted);
    let segment = at(&|event| event.type_() == gst::EventType::Segment);
    let model = at(&|event| event.has_name("evr-model"));
    assert!(segment.is_some() && segment < model);
    let model = &events[model.expect("it came")];
    assert!(model.is_sticky());
    let fields = model.structure().expect("a custom event has one");
    let stem = Path::new(&asset("EVR_TEST_MODEL"))
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    assert_eq!(fields.get::<String>("model").ok(), stem);
    let labels: gst::Array = fields.get("labels").expect("a list");
    assert_eq!(labels.len(), 80);
    assert_eq!(labels[0].get(), Ok("person"));
}

#[test]
fn a_label_file_renames_the_classes() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labels.txt");
    let names: String = (0..90).map(|class| format!("thing {class}\n")).collect();
    std::fs::write(&file, names).expect("written");
    let samples = frames(&format!(
        "{} ! onnxdetect {} label-file={} inference-interval=70 ! appsink name=out",
        clip(),
        model(),
        file.display()
    ));
    let (_, objects) = observed(buffer(&samples[70])).expect("inferred");
    assert!(objects.iter().any(|object| object.label == "thing 0"));

    std::fs::write(&file, "cat\ndog\n".repeat(50)).expect("written");
    let line = format!(
        "onnxdetect {} label-file={} ! fakesink",
        model(),
        file.display()
    );
    says(&failure(&line), &["onnxdetect", "100 labels", "90 classes"]);
}

#[test]
fn a_config_says_what_is_not_guessed_and_may_stand_in_a_file() {
    let usual = best_person("").expect("people are there");
    // What is guessed, said aloud, and classes by another name.
    let same = r#"{"layout": "ssd", "resize": "stretch", "mean": [1, 1, 1], "labels": ["walker"]}"#;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    std::fs::write(&file, same).expect("written");
    let samples = frames(&format!(
        "{} ! onnxdetect {} inference-interval=70 model-config={} ! appsink name=out",
        clip(),
        model(),
        file.display()
    ));
    let (_, objects) = observed(buffer(&samples[70])).expect("inferred");
    assert_eq!(objects[0].label, "walker");
    assert_eq!(objects[0].corners, usual.corners);
    // Colours that the model was not trained on show it another picture.
    let other = best_person(r#"model-config={\"scale\":0.001}"#);
    assert!(other.is_none_or(|other| other.confidence < usual.confidence));

    for (config, says_also) in [
        (r#"{\"layuot\":\"ssd\"}"#, "`layuot`"),
        (r#"{\"layout\":\"yolox\"}"#, "Yolox"),
        ("/nowhere/config.json", "/nowhere/config.json"),
    ] {
        let line = format!(
            "onnxdetect name=eye {} model-config={config} ! fakesink",
            model()
        );
        says(&failure(&line), &["eye", "model-config", says_also]);
    }
}
