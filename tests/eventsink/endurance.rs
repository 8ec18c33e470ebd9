//! One sink, many recordings: nothing piles up, and the last clip is as exact as the first.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::bench::*;
use crate::common::until;

/// 29.97 frames a second, which no number of nanoseconds is.
const RATE: (i64, i64) = (30_000, 1001);
/// Frames of a recording, two groups of pictures.
const FRAMES: i64 = 20;
/// The sender's clock at running time 0; it runs 20 ppm fast.
const SENDER: i64 = 1_700_000_000 * SECOND + 123_456_789;

/// Running time of frame `n`, rounded down.
fn time_of(n: i64) -> i64 {
    n * SECOND * RATE.1 / RATE.0
}

/// What the sender's clock says then.
fn sender_at(running: i64) -> i64 {
    SENDER + running + running / 50_000
}

/// What the process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Memory in MB, programs and libraries among it.
    resident: f64,
    /// Memory in MB that no file backs.
    own: f64,
    descriptors: usize,
}

impl Held {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
        let megabytes = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
            kib.expect("in KiB") / 1024.0
        };
        Self {
            resident: megabytes("VmRSS:"),
            own: megabytes("RssAnon:"),
            descriptors: fs::read_dir("/proc/self/fd").expect("Linux tells").count(),
        }
    }
}

/// Frame `n` of a stream that repeats these.
fn frame(media: &Media, n: i64) -> gst::Buffer {
    let at = usize::try_from(n % FRAMES).expect("not negative");
    let mut buffer = media.buffers[at].copy();
    let fields = buffer.get_mut().expect("a copy has one owner");
    let running = time_of(n);
    let pts = media.segment.downcast_ref::<gst::ClockTime>();
    let pts = pts
        .and_then(|segment| segment.position_from_running_time(clock_time(running)))
        .expect("the segment has no end");
    fields.set_pts(pts);
    fields.set_dts(pts);
    fields.set_duration(clock_time(time_of(n + 1) - running));
    let unix = gst::Caps::new_empty_simple("timestamp/x-unix");
    gst::ReferenceTimestampMeta::add(fields, &unix, clock_time(sender_at(running)), None);
    buffer
}

fn clock_time(time: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(time.try_into().expect("not negative"))
}

/// The furthest that a frame of a clip is shown from where it belongs, in microseconds.
fn error_of(clip: &Path) -> f64 {
    let shown = packets(clip, "v:0");
    assert_eq!(shown.len() as i64, FRAMES, "{}", clip.display());
    let errors = shown.iter().enumerate().map(|(n, shown)| {
        let exact = n as f64 * RATE.1 as f64 / RATE.0 as f64;
        (shown - exact).abs() * 1e6
    });
    errors.fold(0.0, f64::max)
}

struct Figures {
    /// After every tenth recording.
    held: Vec<Held>,
    /// Of the first and the last clip, in µs.
    errors: [f64; 2],
    /// Furthest start of a clip from the sender's clock, in ms.
    late: f64,
}

fn run(recordings: i64) -> Figures {
    let directory = directory();
    let media = Media::encoded(&format!(
        "videotestsrc num-buffers={FRAMES} ! video/x-raw,width=160,height=128,\
         framerate={}/{} ! x264enc key-int-max=10 bframes=0 speed-preset=ultrafast \
         option-string=scenecut=0 ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
        RATE.0, RATE.1
    ));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    let mut held = Vec::new();
    for n in 0..recordings {
        let seconds = |frame: i64| time_of(frame) as f64 / SECOND as f64;
        let first = n * FRAMES;
        let boundary = Boundary::new(n as u64 + 1, seconds(first), seconds(first + FRAMES));
        let frames: Vec<_> = (first..first + FRAMES).map(|n| frame(&media, n)).collect();
        bench.record(&boundary, &frames);
        if n % 10 == 9 {
            // Those under way would count too, and messages that nobody has taken.
            for _ in 0..10 {
                bench.text("evr-recording-available", "id");
            }
            until("its thread is done", || bench.counted("unfinished") == 0);
            held.push(Held::now());
        }
    }
    bench.eos();
    assert_eq!(bench.counted("recordings"), recordings as u64);
    let clip = |n: i64| directory.path().join(format!("{n}.mp4"));
    let late = |n: i64| {
        let sidecar = json_of(&clip(n + 1).with_extension("json"));
        assert_eq!(sidecar["clip"]["time_source"], "reference");
        assert_eq!(sidecar["state"], "complete");
        let start = sidecar["clip"]["start"].as_str().expect("a time");
        let start = evr_core::time::parse_rfc3339(start).expect("RFC 3339");
        (sender_at(time_of(n * FRAMES)) - start).abs() as f64 / 1e6
    };
    Figures {
        held,
        errors: [error_of(&clip(1)), error_of(&clip(recordings))],
        late: (0..recordings).map(late).fold(0.0, f64::max),
    }
}

fn hold(figures: &Figures) {
    let held = &figures.held;
    let (before, after) = (held[0], held[held.len() - 1]);
    let (from, to) = (before.descriptors, after.descriptors);
    assert!(to <= from + 3, "descriptors: {from} {to}");
    // A tick of the track is 33 µs, and ffprobe prints microseconds.
    assert!(
        figures.errors.iter().all(|it| *it <= 34.0),
        "{:?} µs",
        figures.errors
    );
    assert!(figures.late < 1.0, "{} ms", figures.late);
}

#[test]
fn recordings_leave_nothing_behind_and_keep_their_times() {
    hold(&run(20));
}

/// Runs a test of this file in a process of its own.
fn alone(test: &str, set: (&str, &str)) {
    let ended = Command::new(std::env::current_exe().expect("a test knows its file"))
        .args(["--exact", "--ignored", "--nocapture"])
        .arg(format!("endurance::{test}"))
        .env(set.0, set.1)
        .stderr(Stdio::inherit())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&ended.stdout);
    print!("{said}");
    // One that is called otherwise would pass, too.
    let passed = ended.status.success() && said.contains("1 passed");
    assert!(passed, "{test}");
}

#[test]
#[ignore = "the test after it runs it in a process of its own"]
fn counts_what_recordings_leave() {
    run(10);
    let tracers = gst::active_tracers();
    let tracer = tracers
        .iter()
        .find(|tracer| tracer.name().starts_with("leaks"));
    let tracer = tracer.expect("asked for by GST_TRACERS");
    tracer.emit_by_name::<()>("activity-start-tracking", &[]);
    run(30);
    // By type, those made less those gone since.
    let mut left = BTreeMap::<String, i64>::new();
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let news = tracer.emit_by_name::<Option<gst::Structure>>("activity-get-checkpoint", &[]);
        let news = news.expect("it tracks");
        for (list, one) in [("objects-created-list", 1), ("objects-removed-list", -1)] {
            let list = news.get::<gst::List>(list).expect("it is always there");
            for object in list.iter() {
                let object = object.get::<gst::Structure>().expect("of structures");
                let kind = object.get("type-name").expect("each has a type");
                *left.entry(kind).or_default() += one;
            }
        }
        left.retain(|_, count| *count > 0);
        if left.is_empty() {
            return;
        }
        // What has written the last clip may just be going.
        assert!(Instant::now() < patience, "{left:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn no_object_of_any_recording_outlives_it() {
    alone("counts_what_recordings_leave", ("GST_TRACERS", "leaks"));
}

/// How many recordings memory is watched for.
const MANY: i64 = 3000;

/// Mean of what was held within a quarter of the recordings, in MB.
fn quarter(held: &[Held], n: usize) -> f64 {
    let size = held.len() / 4;
    let own = held[n * size..(n + 1) * size].iter().map(|held| held.own);
    own.sum::<f64>() / size as f64
}

#[test]
#[ignore = "the soak after it runs it in a process of its own"]
fn measures_what_memory_recordings_take() {
    let figures = run(MANY);
    hold(&figures);
    let held = &figures.held;
    // Between the middles of two quarters lies half of the recordings.
    let growth = (quarter(held, 3) - quarter(held, 1)) * 1048576.0 / (MANY / 2) as f64;
    println!(
        "measured: {MANY} recordings in one run where freed memory goes back to the system, growth \
         from the second to the fourth quarter: {growth:.0} bytes a recording"
    );
    let own: Vec<_> = held.iter().map(|held| held.own).collect();
    assert!(growth < 1024.0, "{growth} bytes a recording: {own:?}");
}

#[test]
#[ignore = "twice thousands of recordings with thumbnails"]
fn soak_thousands_of_recordings_in_one_run() {
    // By default glibc keeps a heap for each of many threads, and what one has freed waits for the
    // next: memory takes some thousand recordings to level off, and a leak would not show in it.
    // So it is looked for with one heap that keeps nothing.
    let test = "measures_what_memory_recordings_take";
    let tunables = "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0:\
                    glibc.malloc.mmap_threshold=16384:glibc.malloc.trim_threshold=16384";
    alone(test, ("GLIBC_TUNABLES", tunables));
    let figures = run(MANY);
    hold(&figures);
    let held = &figures.held;
    let after = |recordings: usize| format!("{:.1}", held[recordings / 10 - 1].resident);
    println!(
        "measured: {MANY} recordings in one run as it comes, MB of resident memory after the \
         100th, 1000th, 2000th and last: {}, {}, {} and {}",
        after(100),
        after(1000),
        after(2000),
        after(MANY as usize)
    );
    let levels = [quarter(held, 1), quarter(held, 3)];
    assert!(levels[1] < levels[0] * 1.1, "MB: {levels:?}");
    println!(
        "measured: the same, file descriptors after the 10th and the last: {}, {}",
        held[0].descriptors,
        held[held.len() - 1].descriptors
    );
    println!(
        "measured: the same, furthest frame from its time in the first and the last clip: \
         {:.1} µs, {:.1} µs",
        figures.errors[0], figures.errors[1]
    );
    println!(
        "measured: the same, furthest start of a clip from the sender's clock: {:.5} ms",
        figures.late
    );
}
