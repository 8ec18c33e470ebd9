//! Media that changes, joins, ends or begins anew, and what of it is let through.

use std::{
    str::FromStr,
    sync::{Arc, Mutex},
};

use gst::prelude::*;

use crate::{
    bench::*,
    common::{PATIENCE, launch, play},
};

#[test]
fn a_stream_without_times_is_refused_with_the_cure() {
    let pipeline = launch("filesrc location=Cargo.toml ! signalgate name=gate ! fakesink");
    let error = play(&pipeline).expect_err("bytes have no times");
    assert!(
        error.contains("gate") && error.contains("Bytes") && error.contains("parser"),
        "{error}"
    );
}

const MAP: &str = "GstEvrDepthMeta";

fn has_map(buffer: impl AsRef<gst::BufferRef>) -> bool {
    gst::meta::CustomMeta::from_buffer(buffer.as_ref(), MAP).is_ok()
}

#[test]
fn an_encoded_frame_is_held_without_its_map_of_depth_and_a_raw_one_with_it() {
    let raw = "video/x-raw,format=GRAY8,width=2,height=2,framerate=25/1";
    let encoded = "video/x-h264,stream-format=avc,alignment=au";
    for (caps, kept) in [(raw, true), (encoded, false)] {
        let bench = Bench::new(QUICK, "");
        let caps = gst::Caps::from_str(caps).expect("caps");
        bench.media.set_property("caps", caps);
        let out = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&out);
        let src = bench.gate.static_pad("src").expect("always there");
        src.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let maps = info.buffer().map(has_map);
            into.lock()
                .expect("no test panics under this lock")
                .extend(maps);
            gst::PadProbeReturn::Ok
        });
        let bench = bench.start();
        assert!(bench.trigger(r#"{"media_time":0}"#).is_some());
        let mut buffer = gst::Buffer::from_slice([0; 4]);
        let fields = buffer.get_mut().expect("new");
        fields.set_pts(gst::ClockTime::ZERO);
        gst::meta::CustomMeta::add(fields, MAP).expect("the plugin registers the meta");
        feed(&bench.media, &buffer);
        bench.finish();
        assert!(has_map(&buffer), "whoever else holds the frame keeps it");
        let out = out.lock().expect("no test panics under this lock");
        assert_eq!(*out, [kept]);
    }
}

/// For each buffer that leaves the gate, the `profile` of the caps that stood when it did.
fn profiles(bench: &Bench) -> Arc<Mutex<Vec<String>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    let src = bench.gate.static_pad("src").expect("always there");
    src.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        let caps = pad.current_caps().expect("caps come before buffers");
        let profile = caps.structure(0).and_then(|caps| caps.get("profile").ok());
        into.lock()
            .expect("no test panics under this lock")
            .push(profile.unwrap_or_default());
        gst::PadProbeReturn::Ok
    });
    seen
}

#[test]
fn caps_change_exactly_where_they_changed_however_long_media_was_held() {
    let bench = Bench::new(QUICK, "").start();
    let seen = profiles(&bench);
    let caps = |profile: &str| {
        let caps = gst::Caps::builder("video/x-h264").field("profile", profile);
        caps.field("stream-format", "avc")
            .field("alignment", "au")
            .build()
    };
    bench.media.set_property("caps", caps("baseline"));
    bench.push(0..4, 1);
    bench.media.set_property("caps", caps("main"));
    bench.push(4..9, 1);
    bench.media.set_property("caps", caps("high"));
    bench.trigger(r#"{"media_time":8000000000}"#);
    bench.push(9..20, 1);
    assert_eq!(buffers(&bench.finish()).len(), 6 * 25, "from 5 s to 11 s");
    let seen = seen.lock().expect("no test panics under this lock");
    let expected: Vec<_> = (5..11)
        .flat_map(|s| [if s < 9 { "main" } else { "high" }; 25])
        .collect();
    assert_eq!(*seen, expected);
}

#[test]
fn a_stream_may_join_and_leave_while_the_pipeline_plays() {
    let bench = Bench::new(QUICK, "").start();
    bench.push(0..2, 1);
    let pad = bench
        .gate
        .request_pad_simple("sink_%u")
        .expect("any number of them");
    let src = bench
        .gate
        .static_pad("src_0")
        .expect("it comes with its sink");
    assert!(src.is_active());
    bench.push(2..4, 1);
    bench.gate.release_request_pad(&pad);
    assert_eq!(bench.gate.static_pad("src_0"), None);
    bench.trigger(r#"{"media_time":5000000000}"#);
    bench.push(4..10, 1);
    assert_eq!(buffers(&bench.finish()).len(), 6 * 25);
}

#[test]
fn a_flush_empties_the_gate_and_it_works_on() {
    let bench = Bench::new(QUICK, "").start();
    bench.push(0..5, 1);
    while bench.gate.property::<u64>("held-bytes") == 0 {
        std::thread::yield_now();
    }
    let sink = bench.gate.static_pad("sink").expect("always there");
    // As after a seek: the events come from upstream, then media of the new position.
    assert!(bench.media.send_event(gst::event::FlushStart::new()) || sink.is_active());
    bench.media.send_event(gst::event::FlushStop::new(true));
    bench.trigger(r#"{"media_time":14000000000}"#);
    bench.push(10..20, 1);
    let seen = bench.finish();
    assert_eq!(
        buffers(&seen).first().map(|it| it.0),
        Some(11 * SECOND as u64)
    );
    assert_eq!(buffers(&seen).len(), 6 * 25);
}

#[test]
fn a_flush_shuts_an_open_gate() {
    let bench = Bench::new(QUICK, "").start();
    bench
        .gate
        .emit_by_name::<Option<String>>("start", &[&r#"{"media_time":1000000000}"#]);
    bench.push(0..5, 1);
    while !bench.gate.property::<bool>("open") {
        std::thread::yield_now();
    }
    bench.media.send_event(gst::event::FlushStart::new());
    bench.media.send_event(gst::event::FlushStop::new(true));
    assert!(!bench.gate.property::<bool>("open"));
    bench.push(5..6, 1);
    bench.finish();
}

#[test]
fn a_flush_that_only_stops_gets_through_a_paused_sink() {
    let bench = Bench::new(QUICK, "");
    let sink = bench.pipeline.by_name("sink").expect("named in the line");
    sink.set_property("async", true);
    bench
        .pipeline
        .set_state(gst::State::Paused)
        .expect("the settings are right");
    bench.push(0..1, 1);
    let (prerolled, ..) = bench.pipeline.state(PATIENCE);
    assert_eq!(prerolled, Ok(gst::StateChangeSuccess::Success));
    // By now the task stands in the sink, and stays there until it is told to flush.
    assert!(
        bench
            .media
            .static_pad("src")
            .expect("always there")
            .push_event(gst::event::FlushStop::new(true))
    );
    bench
        .pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
}

#[test]
fn media_that_ends_before_it_begins_waits_for_no_signals() {
    let bench = Bench::new(QUICK, WATERMARKED).start();
    assert_eq!(bench.finish(), []);
}
