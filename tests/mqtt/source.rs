//! mqtteventsrc: what it makes of what others say, and for which camera.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use serde_json::Value;

use crate::broker::{Broker, Door};
use crate::common::{first_error, launch, until};

/// A pipeline that collects the signals of a source that listens at this broker.
struct Listening {
    pipeline: gst::Pipeline,
    src: gst::Element,
    signals: Arc<Mutex<Vec<Value>>>,
}

impl Listening {
    fn new(url: &str, more: &str) -> Self {
        let pipeline = launch(&format!(
            "mqtteventsrc name=src broker={url} topic=evr/# {more} \
             ! appsink name=out sync=false async=false"
        ));
        let src = pipeline.by_name("src").expect("named in the line");
        let out = pipeline.by_name("out").expect("named in the line");
        let out: gst_app::AppSink = out.downcast().expect("an appsink");
        let signals = Arc::new(Mutex::new(Vec::new()));
        let heard = signals.clone();
        let take = move |sink: &gst_app::AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let map = sample.buffer().expect("a buffer").map_readable();
            let map = map.expect("readable");
            let lines = map.split(|byte| *byte == b'\n').filter(|l| !l.is_empty());
            let lines = lines.map(|line| serde_json::from_slice(line).expect("JSON"));
            heard.lock().expect("no panic under it").extend(lines);
            Ok(gst::FlowSuccess::Ok)
        };
        out.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(take)
                .build(),
        );
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let listening = Self {
            pipeline,
            src,
            signals,
        };
        listening.until_connected();
        listening
    }

    fn until_connected(&self) {
        until("it listens", || self.src.property("connected"));
    }

    #[track_caller]
    fn next(&self) -> Value {
        until("a signal comes", || !self.signals().is_empty());
        self.signals().remove(0)
    }

    fn signals(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.signals.lock().expect("no panic under it")
    }

    fn count(&self, property: &str) -> u64 {
        self.src.property(property)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[test]
fn what_others_say_becomes_signals_at_the_time_they_mean_or_now() {
    for version in ["3.1.1", "5"] {
        let directory = tempfile::tempdir().expect("a directory");
        let broker = Broker::open(directory.path());
        let more = format!("mqtt-version={version} max-delay=0");
        let listening = Listening::new(&broker.url(), &more);
        broker.publish(
            "evr/x",
            r#"{"action":"start","media_time":5,"label":"person"}"#,
        );
        let signal = listening.next();
        assert_eq!(signal["action"], "start");
        assert_eq!(signal["media_time"], 5);
        assert_eq!(signal["label"], "person");
        broker.publish("evr/x", "{}");
        assert!(listening.next()["media_time"].as_i64() > Some(5));
        broker.publish(
            "evr/x",
            r#"{"body":{"count":2},"applicationProperties":{"eventTime":"2020-05-17T17:53:44.062Z"}}"#,
        );
        let azure = listening.next();
        assert_eq!(azure["time"], "2020-05-17T17:53:44.062Z");
        assert_eq!(azure["count"], 2);
        broker.publish("evr/x", "nonsense");
        until("it is refused", || listening.count("refused") == 1);
        assert_eq!(listening.count("received"), 4);
    }
}

#[test]
fn a_time_that_cannot_be_is_replaced_by_now() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let listening = Listening::new(&broker.url(), "");
    broker.publish("evr/x", r#"{"media_time":999000000000}"#);
    let time = listening.next()["media_time"].as_i64();
    assert!(time < Some(999_000_000_000), "{time:?}");
    broker.publish("evr/x", r#"{"time":"2020-05-17T17:53:44Z"}"#);
    let signal = listening.next();
    assert!(
        signal["time"].is_null() && signal["media_time"].is_i64(),
        "{signal}"
    );
}

#[test]
fn a_message_for_another_camera_is_passed_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let listening = Listening::new(&broker.url(), "source-id=door");
    for camera in ["yard", "door"] {
        let command = format!(r#"{{"command":"start-recording","sensor":{{"id":"{camera}"}}}}"#);
        broker.publish("evr/x", &command);
    }
    broker.publish("evr/x", r#"{"id":"all"}"#);
    assert_eq!(listening.next()["action"], "start");
    assert_eq!(listening.next()["id"], "all");
    assert_eq!(listening.count("others"), 1);
}

#[test]
fn it_listens_again_when_the_broker_is_back_and_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let door = Door::before(broker.port);
    let listening = Listening::new(&door.url(), "");
    let bus = listening.pipeline.bus().expect("a pipeline has a bus");
    door.shut();
    let kinds = [gst::MessageType::Warning];
    let patience = gst::ClockTime::from_seconds(30);
    assert!(bus.timed_pop_filtered(patience, &kinds).is_some());
    assert!(!listening.src.property::<bool>("connected"));
    door.open();
    listening.until_connected();
    broker.publish("evr/x", r#"{"id":"again"}"#);
    assert_eq!(listening.next()["id"], "again");
}

#[test]
fn two_that_are_not_named_hear_side_by_side() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let both = [(), ()].map(|()| Listening::new(&broker.url(), ""));
    for id in ["1", "2", "3"] {
        broker.publish("evr/x", &format!(r#"{{"id":"{id}"}}"#));
        assert_eq!(
            both.each_ref().map(|one| one.next()["id"].clone()),
            [id, id]
        );
    }
    for one in &both {
        let bus = one.pipeline.bus().expect("a pipeline has a bus");
        let thrown_out = bus.pop_filtered(&[gst::MessageType::Warning]);
        assert!(thrown_out.is_none(), "{thrown_out:?}");
    }
}

#[test]
fn what_was_said_before_it_listened_is_no_news() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    broker.retain("evr/x", r#"{"id":"old"}"#);
    let listening = Listening::new(&broker.url(), "");
    broker.publish("evr/x", r#"{"id":"new"}"#);
    assert_eq!(listening.next()["id"], "new");
}

#[test]
fn a_broken_pattern_is_told_before_anything_runs() {
    let pipeline = launch("mqtteventsrc name=src topic=a#b ! fakesink");
    assert!(pipeline.set_state(gst::State::Playing).is_err());
    let why = first_error(&pipeline).expect("an error");
    assert!(why.starts_with("src: ") && why.contains("a#b"), "{why}");
    pipeline
        .set_state(gst::State::Null)
        .expect("it can be taken down");
}
