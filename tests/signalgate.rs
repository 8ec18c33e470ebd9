//! The gate as an element: what it lets through, what it says, and that it never gets stuck.

mod common;

use std::{
    ffi::c_void,
    str::FromStr,
    sync::{Arc, Mutex},
};

use gst::prelude::*;

use common::{PATIENCE, first_error, init, launch, play, until, wait_for_eos};

const FRAME: u64 = 40_000_000;
const SECOND: i64 = 1_000_000_000;

/// What came out of the gate, in order.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Buffer {
        pts: u64,
        memory: *const c_void,
    },
    Open {
        id: u64,
        sync_point: i64,
        end: i64,
    },
    Close {
        id: u64,
        end: i64,
        cause: String,
        signals: String,
    },
}

// The pointer is only ever compared.
#[allow(unsafe_code, reason = "tests compare where memory lies across threads")]
unsafe impl Send for Seen {}

/// A gate between an appsrc and a sink, and everything that leaves it.
struct Bench {
    pipeline: gst::Pipeline,
    gate: gst::Element,
    media: gst::Element,
    seen: Arc<Mutex<Vec<Seen>>>,
}

fn pts_of(buffer: &gst::BufferRef) -> u64 {
    buffer.pts().map_or(u64::MAX, gst::ClockTime::nseconds)
}

fn address(buffer: &gst::BufferRef) -> *const c_void {
    let map = buffer.map_readable().expect("test buffers can be read");
    map.as_ptr().cast()
}

/// Pushes into an appsrc.
fn feed(source: &gst::Element, buffer: &gst::Buffer) {
    let flow = source.emit_by_name::<gst::FlowReturn>("push-buffer", &[buffer]);
    assert_eq!(flow, gst::FlowReturn::Ok);
}

/// Ends an appsrc's stream.
fn end(source: &gst::Element) {
    let flow = source.emit_by_name::<gst::FlowReturn>("end-of-stream", &[]);
    assert_eq!(flow, gst::FlowReturn::Ok);
}

fn boundary(fields: &gst::StructureRef) -> Option<Seen> {
    if fields.name() != "evr-recording" {
        return None;
    }
    let time = |name: &str| {
        fields
            .get::<i64>(name)
            .expect("boundaries carry their times")
    };
    let id = fields.get("id").expect("boundaries carry their id");
    Some(match fields.get::<&str>("phase") {
        Ok("open") => Seen::Open {
            id,
            sync_point: time("sync-point"),
            end: time("end"),
        },
        // News of signals, told between the boundaries, end nothing.
        Ok("update") => return None,
        _ => Seen::Close {
            id,
            end: time("end"),
            cause: fields.get("cause").expect("boundaries carry their cause"),
            signals: fields
                .get("signals")
                .expect("boundaries carry their signals"),
        },
    })
}

impl Bench {
    /// `gate` are properties and links in launch syntax; more branches may follow it.
    fn new(gate: &str, more: &str) -> Self {
        let pipeline = launch(&format!(
            "appsrc name=media format=time caps=video/x-h264,stream-format=avc,alignment=au \
             ! signalgate name=gate {gate} ! fakesink name=sink sync=false async=false {more}"
        ));
        let element = |name: &str| pipeline.by_name(name).expect("named in the line");
        let (gate, media) = (element("gate"), element("media"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        let src = gate.static_pad("src").expect("always there");
        src.add_probe(kinds, move |_, info| {
            let found = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => Some(Seen::Buffer {
                    pts: pts_of(buffer),
                    memory: address(buffer),
                }),
                Some(gst::PadProbeData::Event(event)) => event.structure().and_then(boundary),
                _ => None,
            };
            into.lock()
                .expect("no test panics under this lock")
                .extend(found);
            gst::PadProbeReturn::Ok
        });
        Self {
            pipeline,
            gate,
            media,
            seen,
        }
    }

    fn start(self) -> Self {
        self.pipeline
            .set_state(gst::State::Playing)
            .expect("the settings are right");
        self
    }

    /// Pushes 25 frames a second of media time, a sync point every `gop` seconds.
    fn push(&self, seconds: std::ops::Range<u64>, gop: u64) -> Vec<*const c_void> {
        (seconds.start * 25..seconds.end * 25)
            .map(|n| {
                let mut buffer = gst::Buffer::from_slice(n.to_le_bytes());
                let fields = buffer.get_mut().expect("new");
                fields.set_pts(gst::ClockTime::from_nseconds(n * FRAME));
                fields.set_dts(gst::ClockTime::from_nseconds(n * FRAME));
                fields.set_duration(gst::ClockTime::from_nseconds(FRAME));
                if n % (25 * gop) != 0 {
                    fields.set_flags(gst::BufferFlags::DELTA_UNIT);
                }
                let memory = address(fields);
                feed(&self.media, &buffer);
                memory
            })
            .collect()
    }

    fn trigger(&self, json: &str) -> Option<String> {
        self.gate.emit_by_name("trigger", &[&json])
    }

    fn end_media(&self) {
        end(&self.media);
    }

    /// Ends the media, waits until all has come out, and tells what that was.
    fn finish(&self) -> Vec<Seen> {
        self.end_media();
        self.collect()
    }

    fn collect(&self) -> Vec<Seen> {
        wait_for_eos(&self.pipeline).expect("the stream ends");
        self.pipeline
            .set_state(gst::State::Null)
            .expect("a pipeline can always be taken down");
        std::mem::take(&mut *self.seen.lock().expect("no test panics under this lock"))
    }

    fn stat(&self, name: &str) -> u64 {
        self.gate
            .property::<gst::Structure>("stats")
            .get(name)
            .expect("a counter")
    }
}

fn buffers(seen: &[Seen]) -> Vec<(u64, *const c_void)> {
    let buffer = |it: &Seen| match it {
        Seen::Buffer { pts, memory } => Some((*pts, *memory)),
        _ => None,
    };
    seen.iter().filter_map(buffer).collect()
}

/// The filter tells its caps before data flows; appsrc alone tells them only with its first buffer.
const WATERMARKED: &str = "appsrc name=signals format=time caps=application/x-json,watermark=true \
                           ! application/x-json,watermark=true ! gate.signal";
const QUICK: &str = "activation-signal-offset=-3000000000 minimum-activation-time=3000000000";

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
fn a_stream_without_times_is_refused_with_the_cure() {
    let pipeline = launch("filesrc location=Cargo.toml ! signalgate name=gate ! fakesink");
    let error = play(&pipeline).expect_err("bytes have no times");
    assert!(
        error.contains("gate") && error.contains("Bytes") && error.contains("parser"),
        "{error}"
    );
}

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
    pipeline
        .set_state(gst::State::Ready)
        .expect("the settings are right");
    let json = r#"{"media_time":5000000000}"#;
    pipeline.set_state(gst::State::Paused).expect("it starts");
    gate.emit_by_name::<Option<String>>("trigger", &[&json]);
    play(&pipeline).expect("it plays to the end");
    assert!(clip.metadata().is_ok_and(|file| file.len() > 1000));
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
