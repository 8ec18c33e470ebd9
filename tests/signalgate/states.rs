//! What a recording is to those behind the gate, and the gate's states: ordinary elements preroll,
//! pause and end behind it, and wrong settings do not start.

use gst::prelude::*;

use crate::{
    bench::*,
    common::{PATIENCE, first_error, init, launch, play},
};

#[test]
fn a_recording_is_announced_in_band_before_its_first_buffer_and_after_its_last() {
    let bench = Bench::new(QUICK, "").start();
    let id = bench.trigger(r#"{"media_time":10000000000,"label":"door"}"#);
    assert_eq!(id.as_deref(), Some("gate-1"));
    let pushed = bench.push(0..20, 2);
    let seen = bench.finish();

    assert_eq!(
        seen[0],
        Seen::Open {
            id: 1,
            sync_point: 6 * SECOND,
            end: 13 * SECOND
        }
    );
    let Some(Seen::Close {
        id: 1,
        end,
        cause,
        signals,
    }) = seen.last()
    else {
        panic!("the recording is closed last: {:?}", seen.last());
    };
    assert_eq!((*end, cause.as_str()), (13 * SECOND, "elapsed"));
    assert!(signals.contains(r#""label":"door""#) && signals.contains(r#""id":"gate-1""#));

    let through = buffers(&seen);
    assert_eq!(through.len(), seen.len() - 2);
    let expected: Vec<_> = (6 * 25..13 * 25)
        .map(|n| (n as u64 * FRAME, pushed[n]))
        .collect();
    assert_eq!(through, expected, "the very same memory, each frame once");
}

#[test]
fn a_shut_gate_lets_an_ordinary_sink_preroll() {
    let pipeline = launch(
        "videotestsrc ! video/x-raw,width=64,height=64 ! x264enc tune=zerolatency ! h264parse \
         ! signalgate ! fakesink sync=true",
    );
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let (reached, state, _) = pipeline.state(PATIENCE);
    assert_eq!(
        (reached, state),
        (Ok(gst::StateChangeSuccess::Success), gst::State::Playing)
    );
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
}

#[test]
fn a_sink_behind_a_shut_gate_may_be_paused_and_played_while_the_analysis_stalls() {
    let pipeline = launch(
        "videotestsrc ! video/x-raw,width=64,height=64 ! x264enc tune=zerolatency ! h264parse \
         ! signalgate name=gate ! fakesink sync=true \
         appsrc name=signals format=time ! application/x-json,watermark=true ! gate.signal",
    );
    for state in [gst::State::Playing, gst::State::Paused, gst::State::Playing] {
        pipeline.set_state(state).expect("it goes there");
        let (reached, now, _) = pipeline.state(PATIENCE);
        assert_eq!(
            (reached, now),
            (Ok(gst::StateChangeSuccess::Success), state)
        );
    }
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
}

#[test]
fn settings_that_do_not_go_together_are_refused_at_the_start_with_both_values() {
    let bench = Bench::new("activation-signal-offset=10000000000", "");
    let started = bench.pipeline.set_state(gst::State::Paused);
    assert!(started.is_err(), "O is not below Tmin");
    let error = first_error(&bench.pipeline).expect("an error message");
    assert!(
        error.contains("gate") && error.contains("10 s") && error.contains("lower"),
        "{error}"
    );
    bench
        .pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
}

#[test]
fn it_works_before_an_ordinary_muxer_without_any_queue() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let clip = dir.path().join("clip.mkv");
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=250 ! video/x-raw,framerate=25/1,width=64,height=64 \
         ! x264enc key-int-max=25 tune=zerolatency ! h264parse ! signalgate name=gate {QUICK} \
         ! matroskamux ! filesink location={}",
        clip.display()
    ));
    let gate = pipeline.by_name("gate").expect("named in the line");
    let triggered = gate.clone();
    // A shut gate holds nobody up: the first frame finds the trigger waiting.
    gate.static_pad("sink").expect("always there").add_probe(
        gst::PadProbeType::BUFFER,
        move |_, _| {
            let json = r#"{"media_time":5000000000}"#;
            triggered.emit_by_name::<Option<String>>("trigger", &[&json]);
            gst::PadProbeReturn::Remove
        },
    );
    play(&pipeline).expect("it plays to the end");
    let clip = launch(&format!(
        "filesrc location={} ! matroskademux ! appsink name=out sync=false",
        clip.display()
    ));
    let out: gst_app::AppSink = clip.by_name("out").and_downcast().expect("an appsink");
    clip.set_state(gst::State::Playing).expect("it starts");
    let frames = std::iter::from_fn(|| out.try_pull_sample(PATIENCE)).count();
    clip.set_state(gst::State::Null).expect("it stops");
    // From the keyframe at or before 2 s to 8 s.
    assert!((150..175).contains(&frames), "{frames}");
}

#[test]
fn state_changes_at_any_moment_leave_nothing_stuck() {
    init();
    let bench = Bench::new(QUICK, WATERMARKED);
    for round in 0..50 {
        bench
            .pipeline
            .set_state(gst::State::Playing)
            .expect("it starts");
        bench.push(0..round % 7, 1);
        if round % 3 == 0 {
            bench.trigger("{}");
        }
        bench
            .pipeline
            .set_state(gst::State::Ready)
            .expect("it stops");
        assert_eq!(bench.gate.property::<u64>("held-bytes"), 0);
    }
    bench
        .pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
}
