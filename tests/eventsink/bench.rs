//! What the tests share: encoded media, hand-made boundaries, an eventsink to feed, and ffprobe.

use std::fs;
use std::path::Path;
use std::process::Command;

use gst::prelude::*;
use serde_json::{Value, json};

pub(crate) use crate::common::PATIENCE;
use crate::common::{init, schemas};

pub(crate) const SECOND: i64 = 1_000_000_000;

/// Encoded frames of 320x240 at 10 fps with a sync point every second, in decode order.
pub(crate) struct Media {
    pub(crate) caps: gst::Caps,
    pub(crate) segment: gst::Segment,
    pub(crate) buffers: Vec<gst::Buffer>,
}

impl Media {
    pub(crate) fn new(frames: u32, bframes: u32) -> Self {
        Self::sized(frames, bframes, 320)
    }

    pub(crate) fn sized(frames: u32, bframes: u32, width: u32) -> Self {
        Self::encoded(&format!(
            "videotestsrc num-buffers={frames} ! video/x-raw,width={width},height=240,\
             framerate=10/1 ! x264enc key-int-max=10 bframes={bframes} b-adapt=false \
             speed-preset=ultrafast bitrate=200 option-string=scenecut=0 ! h264parse ! \
             video/x-h264,stream-format=avc,alignment=au"
        ))
    }

    /// `seconds` of stereo AAC at 48 kHz.
    pub(crate) fn audio(seconds: u32) -> Self {
        let buffers = seconds * 48_000 / 1024 + 1;
        Self::encoded(&format!(
            "audiotestsrc num-buffers={buffers} samplesperbuffer=1024 ! \
             audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! \
             audio/mpeg,stream-format=raw"
        ))
    }

    /// Whatever comes out of these elements.
    pub(crate) fn encoded(elements: &str) -> Self {
        init();
        let pipeline = gst::parse::launch(&format!("{elements} ! appsink name=out sync=false"));
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

    pub(crate) fn pts(&self, buffer: &gst::Buffer) -> i64 {
        let segment = self.segment.downcast_ref::<gst::ClockTime>();
        let running = segment
            .expect("a segment of time")
            .to_running_time(buffer.pts())
            .expect("x264enc stamps within its segment");
        running.nseconds() as i64
    }
}

/// An eventsink in a pipeline of its own, fed from the test's thread.
pub(crate) struct Bench {
    pub(crate) pipeline: gst::Pipeline,
    pub(crate) sink: gst::Element,
    pub(crate) pad: gst::Pad,
    pub(crate) bus: gst::Bus,
}

impl Bench {
    pub(crate) fn new(location: &str) -> Self {
        init();
        let sink = gst::ElementFactory::make("eventsink")
            .property("location", location)
            // Most tests look at what lies in the directory.
            .property("journal", false)
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
    pub(crate) fn play(&self, media: &Media) {
        self.pipeline
            .set_state(gst::State::Playing)
            .expect("it starts");
        assert!(self.pad.send_event(gst::event::StreamStart::new("test")));
        self.announce(media);
    }

    pub(crate) fn announce(&self, media: &Media) {
        announce(&self.pad, media);
    }

    /// A further pad, with its stream announced.
    pub(crate) fn beside(&self, name: &str, media: &Media) -> gst::Pad {
        let pad = self.sink.request_pad_simple(name).expect("it is offered");
        assert!(pad.send_event(gst::event::StreamStart::new(name)));
        announce(&pad, media);
        pad
    }

    pub(crate) fn boundary(&self, boundary: &Boundary) {
        assert!(self.pad.send_event(boundary.event()));
    }

    pub(crate) fn feed<'a>(&self, buffers: impl IntoIterator<Item = &'a gst::Buffer>) {
        for buffer in buffers {
            self.pad.chain(buffer.clone()).expect("it is taken");
        }
    }

    /// A whole recording of these buffers.
    pub(crate) fn record(&self, boundary: &Boundary, buffers: &[gst::Buffer]) {
        self.boundary(boundary);
        self.feed(buffers);
        self.boundary(&boundary.closing());
    }

    pub(crate) fn message(&self, name: &str) -> gst::Message {
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
            if let Some(fields) = message.structure()
                && fields.name() == "evr-recording-failed"
            {
                eprintln!("{fields}");
            }
            if let gst::MessageView::Warning(warning) = message.view() {
                eprintln!("{}", warning.error());
            }
            if let gst::MessageView::Error(error) = message.view() {
                panic!("waiting for {name}, got the error {}", error.error());
            }
        }
    }

    pub(crate) fn text(&self, name: &str, field: &str) -> String {
        let message = self.message(name);
        let fields = message.structure().expect("it was chosen by them");
        fields.get(field).expect("a text")
    }

    pub(crate) fn eos(&self) {
        for pad in self.sink.sink_pads() {
            assert!(pad.send_event(gst::event::Eos::new()));
        }
        let message = self
            .bus
            .timed_pop_filtered(PATIENCE, &[gst::MessageType::Eos])
            .expect("EOS");
        assert_eq!(message.type_(), gst::MessageType::Eos);
    }

    pub(crate) fn counted(&self, name: &str) -> u64 {
        self.sink.property(name)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
        if !std::thread::panicking() {
            let location: String = self.sink.property("location");
            schemas::check(&schemas::directory(&location));
        }
    }
}

/// What signalgate would send; times in seconds.
#[derive(Clone)]
pub(crate) struct Boundary {
    pub(crate) id: u64,
    pub(crate) phase: &'static str,
    pub(crate) asked: f64,
    pub(crate) sync_point: f64,
    pub(crate) end: f64,
    pub(crate) event: (f64, f64),
    pub(crate) continues_from: Option<u64>,
    pub(crate) signals: Value,
}

impl Boundary {
    pub(crate) fn new(id: u64, sync_point: f64, end: f64) -> Self {
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

    pub(crate) fn closing(&self) -> Self {
        Self {
            phase: "close",
            ..self.clone()
        }
    }

    pub(crate) fn event(&self) -> gst::Event {
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

pub(crate) fn announce(pad: &gst::Pad, media: &Media) {
    assert!(pad.send_event(gst::event::Caps::new(&media.caps)));
    assert!(pad.send_event(gst::event::Segment::new(&media.segment)));
}

/// Times of the packets of one stream, such as `a:0`, in seconds and in order of time.
pub(crate) fn packets(file: &Path, stream: &str) -> Vec<f64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream])
        .args(["-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let words = text.split([',', '\n']).filter(|word| !word.is_empty());
    let mut times: Vec<f64> = words.map(|time| time.parse().expect("seconds")).collect();
    times.sort_by(f64::total_cmp);
    times
}

pub(crate) fn ffprobe(file: &Path, entries: &str) -> Value {
    ffprobe_of(file, "v:0", entries)
}

pub(crate) fn ffprobe_of(file: &Path, stream: &str, entries: &str) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", stream])
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

pub(crate) fn frames(file: &Path) -> usize {
    let probed = ffprobe(file, "stream=nb_read_frames");
    let frames = probed["streams"][0]["nb_read_frames"].as_str();
    frames.and_then(|n| n.parse().ok()).expect("a number")
}

/// Times of the frames in the order in which they are shown, in milliseconds.
pub(crate) fn shown(file: &Path) -> Vec<i64> {
    let probed = ffprobe(file, "frame=pts_time");
    let times = probed["frames"].as_array().expect("frames").iter();
    times
        .map(|frame| {
            let time = frame["pts_time"].as_str().expect("a time");
            (time.parse::<f64>().expect("seconds") * 1000.0).round() as i64
        })
        .collect()
}

pub(crate) fn json_of(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("it exists")).expect("JSON")
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

pub(crate) fn within(directory: &tempfile::TempDir, name: &str) -> String {
    let path = directory.path().join(name);
    path.into_os_string().into_string().expect("UTF-8")
}

pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}
