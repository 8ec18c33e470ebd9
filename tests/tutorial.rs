//! The tutorial of Azure Video Analyzer from end to end, each part in a process of its own: a camera
//! behind RTSP, a model server, a broker, the program that counts, and `pipelines/tutorial.sh`.

#![cfg(feature = "http")]

mod common;

#[path = "mqtt/broker.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod broker;

#[path = "../examples/object_counter.rs"]
#[allow(dead_code, reason = "its arguments are given here")]
mod object_counter;

use std::{
    fs,
    io::{BufRead, BufReader},
    iter,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use serde_json::Value;

use broker::{Broker, Observer};
use common::{asset, stage::Stage, until};

/// Tells the counter where the broker is.
const BROKER: &str = "EVR_TUTORIAL_BROKER";
/// What the camera shows again and again, in seconds of the clip: somebody from 6 to 8, and nobody.
const SHOWN: [(u64, u64); 2] = [(4, 8), (12, 20)];

/// A process that is killed if the test fails.
struct Part(Child);

impl Part {
    /// Starts it; the rest of the first line that it prints with this before, once it has.
    fn start(command: &mut Command, before: &str) -> (Self, String) {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|err| panic!("{command:?}: {err}"));
        let mut part = Self(child);
        let mut lines = BufReader::new(part.0.stdout.take().expect("piped"));
        let mut line = String::new();
        let told = loop {
            line.clear();
            let read = lines.read_line(&mut line).expect("text");
            assert!(read > 0, "{command:?} ends without a word");
            // The test runner's own words may stand before.
            if let Some((_, told)) = line.split_once(before) {
                break format!("{before}{}", told.trim());
            }
        };
        // It would be held up if nobody read on.
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        (part, told)
    }

    /// One of this file's own programs.
    fn of_this_file(name: &str, broker: &str, before: &str) -> (Self, String) {
        let mut command = Command::new(std::env::current_exe().expect("this test runs"));
        command
            .args(["--ignored", "--exact", "--nocapture", name])
            .env(BROKER, broker);
        Self::start(&mut command, before)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test: the program that counts.
#[test]
#[ignore = "the test of this file runs it in a process of its own"]
fn counts_until_it_is_killed() {
    let broker = std::env::var(BROKER).expect("run by a test");
    object_counter::run(&broker, "person", 0.5).expect("it counts");
}

/// Not a test: the camera.
#[test]
#[ignore = "the test of this file runs it in a process of its own"]
fn serves_until_it_is_killed() {
    common::init();
    let shown: Vec<_> = SHOWN
        .iter()
        .flat_map(|(from, to)| packets(*from, *to))
        .collect();
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service("0");
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(
        "( appsrc name=feed is-live=true format=time block=true max-buffers=10 \
         ! h264parse ! rtph264pay name=pay0 config-interval=-1 )",
    );
    factory.set_shared(true);
    factory.connect_media_configure(move |_, media| {
        let bin: gst::Bin = media.element().downcast().expect("several elements");
        let feed = bin.by_name("feed").expect("named in the line");
        let feed: gst_app::AppSrc = feed.downcast().expect("an appsrc");
        let shown = shown.clone();
        thread::spawn(move || show(&feed, &shown));
    });
    let mounts = server.mount_points().expect("a new server has some");
    mounts.add_factory("/live", factory);
    let _source = server.attach(None).expect("a port is free");
    println!("rtsp://127.0.0.1:{}/live", server.bound_port());
    glib::MainLoop::new(None, false).run();
}

/// The clip's packets between these seconds, which begin with a keyframe.
fn packets(from: u64, to: u64) -> Vec<gst::Sample> {
    let pipeline = common::launch(&format!(
        "filesrc location={} ! qtdemux ! appsink name=out sync=false",
        asset("EVR_TEST_CLIP").display()
    ));
    let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let range = gst::ClockTime::from_seconds(from)..gst::ClockTime::from_seconds(to);
    let samples = std::iter::from_fn(|| out.pull_sample().ok());
    let packets = samples
        .filter(|sample| {
            let time = sample.buffer().and_then(gst::BufferRef::pts);
            time.is_some_and(|time| range.contains(&time))
        })
        .collect();
    pipeline.set_state(gst::State::Null).expect("it stops");
    packets
}

/// Shows them again and again, until nobody looks.
fn show(feed: &gst_app::AppSrc, shown: &[gst::Sample]) {
    let mut time = gst::ClockTime::ZERO;
    for sample in shown.iter().cycle() {
        let mut buffer = sample.buffer_owned().expect("it has one");
        let frame = buffer.make_mut();
        frame.set_pts(time);
        frame.set_dts(time);
        time += frame.duration().expect("the clip tells");
        let sample = gst::Sample::builder()
            .buffer(&buffer)
            .caps(&sample.caps_owned().expect("it has some"))
            .build();
        if feed.push_sample(&sample).is_err() {
            return;
        }
    }
}

/// The script, with the plugin as just built.
fn tutorial(stage: &Stage, recordings: &Path, camera: &str, server: &str, broker: &str) -> Part {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/tutorial.sh");
    let process = stage
        .command(script)
        .args([camera, server])
        .arg(recordings)
        .arg(broker)
        .stdout(Stdio::null())
        .spawn();
    Part(process.expect("the script runs"))
}

/// The next message of this kind about the camera.
fn next(observer: &Observer, kind: &str) -> Value {
    let heard = observer.next_of(&format!("evr/door/{kind}"));
    serde_json::from_str(&heard.body).expect("JSON")
}

/// The moment that the next trigger asks to record, in ms since 1970.
fn moment(triggers: &Observer) -> i64 {
    let heard = triggers.next_of("evr/trigger");
    let trigger: Value = serde_json::from_str(&heard.body).expect("JSON");
    milliseconds(&trigger["applicationProperties"]["eventTime"])
}

#[test]
fn what_a_model_server_finds_makes_a_program_ask_for_a_recording_of_that_moment() {
    let stage = Stage::new();
    let recordings = stage.path().join("recordings");
    let broker = Broker::open(stage.path());
    let (_camera, camera) = Part::of_this_file("serves_until_it_is_killed", "", "rtsp://");
    let (_server, server) = Part::start(
        Command::new(asset("EVR_TEST_PYTHON"))
            .arg("tests/reference/model_server.py")
            .arg(asset("EVR_TEST_MODEL")),
        "http://",
    );
    let (_counter, _) = Part::of_this_file("counts_until_it_is_killed", &broker.url(), "listening");
    let observer = broker.observer();
    let triggers = broker.observer();
    let server = format!("{server}/score");
    let mut tutorial = tutorial(&stage, &recordings, &camera, &server, &broker.url());

    let session = next(&observer, "MediaSessionEstablished");
    let sdp = session["data"]["sdp"].as_str().expect("a text");
    assert!(sdp.starts_with("SDP:\nv=0"), "{sdp}");
    for kind in ["RecordingStarted", "RecordingStopped", "RecordingAvailable"] {
        let event = next(&observer, kind);
        let event_type = format!("Microsoft.VideoAnalyzer.Operational.{kind}");
        assert_eq!(event["eventType"], event_type);
        let subject = "/edgeModules/evr/livePipelines/door/sinks/eventsink";
        assert_eq!(event["subject"], subject);
        assert_eq!(event["dataVersion"], "1.0");
        assert_eq!(event["data"]["outputType"], "filePath");
        let clip = event["data"]["outputLocation"].as_str().expect("a text");
        assert!(Path::new(clip).starts_with(&recordings), "{clip}");
    }

    // As if somebody pressed Ctrl-C: what is being recorded is finished.
    let pid = tutorial.0.id().to_string();
    let told = Command::new("kill").args(["-INT", &pid]).status();
    assert!(told.expect("kill is there").success());
    let mut ended = None;
    until("the pipeline ends", || {
        ended = tutorial.0.try_wait().expect("our child");
        ended.is_some()
    });
    assert!(ended.is_some_and(|ended| ended.success()), "{ended:?}");
    let sidecar = first_sidecar(&recordings);
    let signals = sidecar["signals"].as_array().expect("a list");
    assert_eq!(sidecar["event"]["start"], signals[0]["time"], "{sidecar}");
    // The moments that the frames were about, however long it took around. Of the frames that are
    // asked about, 200 ms apart, the first may have been told before anybody listened for triggers.
    for signal in signals {
        let time = milliseconds(&signal["time"]);
        let past = |moment| moment < time - 50;
        let moment = iter::repeat_with(|| moment(&triggers)).find(|&moment| !past(moment));
        assert!(moment <= Some(time + 50), "{signal}: {sidecar}");
    }
    assert_eq!(sidecar["state"], "complete");
    assert!(
        sidecar["clip"]["duration"].as_f64() > Some(4.5),
        "{sidecar}"
    );
}

/// What was recorded first.
fn first_sidecar(recordings: &Path) -> Value {
    let entries = fs::read_dir(recordings).expect("it is there");
    let mut sidecars: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    sidecars.sort();
    let text = fs::read_to_string(&sidecars[0]).expect("readable");
    serde_json::from_str(&text).expect("JSON")
}

fn milliseconds(time: &Value) -> i64 {
    let text = time.as_str().expect("a text");
    evr_core::time::parse_rfc3339(text).expect("a time") / 1_000_000
}
