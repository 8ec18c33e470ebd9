//! Depth of recordings without the SDK: shown, below the left eye, and hung onto its pictures.

use gst::prelude::*;

use crate::rig::{self, HEIGHT, WIDTH};
use crate::run::{Folder, MIDDLE, all, bytes, frames, raw, rectified, refusal, rest, start};

/// Where the rig's wall, 1.5 m before the raw eye, stands in the middle of the rectified picture.
fn wall_depth() -> f64 {
    let rectified = rectified();
    let (u, v) = (WIDTH as f64 / 2.0, HEIGHT as f64 / 2.0);
    let (x, y) = rectified.left(u, v);
    let [x, y] = rig::LEFT.looks([x, y]);
    let across = (u - rectified.cx) / rectified.focal;
    let down = (v - rectified.cy) / rectified.focal;
    1500.0 * (x * x + y * y + 1.0).sqrt() / (across * across + down * down + 1.0).sqrt()
}

/// Holds the depth of the middle to that of the wall, within a hundredth, at half the size too.
#[track_caller]
pub fn assert_wall(millimetres: u32) {
    let truth = wall_depth();
    let off = (f64::from(millimetres) / truth - 1.0).abs();
    assert!(off < 0.01, "{millimetres} mm instead of {truth}");
}

/// The bytes of the only frame, and its caps.
fn shown(properties: &str) -> (Vec<u8>, String) {
    let (samples, _) = all(properties);
    let [sample] = &samples[..] else {
        panic!("{} frames", samples.len());
    };
    let caps = sample.caps().expect("a sample has caps");
    (bytes(sample), caps.to_string())
}

#[test]
fn depth_of_a_recording_is_matched_by_its_calibration() {
    let folder = Folder::new();
    let (recording, calibration) = (raw(&folder, 1, false), folder.calibration());
    let line = format!("{recording} {calibration} depth-minimum-distance=700");
    for mode in ["none", "quality"] {
        let (bytes, caps) = shown(&format!("{line} stream-type=depth depth-mode={mode}"));
        assert!(
            caps.contains("GRAY16_LE") && caps.contains("width=(int)672"),
            "{caps}"
        );
        let depths: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
            .collect();
        assert_eq!(depths.len(), WIDTH * HEIGHT);
        assert_wall(depths[MIDDLE].into());
        let known = depths.iter().filter(|depth| **depth > 0).count();
        assert!(known * 10 > depths.len() * 9, "{mode}: {known} pixels");
    }

    let (bytes, caps) = shown(&format!("{line} stream-type=left-depth"));
    assert!(
        caps.contains("BGRA") && caps.contains("height=(int)752"),
        "{caps}"
    );
    let at = (HEIGHT * WIDTH + MIDDLE) * 4;
    let depth = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    assert_wall(depth);
    // The left eye above it, as it is shown alone.
    let (left, _) = shown(&format!("{line} stream-type=left"));
    let apart = (0..WIDTH * HEIGHT).filter(|at| bytes[at * 4 + 1].abs_diff(left[*at]) > 40);
    assert!(
        apart.count() * 100 < WIDTH * HEIGHT,
        "another picture stands above"
    );
}

#[test]
fn the_left_eye_carries_its_map_of_depth_where_a_mode_asks_for_it() {
    let folder = Folder::new();
    let (recording, calibration) = (raw(&folder, 2, false), folder.calibration());
    let (plain, without) = frames(&format!("{recording} {calibration}"));
    let line =
        format!("{recording} {calibration} depth-minimum-distance=700 depth-mode=performance");
    let (lumas, samples) = frames(&line);
    assert_eq!(
        lumas, plain,
        "the picture is the same with depth and without"
    );
    let (depths, _) = all(&format!("{line} stream-type=depth"));
    let name = "GstEvrDepthMeta";
    for (sample, depth) in samples.iter().zip(&depths) {
        let buffer = sample.buffer().expect("a sample has a buffer");
        let meta = gst::meta::CustomMeta::from_buffer(buffer, name).expect("its map");
        let fields = meta.structure();
        let map: gst::Buffer = fields.get("depth").expect("a map");
        assert_eq!(
            map.map_readable().expect("it can be read").as_slice(),
            bytes(depth),
            "it is the depth that stream-type=depth shows"
        );
        assert_eq!(fields.get("width"), Ok(WIDTH as u32));
        assert_eq!(fields.get("height"), Ok(HEIGHT as u32));
        let focal: f64 = fields.get("focal-x").expect("a focal length");
        assert!((focal * WIDTH as f64 - rectified().focal).abs() < 1e-9);
    }
    for sample in &without {
        let buffer = sample.buffer().expect("a sample has a buffer");
        assert!(gst::meta::CustomMeta::from_buffer(buffer, name).is_err());
    }
}

#[test]
fn depth_that_cannot_be_matched_is_refused_with_the_cure() {
    let folder = Folder::new();
    let recording = raw(&folder, 1, false);
    let cases = [
        ("stream-type=depth", "needs calibration-file"),
        (
            "stream-type=left depth-mode=performance",
            "needs calibration-file",
        ),
        (
            "stream-type=left depth-mode=neural",
            "depth-mode=performance or quality",
        ),
        (
            "stream-type=depth depth-mode=neural",
            "depth-mode=performance or quality",
        ),
    ];
    for (more, cure) in cases {
        let told = refusal(&format!("{recording} {more}"));
        assert!(told.contains(cure), "{more}: {told}");
    }
}

#[test]
fn depth_in_real_time_tells_how_long_it_takes_and_leaves_out_what_comes_too_late() {
    let folder = Folder::new();
    let (recording, calibration) = (raw(&folder, 20, false), folder.calibration());
    let (pipeline, sink) = start(&format!(
        "{recording} {calibration} stream-type=depth depth-mode=quality svo-real-time-mode=true"
    ));
    let source = pipeline.by_name("zed").expect("the line names it");
    let mut query = gst::query::Latency::new();
    assert!(source.query(&mut query));
    let (_, min, _) = query.result();
    // No machine matches so many pixels in a frame's time.
    assert!(min > gst::ClockTime::from_mseconds(20), "{min}");
    let samples = rest(&pipeline, &sink).len() as u64;
    let dropped: u64 = source.property("dropped");
    assert!(dropped > 0 && samples > 0, "{dropped} and {samples}");
    assert_eq!(samples + dropped, 20);
    pipeline.set_state(gst::State::Null).expect("it stops");
}
