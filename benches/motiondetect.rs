//! What looking for motion costs, beside the elements that stock GStreamer has for it: 1080p
//! frames in memory of their own are chained into an element before a fakesink, all elements in
//! turn, a round of frames at a time, and the median of the rounds printed.
//!
//! OpenCV's motioncells takes RGB alone, so for the cameras' I420 it stands behind a videoconvert,
//! and it looks at five frames a second: of 30 at every sixth. So it is measured on RGB from memory
//! as well, at 30 frames a second and at five. Where it is not installed (gstreamer1.0-opencv) it
//! is left out.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::time::Instant;

use gst::prelude::*;

const WIDTH: usize = 1920;
const HEIGHT: usize = 1080;
const FRAMES: usize = 12;
const ROUNDS: usize = 15;

/// What is measured: its name, the elements, the first named `in`, and what they get.
const LINES: [(&str, &str, &str, i32); 6] = [
    ("motiondetect", "motiondetect name=in", "I420", 30),
    (
        "videoanalyse",
        "videoanalyse name=in message=false",
        "I420",
        30,
    ),
    (
        "motioncells behind videoconvert",
        "videoconvert name=in ! motioncells postallmotion=false",
        "I420",
        30,
    ),
    (
        "that videoconvert alone",
        "videoconvert name=in ! video/x-raw,format=RGB",
        "I420",
        30,
    ),
    (
        "motioncells on RGB, which looks at every sixth",
        "motioncells name=in postallmotion=false",
        "RGB",
        30,
    ),
    (
        "motioncells on RGB at 5 frames a second, which looks at each",
        "motioncells name=in postallmotion=false",
        "RGB",
        5,
    ),
];

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    let pictures: Vec<Vec<u8>> = (0..FRAMES).map(picture).collect();
    let lines: Vec<Line> = LINES.into_iter().filter_map(Line::new).collect();
    let mut times = vec![Vec::new(); lines.len()];
    for round in 0..ROUNDS {
        for (line, times) in lines.iter().zip(&mut times) {
            let frames = pictures.iter().enumerate();
            let taken: f64 = frames.map(|(n, p)| line.chain(round * FRAMES + n, p)).sum();
            // In the first round elements learn the scene and memory is touched first.
            times.extend((round > 0).then_some(taken / FRAMES as f64));
        }
    }
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
    let all = || lines.iter().zip(&medians);
    for (line, median) in all() {
        let times = median / medians[0];
        println!(
            "measured: µs a 1080p frame, {}: {median:.0} ({times:.1} times)",
            line.name
        );
    }
    println!(
        "measured: share of a core for 1080p30, motiondetect: {:.2} %",
        medians[0] * 30.0 / 1e4
    );
}

struct Line {
    name: &'static str,
    format: &'static str,
    rate: i32,
    pipeline: gst::Pipeline,
    sink: gst::Pad,
}

impl Line {
    fn new(
        (name, elements, format, rate): (&'static str, &str, &'static str, i32),
    ) -> Option<Self> {
        let line = format!("{elements} ! fakesink sync=false async=false");
        let pipeline = match gst::parse::launch(&line) {
            Ok(pipeline) => pipeline.downcast::<gst::Pipeline>().expect("two elements"),
            Err(err) => {
                println!("{name} is left out: {err}");
                return None;
            }
        };
        let first = pipeline.by_name("in").expect("named in the line");
        let sink = first.static_pad("sink").expect("always there");
        pipeline
            .set_state(gst::State::Playing)
            .expect("the settings are right");
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", format)
            .field("width", WIDTH as i32)
            .field("height", HEIGHT as i32)
            .field("framerate", gst::Fraction::new(rate, 1))
            .build();
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        sink.send_event(gst::event::StreamStart::new("bench"));
        let taken = sink.send_event(gst::event::Caps::new(&caps));
        assert!(taken, "{name} takes {caps}");
        sink.send_event(gst::event::Segment::new(&segment));
        Some(Self {
            name,
            format,
            rate,
            pipeline,
            sink,
        })
    }

    /// How long, in µs, the elements have a frame; they do all their work in this thread.
    fn chain(&self, n: usize, picture: &[u8]) -> f64 {
        let bytes = match self.format {
            // Grey: what the colours are is all the same.
            "RGB" => picture[..WIDTH * HEIGHT]
                .iter()
                .flat_map(|luma| [*luma; 3])
                .collect(),
            _ => picture.to_vec(),
        };
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let fields = buffer.get_mut().expect("a new buffer has one owner");
        fields.set_pts(gst::ClockTime::SECOND * n as u64 / self.rate as u64);
        let begun = Instant::now();
        self.sink.chain(buffer).expect("it is taken");
        begun.elapsed().as_secs_f64() * 1e6
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// A street with a camera's noise, in which something passes.
fn picture(n: usize) -> Vec<u8> {
    let mut seed = n as u32 + 1;
    let mut luma = |x: usize, y: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (seed >> 29) as u8;
        let passes = (200 + 60 * n..320 + 60 * n).contains(&x) && (400..700).contains(&y);
        let scene = if passes {
            220
        } else {
            50 + (x / 64 * 29 + y / 48 * 13) % 120
        };
        scene as u8 + noise
    };
    let pixels = (0..WIDTH * HEIGHT).map(|at| luma(at % WIDTH, at / WIDTH));
    let mut bytes: Vec<u8> = pixels.collect();
    bytes.resize(WIDTH * HEIGHT * 3 / 2, 128);
    bytes
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
