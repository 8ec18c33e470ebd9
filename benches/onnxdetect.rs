//! What the detector costs beside its model: the same frames, 1080p I420 from memory, through the
//! element, and as often a bare run of the runtime with the same options, in turn; the element in a
//! process of its own, since a process takes the runtime but once. Then what a frame's way into the
//! tensor and out of it takes by itself.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md. A second
//! model is measured where EVR_BENCH_MODEL names its file.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use evr_core::detector::{
    Colour, Decoder, Limits, Matrix, ModelConfig, ModelInfo, PixelFormat, Planes, Preprocessor,
    Spec, TensorInfo, TensorMut,
};
use gst::prelude::*;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, Tensor, ValueType};

const ROUNDS: usize = 40;
const FRAMES: usize = 12;
/// Set, to the model's file, in the process that runs the element.
const CHILD: &str = "EVR_BENCH_CHILD";
const SIZE: (usize, usize) = (1920, 1080);

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    if let Ok(model) = std::env::var(CHILD) {
        return serve(&model);
    }
    let Ok(model) = std::env::var("EVR_TEST_MODEL") else {
        println!("EVR_TEST_MODEL is not set: run cargo xtask bench");
        return;
    };
    let frames = frames();
    let environment = environment();
    for model in [Ok(model), std::env::var("EVR_BENCH_MODEL")]
        .into_iter()
        .flatten()
    {
        measure(&environment, &model, &frames);
    }
}

/// Frames of the clip, a few with people, enlarged.
fn frames() -> Vec<gst::Buffer> {
    let clip = std::env::var("EVR_TEST_CLIP").expect("set beside the model");
    let line = format!(
        "filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! videorate ! \
         video/x-raw,framerate=1/2 ! videoscale ! \
         video/x-raw,format=I420,width={},height={} ! appsink name=out sync=false",
        SIZE.0, SIZE.1
    );
    let pipeline = gst::parse::launch(&line).expect("the elements exist");
    let pipeline: gst::Pipeline = pipeline.downcast().expect("several elements");
    let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    pipeline
        .set_state(gst::State::Playing)
        .expect("the clip is there");
    let samples = std::iter::from_fn(|| out.pull_sample().ok());
    let frames: Vec<_> = samples
        .filter_map(|sample| sample.buffer_owned())
        .take(FRAMES)
        .collect();
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(frames.len(), FRAMES);
    frames
}

/// The element before a fakesink, to which the bench's thread chains.
struct Line {
    pipeline: gst::Pipeline,
    sink: gst::Pad,
}

impl Line {
    fn new(model: &str) -> Self {
        let line =
            format!("onnxdetect name=in model-file={model} threads=1 ! fakesink async=false");
        let pipeline = gst::parse::launch(&line).expect("the elements exist");
        let pipeline: gst::Pipeline = pipeline.downcast().expect("several elements");
        let first = pipeline.by_name("in").expect("named in the line");
        let sink = first.static_pad("sink").expect("always there");
        if pipeline.set_state(gst::State::Playing).is_err() {
            let message = pipeline
                .bus()
                .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
            panic!("{line}: {message:?}");
        }
        let caps = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 1920, 1080);
        let caps = caps.build().and_then(|info| info.to_caps()).expect("sound");
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        sink.send_event(gst::event::StreamStart::new("bench"));
        sink.send_event(gst::event::Caps::new(&caps));
        sink.send_event(gst::event::Segment::new(&segment));
        Self { pipeline, sink }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// For each line that comes in, runs a frame through the element and says how many ms that took.
fn serve(model: &str) {
    let frames = frames();
    let line = Line::new(model);
    for (asked, frame) in std::io::stdin().lines().zip(frames.iter().cycle()) {
        asked.expect("the parent lives");
        let begun = Instant::now();
        line.sink.chain(frame.copy()).expect("it is taken");
        println!("time: {}", begun.elapsed().as_secs_f64() * 1e3);
    }
}

/// The process that does that.
struct Other {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Other {
    fn new(model: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a bench knows its file"))
            .env(CHILD, model)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("asked for"));
        Self { child, output }
    }

    fn frame(&mut self) -> f64 {
        let input = self.child.stdin.as_mut().expect("asked for");
        writeln!(input).expect("the child lives");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        let time = line
            .strip_prefix("time: ")
            .expect("a time and nothing else");
        time.trim().parse().expect("a number")
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn environment() -> Environment {
    let library = std::env::var("ORT_DYLIB_PATH").expect("set beside the model");
    let environment = ort::init_from(library)
        .expect("it opens")
        .with_telemetry(false);
    environment.build().expect("it starts")
}

fn bare(environment: &Environment, model: &str) -> Session {
    let builder = Session::builder(environment).expect("a builder");
    builder
        .with_optimization_level(GraphOptimizationLevel::All)
        .expect("known")
        .with_intra_threads(1)
        .expect("one thread")
        .with_intra_op_spinning(false)
        .expect("known")
        .commit_from_file(model)
        .expect("the model loads")
}

fn describe(session: &Session) -> ModelInfo {
    let tensor = |outlet: &Outlet| TensorInfo {
        name: outlet.name().to_owned(),
        element: evr_core::detector::Element::F32,
        shape: match outlet.dtype() {
            ValueType::Tensor { shape, .. } => shape.to_vec(),
            _ => vec![],
        },
    };
    ModelInfo {
        inputs: session.inputs().iter().map(tensor).collect(),
        outputs: session.outputs().iter().map(tensor).collect(),
        ..ModelInfo::default()
    }
}

fn planes(bytes: &[u8]) -> Planes<'_> {
    let (luma, chroma) = (SIZE.0 * SIZE.1, SIZE.0 * SIZE.1 / 4);
    Planes {
        data: [
            &bytes[..luma],
            &bytes[luma..luma + chroma],
            &bytes[luma + chroma..],
        ],
        stride: [SIZE.0, SIZE.0 / 2, SIZE.0 / 2],
    }
}

fn measure(environment: &Environment, model: &str, frames: &[gst::Buffer]) {
    let name = std::path::Path::new(model)
        .file_stem()
        .expect("a file has a name");
    let name = name.to_string_lossy().into_owned();
    let mut session = bare(environment, model);
    let mut other = Other::new(model);
    let spec = Spec::recognise(&describe(&session), &ModelConfig::default()).expect("a detector");
    let colour = Colour {
        matrix: Matrix::Bt709,
        full_range: false,
    };
    let mut preprocessor =
        Preprocessor::new(PixelFormat::I420, SIZE, colour, &spec.input).expect("a sound size");
    let shape = [1, 3, spec.input.height, spec.input.width];
    let mut tensor =
        Tensor::from_array((shape, vec![0.0_f32; spec.input.elements()])).expect("a sound shape");
    let mut decoder = Decoder::default();
    let limits = Limits {
        confidence: 0.5,
        iou: 0.5,
        max_detections: 100,
        suppression: None,
    };

    let [mut runs, mut ours, mut shares, mut before, mut after] = [const { Vec::new() }; 5];
    // The first round warms up.
    for round in 0..=ROUNDS {
        for frame in frames {
            let map = frame.map_readable().expect("system memory");
            let begun = Instant::now();
            let elements = TensorMut::F32(tensor.extract_tensor_mut().1);
            preprocessor
                .run(&planes(&map), elements)
                .expect("a sound frame");
            let filled = Instant::now();
            let outputs = session.run([(&tensor).into()]).expect("it runs");
            let run = Instant::now();
            let output = |i: usize| Some(outputs[i].try_extract_tensor().ok()?.1);
            let mapping = preprocessor.mapping();
            let found = decoder.decode(&spec.layout, &spec.input, mapping, output, &limits);
            let found = found.expect("lengths agree").len();
            std::hint::black_box(found);
            let decoded = Instant::now();
            // In turn, so that whatever else this machine does slows both down alike.
            let through = other.frame();
            if round > 0 {
                before.push((filled - begun).as_secs_f64() * 1e3);
                let bare = (run - filled).as_secs_f64() * 1e3;
                // Of two neighbours in time, as the machine's speed drifts.
                shares.push(bare / through);
                runs.push(bare);
                ours.push(through);
                after.push((decoded - run).as_secs_f64() * 1e3);
            }
        }
    }
    let all = [&mut runs, &mut ours, &mut shares, &mut before, &mut after];
    let [run, our, share, pre, post] = all.map(|v| median(v));
    println!(
        "measured: {name} at 1 thread, ms a bare run, and a frame through onnxdetect: {run:.2} and {our:.2}"
    );
    println!(
        "measured: {name}, throughput of onnxdetect over bare runs: {share:.3} (of the least times {:.3})",
        runs[0] / ours[0]
    );
    println!(
        "measured: {name}, ms to fill the tensor from 1080p I420, and to decode: {pre:.3} and {post:.3} ({:.1} % of a frame)",
        (pre + post) / our * 100.0
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
