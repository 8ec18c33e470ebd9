//! A recorder is killed with SIGKILL in the middle of a recording; the next start makes a clip of
//! what it left. The recorder is this test's own program, run once more.

mod common;

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use gst::prelude::*;
use serde_json::Value;

use common::{Random, launch, until};

/// Names the directory in which the recorder shall record.
const DIRECTORY: &str = "EVR_RECOVERY_DIRECTORY";
/// Names the container in which it shall record.
const CONTAINER: &str = "EVR_RECOVERY_CONTAINER";
/// Whether it shall record sound too.
const SOUND: &str = "EVR_RECOVERY_SOUND";
/// After how many nanoseconds of media it shall send no more, if ever.
const HOLD: &str = "EVR_RECOVERY_HOLD";
/// What its eventsink shall be set to besides.
const SETTINGS: &str = "EVR_RECOVERY_SETTINGS";
/// Where it writes down the running times of the first and the last frame that eventsink was given.
const RELEASED: &str = "released";
const FRAME: u64 = 40_000_000;
const SECOND: u64 = 1_000_000_000;

/// A container: its word, what its files end in, and what reads them.
type Kind = (&'static str, &'static str, &'static str);
const KINDS: [Kind; 3] = [MP4, MATROSKA, MPEG_TS];
const MP4: Kind = ("mp4", "mp4", "qtdemux");
const MATROSKA: Kind = ("matroska", "mkv", "matroskademux");
const MPEG_TS: Kind = ("mpegts", "ts", "tsdemux");

fn sink(directory: &Path, container: &str) -> String {
    format!(
        "eventsink name=sink source-id=porch container={container} location={}/{{n}}",
        directory.display()
    )
}

/// Not a test: what the tests kill.
#[test]
#[ignore = "the tests of this file run it in a process of its own"]
fn records_until_it_is_killed() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).expect("run by a test"));
    let container = std::env::var(CONTAINER).expect("set beside it");
    let sound = if std::env::var_os(SOUND).is_some() {
        "audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! avenc_aac ! aacparse ! gate.sink_0 \
         gate.src_0 ! sink.audio_0"
    } else {
        ""
    };
    let settings = std::env::var(SETTINGS).unwrap_or_default();
    let hold = std::env::var(HOLD).map_or(u64::MAX, |span| span.parse().expect("a number"));
    let pipeline = launch(&format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=25/1 \
         ! x264enc bframes=2 rc-lookahead=3 sync-lookahead=0 key-int-max=25 speed-preset=ultrafast \
         ! video/x-h264,profile=main ! h264parse \
         ! signalgate name=gate activation-evaluation-window=0 activation-signal-offset=0 {} \
         {settings} gate.src ! sink.video {sound}",
        sink(&directory, &container)
    ));
    let released = File::create(directory.join(RELEASED)).expect("the directory exists");
    let gate = pipeline.by_name("gate").expect("named in the line");
    let range = std::sync::Mutex::new(None::<(u64, u64)>);
    gate.static_pad("src").expect("always there").add_probe(
        gst::PadProbeType::BUFFER,
        move |_, info| {
            // Raw PTS are as good as running times: only their distance counts.
            if let Some(pts) = info.buffer().and_then(|buffer| buffer.pts()) {
                let mut range = range.lock().expect("no thread panics under it");
                while range.is_some_and(|(first, last)| last - first + FRAME >= hold) {
                    thread::park();
                }
                let (first, last) = range.unwrap_or((u64::MAX, 0));
                let now = (first.min(pts.nseconds()), last.max(pts.nseconds()));
                *range = Some(now);
                let bytes = [now.0.to_le_bytes(), now.1.to_le_bytes()].concat();
                released.write_all_at(&bytes, 0).expect("16 bytes");
            }
            gst::PadProbeReturn::Ok
        },
    );
    let trigger = |pad: &gst::Pad| {
        let gate = pad.parent_element().expect("a pad of the gate");
        let id = gate.emit_by_name::<Option<String>>("trigger", &[&None::<String>]);
        assert!(id.is_some(), "a gate that runs takes signals");
    };
    gate.static_pad("sink").expect("always there").add_probe(
        gst::PadProbeType::BUFFER,
        move |pad, _| {
            trigger(pad);
            gst::PadProbeReturn::Ok
        },
    );
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let started = gate.emit_by_name::<Option<String>>("start", &[&None::<String>]);
    assert!(started.is_some(), "a gate that runs takes signals");
    loop {
        thread::park();
    }
}

/// A recorder in a process of its own, killed if a test fails.
struct Recorder {
    process: Child,
    directory: tempfile::TempDir,
    kind: Kind,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // It may be dead.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Recorder {
    fn start(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(std::env::current_exe().expect("this test runs"));
        command
            .args(["--ignored", "--exact", "records_until_it_is_killed"])
            .env(DIRECTORY, directory.path())
            .env(CONTAINER, kind.0)
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().expect("this test's own program");
        Self {
            process,
            directory,
            kind,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Running times of the first and the last frame that eventsink was given.
    fn released(&self) -> Option<(u64, u64)> {
        let bytes = fs::read(self.path().join(RELEASED)).ok()?;
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some((number(0)?, number(8)?))
    }

    /// How much media eventsink has been given.
    fn given(&self) -> u64 {
        self.released()
            .map_or(0, |(first, last)| last - first + FRAME)
    }

    /// What it has written of the clip so far.
    fn written(&self) -> Vec<u8> {
        fs::read(self.part()).unwrap_or_default()
    }

    fn part(&self) -> PathBuf {
        self.path().join(format!("1.{}.part", self.kind.1))
    }

    /// Waits until eventsink has been given `span` of media, and pulls the plug.
    fn kill_after(&mut self, span: u64) -> u64 {
        until(&format!("{span} ns are recorded"), || self.given() >= span);
        self.kill()
    }

    /// How much media eventsink had been given.
    fn kill(&mut self) -> u64 {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was killed");
        self.given()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("the directory is there");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.retain(|name| !name.starts_with("events.jsonl") && name != RELEASED);
        names.sort();
        names
    }

    /// Starts an eventsink in the same directory; what it says of the recording.
    fn restart(&self) -> gst::Structure {
        self.restart_with(1).remove(0)
    }

    /// The same where `recordings` were left.
    fn restart_with(&self, recordings: usize) -> Vec<gst::Structure> {
        let line = format!(
            "fakesrc num-buffers=0 ! {} fakesrc ! fakesink",
            sink(self.path(), self.kind.0)
        );
        let pipeline = launch(&line);
        pipeline.set_state(gst::State::Paused).expect("it starts");
        let bus = pipeline.bus().expect("a pipeline has a bus");
        let mut told = Vec::new();
        while told.len() < recordings {
            let message = bus.timed_pop_filtered(common::PATIENCE, &[gst::MessageType::Element]);
            let Some(message) = message else {
                pipeline.set_state(gst::State::Null).expect("it stops");
                panic!("eventsink does not tell what it has found");
            };
            let fields = message.structure().expect("element messages have one");
            if ["evr-recording-recovered", "evr-recording-failed"].contains(&fields.name().as_str())
            {
                told.push(fields.to_owned());
            }
        }
        pipeline.set_state(gst::State::Null).expect("it stops");
        told
    }
}

/// What ffprobe and GStreamer make of a clip: frames, and frames.
fn frames(clip: &Path, demuxer: &str) -> (u64, u64) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v"])
        .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(clip)
        .output()
        .expect("ffprobe is installed");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.is_empty(), "{}: {errors}", clip.display());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // A transport stream's are told for its program, too.
    let counted = text.lines().next().and_then(|line| line.parse().ok());
    let counted = counted.expect("a number");
    let pipeline = launch(&format!(
        "filesrc location={} ! {demuxer} ! h264parse ! avdec_h264 ! fakesink name=end sync=false",
        clip.display()
    ));
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = seen.clone();
    let end = pipeline.by_name("end").expect("named in the line");
    let pad = end.static_pad("sink").expect("always there");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    common::play(&pipeline).expect("GStreamer plays it");
    (counted, seen.load(std::sync::atomic::Ordering::Relaxed))
}

/// Seeks to `to` behind the first frame; how far from there the next one that is shown lies.
fn sought(clip: &Path, demuxer: &str, to: u64) -> i64 {
    let pipeline = launch(&format!(
        "filesrc location={} ! {demuxer} ! h264parse ! avdec_h264 ! appsink name=end sync=false",
        clip.display()
    ));
    let end = pipeline.by_name("end").expect("named in the line");
    let end = end.downcast::<gst_app::AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Paused).expect("it starts");
    pipeline.state(common::PATIENCE).0.expect("it prerolls");
    let shown = || {
        let frame = end.pull_preroll().expect("a frame");
        let segment = frame
            .segment()
            .and_then(|it| it.downcast_ref::<gst::ClockTime>());
        let pts = frame.buffer().and_then(|buffer| buffer.pts());
        segment
            .and_then(|segment| segment.to_stream_time(pts))
            .expect("a time")
    };
    let first = shown();
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    let to = first + gst::ClockTime::from_nseconds(to);
    pipeline.seek_simple(flags, to).expect("it seeks");
    pipeline.state(common::PATIENCE).0.expect("it prerolls");
    let found = shown();
    pipeline.set_state(gst::State::Null).expect("it stops");
    found.nseconds().cast_signed() - to.nseconds().cast_signed()
}

/// How many whole frames an unfinished clip holds.
fn held(part: &Path) -> u64 {
    let output = Command::new("ffprobe")
        .args(["-v", "quiet", "-count_packets", "-select_streams", "v"])
        .args(["-show_entries", "stream=nb_read_packets"])
        .args(["-of", "csv=p=0"])
        .arg(part)
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // A transport stream's are told for its program, too.
    let counted = text.lines().next().and_then(|line| line.parse().ok());
    counted.unwrap_or(0)
}

/// Kills a recorder after `span` of media; how much of what eventsink was given is lost.
fn lost_after(span: u64, kind: Kind, sound: bool) -> u64 {
    let mut recorder = Recorder::start(kind, if sound { &[(SOUND, "1")] } else { &[] });
    let given = recorder.kill_after(span);
    lost(&recorder, span, given)
}

/// The same of a recorder that gets no media behind `span`, and time: what it has not written by
/// then waits for media, and not for a machine that others keep busy.
fn lost_at_rest(span: u64, kind: Kind, sound: bool) -> u64 {
    let hold = span.to_string();
    let settings = [(HOLD, hold.as_str()), (SOUND, "1")];
    let mut recorder = Recorder::start(kind, &settings[..1 + usize::from(sound)]);
    until("all but a second is written", || {
        let given = recorder.given();
        given >= span && held(&recorder.part()) * FRAME + SECOND >= given
    });
    let given = recorder.kill();
    lost(&recorder, span, given)
}

/// What the next start makes of a recorder that was `given` so much; how much of that is lost.
fn lost(recorder: &Recorder, span: u64, given: u64) -> u64 {
    let (_, extension, demuxer) = recorder.kind;
    let kind = recorder.kind;
    let mut left = ["1.json.part".to_owned(), format!("1.{extension}.part")];
    left.sort();
    assert_eq!(recorder.files(), left, "nothing half has a final name");

    let told = recorder.restart();
    assert_eq!(told.name(), "evr-recording-recovered", "{told}");
    let name = format!("1.{extension}");
    assert_eq!(recorder.files(), ["1.jpg", "1.json", &name]);
    let clip = recorder.path().join(&name);
    let sidecar = fs::read_to_string(recorder.path().join("1.json")).expect("it is there");
    let sidecar: Value = serde_json::from_str(&sidecar).expect("JSON");
    assert_eq!(sidecar["state"], "recovered");
    assert_eq!(sidecar["source"], "porch");
    assert_eq!(sidecar["signals"][0]["action"], "start", "why it was made");
    if span > 2 * SECOND {
        // What came to light since is told once a second, of what had left the gate.
        let offset = |of: &Value| of.as_f64().expect("seconds");
        let known = offset(&sidecar["event"]["end_offset"]);
        assert!(
            known > 0.7,
            "a trigger a frame is known only up to {known} s"
        );
        let signals = sidecar["signals"].as_array().expect("a list");
        assert!(signals.len() > 15, "only {} signals", signals.len());
    }
    assert_eq!(sidecar["clip"]["path"], *name);
    let counted = sidecar["clip"]["frames"].as_u64().expect("a number");
    assert_eq!(frames(&clip, demuxer), (counted, counted));
    // A transport stream has no index: GStreamer guesses where a time would be.
    let slack = if kind == MPEG_TS { SECOND } else { FRAME };
    let off = sought(&clip, demuxer, counted * FRAME / 2);
    assert!(
        off.unsigned_abs() <= slack,
        "{kind:?}: a seek misses by {off} ns"
    );
    let bytes = fs::metadata(&clip).expect("it is there").len();
    assert_eq!(sidecar["clip"]["bytes"], bytes);
    common::schemas::check(recorder.path());
    given.saturating_sub(counted * FRAME)
}

#[test]
fn a_killed_recorder_loses_a_second_at_most() {
    thread::scope(|scope| {
        for kind in KINDS {
            scope.spawn(move || {
                for (span, sound) in [(1_400, false), (2_900, true)] {
                    let lost = lost_at_rest(span * 1_000_000, kind, sound);
                    assert!(lost <= SECOND, "{kind:?}: {lost} ns of {span} ms are lost");
                }
            });
        }
    });
}

/// Where each index of samples ends: `moov` first, then a `moof` a fragment, each behind its samples.
fn indexes(media: &[u8]) -> Vec<usize> {
    let (mut at, mut ends) = (0, Vec::new());
    while let Some(header) = media.get(at..at + 8) {
        let size = u32::from_be_bytes(header[..4].try_into().expect("four bytes"));
        if size == 0 {
            break;
        }
        at += size as usize;
        if [b"moov", b"moof"].contains(&header[4..].try_into().expect("four bytes")) {
            ends.push(at);
        }
    }
    ends
}

#[test]
fn every_frame_that_the_sidecar_of_a_mended_mp4_counts_is_shown() {
    let mut recorder = Recorder::start(MP4, &[]);
    until("three fragments are written", || {
        indexes(&recorder.written()).len() >= 4
    });
    recorder.kill();
    let media = recorder.written();
    let known = recorder.path().join("1.json.part");
    let known = fs::read_to_string(known).expect("it is there");
    // A fragment may end amid reordered frames: what is shown before its last ones is gone.
    let ends = indexes(&media);
    assert!(ends.len() >= 4, "only {} fragments", ends.len());
    for (n, end) in (2..).zip(&ends) {
        let named = |ending: &str| recorder.path().join(format!("{n}.{ending}.part"));
        fs::write(named("mp4"), &media[..*end]).expect("it can be written");
        fs::write(named("json"), known.replace("1.mp4", &format!("{n}.mp4"))).expect("as that");
    }
    for told in recorder.restart_with(ends.len() + 1) {
        assert_eq!(told.name(), "evr-recording-recovered", "{told}");
    }
    for n in 1..=ends.len() + 1 {
        let named = |ending: &str| recorder.path().join(format!("{n}.{ending}"));
        let sidecar = fs::read_to_string(named("json")).expect("it was made");
        let sidecar: Value = serde_json::from_str(&sidecar).expect("JSON");
        let counted = sidecar["clip"]["frames"].as_u64().expect("a number");
        assert!(counted > 10, "{n}: {counted} frames");
        assert_eq!(frames(&named("mp4"), "qtdemux"), (counted, counted), "{n}");
    }
}

#[test]
fn a_recorder_killed_before_anything_was_written_leaves_a_word() {
    // No fragment is whole before.
    let settings = [(SETTINGS, "fragment-duration=60000000000")];
    let mut recorder = Recorder::start(MP4, &settings);
    let sidecar = recorder.path().join("1.json.part");
    until("the recorder records", || {
        fs::metadata(&sidecar).is_ok_and(|file| file.len() > 0)
    });
    recorder.kill_after(FRAME);
    let told = recorder.restart();
    assert_eq!(told.name(), "evr-recording-failed", "{told}");
    assert_eq!(recorder.files(), [""; 0]);
}

#[test]
fn what_cannot_be_repaired_is_kept_and_not_tried_again() {
    let mut recorder = Recorder::start(MP4, &[]);
    until("something is written", || recorder.written().len() >= 500);
    recorder.kill();
    let media = recorder.written();
    fs::write(recorder.part(), &media[..500]).expect("it can be written");
    let told = recorder.restart();
    assert_eq!(told.name(), "evr-recording-failed", "{told}");
    let kept = ["1.json.part.broken", "1.mp4.part.broken"];
    assert_eq!(recorder.files(), kept);
    let broken = told.get::<String>("part").expect("it tells where it is");
    assert_eq!(fs::read(broken).expect("it is there"), media[..500]);
}

#[test]
fn a_recording_in_progress_is_nobody_elses_to_repair() {
    let mut recorder = Recorder::start(MP4, &[]);
    until("something is written", || !recorder.written().is_empty());
    // What a crash has left, under a name that is looked at behind the recording's.
    let then = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(60));
    for name in ["9.mp4.part", "9.json.part"] {
        let file = File::create(recorder.path().join(name)).expect("it can be made");
        file.set_times(then).expect("it is ours");
    }
    let told = recorder.restart();
    let reason = told.get::<String>("reason").expect("it says why");
    assert!(reason.contains("9.mp4"), "{told}");
    assert_eq!(recorder.files(), ["1.json.part", "1.mp4.part"]);
    recorder.kill();
    assert_eq!(recorder.restart().name(), "evr-recording-recovered");
}

#[test]
#[ignore = "minutes: cargo xtask soak"]
fn soak_a_hundred_kills_leave_a_hundred_clips() {
    let mut random = Random(4);
    let spans: Vec<u64> = (0..100).map(|_| 1_100 + random.below(4_000)).collect();
    let lost: Vec<(Kind, u64)> = thread::scope(|scope| {
        let workers: Vec<_> = spans
            .chunks(25)
            .map(|spans| {
                scope.spawn(|| {
                    let each = spans.iter().enumerate().map(|(n, span)| {
                        let kind = KINDS[n % 3];
                        (kind, lost_after(span * 1_000_000, kind, n % 2 == 0))
                    });
                    each.collect::<Vec<_>>()
                })
            })
            .collect();
        let done = workers
            .into_iter()
            .map(|worker| worker.join().expect("it passed"));
        done.flatten().collect()
    });
    println!(
        "measured: kill -9, recordings played and sought in by ffprobe and GStreamer after the next start: {} of {}",
        lost.len(),
        spans.len()
    );
    for kind in KINDS {
        let own = lost.iter().filter(|(own, _)| *own == kind);
        let own: Vec<u64> = own.map(|(_, lost)| *lost).collect();
        let most = own.iter().copied().max().unwrap_or(0);
        println!(
            "measured: kill -9 of {}, {} times, most media lost of what eventsink was given: {} ms",
            kind.0,
            own.len(),
            most / 1_000_000
        );
        assert!(most <= SECOND, "{kind:?}: {most} ns");
    }
}
