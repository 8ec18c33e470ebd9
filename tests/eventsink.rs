//! eventsink alone: real H.264 goes in between hand-made boundaries, and what lies on disk is
//! looked at by ffprobe, which shares no code with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use gst::prelude::*;
use serde_json::{Value, json};

const SECOND: i64 = 1_000_000_000;
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(30);

fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer is installed");
        gstevr::plugin_register_static().expect("the plugin registers");
    });
}

/// Encoded frames of 320x240 at 10 fps with a sync point every second, in decode order.
struct Media {
    caps: gst::Caps,
    segment: gst::Segment,
    buffers: Vec<gst::Buffer>,
}

impl Media {
    fn new(frames: u32, bframes: u32) -> Self {
        Self::sized(frames, bframes, 320)
    }

    fn sized(frames: u32, bframes: u32, width: u32) -> Self {
        init();
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers={frames} ! video/x-raw,width={width},height=240,\
             framerate=10/1 ! x264enc key-int-max=10 bframes={bframes} b-adapt=false \
             speed-preset=ultrafast bitrate=200 option-string=scenecut=0 ! h264parse ! \
             video/x-h264,stream-format=avc,alignment=au ! appsink name=out sync=false"
        ));
        let pipeline = pipeline.expect("the elements exist");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
        let out = pipeline.by_name("out").expect("it is named so");
        let out = out.downcast::<gst_app::AppSink>().expect("an appsink");
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let mut samples = Vec::new();
        while let Ok(sample) = out.pull_sample() {
            samples.push(sample);
        }
        pipeline.set_state(gst::State::Null).expect("it stops");
        let first = samples.first().expect("there are frames");
        Self {
            caps: first.caps_owned().expect("caps"),
            segment: first.segment().expect("a segment").clone(),
            buffers: samples
                .iter()
                .map(|sample| sample.buffer_owned().expect("a buffer"))
                .collect(),
        }
    }

    fn pts(&self, buffer: &gst::Buffer) -> i64 {
        let segment = self.segment.downcast_ref::<gst::ClockTime>();
        let running = segment
            .expect("a segment of time")
            .to_running_time(buffer.pts())
            .expect("x264enc stamps within its segment");
        running.nseconds() as i64
    }
}

/// An eventsink in a pipeline of its own, fed from the test's thread.
struct Bench {
    pipeline: gst::Pipeline,
    sink: gst::Element,
    pad: gst::Pad,
    bus: gst::Bus,
}

impl Bench {
    fn new(location: &str) -> Self {
        init();
        let sink = gst::ElementFactory::make("eventsink")
            .property("location", location)
            .build()
            .expect("eventsink is registered");
        let pipeline = gst::Pipeline::new();
        pipeline.add(&sink).expect("it is new");
        let pad = sink.request_pad_simple("video").expect("there is one");
        let bus = pipeline.bus().expect("a pipeline has a bus");
        Self {
            pipeline,
            sink,
            pad,
            bus,
        }
    }

    /// Starts and announces the stream.
    fn play(&self, media: &Media) {
        self.pipeline
            .set_state(gst::State::Playing)
            .expect("it starts");
        assert!(self.pad.send_event(gst::event::StreamStart::new("test")));
        self.announce(media);
    }

    fn announce(&self, media: &Media) {
        assert!(self.pad.send_event(gst::event::Caps::new(&media.caps)));
        assert!(
            self.pad
                .send_event(gst::event::Segment::new(&media.segment))
        );
    }

    fn boundary(&self, boundary: &Boundary) {
        assert!(self.pad.send_event(boundary.event()));
    }

    fn feed<'a>(&self, buffers: impl IntoIterator<Item = &'a gst::Buffer>) {
        for buffer in buffers {
            self.pad.chain(buffer.clone()).expect("it is taken");
        }
    }

    /// A whole recording of these buffers.
    fn record(&self, boundary: &Boundary, buffers: &[gst::Buffer]) {
        self.boundary(boundary);
        self.feed(buffers);
        self.boundary(&boundary.closing());
    }

    fn message(&self, name: &str) -> gst::Message {
        loop {
            let message = self
                .bus
                .timed_pop(PATIENCE)
                .unwrap_or_else(|| panic!("no message {name}"));
            if message
                .structure()
                .is_some_and(|fields| fields.name() == name)
            {
                return message;
            }
            if let gst::MessageView::Warning(warning) = message.view() {
                eprintln!("{}", warning.error());
            }
            if let gst::MessageView::Error(error) = message.view() {
                panic!("waiting for {name}, got the error {}", error.error());
            }
        }
    }

    fn text(&self, name: &str, field: &str) -> String {
        let message = self.message(name);
        let fields = message.structure().expect("it was chosen by them");
        fields.get(field).expect("a text")
    }

    fn eos(&self) {
        assert!(self.pad.send_event(gst::event::Eos::new()));
        let message = self
            .bus
            .timed_pop_filtered(PATIENCE, &[gst::MessageType::Eos])
            .expect("EOS");
        assert_eq!(message.type_(), gst::MessageType::Eos);
    }

    fn counted(&self, name: &str) -> u64 {
        self.sink.property(name)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// What signalgate would send; times in seconds.
#[derive(Clone)]
struct Boundary {
    id: u64,
    phase: &'static str,
    asked: f64,
    sync_point: f64,
    end: f64,
    event: (f64, f64),
    continues_from: Option<u64>,
    signals: Value,
}

impl Boundary {
    fn new(id: u64, sync_point: f64, end: f64) -> Self {
        let event = sync_point + 1.0;
        Self {
            id,
            phase: "open",
            asked: sync_point + 0.2,
            sync_point,
            end,
            event: (event, event + 0.5),
            continues_from: None,
            signals: json!([{
                "action": "trigger",
                "media_time": (event * SECOND as f64) as i64,
                "label": "person",
                "objects": [{
                    "label": "person",
                    "confidence": 0.75,
                    "box": {"l": 0.25, "t": 0.25, "w": 0.25, "h": 0.5},
                }],
            }]),
        }
    }

    fn closing(&self) -> Self {
        Self {
            phase: "close",
            ..self.clone()
        }
    }

    fn event(&self) -> gst::Event {
        let time = |seconds: f64| (seconds * SECOND as f64).round() as i64;
        let mut fields = gst::Structure::builder("evr-recording")
            .field("id", self.id)
            .field("phase", self.phase)
            .field("asked", time(self.asked))
            .field("start", time(self.asked))
            .field("sync-point", time(self.sync_point))
            .field("end", time(self.end))
            .field("event-start", time(self.event.0))
            .field("event-end", time(self.event.1))
            .field("cause", "elapsed")
            .field("signals", self.signals.to_string())
            .build();
        if let Some(id) = self.continues_from {
            fields.set("continues-from", id);
        }
        gst::event::CustomDownstreamSticky::new(fields)
    }
}

fn ffprobe(file: &Path, entries: &str) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0"])
        .args(["-show_entries", entries, "-of", "json"])
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn frames(file: &Path) -> usize {
    let probed = ffprobe(file, "stream=nb_read_frames");
    let frames = probed["streams"][0]["nb_read_frames"].as_str();
    frames.and_then(|n| n.parse().ok()).expect("a number")
}

/// Times of the frames in the order in which they are shown, in milliseconds.
fn shown(file: &Path) -> Vec<i64> {
    let probed = ffprobe(file, "frame=pts_time");
    let times = probed["frames"].as_array().expect("frames").iter();
    times
        .map(|frame| {
            let time = frame["pts_time"].as_str().expect("a time");
            (time.parse::<f64>().expect("seconds") * 1000.0).round() as i64
        })
        .collect()
}

fn json_of(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("it exists")).expect("JSON")
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

fn within(directory: &tempfile::TempDir, name: &str) -> String {
    let path = directory.path().join(name);
    path.into_os_string().into_string().expect("UTF-8")
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_recording_becomes_a_clip_from_0_with_exactly_the_frames_its_sidecar_claims() {
    let (directory, media) = (directory(), Media::new(30, 0));
    let bench = Bench::new(&within(&directory, "%Y-{label}-{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 3.0), &media.buffers);
    bench.eos();

    assert_eq!(
        names(directory.path()),
        [
            "1970-person-1.jpg",
            "1970-person-1.json",
            "1970-person-1.mp4"
        ]
    );
    let clip = directory.path().join("1970-person-1.mp4");
    assert_eq!(shown(&clip), (0..30).map(|n| n * 100).collect::<Vec<_>>());
    let first = ffprobe(&clip, "packet=flags");
    assert!(
        first["packets"][0]["flags"]
            .as_str()
            .expect("flags")
            .starts_with('K')
    );

    let sidecar = json_of(&clip.with_extension("json"));
    assert_eq!(sidecar["schema"], "evr/recording/1");
    assert_eq!(sidecar["state"], "complete");
    assert_eq!(sidecar["source"], "camera");
    assert_eq!(sidecar["label"], "person");
    let bytes = fs::metadata(&clip).expect("it exists").len();
    assert_eq!(
        sidecar["clip"],
        json!({
            "path": "1970-person-1.mp4", "container": "mp4", "bytes": bytes,
            "start": "1970-01-01T00:00:00.000Z", "end": "1970-01-01T00:00:03.000Z",
            "duration": 3.0, "frames": 30,
            "streams": [{"type": "video", "codec": "h264",
                "profile": media.caps.structure(0).and_then(|s| s.get::<String>("profile").ok()),
                "width": 320, "height": 240, "framerate": "10/1"}],
            "requested_pre_roll": 0.8, "achieved_pre_roll": 1.0,
            "continues_from": null, "time_source": "media",
        })
    );
    assert_eq!(
        sidecar["event"],
        json!({
            "start": "1970-01-01T00:00:01.000Z", "end": "1970-01-01T00:00:01.500Z",
            "start_offset": 1.0, "end_offset": 1.5,
        })
    );
    assert_eq!(sidecar["signals"][0]["t"], 1.0);
    assert_eq!(sidecar["detections"][0]["t"], 1.0);
    assert_eq!(sidecar["counts"], json!({"person": 1}));
    assert_eq!(bench.counted("recordings"), 1);
}

#[test]
fn b_frames_keep_their_order_and_the_clip_still_starts_at_0() {
    let (directory, media) = (directory(), Media::new(40, 2));
    assert!(!media.buffers.is_sorted_by_key(|buffer| buffer.pts()));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    let from = media
        .buffers
        .iter()
        .position(|buffer| media.pts(buffer) == SECOND);
    bench.record(
        &Boundary::new(1, 1.0, 4.0),
        &media.buffers[from.expect("a GOP a second")..],
    );
    bench.eos();
    let clip = directory.path().join("1.mp4");
    assert_eq!(shown(&clip), (0..30).map(|n| n * 100).collect::<Vec<_>>());
    assert_eq!(
        json_of(&clip.with_extension("json"))["clip"]["duration"],
        3.0
    );
}

#[test]
fn b_frames_without_dts_are_stamped_or_refused_but_never_written_wrongly() {
    let (directory, mut media) = (directory(), Media::new(30, 2));
    for buffer in &mut media.buffers {
        buffer.make_mut().set_dts(None);
    }
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 3.0), &media.buffers);
    bench.eos();
    let clip = directory.path().join("1.mp4");
    let sidecar = json_of(&clip.with_extension("json"));
    assert_eq!(sidecar["clip"]["frames"], shown(&clip).len());
    if gst::ElementFactory::find("h264timestamper").is_some() {
        assert_eq!(shown(&clip), (0..30).map(|n| n * 100).collect::<Vec<_>>());
    } else {
        assert_eq!(sidecar["state"], "truncated");
    }
}

#[test]
fn the_same_input_gives_the_same_sidecar_byte_for_byte() {
    let media = Media::new(20, 0);
    let sidecars: Vec<_> = (0..2)
        .map(|_| {
            let directory = directory();
            let bench = Bench::new(&within(&directory, "{id}.mp4"));
            bench.play(&media);
            bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
            bench.eos();
            let names = names(directory.path());
            let sidecar = names.iter().find(|name| name.ends_with(".json"));
            let sidecar = sidecar.expect("a sidecar");
            (
                sidecar.clone(),
                fs::read(directory.path().join(sidecar)).expect("it exists"),
            )
        })
        .collect();
    assert_eq!(sidecars[0], sidecars[1]);
}

#[test]
fn a_recording_that_continues_another_begins_with_its_frames_again() {
    let (directory, media) = (directory(), Media::new(30, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.5), &media.buffers[..15]);
    let second = Boundary {
        continues_from: Some(1),
        ..Boundary::new(2, 1.0, 3.0)
    };
    bench.record(&second, &media.buffers[15..]);
    bench.eos();
    let clip = directory.path().join("2.mp4");
    assert_eq!(frames(&directory.path().join("1.mp4")), 15);
    assert_eq!(shown(&clip), (0..20).map(|n| n * 100).collect::<Vec<_>>());
    let (first, second) = (
        json_of(&directory.path().join("1.json")),
        json_of(&directory.path().join("2.json")),
    );
    assert_eq!(second["clip"]["continues_from"], first["id"]);
    assert_eq!(second["clip"]["start"], "1970-01-01T00:00:01.000Z");
    assert_eq!(second["state"], "complete");
}

#[test]
fn a_taken_name_gets_a_number_and_nothing_is_overwritten() {
    let (directory, media) = (directory(), Media::new(10, 0));
    fs::write(directory.path().join("clip.mp4"), b"mine").expect("written");
    let bench = Bench::new(&within(&directory, "clip.mp4"));
    bench.play(&media);
    for id in 1..=2 {
        bench.record(&Boundary::new(id, 0.0, 1.0), &media.buffers);
    }
    bench.eos();
    let clips: Vec<_> = names(directory.path())
        .into_iter()
        .filter(|name| name.ends_with(".mp4"))
        .collect();
    assert_eq!(clips, ["clip-2.mp4", "clip-3.mp4", "clip.mp4"]);
    let mine = fs::read(directory.path().join("clip.mp4")).expect("it exists");
    assert_eq!(mine, b"mine");
}

#[test]
fn a_label_that_climbs_stays_in_the_directory() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{label}.mp4"));
    bench.play(&media);
    let mut boundary = Boundary::new(1, 0.0, 1.0);
    boundary.signals = json!([{"action": "trigger", "media_time": 0, "label": "../../x y"}]);
    bench.record(&boundary, &media.buffers);
    bench.eos();
    assert!(directory.path().join("_._.._x_y.mp4").exists());
}

#[test]
fn a_location_that_cannot_be_written_is_an_element_error_and_leaves_no_file() {
    let directory = directory();
    fs::write(directory.path().join("file"), b"").expect("written");
    for (location, says) in [
        (within(&directory, "file/{id}.mp4"), "cannot be written"),
        (within(&directory, "{camera}.mp4"), "{camera}"),
        (String::new(), "names no file"),
    ] {
        let bench = Bench::new(&location);
        let _ = bench
            .pipeline
            .set_state(gst::State::Playing)
            .expect_err("it cannot start");
        let error = bench.bus.pop_filtered(&[gst::MessageType::Error]);
        let error = error.expect("it says why");
        let gst::MessageView::Error(error) = error.view() else {
            unreachable!("filtered")
        };
        let error = error.error().to_string();
        assert!(
            error.contains(says) && error.contains("eventsink"),
            "{error}"
        );
    }
    assert_eq!(names(directory.path()), ["file"]);
}

#[test]
fn caps_that_do_not_suit_are_refused_in_a_sentence() {
    let directory = directory();
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    bench.pad.send_event(gst::event::StreamStart::new("test"));
    let raw = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .build();
    assert!(!bench.pad.send_event(gst::event::Caps::new(&raw)));
    let error = bench
        .bus
        .timed_pop_filtered(PATIENCE, &[gst::MessageType::Error]);
    let error = error.expect("it says why");
    let gst::MessageView::Error(error) = error.view() else {
        unreachable!("filtered")
    };
    assert!(
        error
            .error()
            .to_string()
            .contains("encode it before signalgate")
    );
}

#[test]
fn media_without_a_gate_is_an_error_that_says_so() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench.play(&media);
    let refused = bench.pad.chain(media.buffers[0].clone());
    assert_eq!(refused, Err(gst::FlowError::Error));
    let error = bench
        .bus
        .timed_pop_filtered(PATIENCE, &[gst::MessageType::Error]);
    let error = error.expect("it says why");
    let gst::MessageView::Error(error) = error.view() else {
        unreachable!("filtered")
    };
    assert!(error.error().to_string().contains("signalgate"));
}

#[test]
fn eos_and_stopping_finish_what_is_open_and_a_flush_cuts_it() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let state = |n: u32| json_of(&directory.path().join(format!("{n}.json")))["state"].clone();
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);

    bench.boundary(&Boundary::new(1, 0.0, 9.0));
    bench.feed(&media.buffers);
    assert!(bench.pad.send_event(gst::event::FlushStart::new()));
    assert!(bench.pad.send_event(gst::event::FlushStop::new(true)));
    bench.announce(&media);

    bench.boundary(&Boundary::new(2, 0.0, 9.0));
    bench.feed(&media.buffers);
    bench.eos();
    assert_eq!(
        (state(1), state(2)),
        ("truncated".into(), "complete".into())
    );

    assert!(bench.pad.send_event(gst::event::FlushStart::new()));
    assert!(bench.pad.send_event(gst::event::FlushStop::new(true)));
    bench.announce(&media);
    bench.boundary(&Boundary::new(3, 0.0, 9.0));
    bench.feed(&media.buffers);
    bench
        .pipeline
        .set_state(gst::State::Ready)
        .expect("it stops");
    assert_eq!(state(3), "truncated");
    for n in 1..=3 {
        assert_eq!(frames(&directory.path().join(format!("{n}.mp4"))), 20);
    }
}

#[test]
fn other_caps_within_a_recording_begin_a_second_part_and_both_play() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let wide = Media::sized(20, 0, 640);
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench.play(&media);
    let boundary = Boundary::new(1, 0.0, 4.0);
    bench.boundary(&boundary);
    bench.feed(&media.buffers);
    bench.announce(&wide);
    bench.feed(&wide.buffers);
    bench.boundary(&boundary.closing());
    bench.eos();
    let clips: Vec<PathBuf> = names(directory.path())
        .iter()
        .filter(|name| name.ends_with(".mp4"))
        .map(|name| directory.path().join(name))
        .collect();
    assert_eq!(clips.len(), 2);
    let sidecars: Vec<_> = clips
        .iter()
        .map(|clip| json_of(&clip.with_extension("json")))
        .collect();
    assert_eq!(sidecars[0]["id"], sidecars[1]["id"]);
    let mut widths: Vec<_> = sidecars
        .iter()
        .map(|s| s["clip"]["streams"][0]["width"].clone())
        .collect();
    widths.sort_by_key(Value::as_i64);
    assert_eq!(widths, [320, 640]);
    for clip in clips {
        assert_eq!(frames(&clip), 20);
    }
}

#[test]
fn a_recording_without_a_frame_fails_with_a_message_and_leaves_no_file() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &[]);
    assert!(
        bench
            .text("evr-recording-failed", "reason")
            .contains("first frame")
    );
    bench.eos();
    assert!(names(directory.path()).is_empty());
    assert_eq!(bench.counted("failed"), 1);
}

#[test]
fn a_directory_that_turns_into_a_file_costs_its_recording_and_not_the_next() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "rec/{n}.mp4"));
    bench.play(&media);
    let rec = directory.path().join("rec");
    fs::remove_dir(&rec).expect("it is empty");
    fs::write(&rec, b"").expect("written");
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    assert!(
        bench
            .text("evr-recording-failed", "reason")
            .contains("cannot be created")
    );
    fs::remove_file(&rec).expect("it is there");
    bench.record(&Boundary::new(2, 0.0, 2.0), &media.buffers);
    bench.eos();
    assert_eq!(frames(&rec.join("2.mp4")), 20);
    assert_eq!(
        (bench.counted("failed"), bench.counted("recordings")),
        (1, 1)
    );
}

/// A file system of 60 KiB, unmounted at the end; `None` where mounting is not allowed.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn mount() -> Option<Self> {
        let at = directory();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=60k", "tmpfs"])
            .arg(at.path())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(at))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_costs_the_recording_and_every_frame_is_still_taken() {
    let Some(disk) = TinyDisk::mount() else {
        eprintln!("skipped: mounting needs root");
        return;
    };
    let media = Media::new(100, 0);
    assert!(media.buffers.iter().map(|b| b.size()).sum::<usize>() > 100_000);
    let bench = Bench::new(&within(&disk.0, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 10.0), &media.buffers);
    let part = bench.text("evr-recording-failed", "part");
    assert!(part.ends_with("1.mp4.part"));
    assert_eq!(names(disk.0.path()), ["1.mp4.part"]);
    fs::remove_file(part).expect("it is there");
    bench.record(&Boundary::new(2, 0.0, 1.0), &media.buffers[..10]);
    bench.text("evr-recording-available", "id");
    bench.eos();
    assert_eq!(frames(&disk.0.path().join("2.mp4")), 10);
}

#[test]
fn messages_come_in_order_with_typed_fields_and_json() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    let id = bench.text("evr-recording-started", "id");
    assert_eq!(bench.text("evr-recording-stopped", "reason"), "elapsed");
    let available = bench.message("evr-recording-available");
    let fields = available
        .structure()
        .expect("an element message has fields");
    assert_eq!(fields.get::<String>("id").expect("a text"), id);
    assert_eq!(fields.get::<i64>("start").expect("a time"), 0);
    assert_eq!(fields.get::<i64>("end").expect("a time"), 2 * SECOND);
    assert_eq!(fields.get::<u64>("frames").expect("a number"), 20);
    for field in ["location", "sidecar", "thumbnail"] {
        let path = fields.get::<String>(field).expect("a path");
        assert!(Path::new(&path).exists(), "{path}");
    }
    let json = fields.get::<String>("json").expect("JSON");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["recording"], json_of(&directory.path().join("1.json")));
}

#[test]
fn the_thumbnail_is_a_jpeg_of_the_clips_size() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    bench.eos();
    let picture = ffprobe(
        &directory.path().join("1.jpg"),
        "stream=codec_name,width,height",
    );
    assert_eq!(
        picture["streams"][0],
        json!({"codec_name": "mjpeg", "width": 320, "height": 240})
    );
}

#[test]
fn utc_comes_from_the_senders_clock_before_the_epoch() {
    let (directory, mut media) = (directory(), Media::new(10, 0));
    let unix = gst::Caps::new_empty_simple("timestamp/x-unix");
    let time = gst::ClockTime::from_seconds(1_700_000_000);
    gst::ReferenceTimestampMeta::add(media.buffers[0].make_mut(), &unix, time, None);
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.sink.set_property("epoch", 1_600_000_000 * SECOND);
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers);
    media.buffers[0].make_mut().remove_meta_of_reference();
    bench.record(&Boundary::new(2, 0.0, 1.0), &media.buffers);
    bench.eos();
    let clip = |n| json_of(&directory.path().join(format!("{n}.json")))["clip"].clone();
    assert_eq!(clip(1)["time_source"], "reference");
    assert_eq!(clip(1)["start"], "2023-11-14T22:13:20.000Z");
    assert_eq!(clip(2)["time_source"], "property");
    assert_eq!(clip(2)["start"], "2020-09-13T12:26:40.000Z");
}

/// Removes what the test above has added.
trait WithoutReference {
    fn remove_meta_of_reference(&mut self);
}

impl WithoutReference for gst::BufferRef {
    fn remove_meta_of_reference(&mut self) {
        if let Some(meta) = self.meta_mut::<gst::ReferenceTimestampMeta>() {
            meta.remove().expect("it is not locked");
        }
    }
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "is run by a_killed_process_loses_at_most_a_fragment_and_leaves_no_final_name"]
fn writes_until_it_is_killed() {
    let Ok(location) = std::env::var("EVR_TEST_LOCATION") else {
        return;
    };
    let media = Media::new(55, 0);
    let bench = Bench::new(&location);
    bench.play(&media);
    bench.boundary(&Boundary::new(1, 0.0, 9.0));
    bench.feed(&media.buffers);
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_process_loses_at_most_a_fragment_and_leaves_no_final_name() {
    let directory = directory();
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "writes_until_it_is_killed", "--ignored"])
        .env("EVR_TEST_LOCATION", within(&directory, "{n}.mp4"))
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let part = directory.path().join("1.mp4.part");
    let written = || {
        let output = Command::new("ffprobe")
            .args(["-v", "quiet", "-count_packets", "-of", "json"])
            .args(["-show_entries", "stream=nb_read_packets"])
            .arg(&part)
            .output()
            .expect("ffprobe is installed");
        let probed: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let packets = probed["streams"][0]["nb_read_packets"].as_str();
        packets.and_then(|n| n.parse().ok()).unwrap_or(0)
    };
    let patience = Instant::now() + Duration::from_secs(30);
    while written() < 45 {
        assert!(Instant::now() < patience, "only {} frames", written());
        std::thread::yield_now();
    }
    child.kill().expect("it runs");
    child.wait().expect("it has ended");
    assert!(written() >= 45, "{}", written());
    assert_eq!(names(directory.path()), ["1.mp4.part"]);
}
