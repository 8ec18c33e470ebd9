//! What opens the gate and holds it open, by whatever way it comes.

use gst::prelude::*;

use crate::{bench::*, common::until};

#[test]
fn gaps_with_times_that_cannot_be_say_nothing() {
    let bench = Bench::new(QUICK, WATERMARKED).start();
    bench.push(0..5, 1);
    until("the media has arrived", || {
        bench.gate.property::<u64>("held-time") > 3 * SECOND as u64
    });
    let most = gst::ClockTime::MAX;
    for pad in bench.gate.sink_pads() {
        for duration in [None, Some(most)] {
            let gap = gst::event::Gap::builder(most).duration(duration).build();
            assert!(pad.send_event(gap), "{} {duration:?}", pad.name());
        }
    }
    bench.push(5..20, 1);
    let signals = bench.pipeline.by_name("signals");
    let signals = signals.expect("named in the line");
    let signal = gst::Buffer::from_slice(b"{\"media_time\":10000000000}\n");
    feed(&signals, &signal);
    end(&signals);
    assert_eq!(buffers(&bench.finish()).len(), 6 * 25);
}

#[test]
fn what_is_no_signal_is_counted_and_triggers_nothing() {
    let bench = Bench::new(QUICK, "").start();
    for bad in [
        "nonsense",
        "[]",
        r#"{"media_time":"soon"}"#,
        r#"{"action":"open"}"#,
    ] {
        assert_eq!(bench.trigger(bad), None, "{bad}");
    }
    assert_eq!((bench.stat("rejected"), bench.stat("accepted")), (4, 0));
    bench.push(0..2, 1);
    assert_eq!(bench.finish(), []);
}

#[test]
fn start_holds_the_gate_open_until_stop() {
    let bench = Bench::new(QUICK, "").start();
    let none: Option<String> = None;
    bench.push(0..5, 1);
    // Wait until the media has arrived, so that "now" is its newest time.
    while bench.gate.property::<u64>("held-time") < 3 * SECOND as u64 {
        std::thread::yield_now();
    }
    let id: Option<String> = bench
        .gate
        .emit_by_name("start", &[&r#"{"media_time":4000000000}"#]);
    assert!(id.is_some());
    bench.push(5..12, 1);
    bench
        .gate
        .emit_by_name::<Option<String>>("stop", &[&r#"{"media_time":9500000000}"#]);
    bench.gate.emit_by_name::<Option<String>>("stop", &[&none]);
    bench.push(12..20, 1);
    let seen = bench.finish();
    let times = buffers(&seen);
    assert_eq!(times.first().map(|it| it.0), Some(SECOND as u64));
    let Some(Seen::Close { cause, .. }) = seen.last() else {
        panic!("closed last")
    };
    assert_eq!(cause, "stop");
}

#[test]
fn signals_on_pads_are_framed_by_line_and_timed_by_their_segment() {
    let bench = Bench::new(QUICK, WATERMARKED).start();
    let signals = bench
        .pipeline
        .by_name("signals")
        .expect("named in the line");
    bench.push(0..20, 1);
    for (text, seconds) in [("{\"action\":\"trig", 10), ("ger\"}\n{\"n\":2}\n", 10)] {
        let mut buffer = gst::Buffer::from_slice(text.as_bytes());
        let pts = gst::ClockTime::from_seconds(seconds);
        buffer.get_mut().expect("new").set_pts(pts);
        feed(&signals, &buffer);
    }
    end(&signals);
    let seen = bench.finish();
    assert_eq!(
        seen[0],
        Seen::Open {
            id: 1,
            sync_point: 7 * SECOND,
            end: 13 * SECOND
        }
    );
    assert_eq!(buffers(&seen).len(), 6 * 25);
}

#[test]
fn the_end_of_the_media_waits_for_the_signals_that_still_come() {
    let bench = Bench::new(QUICK, WATERMARKED).start();
    let signals = bench
        .pipeline
        .by_name("signals")
        .expect("named in the line");
    bench.push(0..10, 1);
    bench.end_media();
    let media = bench.media.static_pad("src").expect("appsrc has one");
    until("the gate has taken the end", || {
        media.task_state() == gst::TaskState::Paused
    });
    let bus = bench.pipeline.bus().expect("a pipeline has a bus");
    let eos = bus.timed_pop_filtered(gst::ClockTime::from_mseconds(200), &[gst::MessageType::Eos]);
    assert!(eos.is_none(), "the analysis has not ended yet");
    let mut buffer = gst::Buffer::from_slice(b"{}\n");
    buffer
        .get_mut()
        .expect("new")
        .set_pts(gst::ClockTime::from_seconds(9));
    feed(&signals, &buffer);
    end(&signals);
    let seen = bench.collect();
    assert_eq!(buffers(&seen).len(), 4 * 25);
    let Some(Seen::Close { cause, .. }) = seen.last() else {
        panic!("closed last")
    };
    assert_eq!(cause, "eos");
}

#[test]
fn releasing_a_signal_pad_lets_the_gate_drain() {
    let bench = Bench::new(QUICK, WATERMARKED).start();
    bench.push(0..2, 1);
    bench.end_media();
    let pad = bench
        .gate
        .static_pad("signal")
        .expect("requested by the line");
    let peer = pad.peer().expect("linked by the line");
    peer.unlink(&pad).expect("they were linked");
    bench.gate.release_request_pad(&pad);
    bench
        .pipeline
        .by_name("signals")
        .expect("named")
        .set_state(gst::State::Null)
        .expect("down");
    assert_eq!(bench.collect(), []);
}

#[test]
fn two_signal_pads_link_in_one_launch_line() {
    let more = "appsrc name=a caps=application/x-json ! gate.signal_0 \
                appsrc name=b caps=application/x-json ! gate.signal_1";
    let bench = Bench::new(QUICK, more);
    for name in ["signal_0", "signal_1"] {
        assert!(
            bench
                .gate
                .static_pad(name)
                .is_some_and(|pad| pad.is_linked()),
            "{name}"
        );
    }
}

#[test]
fn an_in_band_signal_goes_by_its_time() {
    let bench = Bench::new(QUICK, "").start();
    let signal = gst::Structure::builder("evr-signal")
        .field("json", r#"{"media_time":8000000000}"#)
        .build();
    bench.push(0..6, 1);
    bench
        .media
        .send_event(gst::event::CustomDownstream::new(signal));
    bench.push(6..20, 1);
    let seen = bench.finish();
    assert_eq!(
        seen[0],
        Seen::Open {
            id: 1,
            sync_point: 5 * SECOND,
            end: 11 * SECOND
        }
    );
}
