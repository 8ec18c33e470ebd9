//! What a recording costs beside what its muxer costs alone: the same encoded frames go from memory
//! into `mp4mux ! filesink` and into `eventsink`, in turn, and the CPU time of the whole process is
//! told a second of stream. The disk is whatever holds the temporary directory.
//!
//! The first rival writes a file that a crash makes worthless; the second writes the fragments that
//! eventsink writes too, so is like for like. Neither syncs, writes a sidecar or keeps a journal;
//! eventsink does, and starts and stops with each recording. Its thumbnail is told on its own.
//! Last comes how often its threads wake while the gate before it is shut.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use gst::prelude::*;
use rustix::time::{ClockId, clock_gettime};

const RATE: u64 = 25;
const SECONDS: u64 = 30;
const ROUNDS: usize = 61;
const SECOND: u64 = 1_000_000_000;

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    for megabits in [1, 4, 16] {
        measure(megabits);
    }
    for (width, height) in [(1280, 720), (1920, 1080)] {
        thumbnail(width, height);
    }
    idle();
}

/// One way of writing a file.
struct Way {
    name: &'static str,
    elements: &'static str,
    pad: &'static str,
}

const WAYS: [Way; 3] = [
    Way {
        name: "mp4mux ! filesink",
        elements: "mp4mux name=in ! filesink name=file",
        pad: "video_0",
    },
    Way {
        name: "the same, crash-safe (fragments, unbuffered)",
        elements: "mp4mux name=in fragment-duration=1000 \
                   fragment-mode=first-moov-then-finalise ! \
                   filesink name=file buffer-mode=unbuffered",
        pad: "video_0",
    },
    Way {
        name: "eventsink",
        elements: "eventsink name=in thumbnail=false",
        pad: "video",
    },
];

const PICTURED: Way = Way {
    name: "eventsink with a thumbnail",
    elements: "eventsink name=in",
    pad: "video",
};

fn measure(megabits: u64) {
    let frames = frames(megabits * 1_000_000 / 8 / RATE);
    let mut taken = vec![Vec::new(); WAYS.len()];
    for _ in 0..ROUNDS {
        for (way, taken) in WAYS.iter().zip(&mut taken) {
            let cpu = cpu_of(|| run(way, &caps(), &frames));
            taken.push(cpu.as_nanos() as f64 / 1000.0 / SECONDS as f64);
        }
    }
    let reference = taken[0].clone();
    for (way, taken) in WAYS.iter().zip(&mut taken) {
        // Of each round by itself: what else the machine does changes from round to round.
        let ratios = taken.iter().zip(&reference).map(|(it, alone)| it / alone);
        let ratio = median(&mut ratios.collect::<Vec<_>>());
        println!(
            "measured: µs of CPU a second of {megabits} Mbit/s, {}: {:.0} ({ratio:.2} times)",
            way.name,
            median(taken),
        );
    }
}

/// Frames of 25 a second with a keyframe of four times the size every 2 s.
fn frames(bytes: u64) -> Vec<gst::Buffer> {
    let frame = |n: u64| {
        let sync = n.is_multiple_of(2 * RATE);
        let size = if sync { 4 * bytes } else { bytes * 46 / 49 };
        // A length and one NAL unit, as mp4mux wants it.
        let mut data = vec![n as u8; size as usize];
        data[..4].copy_from_slice(&(size as u32 - 4).to_be_bytes());
        data[4] = if sync { 0x65 } else { 0x41 };
        let mut buffer = gst::Buffer::from_mut_slice(data);
        let fields = buffer.get_mut().expect("new");
        fields.set_pts(gst::ClockTime::from_nseconds(n * SECOND / RATE));
        fields.set_dts(fields.pts());
        fields.set_duration(gst::ClockTime::from_nseconds(SECOND / RATE));
        if !sync {
            fields.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        buffer
    };
    (0..SECONDS * RATE).map(frame).collect()
}

/// What a recording of one group of pictures costs more with a thumbnail than without.
fn thumbnail(width: u32, height: u32) {
    let (caps, frames) = encoded(width, height);
    let cpu = |way: &Way| cpu_of(|| run(way, &caps, &frames)).as_nanos() as f64 / 1e6;
    let more = |_| cpu(&PICTURED) - cpu(&WAYS[2]);
    let mut more: Vec<_> = (0..21).map(more).collect();
    println!(
        "measured: ms of CPU a recording of {width}x{height}, for the thumbnail: {:.1}",
        median(&mut more)
    );
}

/// One group of pictures of a moving pattern.
fn encoded(width: u32, height: u32) -> (gst::Caps, Vec<gst::Buffer>) {
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers={RATE} pattern=ball ! \
         video/x-raw,format=I420,width={width},height={height},framerate={RATE}/1 ! \
         x264enc speed-preset=ultrafast bframes=0 ! h264parse ! \
         video/x-h264,stream-format=avc,alignment=au ! appsink name=out sync=false"
    ));
    let pipeline = pipeline.expect("the elements exist");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let out = pipeline.by_name("out").expect("it is named so");
    let out = out.downcast::<gst_app::AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let samples: Vec<_> = std::iter::from_fn(|| out.pull_sample().ok()).collect();
    pipeline.set_state(gst::State::Null).expect("it stops");
    let caps = samples[0].caps_owned().expect("caps");
    let zero = samples[0].buffer().and_then(gst::BufferRef::pts);
    let frame = |sample: &gst::Sample| {
        let mut buffer = sample.buffer_owned().expect("a buffer");
        let fields = buffer.make_mut();
        let pts = fields.pts().zip(zero).map(|(pts, zero)| pts - zero);
        fields.set_pts(pts);
        fields.set_dts(pts);
        buffer
    };
    (caps, samples.iter().map(frame).collect())
}

/// How often threads wake, beside the one that feeds, while frames come as from a camera and the
/// gate stays shut.
fn idle() {
    let frames = frames(20_000);
    let directory = tempfile::tempdir().expect("a directory");
    let elements = gst::parse::launch("signalgate name=gate ! eventsink name=sink");
    let pipeline = elements.expect("both exist").downcast::<gst::Pipeline>();
    let pipeline = pipeline.expect("a pipeline");
    let sink = pipeline.by_name("sink").expect("named in the line");
    sink.set_property("location", directory.path().join("1.mp4").to_str());
    let gate = pipeline.by_name("gate").expect("named in the line");
    let pad = gate.static_pad("sink").expect("it is always there");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    announce(&pad, &caps());
    let begin = Instant::now();
    let mut before = BTreeMap::new();
    for (n, frame) in (0..).zip(&frames) {
        let due = begin + Duration::from_millis(1000 / RATE) * n;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        pad.chain(frame.clone()).expect("it is taken");
        // What starts has started by then.
        if n == RATE as u32 {
            before = wakeups();
        }
    }
    let after = wakeups();
    pipeline.set_state(gst::State::Null).expect("it stops");
    let own = |name: &str| name.starts_with("evr-");
    let woken = |wanted: &dyn Fn(&str) -> bool| -> u64 {
        let threads = after.iter().filter(|((_, name), _)| wanted(name));
        let woken = threads.map(|(thread, n)| n - before.get(thread).copied().unwrap_or(0));
        woken.sum()
    };
    println!(
        "measured: wakeups in {} s of a live stream of {RATE} frames/s before a shut gate, of \
         eventsink's threads and of the gate's task: {} and {}",
        SECONDS - 1,
        woken(&own),
        woken(&|name| name.starts_with("gate"))
    );
}

/// How often each thread, by number and name, has waited for something.
fn wakeups() -> BTreeMap<(String, String), u64> {
    let threads = fs::read_dir("/proc/self/task").expect("Linux tells");
    let wakeups = threads.filter_map(|thread| {
        let status = fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            Some(line[name.len()..].trim().to_owned())
        };
        let thread = (field("Pid:")?, field("Name:")?);
        Some((thread, field("voluntary_ctxt_switches:")?.parse().ok()?))
    });
    wakeups.collect()
}

fn run(way: &Way, caps: &gst::Caps, frames: &[gst::Buffer]) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("1.mp4");
    let pipeline = pipeline(way, &file);
    let first = pipeline.by_name("in").expect("named in the line");
    let pad = first.request_pad_simple(way.pad).expect("it is offered");
    pipeline
        .set_state(gst::State::Playing)
        .expect("nothing is wrong");
    announce(&pad, caps);
    pad.send_event(boundary("open"));
    for frame in frames {
        pad.chain(frame.clone()).expect("it is taken");
    }
    pad.send_event(boundary("close"));
    pad.send_event(gst::event::Eos::new());
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let last = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds);
    let last = last.map(|message| message.type_());
    assert_eq!(last, Some(gst::MessageType::Eos), "{}", way.name);
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
    let bytes: usize = frames.iter().map(|frame| frame.size()).sum();
    let written = std::fs::metadata(&file).expect("the clip").len();
    assert!(written > bytes as u64, "{} wrote {written} bytes", way.name);
}

fn announce(pad: &gst::Pad, caps: &gst::Caps) {
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    pad.send_event(gst::event::StreamStart::new("bench"));
    pad.send_event(gst::event::Caps::new(caps));
    pad.send_event(gst::event::Segment::new(&segment));
}

fn pipeline(way: &Way, file: &Path) -> gst::Pipeline {
    let elements = gst::parse::launch(way.elements).expect("the elements exist");
    let pipeline = elements
        .downcast::<gst::Pipeline>()
        .unwrap_or_else(|single| {
            single.set_property("location", file.to_str());
            let pipeline = gst::Pipeline::new();
            pipeline.add(&single).expect("it is new");
            pipeline
        });
    if let Some(sink) = pipeline.by_name("file") {
        sink.set_property("location", file);
    }
    pipeline
}

fn caps() -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "avc")
        .field("alignment", "au")
        .field("width", 1280)
        .field("height", 720)
        .field("framerate", gst::Fraction::new(RATE as i32, 1))
        .field(
            "codec_data",
            gst::Buffer::from_slice([1, 100, 0, 31, 255, 224, 0]),
        )
        .build()
}

fn boundary(phase: &str) -> gst::Event {
    let end = (SECONDS * SECOND) as i64;
    let fields = gst::Structure::builder("evr-recording")
        .field("id", 1u64)
        .field("phase", phase)
        .field("asked", 0i64)
        .field("start", 0i64)
        .field("sync-point", 0i64)
        .field("end", end)
        .field("event-start", 0i64)
        .field("event-end", end)
        .field("cause", "elapsed")
        .field("signals", "[]");
    gst::event::CustomDownstreamSticky::new(fields.build())
}

/// CPU time of this process, all of its threads, that `work` takes.
fn cpu_of(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = u64::try_from(time.tv_sec).expect("not negative");
        Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below 1e9"))
    };
    let before = now();
    work();
    now() - before
}

/// Sorts the values.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
