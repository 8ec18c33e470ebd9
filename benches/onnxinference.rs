//! onnxdetect beside GStreamer's own chain around onnxinference, which has it from 1.24 on: the same
//! frames, 1080p I420 from memory, through both in turn, each in a process of its own, on the same
//! cores, with the same model and the same ONNX Runtime, the one that onnxinference is linked to.
//! onnxinference runs with its default, no graph optimisation, and with all of it. Then onnxdetect
//! with the runtime that users of it get.
//!
//! `cargo xtask upstream` runs it and keeps the lines that begin with `measured:`; on an older
//! GStreamer `cargo xtask matrix upstream` does so in a Debian 13 chroot.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use gst::prelude::*;

const ROUNDS: usize = 4;
const FRAMES: usize = 12;
const SIZE: (u32, u32) = (1920, 1080);
/// Set, to the launch line, in the processes that run one.
const CHILD: &str = "EVR_BENCH_CHILD";

/// A model, and how each side is told to run it.
struct Case {
    name: &'static str,
    model: String,
    /// Behind the conversion to what the model takes, of which onnxinference sees nothing.
    upstream: String,
    decoder: &'static str,
}

/// What onnxinference 1.28 has to be told of the models, as its documentation says.
const SSDLITE: &str = "\
[modelinfo]
version=1.0
group-id=ssd-mobilenet-v1-variant-1-out

[images]
id=images
type=float32
dims=1,3,300,300
dir=input
ranges=-1.0,1.0;-1.0,1.0;-1.0,1.0

[detection_boxes]
id=ssd-mobilenet-v1-variant-1-out-boxes
type=float32
dims=1,100,4
dir=output

[detection_classes]
id=ssd-mobilenet-v1-variant-1-out-classes
type=float32
dims=1,100
dir=output

[detection_scores]
id=ssd-mobilenet-v1-variant-1-out-scores
type=float32
dims=1,100
dir=output

[num_detections]
id=generic-variant-1-out-count
type=float32
dims=1
dir=output
";
const YOLOX: &str = "\
[modelinfo]
version=1.0
group-id=yolox-out

[images]
id=images
type=float32
dims=1,3,416,416
dir=input
ranges=0.0,255.0;0.0,255.0;0.0,255.0

[output]
id=yolox-out
type=float32
dims=1,3549,85
dir=output
";

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    if let Ok(line) = std::env::var(CHILD) {
        return serve(&line);
    }
    if gst::ElementFactory::find("onnxinference").is_none() {
        println!("this GStreamer has no onnxinference: run cargo xtask matrix upstream");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for case in cases(folder.path()) {
        for cores in ["0", "0,1"] {
            measure(&case, cores);
        }
    }
}

/// Whether onnxinference reads a file beside the model instead of properties, as from 1.28 on.
fn reads_modelinfo() -> bool {
    gst::version() >= (1, 27, 0, 0)
}

fn cases(folder: &Path) -> Vec<Case> {
    let scaled = |format: &str, side: u32, borders: bool| {
        format!(
            "videoconvertscale add-borders={borders} ! video/x-raw,format={format},width={side},\
             height={side},pixel-aspect-ratio=1/1 ! onnxinference "
        )
    };
    let told = |properties: &str| match reads_modelinfo() {
        true => String::new(),
        false => format!("input-image-format=chw {properties}"),
    };
    let mut cases = Vec::new();
    if let Ok(model) = std::env::var("EVR_TEST_MODEL_NMS") {
        // From 1.28 on its decoder takes only models whose shapes are open.
        let (name, decoder) = match reads_modelinfo() {
            true => (
                "SSDLite with NMS in it, which upstream infers but does not decode",
                "",
            ),
            false => (
                "SSDLite with NMS in it",
                "! ssdobjectdetector score-threshold=0.5 size-threshold=1",
            ),
        };
        cases.push(Case {
            name,
            model: copy(&model, folder, "nms.onnx", &[], SSDLITE),
            upstream: scaled("RGB", 300, false)
                + &told("input-tensor-scale=127.5 input-tensor-offset=-1"),
            decoder,
        });
    }
    if let Ok(model) = std::env::var("EVR_BENCH_MODEL") {
        // A `metadata_props` (field 14 of onnx.proto's ModelProto), which may stand at the end:
        // before 1.28 a model whose metadata do not name its output is refused.
        let entry = [field(1, b"output"), field(2, b"yolox-out")].concat();
        let name = "yolox_nano.onnx";
        cases.push(Case {
            name: "yolox_nano, which upstream infers but does not decode",
            model: copy(&model, folder, name, &field(14, &entry), YOLOX),
            upstream: scaled("BGR", 416, true) + &told(""),
            decoder: "",
        });
    }
    cases
}

/// A protobuf field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("it is short");
    [&[number << 3 | 2, length], bytes].concat()
}

/// A copy of the model, something put to its end, with what onnxinference reads beside it.
fn copy(model: &str, folder: &Path, name: &str, end: &[u8], modelinfo: &str) -> String {
    let bytes = std::fs::read(model).expect("the variable names a file");
    let path = folder.join(name);
    std::fs::write(&path, [&bytes, end].concat()).expect("written");
    std::fs::write(folder.join(format!("{name}.modelinfo")), modelinfo).expect("written");
    path.display().to_string()
}

fn measure(case: &Case, cores: &str) {
    let Case {
        name,
        model,
        upstream,
        decoder,
    } = case;
    let upstream = |level: &str| {
        format!("{upstream} model-file={model} optimization-level={level} {decoder} ! fakesink")
    };
    // As many threads as there are cores, which is what onnxinference takes.
    let threads = cores.split(',').count();
    let ours = format!("onnxdetect model-file={model} threads={threads} ! fakesink");
    let mut plain = Other::new(&upstream("disable-all"), cores, None);
    let mut optimised = Other::new(&upstream("enable-all"), cores, None);
    let runtime = plain.runtime.clone();
    let mut same = Other::new(&ours, cores, Some(&runtime));
    let newest = std::env::var("ORT_DYLIB_PATH").expect("set beside the models");
    let mut usual = Other::new(&ours, cores, Some(&newest));
    let mut times = [const { Vec::new() }; 4];
    // The first round warms up.
    for round in 0..=ROUNDS {
        for _ in 0..FRAMES {
            // In turn, so that whatever else this machine does slows all down alike.
            let lines = [&mut plain, &mut optimised, &mut same, &mut usual];
            for (line, times) in lines.into_iter().zip(&mut times) {
                let time = line.frame();
                if round > 0 {
                    times.push(time);
                }
            }
        }
    }
    let [plain, optimised, same, usual] = times.each_mut().map(|times| median(times));
    let version = |library: &str| library.rsplit("so.").next().unwrap_or_default().to_owned();
    let on = match threads {
        1 => "1 core".to_owned(),
        more => format!("{more} cores"),
    };
    println!(
        "measured: {name}, {on}, ms a frame through onnxinference as it is, with optimization-level=enable-all, \
         and through onnxdetect, all on ONNX Runtime {}: {plain:.1}, {optimised:.1} and {same:.1} \
         ({:.2} and {:.2} times)",
        version(&runtime),
        plain / same,
        optimised / same,
    );
    println!(
        "measured: {name}, {on}, ms a frame through onnxdetect on ONNX Runtime {}: {usual:.1} \
         (onnxinference takes {:.2} and {:.2} times that)",
        version(&newest),
        plain / usual,
        optimised / usual,
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Frames of the clip, a few with people, enlarged.
fn frames() -> Vec<gst::Buffer> {
    let clip = std::env::var("EVR_TEST_CLIP").expect("set beside the models");
    let (width, height) = SIZE;
    let line = format!(
        "filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! videorate ! \
         video/x-raw,framerate=1/2 ! videoscale ! \
         video/x-raw,format=I420,width={width},height={height} ! appsink name=out sync=false"
    );
    let pipeline = launch(&line);
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

fn launch(line: &str) -> gst::Pipeline {
    let pipeline = gst::parse::launch(line).unwrap_or_else(|err| panic!("{line}: {err}"));
    pipeline.downcast().expect("several elements")
}

/// For each line that comes in, runs a frame through the chain and says how many ms that took;
/// first, which ONNX Runtime it runs.
fn serve(line: &str) {
    let frames = frames();
    let pipeline = launch(line);
    let sink = pipeline
        .find_unlinked_pad(gst::PadDirection::Sink)
        .expect("the first element's");
    if pipeline.set_state(gst::State::Playing).is_err() {
        panic!("{line} does not start");
    }
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, SIZE.0, SIZE.1);
    let caps = info
        .fps((25, 1))
        .build()
        .and_then(|info| info.to_caps())
        .expect("sound");
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    sink.send_event(gst::event::StreamStart::new("bench"));
    sink.send_event(gst::event::Caps::new(&caps));
    sink.send_event(gst::event::Segment::new(&segment));
    // It is opened at the latest with the first frame.
    sink.chain(frames[0].copy())
        .unwrap_or_else(|err| panic!("{line}: {err}"));
    println!("runtime: {}", runtime());
    for (asked, frame) in std::io::stdin().lines().zip(frames.iter().cycle()) {
        asked.expect("the parent lives");
        let begun = Instant::now();
        sink.chain(frame.copy()).expect("it is taken");
        println!("time: {}", begun.elapsed().as_secs_f64() * 1e3);
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}

/// The ONNX Runtime in this process.
fn runtime() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("this is Linux");
    let mut files = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    let found = files.find(|file| file.contains("/libonnxruntime") && !file.contains("providers"));
    found.expect("one is loaded").to_owned()
}

/// A process that runs a chain.
struct Other {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    runtime: String,
}

impl Other {
    fn new(line: &str, cores: &str, runtime: Option<&str>) -> Self {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", cores]);
        command.arg(std::env::current_exe().expect("a bench knows its file"));
        command.env(CHILD, line);
        if let Some(runtime) = runtime {
            command.env("ORT_DYLIB_PATH", runtime);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux is installed");
        let mut other = Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("asked for")),
            child,
            runtime: String::new(),
        };
        other.runtime = other.answer("runtime: ");
        other
    }

    /// What stands behind this in its next line.
    fn answer(&mut self, before: &str) -> String {
        let mut line = String::new();
        // ONNX Runtime of some distributions greets.
        while !line.starts_with(before) {
            line.clear();
            let length = self.output.read_line(&mut line).expect("it answers");
            assert!(length > 0, "the child ended");
        }
        line[before.len()..].trim().to_owned()
    }

    fn frame(&mut self) -> f64 {
        let input = self.input.as_mut().expect("open until the end");
        writeln!(input).expect("the child lives");
        self.answer("time: ").parse().expect("a number")
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        self.input = None;
        let _ = self.child.wait();
    }
}
