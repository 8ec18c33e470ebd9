//! Our boxes as programs of others read them off the frames.

use gst_video::VideoRegionOfInterestMeta;
use serde_json::{Value, json};

use crate::{buffer, clip, frames, model, observed};

/// What Intel DL Streamer's `gvametaconvert` makes of a region, written after the fields that its
/// JSON converter asks for: x, y, w and h in pixels, the type, and of the parameter `detection` four
/// doubles for the box, without which it takes none of the rest, a double `confidence` and an int
/// `label_id`; of the parameter `object_id` an int `id`. Fields of other types do not exist for it.
fn converted(region: &VideoRegionOfInterestMeta) -> Value {
    let (x, y, w, h) = region.rect();
    let mut object = json!({"x": x, "y": y, "w": w, "h": h, "roi_type": region.roi_type()});
    for param in region.params() {
        let double = |name: &str| param.get::<f64>(name).ok();
        if param.name() == "object_id" {
            object["id"] = param.get::<i32>("id").ok().into();
        }
        let corners = ["x_min", "x_max", "y_min", "y_max"].map(double);
        if let ("detection", [Some(x_min), Some(x_max), Some(y_min), Some(y_max)]) =
            (param.name().as_str(), corners)
        {
            object["detection"] = json!({
                "bounding_box": {"x_min": x_min, "x_max": x_max, "y_min": y_min, "y_max": y_max},
                "confidence": double("confidence"),
                "label_id": param.get::<i32>("label_id").ok(),
                "label": region.roi_type(),
            });
        }
    }
    object
}

#[test]
fn gvametaconvert_would_show_every_box_with_label_confidence_and_track() {
    const SIZE: [f64; 2] = [768.0, 576.0];
    let samples = frames(&format!(
        "{} ! onnxdetect {} inference-interval=4 ! objecttracker predict=false ! appsink name=out",
        clip(),
        model()
    ));
    let (mut seen, mut tracked) = (0, 0);
    for sample in &samples {
        let Some((_, objects)) = observed(buffer(sample)) else {
            continue;
        };
        let regions = buffer(sample).iter_meta::<VideoRegionOfInterestMeta>();
        let converted: Vec<_> = regions.map(|region| converted(&region)).collect();
        assert_eq!(converted.len(), objects.len());
        for (found, object) in converted.iter().zip(&objects) {
            let detection = &found["detection"];
            assert_eq!(found["roi_type"], object.label.as_str());
            assert_eq!(detection["label"], object.label.as_str());
            assert_eq!(detection["label_id"], object.label_id);
            assert_eq!(detection["confidence"], object.confidence);
            let corner = |name: &str| {
                let corner = detection["bounding_box"][name].as_f64();
                corner.expect("a double in the structure")
            };
            for (low, high, side, [at, length]) in [
                ("x_min", "x_max", SIZE[0], ["x", "w"]),
                ("y_min", "y_max", SIZE[1], ["y", "h"]),
            ] {
                let (low, high) = (corner(low), corner(high));
                assert!(0.0 <= low && low < high && high <= 1.0);
                let pixels = |name: &str| found[name].as_f64().expect("a number");
                assert!((pixels(at) - low * side).abs() <= 0.5);
                assert!((pixels(length) - (high - low) * side).abs() <= 0.5);
            }
            seen += 1;
            tracked += usize::from(found["id"].as_i64().is_some_and(|id| id > 0));
        }
    }
    assert!(seen > 50 && tracked > seen / 2, "{tracked} of {seen}");
}

/// Frame 70 behind these elements, as BGRx.
#[cfg(feature = "v1_24")]
fn shown(elements: &str) -> Vec<u8> {
    let line = format!(
        "{} ! identity eos-after=72 ! onnxdetect {} inference-interval=70 ! videoconvert ! \
         video/x-raw,format=BGRx ! {elements} appsink name=out",
        clip(),
        model()
    );
    let sample = frames(&line).swap_remove(70);
    let map = buffer(&sample).map_readable().expect("system memory");
    map.to_vec()
}

#[cfg(feature = "v1_24")]
#[test]
fn upstreams_overlay_draws_every_box() {
    crate::init();
    if gst::ElementFactory::find("objectdetectionoverlay").is_none() {
        eprintln!("skipped: this GStreamer was built without objectdetectionoverlay");
        return;
    }
    let plain = shown("");
    let drawn = shown("objectdetectionoverlay ! video/x-raw,format=BGRx !");
    let changed: Vec<bool> = std::iter::zip(plain.as_chunks::<4>().0, drawn.as_chunks::<4>().0)
        .map(|(plain, drawn)| plain != drawn)
        .collect();
    assert_eq!(changed.len(), 768 * 576);
    let sample = frames(&format!(
        "{} ! identity eos-after=72 ! onnxdetect {} inference-interval=70 ! appsink name=out",
        clip(),
        model()
    ))
    .swap_remove(70);
    let (_, found) = observed(buffer(&sample)).expect("inferred");
    assert!(found.len() > 1);
    for object in found {
        let [l, t, _, b] = object.corners;
        let (y, x) = ((t + b) / 2.0 * 576.0, l * 768.0);
        // Half way down its left side a line crosses, a few pixels wide.
        let row = y as usize * 768;
        let near = (x as usize).saturating_sub(3)..(x as usize + 4).min(768);
        assert!(changed[row..][near].contains(&true), "{}", object.label);
    }
}
