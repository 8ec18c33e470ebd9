//! What all of them need: files, a pipeline around the element, and what comes out of it.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use evr_zed::{calibration::Calibration, rectify::Rectified, remap::Plane};
use gst::prelude::*;

use crate::common::{self, PATIENCE, first_error, launch};
use crate::rig::{self, HEIGHT, WIDTH};

/// What both eyes of the rig see of a wall 1.5 m before them.
pub static EYES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| rig::pictures(1500.0, 0.0));

/// The rig's rectification.
pub fn rectified() -> Rectified {
    let calibration = Calibration::parse(rig::CALIBRATION);
    let rig = calibration.rig(WIDTH as u32, HEIGHT as u32).expect("whole");
    Rectified::new(&rig).expect("sound")
}

/// What the eyes see, rectified.
pub fn bent() -> [Vec<u8>; 2] {
    let maps = rectified().maps(1);
    [0, 1].map(|eye| {
        let plane = Plane {
            bytes: &EYES[eye],
            stride: WIDTH,
            offset: 0,
        };
        let mut bent = vec![0; WIDTH * HEIGHT];
        maps[eye].apply::<1>(plane, &mut bent, WIDTH, 0);
        bent
    })
}

/// Whether pictures are the same but for a first pixel that numbers them, which reaches into four
/// when it is bent.
#[track_caller]
pub fn assert_shown(picture: &[u8], expected: &[u8]) {
    assert_eq!(picture.len(), expected.len());
    let pairs = picture.iter().zip(expected);
    let differ = pairs.filter(|(a, b)| a != b).count();
    assert!(differ < 4, "{differ} pixels differ");
}

/// The middle of an eye's picture, by rows.
pub const MIDDLE: usize = HEIGHT / 2 * WIDTH + WIDTH / 2;

/// A grey picture in YUYV.
pub fn yuyv(luma: &[u8]) -> Vec<u8> {
    luma.iter().flat_map(|y| [*y, 128]).collect()
}

/// A file of `frames` raw frames, side by side or one above the other, that differ by their
/// first pixel alone; as properties that play it.
pub fn raw(folder: &Folder, frames: u8, above: bool) -> String {
    let mut eyes = EYES.clone();
    let mut bytes = Vec::new();
    for n in 0..frames {
        eyes[0][0] = n;
        bytes.extend(yuyv(&match above {
            true => eyes.concat(),
            false => rig::beside(&eyes),
        }));
    }
    let location = folder.location("recording.yuyv", &bytes);
    format!("{location} camera-resolution=vga camera-fps=100")
}

/// A folder for a test's files.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a test's files"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).expect("the folder can be written");
        path
    }

    /// A launch line's `location`.
    pub fn location(&self, name: &str, bytes: &[u8]) -> String {
        format!("location={}", self.put(name, bytes).display())
    }

    /// A launch line's `calibration-file`, the rig's.
    pub fn calibration(&self) -> String {
        let path = self.put("SN1.conf", rig::CALIBRATION.as_bytes());
        format!("calibration-file={}", path.display())
    }
}

/// A pipeline whose pictures wait to be taken, two at most.
pub fn line(properties: &str) -> (gst::Pipeline, gst_app::AppSink) {
    let line = format!("zedsrc name=zed {properties} ! appsink name=out sync=false max-buffers=2");
    let pipeline = launch(&line);
    let sink = appsink(&pipeline, "out");
    (pipeline, sink)
}

/// The same, playing.
#[track_caller]
pub fn start(properties: &str) -> (gst::Pipeline, gst_app::AppSink) {
    let (pipeline, sink) = line(properties);
    let started = pipeline.set_state(gst::State::Playing);
    assert!(started.is_ok(), "{:?}", first_error(&pipeline));
    (pipeline, sink)
}

/// Why a start fails.
#[track_caller]
pub fn refusal(properties: &str) -> String {
    common::refusal(&format!("zedsrc name=zed {properties} ! fakesink"))
}

pub fn appsink(pipeline: &gst::Pipeline, name: &str) -> gst_app::AppSink {
    let sink = pipeline.by_name(name).and_downcast();
    sink.expect("the line makes an appsink of this name")
}

#[track_caller]
pub fn sample(pipeline: &gst::Pipeline, sink: &gst_app::AppSink) -> gst::Sample {
    let sample = sink.try_pull_sample(PATIENCE);
    sample.unwrap_or_else(|| panic!("{:?}", first_error(pipeline)))
}

/// What is left until the end.
#[track_caller]
pub fn rest(pipeline: &gst::Pipeline, sink: &gst_app::AppSink) -> Vec<gst::Sample> {
    let samples = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE)).collect();
    assert!(sink.is_eos(), "{:?}", first_error(pipeline));
    samples
}

/// All pictures to the end, and the texts of all warnings.
#[track_caller]
pub fn all(properties: &str) -> (Vec<gst::Sample>, Vec<String>) {
    let (pipeline, sink) = start(properties);
    let samples = rest(&pipeline, &sink);
    let warnings = common::warnings(&pipeline);
    pipeline.set_state(gst::State::Null).expect("it stops");
    (samples, warnings)
}

/// All pictures to the end, and the first plane of each without padding.
#[track_caller]
pub fn frames(properties: &str) -> (Vec<Vec<u8>>, Vec<gst::Sample>) {
    let (samples, _) = all(properties);
    (samples.iter().map(luma).collect(), samples)
}

pub fn luma(sample: &gst::Sample) -> Vec<u8> {
    let buffer = sample.buffer().expect("a sample has a buffer");
    let caps = sample.caps().expect("a sample has caps");
    let info = gst_video::VideoInfo::from_caps(caps).expect("raw video");
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info);
    let frame = frame.expect("a frame can be read");
    let stride = gst_video::VideoFrameExt::plane_stride(&frame)[0] as usize;
    let luma = frame.plane_data(0).expect("a frame has luma");
    let rows = luma.chunks(stride).take(info.height() as usize);
    rows.flat_map(|row| row[..info.width() as usize].to_vec())
        .collect()
}

pub fn bytes(sample: &gst::Sample) -> Vec<u8> {
    let buffer = sample.buffer().expect("a sample has a buffer");
    buffer.map_readable().expect("it can be read").to_vec()
}

/// In nanoseconds.
pub fn pts(sample: &gst::Sample) -> u64 {
    let pts = sample.buffer().and_then(gst::BufferRef::pts);
    pts.expect("each picture has a time").nseconds()
}

/// Whether the stream is said to be broken before a picture.
pub fn is_broken(sample: &gst::Sample) -> bool {
    let buffer = sample.buffer().expect("a sample has a buffer");
    buffer.flags().contains(gst::BufferFlags::DISCONT)
}

/// Format, size and rate.
pub fn caps(sample: &gst::Sample) -> String {
    let caps = sample.caps().expect("a sample has caps");
    let info = gst_video::VideoInfo::from_caps(caps).expect("raw video");
    let (width, height) = (info.width(), info.height());
    format!("{} {width}x{height} {}", info.format(), info.fps())
}
