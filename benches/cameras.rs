//! Several cameras, one model: as many `onnxdetect` in one process, which share the sessions of
//! ONNX Runtime, and as many processes with one each, which cannot. Each camera sends 1080p I420 as
//! fast as it is taken.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Instant;

use gst::prelude::*;

/// Frames that each camera sends while it is timed.
const FRAMES: usize = 40;
const ROUNDS: usize = 7;
/// Set, to the number of cameras, in the processes that have them.
const CHILD: &str = "EVR_BENCH_CHILD";

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    let Ok(model) = std::env::var("EVR_TEST_MODEL") else {
        println!("EVR_TEST_MODEL is not set: run cargo xtask bench");
        return;
    };
    if let Ok(cameras) = std::env::var(CHILD) {
        return serve(&model, cameras.parse().expect("a number"));
    }
    for cameras in [2, 4] {
        let mut shared = Vec::new();
        let mut apart = Vec::new();
        for _ in 0..ROUNDS {
            shared.push(run(&[cameras]));
            apart.push(run(&vec![1; cameras]));
        }
        let [shared, apart] = [shared, apart].map(median);
        println!(
            "measured: {cameras} cameras through ssdlite_mobilenet_v2_coco at 1 thread, inferences a \
             second and MB of memory, sharing sessions: {:.1} and {:.0}",
            shared.rate, shared.memory
        );
        println!(
            "measured: {cameras} cameras the same, each with a session of its own: {:.1} and {:.0}",
            apart.rate, apart.memory
        );
    }
}

/// What cameras together took.
#[derive(Clone, Copy)]
struct Cost {
    /// Inferences a second.
    rate: f64,
    /// MB that they added to their processes.
    memory: f64,
}

/// By rate; memory hardly varies.
fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    costs[costs.len() / 2]
}

/// Runs processes of so many cameras each, at the same time.
fn run(processes: &[usize]) -> Cost {
    let mut processes: Vec<_> = processes
        .iter()
        .map(|&cameras| Process::new(cameras))
        .collect();
    for process in &mut processes {
        process.answer("ready");
    }
    let begun = Instant::now();
    for process in &mut processes {
        writeln!(process.input).expect("it waits for that");
    }
    let memory = processes.iter_mut().map(|process| process.answer("MB: "));
    let memory: Vec<f64> = memory
        .map(|number| number.parse().expect("a number"))
        .collect();
    let took = begun.elapsed().as_secs_f64();
    let cameras: usize = processes.iter().map(|process| process.cameras).sum();
    Cost {
        rate: (cameras * FRAMES) as f64 / took,
        memory: memory.iter().sum(),
    }
}

struct Process {
    cameras: usize,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn new(cameras: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a bench knows its file"))
            .env(CHILD, cameras.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self {
            cameras,
            input: child.stdin.take().expect("asked for"),
            output: BufReader::new(child.stdout.take().expect("asked for")),
            child,
        }
    }

    fn answer(&mut self, before: &str) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        let rest = line.strip_prefix(before);
        rest.expect("nothing else is said").trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends by itself behind its answer.
        let _ = self.child.wait();
    }
}

fn serve(model: &str, cameras: usize) {
    let frame = frame();
    let before = anonymous();
    let lines: Vec<_> = (0..cameras).map(|_| Line::new(model)).collect();
    // Whatever the first frame still makes is made.
    for line in &lines {
        line.sink.chain(frame.copy()).expect("it is taken");
    }
    println!("ready");
    let mut go = String::new();
    std::io::stdin()
        .read_line(&mut go)
        .expect("the parent lives");
    thread::scope(|scope| {
        for line in &lines {
            scope.spawn(|| {
                for _ in 0..FRAMES {
                    line.sink.chain(frame.copy()).expect("it is taken");
                }
            });
        }
    });
    println!("MB: {}", anonymous() - before);
}

/// MB of this process's memory that no file lies behind.
fn anonymous() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("this is Linux");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"));
    let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    number
        .expect("Linux says so")
        .parse::<f64>()
        .expect("a number")
        / 1e3
}

/// The sixty-first frame of the clip, in which people are, enlarged.
fn frame() -> gst::Buffer {
    let clip = std::env::var("EVR_TEST_CLIP").expect("set beside the model");
    let line = format!(
        "filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! videoscale ! \
         video/x-raw,format=I420,width=1920,height=1080 ! appsink name=out sync=false max-buffers=1"
    );
    let pipeline = launch(&line);
    let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    pipeline
        .set_state(gst::State::Playing)
        .expect("the clip is there");
    let samples = std::iter::from_fn(|| out.pull_sample().ok());
    let frame = samples.filter_map(|sample| sample.buffer_owned()).nth(60);
    pipeline.set_state(gst::State::Null).expect("it stops");
    frame.expect("the clip has 300")
}

fn launch(line: &str) -> gst::Pipeline {
    let pipeline = gst::parse::launch(line).expect("the elements exist");
    pipeline.downcast().expect("several elements")
}

/// The element before a fakesink.
struct Line {
    pipeline: gst::Pipeline,
    sink: gst::Pad,
}

impl Line {
    fn new(model: &str) -> Self {
        let pipeline = launch(&format!(
            "onnxdetect model-file={model} ! fakesink async=false"
        ));
        let sink = pipeline.find_unlinked_pad(gst::PadDirection::Sink);
        let sink = sink.expect("the first element's");
        pipeline
            .set_state(gst::State::Playing)
            .expect("the model is there");
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 1920, 1080);
        let caps = info.build().and_then(|info| info.to_caps()).expect("sound");
        sink.send_event(gst::event::StreamStart::new("bench"));
        sink.send_event(gst::event::Caps::new(&caps));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        sink.send_event(gst::event::Segment::new(&segment));
        Self { pipeline, sink }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
