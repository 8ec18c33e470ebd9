//! One sink, many recordings: nothing piles up, and the last clip is as exact as the first.

use std::fs;
use std::path::Path;

use crate::bench::*;

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

fn resident_and_open() -> (f64, usize) {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    let open = fs::read_dir("/proc/self/fd").expect("Linux tells").count();
    (kib.expect("in KiB") / 1024.0, open)
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
    /// Resident MB and open descriptors after a tenth of the recordings, and at the end.
    used: [(f64, usize); 2],
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
    let mut used = Vec::new();
    for n in 0..recordings {
        let seconds = |frame: i64| time_of(frame) as f64 / SECOND as f64;
        let first = n * FRAMES;
        let boundary = Boundary::new(n as u64 + 1, seconds(first), seconds(first + FRAMES));
        let frames: Vec<_> = (first..first + FRAMES).map(|n| frame(&media, n)).collect();
        bench.record(&boundary, &frames);
        if n % 10 == 9 || n == recordings - 1 {
            // Those under way would count too, and messages that nobody has taken.
            for _ in 0..=n % 10 {
                bench.text("evr-recording-available", "id");
            }
        }
        if n == recordings / 10 - 1 || n == recordings - 1 {
            used.push(resident_and_open());
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
        used: [used[0], used[1]],
        errors: [error_of(&clip(1)), error_of(&clip(recordings))],
        late: (0..recordings).map(late).fold(0.0, f64::max),
    }
}

fn hold(figures: &Figures) {
    let [before, after] = figures.used;
    assert!(after.1 <= before.1 + 3, "descriptors: {before:?} {after:?}");
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

#[test]
#[ignore = "a thousand recordings with thumbnails"]
fn soak_a_thousand_recordings_in_one_run() {
    let figures = run(1000);
    hold(&figures);
    let [before, after] = figures.used;
    assert!(after.0 < before.0 * 1.1 + 2.0, "MB: {before:?} {after:?}");
    println!(
        "measured: a thousand recordings in one run, resident memory after the 100th and the last: \
         {:.1} MB, {:.1} MB",
        before.0, after.0
    );
    println!(
        "measured: the same, file descriptors: {}, {}",
        before.1, after.1
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
