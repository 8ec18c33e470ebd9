//! rtspcamera against a real RTSP server, which runs in a process of its own, so that it can be
//! killed and come back.

mod common;

#[path = "mqtt/broker.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod broker;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use serde_json::json;

use broker::{Broker, Observer};
use common::{PATIENCE, free_port, launch, until};

/// On which port the server shall serve.
const PORT: &str = "EVR_RTSP_PORT";
/// Whether it shall ask who is there.
const LOGIN: &str = "EVR_RTSP_LOGIN";
const STREAM: &str = "videotestsrc is-live=true pattern=ball \
    ! video/x-raw,width=160,height=120,framerate=25/1 \
    ! x264enc tune=zerolatency key-int-max=25 speed-preset=ultrafast ! rtph264pay name=pay0 \
    audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! avenc_aac ! rtpmp4gpay name=pay1";

/// A camera whose sound no clip of ours can hold.
const ODD_STREAM: &str = "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=25/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast ! rtph264pay name=pay0 \
    audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! audioconvert ! rtpL16pay name=pay1";

/// Not a test: what the tests connect to.
#[test]
#[ignore = "the tests of this file run it in a process of its own"]
fn serves_until_it_is_killed() {
    gst::init().expect("GStreamer is installed");
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&std::env::var(PORT).expect("run by a test"));
    let mounts = server.mount_points().expect("a new server has some");
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(&format!("( {STREAM} )"));
    factory.set_shared(true);
    mounts.add_factory("/live", factory.clone());
    let odd = gst_rtsp_server::RTSPMediaFactory::new();
    odd.set_launch(&format!("( {ODD_STREAM} )"));
    mounts.add_factory("/odd", odd);
    if std::env::var_os(LOGIN).is_some() {
        let auth = gst_rtsp_server::RTSPAuth::new();
        let role = gst_rtsp_server::RTSP_TOKEN_MEDIA_FACTORY_ROLE;
        let token = gst_rtsp_server::RTSPToken::builder().field(role, "user");
        let basic = gst_rtsp_server::RTSPAuth::make_basic("admin", "s3cret");
        auth.add_basic(basic.as_str(), &token.build());
        server.set_auth(Some(&auth));
        let access = gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_ACCESS;
        let construct = gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT;
        let permissions = gst::Structure::builder("user")
            .field(access, true)
            .field(construct, true);
        factory.add_role_from_structure(&permissions.build());
    }
    let _source = server.attach(None).expect("the port is free");
    glib::MainLoop::new(None, false).run();
}

/// A server in a process of its own, killed if a test fails.
struct Server {
    process: Child,
    port: u16,
    login: bool,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    fn start(login: bool) -> Self {
        let port = free_port();
        let process = serve(port, login);
        Self {
            process,
            port,
            login,
        }
    }

    fn kill(&mut self) {
        // It may be dead.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn restart(&mut self) {
        self.process = serve(self.port, self.login);
    }

    fn location(&self, path: &str) -> String {
        format!("rtsp://127.0.0.1:{}{path}", self.port)
    }
}

fn serve(port: u16, login: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this test runs"));
    if login {
        command.env(LOGIN, "1");
    }
    command
        .args(["--ignored", "--exact", "serves_until_it_is_killed"])
        .env(PORT, port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test's own program")
}

/// The next element message of that name.
fn told(pipeline: &gst::Pipeline, name: &str) -> gst::Structure {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let patience = Instant::now() + Duration::from(PATIENCE);
    while let Some(message) = bus.timed_pop(PATIENCE) {
        if let gst::MessageView::Error(err) = message.view() {
            panic!("{}", err.error());
        }
        match message.structure() {
            Some(fields) if fields.name() == name => return fields.to_owned(),
            _ => assert!(Instant::now() < patience, "{name} is not told"),
        }
    }
    panic!("{name} is not told")
}

fn trigger(pipeline: &gst::Pipeline) {
    let gate = pipeline.by_name("gate").expect("named in the line");
    let id = gate.emit_by_name::<Option<String>>("trigger", &[&None::<String>]);
    assert!(id.is_some(), "a gate that runs takes signals");
}

/// Counts the frames that leave the camera.
fn count(pipeline: &gst::Pipeline) -> Arc<AtomicU64> {
    let camera = pipeline.by_name("camera").expect("named in the line");
    let counted = Arc::new(AtomicU64::new(0));
    let counter = counted.clone();
    let pad = camera.static_pad("src").expect("always there");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    counted
}

/// Waits until two more seconds have come: more than is held back of before.
fn wait_for_media(counted: &AtomicU64) {
    let enough = counted.load(Ordering::Relaxed) + 50;
    until("media comes", || counted.load(Ordering::Relaxed) >= enough);
}

#[test]
fn a_camera_that_goes_and_comes_back_costs_no_clip() {
    let mut server = Server::start(false);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pipeline = launch(&format!(
        "rtspcamera name=camera location={} source-id=porch \
         ! signalgate name=gate activation-signal-offset=-1000000000 \
           minimum-activation-time=3000000000 \
         ! sink.video camera.audio_0 ! gate.sink_0 gate.src_0 ! sink.audio_0 \
         eventsink name=sink location={}/{{n}}.mp4",
        server.location("/live"),
        directory.path().display()
    ));
    let counted = count(&pipeline);
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let connected = told(&pipeline, "evr-source-connected");
    let sdp = connected.get::<String>("sdp").expect("a description");
    assert!(sdp.starts_with("v=0"), "{sdp}");
    assert_eq!(connected.get("source"), Ok("porch"));
    wait_for_media(&counted);
    trigger(&pipeline);
    told(&pipeline, "evr-recording-started");
    server.kill();
    told(&pipeline, "evr-source-lost");
    // The gate has got no frame of the last seconds, and yet closes, as time has passed.
    let first = told(&pipeline, "evr-recording-available");
    assert_eq!(first.get("state"), Ok("complete"), "{first}");
    server.restart();
    told(&pipeline, "evr-source-connected");
    wait_for_media(&counted);
    trigger(&pipeline);
    let second = told(&pipeline, "evr-recording-available");
    assert_eq!(second.get("state"), Ok("complete"), "{second}");
    assert!(
        second.get::<u64>("frames").expect("a number") >= 50,
        "{second}"
    );
    pipeline.send_event(gst::event::Eos::new());
    common::wait_for_eos(&pipeline).expect("an EOS ends a camera too");
    pipeline.set_state(gst::State::Null).expect("it stops");
    for clip in ["1.mp4", "2.mp4"] {
        let clip = directory.path().join(clip);
        let line = format!("filesrc location={} ! decodebin ! fakesink", clip.display());
        common::play(&launch(&line)).expect("GStreamer plays it");
    }
}

#[test]
fn a_camera_that_refuses_is_told_of_and_its_password_never_shown() {
    let server = Server::start(true);
    let wrong = server.location("/live").replace("//", "//admin:wr0ng@");
    let pipeline = launch(&format!(
        "rtspcamera name=camera location={wrong} ! fakesink"
    ));
    let camera = pipeline.by_name("camera").expect("named in the line");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let refused = told(&pipeline, "evr-source-refused");
    assert_eq!(refused.get("code"), Ok(401u32), "{refused}");
    let json = refused
        .get::<String>("json")
        .expect("it is told as JSON too");
    assert!(!json.contains("wr0ng"), "{json}");
    assert_eq!(
        camera.property::<String>("location"),
        server.location("/live")
    );
    let dump = pipeline.debug_to_dot_data(gst::DebugGraphDetails::all());
    assert!(
        dump.contains("RtspCamera") && !dump.contains("wr0ng"),
        "{dump}"
    );
    pipeline.set_state(gst::State::Ready).expect("it stops");
    camera.set_property("location", server.location("/live"));
    camera.set_property("user-id", "admin");
    camera.set_property("user-pw", "s3cret");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    told(&pipeline, "evr-source-connected");
    pipeline.set_state(gst::State::Ready).expect("it stops");
    camera.set_property("location", server.location("/nowhere"));
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let refused = told(&pipeline, "evr-source-refused");
    assert_eq!(refused.get("code"), Ok(404u32), "{refused}");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

/// What is told of a camera in Azure's words, by the pad `lifecycle` and a broker.
struct Heard {
    observer: Observer,
    broker: Broker,
    outbox: tempfile::TempDir,
}

impl Heard {
    fn new() -> Self {
        let outbox = tempfile::tempdir().expect("a temporary directory");
        let broker = Broker::open(outbox.path());
        let observer = broker.observer();
        Self {
            observer,
            broker,
            outbox,
        }
    }

    /// Connects to this camera and collects the data of these kinds of events, in their order. It
    /// tries again and again, so of one that went before there may be more.
    fn of<const N: usize>(&self, location: &str, kinds: [&str; N]) -> [serde_json::Value; N] {
        let pipeline = launch(&format!(
            "rtspcamera name=camera source-id=porch location={location} ! fakesink \
             camera.lifecycle ! mqtteventsink format=azure broker={} outbox={}",
            self.broker.url(),
            self.outbox.path().join("outbox").display()
        ));
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let target = location.replace("admin:wr0ng@", "");
        let events = kinds.map(|kind| {
            loop {
                let heard = self.observer.next_of(&format!("evr/porch/{kind}"));
                assert!(!heard.body.contains("wr0ng"), "{}", heard.body);
                let event: serde_json::Value = serde_json::from_str(&heard.body).expect("JSON");
                let event_type = format!("Microsoft.VideoAnalyzer.Diagnostics.{kind}");
                assert_eq!(event["eventType"], event_type);
                let subject = "/edgeModules/evr/livePipelines/porch/sources/rtspcamera";
                assert_eq!(event["subject"], subject);
                let of = event["data"]["target"].as_str();
                if of.is_none_or(|of| of == target) {
                    break event["data"].clone();
                }
            }
        });
        pipeline.set_state(gst::State::Null).expect("it stops");
        events
    }
}

#[test]
fn what_becomes_of_the_connection_is_told_in_azures_words() {
    let (open, locked, heard) = (Server::start(false), Server::start(true), Heard::new());
    let target = locked.location("/live");
    let [refused] = heard.of(&target.replace("//", "//admin:wr0ng@"), ["ProtocolError"]);
    let expected = json!({"code": "401", "target": target, "protocol": "rtsp"});
    assert_eq!(refused, expected);
    let target = open.location("/nowhere");
    let [refused] = heard.of(&target, ["ProtocolError"]);
    let expected = json!({"code": "404", "target": target, "protocol": "rtsp"});
    assert_eq!(refused, expected);
    let kinds = ["MediaSessionEstablished", "MediaFormatError"];
    let [session, format] = heard.of(&open.location("/odd"), kinds);
    let sdp = session["sdp"].as_str().expect("a text");
    assert!(sdp.starts_with("SDP:\nv=0") && sdp.contains("L16"), "{sdp}");
    assert_eq!(format["code"], "unsupportedAudioFormat");
    assert!(format["timestamp"].is_i64(), "{format}");
}

#[test]
fn what_is_no_address_is_refused_in_one_sentence() {
    let pipeline = launch("rtspcamera name=camera location=http://a:s3cret@b/c ! fakesink");
    let started = pipeline.set_state(gst::State::Playing);
    assert!(started.is_err(), "there is nothing to connect to");
    let error = common::first_error(&pipeline).expect("it says why");
    assert!(
        error.contains("camera: location is no RTSP address"),
        "{error}"
    );
    assert!(!error.contains("s3cret"));
    pipeline.set_state(gst::State::Null).expect("it stops");
}
