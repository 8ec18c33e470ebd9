//! How the element stands in a stream: what leaves it by which pad, and in which order.

use std::sync::{Arc, Mutex};

use gst::prelude::*;

use crate::common::init;
use crate::rig::*;

#[test]
fn each_observed_frame_gives_one_decision_before_it_goes_downstream() {
    let rig = Rig::new("labels=person", &["src", "signal"]);
    rig.event(model(&["person"]));
    rig.log();
    for (n, found) in [NONE, ONE, None, Some(&[("dog", 0.9)]), ONE]
        .into_iter()
        .enumerate()
    {
        rig.frame(n as u64, found).expect("frames pass");
    }
    assert_eq!(
        rig.log(),
        [
            "signal gap 0",
            "src frame 0",
            "signal 1 trigger 1 \"person\" at 40000000",
            "src frame 1",
            "src frame 2",
            "signal gap 3",
            "src frame 3",
            "signal 4 trigger 1 \"person\" at 160000000",
            "src frame 4",
        ]
        .map(|line| line.replace('"', ""))
    );
    assert_eq!(rig.element.property::<u64>("observed"), 4);
    assert_eq!(rig.element.property::<u64>("signals"), 2);
}

#[test]
fn a_signal_is_one_line_of_json_that_says_why() {
    let rig = Rig::new("", &["src"]);
    let mut harness = gst_check::Harness::with_element(&rig.element, None, Some("signal"));
    rig.frame(1, ONE).expect("frames pass");
    let buffer = harness.pull().expect("a signal");
    let map = buffer.map_readable().expect("ordinary memory");
    assert_eq!(
        std::str::from_utf8(&map).expect("text"),
        concat!(
            r#"{"action":"trigger","media_time":40000000,"label":"person","count":1,"#,
            r#""model":"test","objects":[{"label":"person","confidence":0.9,"#,
            r#""box":{"l":0.25,"t":0.25,"w":0.5,"h":0.5}}]}"#,
            "\n"
        )
    );
}

#[test]
fn a_signal_pad_opens_its_own_stream_and_shares_the_videos_segment_flushes_and_end() {
    let rig = Rig::new("", &["signal"]);
    rig.event(gst::event::FlushStart::new());
    rig.event(gst::event::FlushStop::new(true));
    rig.event(gst::event::Eos::new());
    assert_eq!(
        rig.log(),
        [
            "signal stream-start signal",
            "signal application/x-json, watermark=(boolean)true",
            "signal segment",
            "signal flush-start",
            "signal flush-stop",
            "signal eos",
        ]
    );
}

#[test]
fn a_pad_requested_while_the_stream_runs_learns_what_the_others_were_told() {
    let mut rig = Rig::new("", &["src"]);
    rig.frame(0, NONE).expect("frames pass");
    rig.tap("signal_%u", Ok(gst::FlowSuccess::Ok));
    rig.log();
    rig.frame(1, ONE).expect("frames pass");
    assert_eq!(
        rig.log(),
        [
            "signal_0 stream-start signal_0",
            "signal_0 application/x-json, watermark=(boolean)true",
            "signal_0 segment",
            "signal_0 1 trigger 1 person at 40000000",
            "src frame 1",
        ]
    );
}

#[test]
fn who_hears_of_a_new_pads_caps_may_ask_the_element() {
    let rig = Rig::new("", &["src"]);
    let (heard, hears) = std::sync::mpsc::channel();
    rig.element.connect_pad_added(move |element, pad| {
        let (heard, element) = (heard.clone(), element.downgrade());
        pad.connect_caps_notify(move |_| {
            let element = element.upgrade().expect("the rig holds it");
            let _ = heard.send(element.property::<u64>("observed"));
        });
    });
    let element = rig.element.clone();
    // In a thread, so that waiting for ever is a failure and no hang.
    std::thread::spawn(move || element.request_pad_simple("signal"));
    let patience = std::time::Duration::from_secs(20);
    assert_eq!(hears.recv_timeout(patience), Ok(0));
}

#[test]
fn with_no_signal_pad_the_signal_goes_in_band_before_its_frame() {
    let rig = Rig::new("", &["src"]);
    rig.log();
    rig.frame(0, NONE).expect("frames pass");
    rig.frame(1, ONE).expect("frames pass");
    assert_eq!(
        rig.log(),
        [
            "src frame 0",
            "src evr-signal trigger 1 person at 40000000",
            "src frame 1",
        ]
    );
}

#[test]
fn what_an_earlier_frame_showed_is_told_of_that_frame() {
    let rig = Rig::new("", &["signal"]);
    rig.event(model(&["person"]));
    rig.log();
    for (n, found) in [(3, ONE), (4, None), (6, NONE)] {
        let mut late = frame(n, n, found);
        if let Ok(mut meta) =
            gst::meta::CustomMeta::from_mut_buffer(late.make_mut(), "GstEvrObservationMeta")
        {
            meta.mut_structure().set("age", 2 * FRAME);
        }
        rig.push(late).expect("frames pass");
    }
    assert_eq!(
        rig.log(),
        ["signal 1 trigger 1 person at 40000000", "signal gap 4"]
    );
}

#[test]
fn a_duplicated_frame_counts_once() {
    let rig = Rig::new("", &["signal"]);
    rig.log();
    for n in 0..3 {
        rig.push(frame(n, 7, ONE)).expect("frames pass");
    }
    assert_eq!(rig.log(), ["signal 0 trigger 1 person at 0"]);
    assert_eq!(rig.element.property::<u64>("observed"), 1);
}

#[test]
fn frames_of_a_foreign_detector_count_with_and_without_finds() {
    let rig = Rig::new("labels=car", &["signal"]);
    rig.log();
    let mut found = frame(1, 0, None);
    region(found.make_mut(), "car", 0.5);
    rig.frame(0, None).expect("frames pass");
    rig.push(found).expect("frames pass");
    assert_eq!(
        rig.log(),
        ["signal gap 0", "signal 1 trigger 1 car at 40000000"]
    );
}

#[test]
fn who_was_there_before_a_time_without_frames_is_not_known_to_be_there_after_it() {
    let rig = Rig::new("emit=on-change", &["src", "signal"]);
    rig.event(model(&["person"]));
    rig.frame(0, ONE).expect("frames pass");
    rig.log();
    // Of frames in which nothing moves `motiondetect drop-still=true` leaves gaps like these.
    let gap = |from: u64, frames: u64| {
        let [from, duration] = [1_000_000_000 + from * FRAME, frames * FRAME];
        let [from, duration] = [from, duration].map(gst::ClockTime::from_nseconds);
        rig.event(gst::event::Gap::builder(from).duration(duration).build());
    };
    gap(1, 100);
    gap(101, 149);
    assert_eq!(
        rig.log(),
        [
            "signal gap 1",
            "src gap 1",
            "signal 0 stop null  at 10000000000",
            "signal gap 101",
            "src gap 101",
        ]
    );
    rig.frame(300, ONE).expect("frames pass");
    assert_eq!(
        rig.log(),
        ["signal 300 start 1 person at 12000000000", "src frame 300"]
    );
    // Frames at which nobody looks.
    rig.frame(549, None).expect("frames pass");
    rig.frame(550, None).expect("frames pass");
    assert_eq!(
        rig.log(),
        [
            "src frame 549",
            "signal 549 stop null  at 22000000000",
            "src frame 550"
        ]
    );
    assert_eq!(rig.element.property::<u64>("signals"), 4);
}

#[test]
fn who_comes_after_a_long_stillness_is_a_start_where_still_frames_are_dropped() {
    init();
    let pipeline = gst::parse::launch(
        "appsrc name=in format=time caps=video/x-raw,format=I420,width=64,height=64,framerate=5/1 \
         ! motiondetect name=motion drop-still=true ! objectcounter emit=on-change \
         ! fakesink name=out sync=false",
    );
    let pipeline = pipeline.expect("the elements exist");
    let pipeline: gst::Pipeline = pipeline.downcast().expect("several elements");
    let pad = |name: &str, pad: &str| {
        let element = pipeline.by_name(name).expect("it is in the line");
        element.static_pad(pad).expect("always there")
    };
    // A detector that finds somebody wherever something moves.
    let looks = gst::PadProbeType::BUFFER;
    let motion = pad("motion", "src");
    motion.add_probe(looks, |_, info| {
        let buffer = info.buffer_mut().expect("it is about buffers");
        region(buffer.make_mut(), "person", 0.9);
        gst::PadProbeReturn::Ok
    });
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let out = pad("out", "sink");
    out.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let event = info.event().expect("it is about events");
        let action = event
            .structure()
            .and_then(|it| it.get::<String>("json").ok());
        let action = action.and_then(|json| serde_json::from_str::<serde_json::Value>(&json).ok());
        telling
            .lock()
            .expect("no test panics here")
            .extend(action.and_then(|said| Some(said["action"].as_str()?.to_owned())));
        gst::PadProbeReturn::Ok
    });
    let source = pipeline.by_name("in").and_downcast::<gst_app::AppSrc>();
    let source = source.expect("an appsrc");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    for n in 0..140_u64 {
        let mut picture = vec![128; 64 * 64 * 3 / 2];
        picture[..64 * 64].fill(60);
        // A square runs through from 2 s on and from 22 s on, each time for a second.
        if let 10..15 | 110..115 = n {
            for row in picture[..64 * 64].chunks_exact_mut(64).skip(16).take(24) {
                row[(n % 5) as usize * 8..][..24].fill(220);
            }
        }
        let mut frame = gst::Buffer::from_slice(picture);
        let made = frame.get_mut().expect("a new buffer has one owner");
        made.set_pts(gst::ClockTime::from_mseconds(n * 200));
        made.set_duration(gst::ClockTime::from_mseconds(200));
        source.push_buffer(frame).expect("it is taken");
    }
    source.end_of_stream().expect("it is taken");
    crate::common::wait_for_eos(&pipeline).expect("it ends");
    pipeline.set_state(gst::State::Null).expect("it stops");
    // Triggers are those of motion itself.
    let mut told = told.lock().expect("no test panics here");
    told.retain(|action| action != "trigger");
    assert_eq!(*told, ["start", "stop", "start", "stop"]);
}

#[test]
fn what_is_there_at_the_end_of_one_stream_stops_before_the_next() {
    let rig = Rig::new("emit=on-change", &["signal"]);
    rig.frame(0, ONE).expect("frames pass");
    rig.frame(1, ONE).expect("frames pass");
    rig.log();
    rig.event(gst::event::StreamStart::new("another"));
    rig.event(gst::event::Segment::new(&gst::FormattedSegment::<
        gst::ClockTime,
    >::new()));
    assert_eq!(
        rig.log()[..2],
        [
            "signal 1 stop null  at 40000001",
            "signal stream-start signal"
        ]
    );
    rig.event(gst::event::Eos::new());
    assert!(!rig.log().iter().any(|line| line.contains("stop")));
}

#[test]
fn a_consumer_of_signals_that_has_enough_never_stops_the_video() {
    for enough in [
        gst::FlowError::Eos,
        gst::FlowError::Flushing,
        gst::FlowError::NotLinked,
    ] {
        let mut rig = Rig::stopped("", &["src"]);
        rig.tap("signal", Err(enough));
        rig.start();
        for n in 0..3 {
            assert_eq!(rig.frame(n, ONE), Ok(()), "{enough:?}");
        }
        assert!(rig.log().contains(&"src frame 2".to_owned()));
    }
}

#[test]
fn a_consumer_of_signals_that_fails_stops_the_video() {
    let mut rig = Rig::stopped("", &["src"]);
    rig.tap("signal", Err(gst::FlowError::Error));
    rig.start();
    assert_eq!(rig.frame(0, ONE), Err(gst::FlowError::Error));
}

#[test]
fn signals_alone_keep_the_stream_going() {
    let rig = Rig::new("", &["signal"]);
    for (n, found) in [NONE, ONE, NONE].into_iter().enumerate() {
        assert_eq!(rig.frame(n as u64, found), Ok(()));
    }
    let nobody = Rig::new("", &[]);
    assert_eq!(nobody.frame(0, NONE), Err(gst::FlowError::NotLinked));
}

#[test]
fn a_caps_query_shows_the_watermark_through_queue_and_tee_before_data_flows() {
    init();
    let pipeline = gst::parse::launch(
        "videotestsrc ! objectcounter name=count ! fakesink \
         count.signal ! queue ! tee name=t  t. ! fakesink name=end",
    )
    .expect("the line links")
    .downcast::<gst::Pipeline>()
    .expect("a pipeline");
    let end = pipeline.by_name("end").expect("it is in the line");
    let pad = end.static_pad("sink").expect("a sink has one");
    assert_eq!(
        pad.peer_query_caps(None).to_string(),
        "application/x-json, watermark=(boolean)true"
    );
}

#[test]
fn the_documented_line_links_and_both_kinds_of_signal_pads_can_be_had() {
    init();
    for line in [
        "videotestsrc ! objectcounter name=c ! fakesink c.signal ! fakesink",
        "videotestsrc ! objectcounter name=c ! fakesink c.signal_0 ! fakesink c.signal_1 ! fakesink",
        "videotestsrc ! objectcounter name=c ! videoscale ! video/x-raw,width=32 ! fakesink \
         c.signal ! fakesink c.signal_%u ! fakesink",
    ] {
        gst::parse::launch(line).expect(line);
    }
}

#[test]
fn a_released_signal_pad_can_be_had_again() {
    let rig = Rig::new("", &[]);
    let pad = rig.element.request_pad_simple("signal").expect("free");
    assert_eq!(rig.element.request_pad_simple("signal"), None);
    rig.element.release_request_pad(&pad);
    assert!(rig.element.request_pad_simple("signal").is_some());
}

#[test]
fn a_whole_pipeline_runs_to_its_end_with_a_signal_for_every_frame() {
    init();
    let pipeline = gst::parse::launch(
        "videotestsrc num-buffers=10 ! video/x-raw,width=64,height=48 ! \
         identity name=detector ! objectcounter name=count ! fakesink \
         count.signal ! queue ! fakesink name=signals signal-handoffs=true",
    )
    .expect("the line links")
    .downcast::<gst::Pipeline>()
    .expect("a pipeline");
    let detector = pipeline.by_name("detector").expect("it is in the line");
    let pad = detector.static_pad("src").expect("identity has one");
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            region(buffer.make_mut(), "person", 0.9);
        }
        gst::PadProbeReturn::Ok
    });
    let heard = Arc::new(Mutex::new(0));
    let counted = heard.clone();
    let signals = pipeline.by_name("signals").expect("it is in the line");
    signals.connect("handoff", false, move |_| {
        *counted.lock().expect("no test panics here") += 1;
        None
    });
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has one");
    let end = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(20),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(end.map(|end| end.type_()), Some(gst::MessageType::Eos));
    assert_eq!(*heard.lock().expect("no test panics here"), 10);
}

#[test]
fn a_meta_pad_tells_every_observation_and_passes_what_was_not_inferred() {
    let mut rig = Rig::new("labels=person", &[]);
    rig.event(model(&["person", "dog"]));
    let pad = rig.element.request_pad_simple("meta").expect("free");
    let (lines, told) = std::sync::mpsc::channel();
    let gaps = lines.clone();
    let tap = gst::Pad::builder(gst::PadDirection::Sink)
        .chain_function(move |_, _, buffer| {
            let map = buffer.map_readable().expect("ordinary memory");
            let text = std::str::from_utf8(&map).expect("text").to_owned();
            let _ = lines.send(format!("{} {text}", number(buffer.pts())));
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(move |_, _, event| {
            if event.type_() == gst::EventType::Gap {
                let _ = gaps.send(describe_event(&event));
            }
            true
        })
        .build();
    tap.set_active(true).expect("a new pad activates");
    pad.link(&tap).expect("the tap takes any caps");
    rig.taps.push(tap);
    for (n, found) in [Some(&[("dog", 0.5)][..]), None, NONE]
        .into_iter()
        .enumerate()
    {
        rig.frame(n as u64, found).expect("frames pass");
    }
    assert_eq!(
        told.try_iter().collect::<Vec<_>>(),
        [
            concat!(
                r#"0 {"media_time":0,"seq":0,"model":"test","width":640,"height":480,"#,
                r#""objects":[{"label":"dog","#,
                r#""confidence":0.5,"box":{"l":0.25,"t":0.25,"w":0.5,"h":0.5},"label_id":0}]}"#,
                "\n"
            ),
            "gap 1",
            concat!(
                r#"2 {"media_time":80000000,"seq":2,"model":"test","width":640,"height":480,"#,
                r#""objects":[]}"#,
                "\n"
            ),
        ]
    );
}
