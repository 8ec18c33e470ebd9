//! What the gate costs, beside what an ordinary queue costs: buffers are chained from memory into
//! an element before a fakesink, all ways in turn, many rounds, and the medians printed. Then how
//! soon a trigger lets out a minute of held media, and what memory that minute takes.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use gst::prelude::*;

/// 20 Mbit/s at 25 frames a second.
const FRAME_BYTES: usize = 100_000;
const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);
const GOP: u64 = 50;
const BUFFERS: u64 = 20_000;
const ROUNDS: usize = 31;
const SINK: &str = "fakesink sync=false async=false";

fn main() {
    gst::init().expect("GStreamer is installed");
    gstevr::plugin_register_static().expect("the plugin registers");
    time_per_buffer();
    no_copies();
    trigger_to_first_buffer();
    memory();
}

/// Elements, the first of them named `in`, to which the test's thread chains.
struct Line {
    pipeline: gst::Pipeline,
    first: gst::Element,
    sink: gst::Pad,
}

impl Line {
    fn new(elements: &str) -> Self {
        let pipeline = gst::parse::launch(elements).expect("the elements exist");
        let pipeline = match pipeline.downcast::<gst::Pipeline>() {
            Ok(pipeline) => pipeline,
            Err(single) => {
                let pipeline = gst::Pipeline::new();
                pipeline.add(&single).expect("it is new");
                pipeline
            }
        };
        let first = pipeline.by_name("in").expect("named in the line");
        let sink = first.static_pad("sink").expect("always there");
        pipeline
            .set_state(gst::State::Playing)
            .expect("the settings are right");
        let caps = gst::Caps::builder("video/x-h264")
            .field("stream-format", "avc")
            .field("alignment", "au")
            .build();
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        sink.send_event(gst::event::StreamStart::new("bench"));
        sink.send_event(gst::event::Caps::new(&caps));
        sink.send_event(gst::event::Segment::new(&segment));
        Self {
            pipeline,
            first,
            sink,
        }
    }

    fn chain(&self, buffers: impl IntoIterator<Item = gst::Buffer>) {
        for buffer in buffers {
            self.sink.chain(buffer).expect("it is taken");
        }
    }

    fn act(&self, action: &str, json: &str) {
        let id = self.first.emit_by_name::<Option<String>>(action, &[&json]);
        assert!(id.is_some(), "{json} is a signal");
    }

    /// Ends the stream and waits until all has come out.
    fn end(&self) {
        self.sink.send_event(gst::event::Eos::new());
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
        let last = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds);
        let last = last.map(|message| message.type_());
        assert_eq!(last, Some(gst::MessageType::Eos));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Frame `n` in this memory.
fn frame(n: u64, memory: gst::Memory) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let fields = buffer.get_mut().expect("new");
    fields.append_memory(memory);
    fields.set_pts(FRAME * n);
    fields.set_dts(FRAME * n);
    fields.set_duration(FRAME);
    if !n.is_multiple_of(GOP) {
        fields.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    buffer
}

/// Frames whose headers are made as they are asked for, as by an encoder, and whose bytes are
/// always the same.
fn light_frames(numbers: std::ops::Range<u64>) -> impl Iterator<Item = gst::Buffer> {
    static BYTES: &[u8] = &[0; FRAME_BYTES];
    numbers.map(|n| frame(n, gst::Memory::from_slice(BYTES)))
}

/// One way through which buffers go.
struct Way {
    name: &'static str,
    elements: String,
    open: bool,
}

fn ways() -> Vec<Way> {
    let way = |name, elements: &str, open| Way {
        name,
        elements: format!("{elements} ! {SINK}"),
        open,
    };
    let sink = Way {
        name: "fakesink alone",
        elements: format!("{SINK} name=in"),
        open: false,
    };
    vec![
        sink,
        way("+ identity", "identity name=in", false),
        way("+ queue", "queue name=in", false),
        way(
            "+ queue bounded by bytes only",
            "queue name=in max-size-time=0 max-size-buffers=0",
            false,
        ),
        way("+ signalgate shut", "signalgate name=in", false),
        way(
            "+ signalgate open",
            "signalgate name=in maximum-activation-time=9000000000000000",
            true,
        ),
    ]
}

fn time_per_buffer() {
    let ways = ways();
    let mut taken = vec![Vec::new(); ways.len()];
    let mut fakesrc = Vec::new();
    for _ in 0..ROUNDS {
        for (way, taken) in ways.iter().zip(&mut taken) {
            taken.push(nanoseconds_each(|| run(way)));
        }
        fakesrc.push(nanoseconds_each(run_fakesrc));
    }
    let reference = median(&mut taken[0]);
    println!(
        "measured: ns per buffer, fakesrc → fakesink: {:.0}",
        median(&mut fakesrc)
    );
    for (way, taken) in ways.iter().zip(&mut taken) {
        let (middle, least) = (median(taken), taken[0]);
        println!(
            "measured: ns per buffer, {}: {middle:.0} ({:+.0}; the least of {ROUNDS} rounds {least:.0})",
            way.name,
            middle - reference
        );
    }
}

fn run(way: &Way) -> Duration {
    let line = Line::new(&way.elements);
    if way.open {
        line.act("start", r#"{"media_time":0}"#);
    }
    let begun = Instant::now();
    line.chain(light_frames(0..BUFFERS));
    line.end();
    begun.elapsed()
}

fn run_fakesrc() -> Duration {
    let line = format!("fakesrc num-buffers={BUFFERS} ! {SINK}");
    let pipeline = gst::parse::launch(&line).expect("the elements exist");
    let begun = Instant::now();
    pipeline
        .set_state(gst::State::Playing)
        .expect("nothing can go wrong");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    bus.timed_pop_filtered(gst::ClockTime::NONE, &[gst::MessageType::Eos]);
    let taken = begun.elapsed();
    let _ = pipeline.set_state(gst::State::Null);
    taken
}

fn nanoseconds_each(run: impl Fn() -> Duration) -> f64 {
    run().as_nanos() as f64 / BUFFERS as f64
}

/// Sorts the values.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Where a buffer's bytes lie.
fn address(buffer: &gst::BufferRef) -> usize {
    buffer.peek_memory(0).as_ptr() as usize
}

fn no_copies() {
    let line = Line::new(&format!("signalgate name=in ! {SINK}"));
    line.act("trigger", r#"{"media_time":20000000000}"#);
    let (sender, seen) = mpsc::channel();
    let src = line.first.static_pad("src").expect("always there");
    src.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().expect("asked for buffers");
        let _ = sender.send((buffer.pts(), address(buffer)));
        gst::PadProbeReturn::Ok
    });
    let frames: Vec<_> = (0..1000)
        .map(|n| frame(n, gst::Memory::from_slice(n.to_le_bytes())))
        .collect();
    line.chain(frames.iter().cloned());
    line.end();
    let seen: Vec<_> = seen.try_iter().collect();
    let expected: Vec<_> = frames[350..750]
        .iter()
        .map(|frame| (frame.pts(), address(frame)))
        .collect();
    assert_eq!(seen, expected, "[14 s, 30 s) as the very same memory");
    println!("measured: buffers copied of {} let through: 0", seen.len());
}

const HOLD_A_MINUTE: &str = "signalgate name=in activation-signal-offset=-60000000000";

fn trigger_to_first_buffer() {
    const TIMES: u64 = 21;
    let line = Line::new(&format!("{HOLD_A_MINUTE} ! {SINK}"));
    let (sender, first) = mpsc::channel();
    let src = line.first.static_pad("src").expect("always there");
    src.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = sender.send(Instant::now());
        gst::PadProbeReturn::Ok
    });
    let (mut taken, mut held) = (Vec::new(), u64::MAX);
    for round in 0..TIMES {
        // 100 s: the last recording ends, and a minute is held again.
        line.chain(light_frames(round * 2500..(round + 1) * 2500));
        while first.try_recv().is_ok() {}
        held = held.min(line.first.property("held-time"));
        let begun = Instant::now();
        line.act("trigger", "{}");
        let first = first.recv_timeout(Duration::from_secs(10));
        let first = first.expect("the trigger lets buffers out");
        taken.push((first - begun).as_nanos() as f64 / 1000.0);
    }
    assert!(held >= 60_000_000_000, "held: {held} ns");
    let middle = median(&mut taken);
    println!(
        "measured: µs from trigger to first pushed buffer with 60 s held: {middle:.0} (most of {TIMES}: {:.0})",
        taken[taken.len() - 1]
    );
}

/// Resident bytes of this process.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.expect("in KiB") * 1024.0
}

/// A frame of its own bytes: keyframes five times as large, the rest varying, 20 Mbit/s on average.
fn heavy_frame(n: u64) -> gst::Buffer {
    let weight = if n.is_multiple_of(GOP) {
        4600
    } else {
        430 + n * 7919 % 995
    };
    let bytes = vec![n as u8 | 1; weight as usize * FRAME_BYTES / 1000];
    frame(n, gst::Memory::from_mut_slice(bytes))
}

fn memory() {
    const MINUTE: u64 = 60 * 25;
    let before = resident();
    let line = Line::new(&format!("{HOLD_A_MINUTE} ! {SINK}"));
    let mut above = Vec::new();
    let mut rates = Vec::new();
    let begun = Instant::now();
    for minute in 0..62 {
        line.chain((minute * MINUTE..(minute + 1) * MINUTE).map(heavy_frame));
        // The hold fills in the first two.
        if minute < 2 {
            continue;
        }
        let held = line.first.property::<u64>("held-bytes") as f64;
        let time = line.first.property::<u64>("held-time");
        rates.push(held * 8.0 / (time as f64 / 1e9) / 1e6);
        above.push((resident() - before) / held - 1.0);
    }
    let taken = begun.elapsed().as_secs_f64();
    let (first, last) = (above[0], above[above.len() - 1]);
    println!(
        "measured: held rate of the memory run: {:.1} Mbit/s",
        median(&mut rates)
    );
    let middle = median(&mut above);
    let (least, most) = (above[0], above[above.len() - 1]);
    println!(
        "measured: resident memory over the bytes of a 60 s hold: {:+.2} % \
         (every minute of an hour of stream within {:+.2} % to {:+.2} %)",
        middle * 100.0,
        least * 100.0,
        most * 100.0
    );
    println!(
        "measured: the same after the first minute and after an hour: {:+.2} % and {:+.2} % ({taken:.0} s)",
        first * 100.0,
        last * 100.0
    );
    assert!(most < 0.05, "memory stays within 5 % of what is held");
}
