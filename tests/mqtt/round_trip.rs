//! Media time over the broker: a recording shows the moment that was meant, however long the message
//! has taken.

use std::thread;

use gst::prelude::*;

use crate::broker::{Broker, until};
use crate::common::launch;

const MEANT: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// Records a stretch of a live camera because of a message about second 2 that comes so much later;
/// the running time of the first frame and how many there are.
fn recorded(broker: &Broker, late: gst::ClockTime) -> (i64, u64) {
    let directory = tempfile::tempdir().expect("a directory");
    let camera = format!("camera-{late}");
    let pipeline = launch(&format!(
        "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=25/1 \
         ! x264enc tune=zerolatency key-int-max=5 speed-preset=ultrafast ! h264parse \
         ! signalgate name=gate activation-evaluation-window=0 activation-signal-offset=-1000000000 \
         minimum-activation-time=1000000000 signal-latency=3000000000 \
         ! eventsink thumbnail=false location={}/{{n}}.mp4 \
         mqtteventsrc name=src source-id={camera} broker={} ! gate.signal",
        directory.path().display(),
        broker.url(),
    ));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let src = pipeline.by_name("src").expect("named in the line");
    until("it listens", || src.property("connected"));
    until("the moment has come", || {
        pipeline.current_running_time() >= Some(MEANT + late)
    });
    let message = format!(
        r#"{{"media_time":{},"source_id":"{camera}"}}"#,
        MEANT.nseconds()
    );
    broker.publish("evr/trigger", &message);
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let found = loop {
        let message = bus
            .timed_pop_filtered(
                gst::ClockTime::from_seconds(30),
                &[gst::MessageType::Element, gst::MessageType::Error],
            )
            .expect("a recording in time");
        let fields = message.structure().expect("it has fields");
        if fields.name() == "evr-recording-available" {
            let frames = fields.get("frames").expect("it tells");
            break (fields.get("start").expect("it tells"), frames);
        }
    };
    pipeline
        .set_state(gst::State::Null)
        .expect("it can be taken down");
    found
}

#[test]
fn a_message_that_takes_two_seconds_records_the_same_frames() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let (at_once, late) = thread::scope(|scope| {
        let at_once = scope.spawn(|| recorded(&broker, gst::ClockTime::ZERO));
        let late = scope.spawn(|| recorded(&broker, gst::ClockTime::from_seconds(2)));
        (
            at_once.join().expect("it records"),
            late.join().expect("it records"),
        )
    });
    assert_eq!(at_once, late);
    assert!(at_once.1 >= 50, "{} frames", at_once.1);
}
