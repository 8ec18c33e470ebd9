//! mqtteventsink: what it tells, when the broker is there, when it is not, and to whom it tells it.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gst::prelude::*;
use serde_json::Value;

use crate::broker::{Broker, Door, Observer};
use crate::common::{first_error, init, launch, next_warning, play, trigger_at_first_frame, until};

/// A pipeline whose `src` takes lines for a sink that talks to this broker.
struct Told {
    pipeline: gst::Pipeline,
    src: gst_app::AppSrc,
    sink: gst::Element,
}

impl Told {
    fn new(url: &str, directory: &Path, more: &str) -> Self {
        let outbox = directory.join("outbox");
        let pipeline = launch(&format!(
            "appsrc name=src format=time is-live=true caps=application/x-json \
             ! mqtteventsink name=sink broker={url} outbox={} source-id=door {more}",
            outbox.display()
        ));
        let src = pipeline.by_name("src").expect("named in the line");
        let sink = pipeline.by_name("sink").expect("named in the line");
        Self {
            pipeline,
            src: src.downcast().expect("an appsrc"),
            sink,
        }
    }

    fn play(self) -> Self {
        self.pipeline
            .set_state(gst::State::Playing)
            .expect("it starts");
        self
    }

    fn say(&self, line: &str) {
        let buffer = gst::Buffer::from_slice(format!("{line}\n").into_bytes());
        self.src.push_buffer(buffer).expect("it runs");
    }

    fn say_ids(&self, ids: std::ops::Range<u32>) {
        for id in ids {
            self.say(&format!(r#"{{"id":"{id}"}}"#));
        }
    }

    fn count(&self, property: &str) -> u64 {
        self.sink.property(property)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).expect("JSON")
}

fn ids(observer: &Observer, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| {
            let heard = observer.next_of("/evr-signal");
            json(&heard.body)["id"].as_str().expect("a text").to_owned()
        })
        .collect()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|id| id.to_string()).collect()
}

#[test]
fn signals_arrive_in_order_and_the_broker_knows_whether_we_are_there() {
    for version in ["3.1.1", "5"] {
        let directory = tempfile::tempdir().expect("a directory");
        let broker = Broker::open(directory.path());
        let observer = broker.observer();
        let told = Told::new(
            &broker.url(),
            directory.path(),
            &format!("mqtt-version={version}"),
        )
        .play();
        let online = observer.next();
        assert_eq!(online.topic, "evr/door/available");
        assert_eq!(online.body, "online");
        told.say_ids(0..100);
        assert_eq!(ids(&observer, 100), numbers(0..100), "{version}");
        until("all are acknowledged", || told.count("waiting") == 0);
        assert_eq!(told.count("delivered"), 100);
        assert!(told.sink.property::<bool>("connected"));
        drop(told);
        assert_eq!(observer.next().body, "offline");
        // It is a state, which whoever comes later learns.
        let late = broker.observer().next();
        assert_eq!((late.body.as_str(), late.retained), ("offline", true));
    }
}

#[test]
fn what_happens_while_the_broker_is_away_arrives_when_it_is_back_and_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut broker = Broker::open(directory.path());
    let door = Door::before(broker.port);
    let observer = broker.observer();
    let told = Told::new(&door.url(), directory.path(), "").play();
    told.say_ids(0..20);
    assert_eq!(ids(&observer, 20), numbers(0..20));
    until("all are acknowledged", || told.count("waiting") == 0);
    broker.kill();
    door.shut();
    told.say_ids(20..40);
    until("they wait", || told.count("waiting") == 20);
    // The process ends while the broker is away, and begins anew.
    drop(told);
    let told = Told::new(&door.url(), directory.path(), "").play();
    told.say_ids(40..60);
    until("they wait", || told.count("waiting") == 40);
    broker.restart();
    let observer = broker.observer();
    door.open();
    assert_eq!(ids(&observer, 40), numbers(20..60));
    until("all are acknowledged", || told.count("waiting") == 0);
    assert_eq!(told.count("dropped"), 0);
}

#[test]
fn a_full_outbox_drops_the_oldest_and_counts_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let door = Door::before(broker.port);
    door.shut();
    let told = Told::new(&door.url(), directory.path(), "max-messages=10").play();
    told.say_ids(0..30);
    until("some are dropped", || told.count("dropped") == 20);
    assert_eq!(told.count("waiting"), 10);
    let observer = broker.observer();
    door.open();
    assert_eq!(ids(&observer, 10), numbers(20..30));
}

#[test]
fn recordings_are_told_in_azures_words_from_the_journal_of_eventsink() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let observer = broker.observer();
    let clips = directory.path().join("clips");
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=50 ! video/x-raw,width=160,height=120,framerate=25/1 \
         ! x264enc key-int-max=25 speed-preset=ultrafast ! h264parse ! signalgate name=gate \
         activation-signal-offset=0 minimum-activation-time=1000000000 \
         ! eventsink source-id=porch location={clips}/{{n}}.mp4 \
         mqtteventsink broker={url} format=azure journal={clips}/events.jsonl outbox={outbox}",
        clips = clips.display(),
        url = broker.url(),
        outbox = directory.path().join("outbox").display(),
    ));
    let gate = pipeline.by_name("gate").expect("named in the line");
    trigger_at_first_frame(&gate, None);
    play(&pipeline).expect("it runs to its end");
    for kind in ["RecordingStarted", "RecordingStopped", "RecordingAvailable"] {
        let heard = observer.next_of(&format!("evr/porch/{kind}"));
        let event = json(&heard.body);
        assert_eq!(
            event["eventType"],
            format!("Microsoft.VideoAnalyzer.Operational.{kind}")
        );
        assert_eq!(event["data"]["outputType"], "filePath");
        let location = event["data"]["outputLocation"].as_str().expect("a text");
        assert!(Path::new(location).exists(), "{location}");
    }
}

/// A CA, a certificate of the broker's and one of ours, as `openssl` makes them.
fn certificates(directory: &Path) {
    let script = "
        set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -keyout ca.key -out ca.pem -subj /CN=ca
        for name in broker client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                -keyout $name.key -out $name.csr -subj /CN=$name
            printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' > ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                -extfile ext -out $name.pem
        done";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(directory)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "openssl is installed: {said}");
}

#[test]
fn an_encrypted_connection_shows_who_we_are_and_trusts_nobody_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().display();
    certificates(directory.path());
    let broker = Broker::start(
        directory.path(),
        &format!(
            "allow_anonymous true\ncafile {path}/ca.pem\ncertfile {path}/broker.pem\n\
             keyfile {path}/broker.key\nrequire_certificate true\n"
        ),
    );
    let url = format!("mqtts://localhost:{}", broker.port);
    let ours = format!("cert-file={path}/client.pem key-file={path}/client.key");
    for version in ["3.1.1", "5"] {
        let more = format!("ca-file={path}/ca.pem {ours} mqtt-version={version}");
        let told = Told::new(&url, directory.path(), &more).play();
        told.say("{}");
        until("it is delivered", || told.count("delivered") == 1);
    }
    // Nobody whom this machine trusts vouches for the broker.
    let told = Told::new(&url, directory.path(), &ours).play();
    told.say("{}");
    let warning = warning(&told.pipeline);
    assert!(warning.contains("certificate"), "{warning}");
    assert_eq!(told.count("delivered"), 0);
}

/// The text of the next warning.
#[track_caller]
fn warning(pipeline: &gst::Pipeline) -> String {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    next_warning(&bus).expect("a warning in time")
}

#[test]
fn a_password_is_taken_and_never_shown() {
    static LOGGED: AtomicBool = AtomicBool::new(false);
    static CONNECTED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    init();
    gst::log::remove_default_log_function();
    gst::log::add_log_function(|category, _, _, _, _, _, message| {
        let text = message.get().unwrap_or_default();
        if text.contains("SECRET") {
            LOGGED.store(true, Ordering::Relaxed);
        }
        if category.name() == "mqtteventsink" && text.contains("Connected to") {
            let mut connected = CONNECTED.lock().expect("nothing panics under it");
            connected.push(text.to_string());
        }
    });
    for element in ["mqtteventsink", "mqtteventsrc"] {
        gst::log::set_threshold_for_name(element, gst::DebugLevel::Trace);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let passwords = directory.path().join("passwords");
    fs::write(&passwords, "").expect("written");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", passwords.to_str().expect("UTF-8"), "cam", "SECRET"])
        .output();
    assert!(made.expect("mosquitto is installed").status.success());
    let config = format!(
        "allow_anonymous false\npassword_file {}\n",
        passwords.display()
    );
    let broker = Broker::start(directory.path(), &config);
    let place = format!("127.0.0.1:{}", broker.port);
    for url in [format!("mqtt://cam:SECRET@{place}"), broker.url()] {
        let more = if url.contains('@') {
            ""
        } else {
            "user=cam password=SECRET"
        };
        let told = Told::new(&url, directory.path(), more).play();
        told.say("{}");
        until("it is delivered", || told.count("delivered") == 1);
        shows_nothing(&told.pipeline, &told.sink);
    }
    let told = Told::new(&format!("mqtt://cam:SECRET2@{place}"), directory.path(), "").play();
    let why = warning(&told.pipeline);
    assert!(why.contains(&place) && !why.contains("SECRET"), "{why}");
    shows_nothing(&told.pipeline, &told.sink);
    let line = format!("mqtteventsrc name=src broker=mqtt://cam:SECRET2@{place} ! fakesink");
    let pipeline = launch(&line);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let why = self::warning(&pipeline);
    assert!(why.contains(&place) && !why.contains("SECRET"), "{why}");
    shows_nothing(
        &pipeline,
        &pipeline.by_name("src").expect("named in the line"),
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
    // Else the log was not read.
    let connected = CONNECTED.lock().expect("nothing panics under it");
    let ours = connected.iter().filter(|line| line.contains(&place));
    assert!(ours.count() >= 2, "{connected:?}");
    assert!(!LOGGED.load(Ordering::Relaxed));
}

/// Neither a dump, nor a property, nor a message of the element's holds the password.
fn shows_nothing(pipeline: &gst::Pipeline, element: &gst::Element) {
    let dot = pipeline.debug_to_dot_data(gst::DebugGraphDetails::all());
    assert!(!dot.contains("SECRET"));
    for spec in element.list_properties() {
        if spec.flags().contains(glib::ParamFlags::READABLE) {
            let value = format!("{:?}", element.property_value(spec.name()));
            assert!(!value.contains("SECRET"), "{}", spec.name());
        }
    }
    let bus = pipeline.bus().expect("a pipeline has a bus");
    while let Some(message) = bus.pop() {
        assert!(!format!("{message:?}").contains("SECRET"), "{message:?}");
    }
}

#[test]
fn a_lost_client_is_told_to_others_by_the_broker() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let door = Door::before(broker.port);
    let observer = broker.observer();
    let _told = Told::new(&door.url(), directory.path(), "").play();
    assert_eq!(observer.next_of("/available").body, "online");
    door.shut();
    assert_eq!(observer.next_of("/available").body, "offline");
    door.open();
    assert_eq!(observer.next_of("/available").body, "online");
}

#[test]
fn what_cannot_work_says_so_before_anything_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let why = |url: &str, more: &str| {
        let told = Told::new(url, directory.path(), more);
        assert!(
            told.pipeline.set_state(gst::State::Playing).is_err(),
            "{url} {more}"
        );
        let why = first_error(&told.pipeline).expect("an error");
        assert!(why.starts_with("sink: "), "{why}");
        why
    };
    assert!(why("http://x", "").contains("mqtt://"));
    assert!(why("mqtt://x", "topic=evr/#").contains("evr/#"));
    assert!(why("mqtt://x", "ca-file=/nowhere").contains("mqtts://"));
    assert!(why("mqtts://x", "ca-file=/nowhere").contains("/nowhere"));
    assert!(why("mqtts://x", "cert-file=/nowhere").contains("key-file"));
    assert!(why("mqtt://x", "password=p").contains("user"));
    let told = Told::new("mqtt://127.0.0.1:1", directory.path(), "").play();
    assert!(why("mqtt://127.0.0.1:1", "").contains("another element"));
    drop(told);
}

#[test]
fn a_wrong_line_is_told_and_costs_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let observer = broker.observer();
    let told = Told::new(&broker.url(), directory.path(), "").play();
    told.say("nonsense");
    told.say_ids(0..1);
    assert_eq!(ids(&observer, 1), ["0"]);
    assert_eq!(told.count("refused"), 1);
    assert!(warning(&told.pipeline).contains("JSON"));
    assert!(observer.hears_nothing(Duration::from_millis(100)));
}
