//! What takes time, and who waits for it: lateness that a sink tells, latency, flushes and the end.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::{detector, harness, init, model, moving, observed, still};

const MILLISECOND: gst::ClockTime = gst::ClockTime::from_mseconds(1);
/// Regions on a frame that takes long, since each is inferred by itself.
const MANY: u32 = 40;
/// Regions on a frame that takes minutes: who waits for it is not late by chance.
const ENDLESS: u32 = 10_000;

/// A harness to which the clip's frames may be pushed.
fn watching(settings: &str) -> gst_check::Harness {
    let mut harness = harness(&format!("onnxdetect {} {settings}", model()));
    harness.set_src_caps(still().0);
    harness
}

/// A frame that takes so many inferences.
fn busy(time: gst::ClockTime, inferences: u32) -> gst::Buffer {
    let regions: Vec<_> = (0..inferences)
        .map(|n| (n % 40, n % 40, 300, 300))
        .collect();
    moving(time, &regions)
}

#[test]
fn frames_that_a_sink_calls_late_pass_uninferred_where_qos_is_on() {
    for (settings, expected) in [
        ("qos=true", [true, false, false, true, true]),
        ("qos=false", [true; 5]),
    ] {
        let mut harness = watching(settings);
        let mut inferred = Vec::new();
        for n in 0..5 {
            let pushed = harness.push(moving(100 * MILLISECOND * n, &[]));
            assert_eq!(pushed, Ok(gst::FlowSuccess::Ok));
            let buffer = harness.pull().expect("no frame is dropped");
            inferred.push(observed(&buffer).is_some());
            if n == 0 {
                // The first came 250 ms too late, so those before 250 ms will, too.
                let late = 250_000_000;
                let qos =
                    gst::event::Qos::new(gst::QOSType::Underflow, 1.0, late, gst::ClockTime::ZERO);
                harness.push_upstream_event(qos);
            }
        }
        assert_eq!(inferred, expected, "{settings}");
        let upstream = std::iter::from_fn(|| harness.try_pull_upstream_event());
        let told = upstream.filter(|event| event.type_() == gst::EventType::Qos);
        assert_eq!(told.count(), 1, "{settings}: who sends is told as well");
    }
}

#[test]
fn a_flush_forgets_what_was_late_before_it() {
    let mut harness = watching("qos=true");
    let late = gst::event::Qos::new(gst::QOSType::Underflow, 1.0, 0, gst::ClockTime::SECOND);
    harness.push_upstream_event(late);
    let mut inferred = || {
        let pushed = harness.push(moving(gst::ClockTime::ZERO, &[]));
        assert_eq!(pushed, Ok(gst::FlowSuccess::Ok));
        let inferred = observed(&harness.pull().expect("a frame")).is_some();
        harness.push_event(gst::event::FlushStart::new());
        harness.push_event(gst::event::FlushStop::new(true));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        harness.push_event(gst::event::Segment::new(&segment));
        inferred
    };
    assert!(!inferred());
    assert!(inferred());
}

#[test]
fn latency_is_that_of_the_source_since_no_frame_is_held() {
    for mode in ["sync", "latest"] {
        let mut harness = watching(&format!("mode={mode} inference-region=roi-list"));
        harness.set_upstream_latency(40 * MILLISECOND);
        assert_eq!(harness.query_latency(), Some(40 * MILLISECOND), "{mode}");
        for n in 0..4 {
            // The first keeps the other thread of mode=latest busy.
            let regions: &[_] = if n == 0 { &[(0, 0, 9, 9); 9] } else { &[] };
            let time = MILLISECOND * n;
            assert_eq!(
                harness.push(moving(time, regions)),
                Ok(gst::FlowSuccess::Ok)
            );
            // Each frame has left before the next is there.
            assert_eq!(harness.buffers_in_queue(), 1, "{mode}");
            assert_eq!(harness.pull().expect("a frame").pts(), Some(time));
        }
    }
}

/// How long the endless frame would take if somebody wanted to know what is in it.
fn all_of_it() -> Duration {
    let mut harness = watching("inference-region=roi-list");
    let begun = Instant::now();
    assert_eq!(
        harness.push(busy(gst::ClockTime::ZERO, MANY)),
        Ok(gst::FlowSuccess::Ok)
    );
    begun.elapsed() * (ENDLESS / MANY)
}

#[test]
fn neither_flush_nor_end_nor_stop_waits_for_what_nobody_wants_any_more() {
    let all = all_of_it();
    let soon = |begun: Instant, what: &str| {
        let took = begun.elapsed();
        assert!(
            took < all / 10,
            "{what} took {took:?}, the frame itself takes {all:?}"
        );
    };
    let mut harness = watching("mode=latest inference-region=roi-list");
    let begun = Instant::now();
    assert_eq!(
        harness.push(busy(gst::ClockTime::ZERO, ENDLESS)),
        Ok(gst::FlowSuccess::Ok)
    );
    harness.push_event(gst::event::FlushStart::new());
    harness.push_event(gst::event::FlushStop::new(true));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    harness.push_event(gst::event::Segment::new(&segment));
    soon(begun, "a flush in mode=latest");

    // What was begun before the flush is never told.
    let begun = Instant::now();
    let mut pushed = 0;
    let told = loop {
        let time = 500 * MILLISECOND + MILLISECOND * pushed;
        assert_eq!(
            harness.push(moving(time, &[(0, 0, 9, 9)])),
            Ok(gst::FlowSuccess::Ok)
        );
        let buffer = harness.pull().expect("no frame is held");
        if let Ok(meta) = gst::meta::CustomMeta::from_buffer(&buffer, "GstEvrObservationMeta") {
            break meta.structure().get::<u64>("age").expect("a number");
        }
        pushed += 1;
        thread::yield_now();
    };
    soon(begun, "the first inference after the flush");
    assert!(
        told <= pushed * 1_000_000,
        "it speaks of a frame behind the flush"
    );

    let begun = Instant::now();
    assert_eq!(
        harness.push(busy(gst::ClockTime::SECOND, ENDLESS)),
        Ok(gst::FlowSuccess::Ok)
    );
    assert!(harness.push_event(gst::event::Eos::new()));
    let events = std::iter::from_fn(|| harness.try_pull_event());
    assert!(
        events
            .last()
            .is_some_and(|event| event.type_() == gst::EventType::Eos)
    );
    let element = detector(&harness);
    element.set_state(gst::State::Null).expect("it stops");
    soon(begun, "the end and the stop in mode=latest");
}

#[test]
fn a_turn_that_comes_while_another_frame_is_inferred_goes_to_the_next_free_one() {
    let mut harness = watching("mode=latest inference-region=roi-list inference-interval=2");
    // One that takes long, then light ones, until two have been told.
    let mut told = Vec::new();
    let mut n = 0;
    while told.len() < 2 {
        let frame = match n {
            0 => busy(gst::ClockTime::ZERO, MANY),
            _ => moving(MILLISECOND * n, &[(0, 0, 9, 9)]),
        };
        assert_eq!(harness.push(frame), Ok(gst::FlowSuccess::Ok));
        let buffer = harness.pull().expect("no frame is held");
        if let Ok(meta) = gst::meta::CustomMeta::from_buffer(&buffer, "GstEvrObservationMeta") {
            let age = meta.structure().get::<u64>("age").expect("a number");
            told.push((n, n - age / 1_000_000));
        }
        n += 1;
        thread::yield_now();
    }
    let [(first_at, first), (_, second)] = told[..] else {
        unreachable!("two were waited for")
    };
    assert_eq!(first, 0);
    assert!(first_at > 2, "turns passed while it was inferred");
    assert_eq!(second, first_at, "the frame that came when it was done");
}

#[test]
fn a_frame_that_is_flushed_while_it_is_inferred_is_given_up() {
    init();
    let all = all_of_it();
    let element = gst::parse::launch(&format!("onnxdetect {} inference-region=roi-list", model()));
    let element = element.expect("the properties are right");
    let sink = element.static_pad("sink").expect("always there");
    let (came, comes) = mpsc::channel();
    let behind = gst::Pad::builder(gst::PadDirection::Sink)
        .chain_function(move |_, _, buffer| {
            let _ = came.send(observed(&buffer).is_some());
            Ok(gst::FlowSuccess::Ok)
        })
        .build();
    behind.set_active(true).expect("nothing is in its way");
    let src = element.static_pad("src").expect("always there");
    src.link(&behind).expect("video links");
    element.set_state(gst::State::Playing).expect("it starts");
    let begin = |sink: &gst::Pad| {
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        sink.send_event(gst::event::StreamStart::new("lateness"));
        sink.send_event(gst::event::Caps::new(&still().0));
        sink.send_event(gst::event::Segment::new(&segment));
    };
    begin(&sink);

    let (entered, enters) = mpsc::channel();
    let probe = sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = entered.send(());
        gst::PadProbeReturn::Ok
    });
    let begun = Instant::now();
    let chain = |time| {
        let sink = sink.clone();
        thread::spawn(move || sink.chain(busy(time, ENDLESS)))
    };
    // The pad behind may hear that all is over after the frame, which then passes as it came.
    let given_up = |result| {
        let passed = matches!(result, Ok(_) | Err(gst::FlowError::Flushing));
        assert!(passed, "{result:?}");
        assert!(!comes.try_iter().any(|is_observed| is_observed));
    };
    let chained = chain(gst::ClockTime::ZERO);
    enters.recv().expect("the frame comes");
    sink.send_event(gst::event::FlushStart::new());
    sink.send_event(gst::event::FlushStop::new(true));
    given_up(chained.join().expect("no panic"));
    let flushed = begun.elapsed();

    // The same where the element stops.
    begin(&sink);
    let begun = Instant::now();
    let chained = chain(gst::ClockTime::SECOND);
    enters.recv().expect("the frame comes");
    element.set_state(gst::State::Null).expect("it stops");
    given_up(chained.join().expect("no panic"));
    let stopped = begun.elapsed();
    assert!(
        flushed < all / 10 && stopped < all / 10,
        "{flushed:?} {stopped:?} of {all:?}"
    );
    if let Some(probe) = probe {
        sink.remove_probe(probe);
    }
}
