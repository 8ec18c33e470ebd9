//! Media time over the broker: a recording shows the moment that was meant, however long the message
//! has taken.

use std::{fs, path::Path};

use gst::prelude::*;

use crate::broker::Broker;
use crate::common::{launch, until};

/// The moment that both messages are about.
const MEANT: gst::ClockTime = gst::ClockTime::from_seconds(1);
/// How much later than the first the second is sent.
const DELAY: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// A gate of the camera's that hears of what it shall record from the broker.
fn branch(name: &str, broker: &Broker, directory: &Path) -> String {
    format!(
        "t. ! queue ! signalgate name={name} activation-evaluation-window=0 \
         activation-signal-offset=-500000000 minimum-activation-time=1000000000 \
         signal-latency=10000000000 \
         ! eventsink thumbnail=false source-id={name} location={}/{name}.mp4 \
         mqtteventsrc name={name}-src source-id={name} broker={} ! {name}.signal ",
        directory.display(),
        broker.url(),
    )
}

/// The frames of a clip as they are stored.
fn frames(clip: &Path) -> Vec<Vec<u8>> {
    let line = format!(
        "filesrc location={} ! qtdemux ! appsink name=out sync=false",
        clip.display()
    );
    let pipeline = launch(&line);
    let out = pipeline.by_name("out").expect("named in the line");
    let out: gst_app::AppSink = out.downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let samples = std::iter::from_fn(|| out.pull_sample().ok());
    let frames = samples.map(|sample| {
        let map = sample.buffer().expect("a buffer").map_readable();
        map.expect("readable").to_vec()
    });
    let frames = frames.collect();
    pipeline
        .set_state(gst::State::Null)
        .expect("it can be taken down");
    frames
}

#[test]
fn a_message_that_takes_two_seconds_records_the_same_frames() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = Broker::open(directory.path());
    let names = ["prompt", "late"];
    let pipeline = launch(&format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=25/1 \
         ! x264enc tune=zerolatency key-int-max=5 speed-preset=ultrafast ! h264parse ! tee name=t {}",
        names
            .map(|name| branch(name, &broker, directory.path()))
            .concat()
    ));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    for name in names {
        let src = pipeline.by_name(&format!("{name}-src"));
        let src = src.expect("named in the line");
        until("it listens", || src.property("connected"));
    }
    for (name, at) in names.into_iter().zip([MEANT, MEANT + DELAY]) {
        until("the moment has come", || {
            pipeline.current_running_time() >= Some(at)
        });
        let (time, topic) = (MEANT.nseconds(), "evr/trigger");
        broker.publish(
            topic,
            &format!(r#"{{"media_time":{time},"source_id":"{name}"}}"#),
        );
    }
    let clips = names.map(|name| directory.path().join(format!("{name}.mp4")));
    for clip in &clips {
        until("a clip is there", || {
            fs::exists(clip).expect("the directory can be read")
        });
    }
    pipeline
        .set_state(gst::State::Null)
        .expect("it can be taken down");
    let [prompt, late] = clips.map(|clip| frames(&clip));
    assert_eq!(prompt, late);
    assert!(prompt.len() >= 37, "{} frames", prompt.len());
}
