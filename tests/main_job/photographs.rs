//! The main job by distance, on a recording made of photographs: a motorcycle in a workshop, whose
//! true depth came with the pair.
//!
//! The pair is Middlebury's, from scikit-image: what `tests/reference/depth.py` has written of it lies
//! in the folder that EVR_TEST_STEREO_PAIR names.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

use evr_zed::{calibration::Calibration, rectify::Rectified};
use serde_json::Value;

use super::{files, said, seconds, sidecars};
use crate::common::{asset, stage::Stage};

/// Of one eye.
const SIZE: (u32, u32) = (960, 600);
const RATE: usize = 10;
/// When the recording shows the pair, and how long it is, in seconds; before and after, all is grey.
const SHOWN: (usize, usize) = (5, 9);
const LENGTH: usize = 13;
/// Of a box, `depthannotate` looks at the middle: at that share of each side.
const MIDDLE: f64 = 0.5;
/// How far a told depth may be from the true one.
const BOUND: f64 = 0.01;

/// A recording of both eyes side by side.
fn record(stage: &Stage, pair: &Path) -> PathBuf {
    let clip = stage.path().join("photographs.mp4");
    let both = fs::read(pair.join("both.bgr")).expect("depth.py wrote it");
    let grey = vec![128; both.len()];
    let line = format!(
        "-q fdsrc ! rawvideoparse format=bgr width={} height={} framerate={RATE}/1 ! videoconvert \
         ! video/x-raw,format=I420 ! x264enc threads=1 bframes=0 pass=quant quantizer=18 ! h264parse \
         ! mp4mux ! filesink location={}",
        2 * SIZE.0,
        SIZE.1,
        clip.display()
    );
    let mut encoder = stage.command("gst-launch-1.0");
    encoder.args(line.split_whitespace()).stdin(Stdio::piped());
    let mut encoder = encoder.spawn().expect("gst-launch-1.0 is installed");
    let mut input = encoder.stdin.take().expect("asked for above");
    for frame in 0..LENGTH * RATE {
        let shown = (SHOWN.0 * RATE..SHOWN.1 * RATE).contains(&frame);
        let picture = if shown { &both } else { &grey };
        input.write_all(picture).expect("the encoder reads on");
    }
    drop(input);
    assert!(encoder.wait().is_ok_and(|status| status.success()));
    clip
}

/// How far away the left raw picture's pixels are, by the pair's own disparities.
struct Truth {
    /// Metres by rows, not a number where nobody knows.
    depths: Vec<f32>,
    /// Boxes lie in the rectified picture: it tells where that is in the raw one, and nothing of depth.
    rectified: Rectified,
}

impl Truth {
    fn read(pair: &Path) -> Self {
        let bytes = fs::read(pair.join("depth.f32")).expect("depth.py wrote it");
        let (floats, _) = bytes.as_chunks();
        let conf = fs::read_to_string(pair.join("camera.conf")).expect("depth.py wrote it");
        let rig = Calibration::parse(&conf).rig(SIZE.0, SIZE.1);
        Self {
            depths: floats.iter().copied().map(f32::from_le_bytes).collect(),
            rectified: Rectified::new(&rig.expect("of that size")).expect("a rig that can be"),
        }
    }

    /// The median in the middle of a box.
    fn median(&self, bbox: &Value) -> f64 {
        let side = |name: &str| bbox[name].as_f64().expect("a fraction of the frame");
        let corner = |part: f64| {
            let at = |from, long, size| (side(from) + part * side(long)) * f64::from(size);
            self.rectified
                .left(at("l", "w", SIZE.0), at("t", "h", SIZE.1))
        };
        let (left, top) = corner((1.0 - MIDDLE) / 2.0);
        let (right, bottom) = corner((1.0 + MIDDLE) / 2.0);
        let rows = self.depths.chunks(SIZE.0 as usize);
        let rows = rows.take(bottom as usize).skip(top as usize);
        let columns = left as usize..right as usize;
        let mut depths: Vec<f32> = rows
            .flat_map(|row| &row[columns.clone()])
            .copied()
            .filter(|depth| depth.is_finite())
            .collect();
        depths.sort_by(f32::total_cmp);
        f64::from(depths[depths.len() / 2])
    }
}

/// What the script leaves of the clip, asked for motorcycles nearer than so many metres.
fn motorcycles(stage: &Stage, (clip, pair): (&Path, &Path), metres: &str) -> PathBuf {
    let folder = stage.folder(metres);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/zed-distance.sh");
    let output = stage
        .command(script)
        .args([clip, &asset("EVR_TEST_MODEL"), &folder])
        .arg(pair.join("camera.conf"))
        .args([metres, "motorcycle"])
        .output()
        .expect("the script can be run");
    assert!(output.status.success(), "{}", said(&output));
    folder
}

#[test]
#[ignore = "needs the pair that tests/reference/depth.py writes: cargo xtask soak"]
fn soak_a_photographed_motorcycle_is_recorded_by_its_distance() {
    let stage = Stage::new();
    let pair = asset("EVR_TEST_STEREO_PAIR");
    let clip = record(&stage, &pair);
    let truth = Truth::read(&pair);

    let sidecars = sidecars(&motorcycles(&stage, (&clip, &pair), "2.5"));
    let [(_, sidecar)] = &sidecars[..] else {
        panic!("it is there once, {} recorded", sidecars.len())
    };
    let off = ["start", "end"].map(|name| seconds(&sidecar["event"][name]));
    let off = (off[0] - SHOWN.0 as f64, off[1] - SHOWN.1 as f64);
    assert!(off.0.abs().max(off.1.abs()) < 0.15, "{off:?}");
    assert!(sidecar["clip"]["achieved_pre_roll"].as_f64() >= Some(3.0));

    let frames = sidecar["detections"].as_array().expect("a list");
    let objects = frames.iter().flat_map(|frame| frame["objects"].as_array());
    let depths: Vec<(f64, f64)> = objects
        .flatten()
        .filter(|object| object["label"] == "motorcycle")
        .map(|object| {
            let told = object["position"][2].as_f64().expect("it has a place");
            (told, truth.median(&object["box"]))
        })
        .collect();
    assert_eq!(depths.len(), (SHOWN.1 - SHOWN.0) * RATE, "once a frame");
    let error = |(told, truth): &(f64, f64)| (told / truth - 1.0).abs();
    let worst = depths.iter().max_by(|a, b| error(a).total_cmp(&error(b)));
    let worst = worst.expect("counted above");
    assert!(error(worst) < BOUND, "told and true, in metres: {worst:?}");

    let left = files(&motorcycles(&stage, (&clip, &pair), "2.2"), ".mp4");
    assert_eq!(left, Vec::<PathBuf>::new(), "it is further away than that");
    let what = "recording of a photographed motorcycle by its distance";
    println!(
        "measured: {what}, its event begins and ends off by: {:.1} s, {:.1} s",
        off.0, off.1
    );
    println!(
        "measured: {what}, depth told and true where worst: {:.3} m, {:.3} m",
        worst.0, worst.1
    );
}
