//! `objectcounter` from outside: frames with observations go in, frames and signals come out.

mod common;

use std::sync::{Arc, Mutex};

use common::init;
use gst::prelude::*;
use serde_json::Value;

const FRAME: u64 = 40_000_000;

/// The element between pads that write down, in one common order, all that comes out.
struct Rig {
    element: gst::Element,
    input: gst::Pad,
    bus: gst::Bus,
    log: Arc<Mutex<Vec<String>>>,
    taps: Vec<gst::Pad>,
}

impl Rig {
    /// Starts the element `labels=… …` with a tap on each of `pads`.
    fn new(properties: &str, pads: &[&str]) -> Self {
        let mut rig = Self::stopped(properties, pads);
        rig.start();
        rig
    }

    fn stopped(properties: &str, pads: &[&str]) -> Self {
        init();
        let element = gst::parse::launch(&format!("objectcounter name=count {properties}"))
            .expect("the properties are right");
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let input = gst::Pad::builder(gst::PadDirection::Src).build();
        let sink = element.static_pad("sink").expect("always there");
        input.link(&sink).expect("video links");
        let mut rig = Self {
            element,
            input,
            bus,
            log: Arc::default(),
            taps: Vec::new(),
        };
        for name in pads {
            rig.tap(name, Ok(gst::FlowSuccess::Ok));
        }
        rig
    }

    /// Writes down what comes out of a pad, and answers buffers with `flow`.
    fn tap(&mut self, name: &str, flow: Result<gst::FlowSuccess, gst::FlowError>) -> gst::Pad {
        let pad = self
            .element
            .static_pad(name)
            .or_else(|| self.element.request_pad_simple(name))
            .expect("there is such a pad");
        let (log, events, prefix) = (self.log.clone(), self.log.clone(), pad.name());
        let event_prefix = prefix.clone();
        let tap = gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(move |_, _, buffer| {
                log.lock()
                    .expect("no test panics here")
                    .push(format!("{prefix} {}", describe_buffer(&buffer)));
                flow
            })
            .event_function(move |_, _, event| {
                events
                    .lock()
                    .expect("no test panics here")
                    .push(format!("{event_prefix} {}", describe_event(&event)));
                true
            })
            .build();
        tap.set_active(true).expect("a new pad activates");
        pad.link(&tap).expect("the tap takes any caps");
        self.taps.push(tap);
        pad
    }

    fn start(&mut self) {
        self.element
            .set_state(gst::State::Playing)
            .expect("the element starts");
        self.input.set_active(true).expect("a new pad activates");
        self.event(gst::event::StreamStart::new("video"));
        let caps = "video/x-raw,format=I420,width=640,height=480,framerate=25/1";
        let caps = caps.parse::<gst::Caps>().expect("right caps");
        self.event(gst::event::Caps::new(&caps));
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_start(gst::ClockTime::from_seconds(1));
        self.event(gst::event::Segment::new(&segment));
    }

    fn event(&self, event: gst::Event) -> bool {
        self.input.push_event(event)
    }

    /// Pushes the n-th frame with what a detector found in it: labels and confidences.
    fn frame(&self, n: u64, found: Option<&[(&str, f64)]>) -> Result<(), gst::FlowError> {
        self.push(frame(n, n, found))
    }

    fn push(&self, buffer: gst::Buffer) -> Result<(), gst::FlowError> {
        self.input.push(buffer).map(|_| ())
    }

    /// What has come out since the last time.
    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().expect("no test panics here"))
    }

    /// The sentence of the next message of a kind.
    fn said(&self, kind: gst::MessageType) -> Option<String> {
        let message = self.bus.pop_filtered(&[kind])?;
        match message.view() {
            gst::MessageView::Error(err) => Some(err.error().message().to_owned()),
            gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
            _ => None,
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.input.set_active(false);
        let _ = self.element.set_state(gst::State::Null);
    }
}

/// The n-th frame; its segment starts at 1 s, so its running time is n times 40 ms.
fn frame(n: u64, seq: u64, found: Option<&[(&str, f64)]>) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let frame = buffer.get_mut().expect("a new buffer has one owner");
    frame.set_pts(gst::ClockTime::from_nseconds(1_000_000_000 + n * FRAME));
    let Some(found) = found else { return buffer };
    let mut meta = gst::meta::CustomMeta::add(frame, "GstEvrObservationMeta")
        .expect("the plugin registers the meta");
    let fields = meta.mut_structure();
    fields.set("seq", seq);
    fields.set("model", "test");
    fields.set("count", found.len() as u32);
    for &(label, confidence) in found {
        region(frame, label, confidence);
    }
    buffer
}

fn region(frame: &mut gst::BufferRef, label: &str, confidence: f64) {
    let mut region = gst_video::VideoRegionOfInterestMeta::add(frame, label, (160, 120, 320, 240));
    region.add_param(
        gst::Structure::builder("detection")
            .field("confidence", confidence)
            .field("label_id", 0)
            .build(),
    );
}

fn model(labels: &[&str]) -> gst::Event {
    gst::event::CustomDownstreamSticky::new(
        gst::Structure::builder("evr-model")
            .field("model", "test")
            .field("labels", gst::Array::new(labels))
            .build(),
    )
}

fn number(pts: Option<gst::ClockTime>) -> u64 {
    let pts = pts.expect("every test buffer has one");
    (pts.nseconds() - 1_000_000_000) / FRAME
}

fn describe_buffer(buffer: &gst::Buffer) -> String {
    let n = number(buffer.pts());
    let map = buffer.map_readable().expect("ordinary memory");
    match std::str::from_utf8(&map).expect("text or nothing") {
        "" => format!("frame {n}"),
        text => {
            let line = text.strip_suffix('\n').expect("whole lines");
            let signal: Value = serde_json::from_str(line).expect("one line of JSON");
            format!("{n} {}", summary(&signal))
        }
    }
}

fn summary(signal: &Value) -> String {
    let [action, label] = ["action", "label"].map(|name| signal[name].as_str());
    format!(
        "{} {} {} at {}",
        action.expect("a string"),
        signal["count"],
        label.unwrap_or_default(),
        signal["media_time"]
    )
}

fn describe_event(event: &gst::Event) -> String {
    match event.view() {
        gst::EventView::Gap(gap) => format!("gap {}", number(Some(gap.get().0))),
        gst::EventView::Caps(caps) => caps.caps().to_string(),
        gst::EventView::StreamStart(start) => {
            let id = start.stream_id();
            format!("stream-start {}", id.rsplit('/').next().unwrap_or_default())
        }
        _ => match event.structure().filter(|fields| fields.has_field("json")) {
            Some(fields) => {
                let json: String = fields.get("json").expect("a string");
                let signal = serde_json::from_str(&json).expect("JSON");
                format!("{} {}", fields.name(), summary(&signal))
            }
            None => event.type_().name().to_string(),
        },
    }
}

const ONE: Option<&[(&str, f64)]> = Some(&[("person", 0.9)]);
const NONE: Option<&[(&str, f64)]> = Some(&[]);

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
fn whoever_is_nearer_than_asked_counts_and_whose_distance_nobody_knows_does_not() {
    let rig = Rig::new("max-distance=3", &["signal"]);
    rig.log();
    for (n, distance) in [(0, Some(2.5)), (1, Some(3.5)), (2, None)] {
        let mut frame = frame(n, n, NONE);
        let buffer = frame.make_mut();
        let whole = (0, 0, 640, 480);
        let mut region = gst_video::VideoRegionOfInterestMeta::add(buffer, "person", whole);
        let space = gst::Structure::builder("space").field_if_some("distance", distance);
        region.add_param(space.build());
        rig.push(frame).expect("frames pass");
    }
    rig.element.set_property("max-distance", 0.0);
    rig.frame(3, ONE).expect("frames pass");
    assert_eq!(
        rig.log(),
        [
            "signal 0 trigger 1 person at 0",
            "signal gap 1",
            "signal gap 2",
            "signal 3 trigger 1 person at 120000000",
        ]
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
fn thresholds_are_at_least_and_change_while_playing() {
    let rig = Rig::new(
        "labels=person,truck:0.6 min-confidence=0.5 min-count=2",
        &["signal"],
    );
    rig.log();
    let both = Some(&[("person", 0.5), ("truck", 0.6)][..]);
    let less = Some(&[("person", 0.5), ("truck", 0.59)][..]);
    rig.frame(0, both).expect("frames pass");
    rig.frame(1, less).expect("frames pass");
    rig.element.set_property("labels", "truck:0.59");
    rig.element.set_property("min-count", 1u32);
    rig.frame(2, less).expect("frames pass");
    assert_eq!(
        rig.log(),
        [
            "signal 0 trigger 2 truck at 0",
            "signal gap 1",
            "signal 2 trigger 1 truck at 80000000",
        ]
    );
}

#[test]
fn wrong_labels_do_not_start() {
    let rig = Rig::stopped("labels=person:1.5", &["src"]);
    assert!(rig.element.set_state(gst::State::Paused).is_err());
    assert_eq!(
        rig.said(gst::MessageType::Error).as_deref(),
        Some("count: labels gives \"person\" the confidence \"1.5\": give a number from 0 to 1")
    );
}

#[test]
fn a_label_that_the_model_cannot_find_is_an_error() {
    let rig = Rig::new("labels=Persn", &["src", "signal"]);
    rig.event(model(&["car", "person"]));
    assert_eq!(
        rig.said(gst::MessageType::Error).as_deref(),
        Some("count: labels names \"Persn\", which the model test cannot find: use person, car")
    );
    assert_eq!(rig.frame(0, ONE), Err(gst::FlowError::Error));
    assert_eq!(rig.said(gst::MessageType::Error), None);
}

#[test]
fn wrong_labels_while_playing_are_warned_of_once_and_the_old_ones_stay() {
    let rig = Rig::new("labels=person", &["signal"]);
    rig.event(model(&["car", "person"]));
    rig.log();
    for (n, wrong) in ["person,,", "lorry"].into_iter().enumerate() {
        rig.element.set_property("labels", wrong);
        rig.frame(2 * n as u64, ONE).expect("frames pass");
        rig.frame(2 * n as u64 + 1, NONE).expect("frames pass");
        let said = rig.said(gst::MessageType::Warning).expect("a warning");
        assert!(said.contains(wrong) && said.ends_with("what counted before still counts"));
        assert_eq!(rig.said(gst::MessageType::Warning), None);
    }
    assert_eq!(
        rig.log(),
        [
            "signal 0 trigger 1 person at 0",
            "signal gap 1",
            "signal 2 trigger 1 person at 80000000",
            "signal gap 3",
        ]
    );
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
                r#""confidence":0.5,"box":{"l":0.25,"t":0.25,"w":0.5,"h":0.5}}]}"#,
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

/// A rules file of this test alone.
fn rules_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("it can be written");
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().expect("an ordinary path")
}

#[test]
fn presence_is_told_as_start_and_stop_and_what_is_there_at_the_end_stops() {
    let rig = Rig::new(
        "labels=person emit=on-change absence-time=40000000",
        &["src"],
    );
    rig.log();
    for (n, found) in [ONE, ONE, NONE, NONE, ONE].into_iter().enumerate() {
        rig.frame(n as u64, found).expect("frames pass");
    }
    rig.event(gst::event::Eos::new());
    assert_eq!(
        rig.log(),
        [
            "src evr-signal start 1 person at 0",
            "src frame 0",
            "src frame 1",
            "src evr-signal stop null  at 80000000",
            "src frame 2",
            "src frame 3",
            "src evr-signal start 1 person at 160000000",
            "src frame 4",
            "src evr-signal stop null  at 200000000",
            "src eos",
        ]
    );
}

#[test]
fn zones_sizes_and_counts_are_asked_for_by_properties() {
    // The test's regions cover the middle quarter of the frame and stand on 0.75.
    for (properties, counts) in [
        ("zones=low:0,0.5,1,0.5,1,1,0,1", true),
        ("zones=high:0,0,1,0,1,0.5,0,0.5", false),
        ("zones=high:0,0,1,0,1,0.5,0,0.5 reference=overlap", true),
        (
            "zones=high:0,0,1,0,1,0.5,0,0.5 reference=overlap min-overlap=0.6",
            false,
        ),
        ("min-area=0.25", true),
        ("min-area=0.26", false),
        ("max-area=0.24", false),
        ("max-count=0 min-count=0", false),
        ("confirm-frames=2", false),
        ("min-dwell=1", false),
    ] {
        let rig = Rig::new(properties, &[]);
        let _tap = gst_check::Harness::with_element(&rig.element, None, Some("signal"));
        rig.frame(0, ONE).expect("signals are wanted");
        let raised = rig.element.property::<u64>("signals");
        assert_eq!(raised, u64::from(counts), "{properties}");
    }
}

#[test]
fn a_line_counts_tracked_objects_and_says_once_that_others_need_a_tracker() {
    let rig = Rig::new("lines=gate:0.25,0,0.25,1 reference=center", &["signal"]);
    rig.frame(0, ONE).expect("frames pass");
    rig.frame(1, ONE).expect("frames pass");
    let said = rig.said(gst::MessageType::Warning).expect("a warning");
    assert!(said.contains("put a tracker in front"), "{said}");
    assert_eq!(rig.said(gst::MessageType::Warning), None);
    rig.log();
    for (n, x) in [0, 320].into_iter().enumerate() {
        let mut buffer = frame(2 + n as u64, 2 + n as u64, NONE);
        let mut region = gst_video::VideoRegionOfInterestMeta::add(
            buffer.make_mut(),
            "person",
            (x, 120, 160, 240),
        );
        region.add_param(
            gst::Structure::builder("detection")
                .field("confidence", 0.9)
                .field("track_id", 7i64)
                .build(),
        );
        rig.push(buffer).expect("frames pass");
    }
    assert_eq!(
        rig.log(),
        ["signal gap 2", "signal 3 trigger 1 person at 120000000"]
    );
}

#[test]
fn azures_message_counts_what_is_above_the_threshold_and_says_nothing_else() {
    let rig = Rig::new(
        "labels=truck min-confidence=0.5 objectcounter-compatible=true",
        &[],
    );
    let mut harness = gst_check::Harness::with_element(&rig.element, None, Some("signal"));
    let found = [
        ("truck", 0.5),
        ("truck", 0.51),
        ("truck", 0.9),
        ("Truck", 0.9),
    ];
    rig.frame(3, Some(&found)).expect("signals are wanted");
    let buffer = harness.pull().expect("a signal");
    assert_eq!(number(buffer.pts()), 3);
    let map = buffer.map_readable().expect("ordinary memory");
    assert_eq!(std::str::from_utf8(&map).expect("text"), "{\"count\":2}\n");

    let other = Rig::stopped("objectcounter-compatible=true min-area=0.5", &["src"]);
    assert!(other.element.set_state(gst::State::Paused).is_err());
    let said = other.said(gst::MessageType::Error).expect("an error");
    assert!(said.contains("labels and min-confidence alone"), "{said}");
}

#[test]
fn a_rules_file_gives_several_named_rules_which_change_while_playing() {
    let file = rules_file(
        r#"{"rules": [{"name": "people", "labels": "person"},
                      {"name": "pets", "labels": "dog", "signal-label": "pet"}]}"#,
    );
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["src"]);
    rig.event(model(&["person", "dog"]));
    rig.log();
    let both = Some(&[("person", 0.9), ("dog", 0.8)][..]);
    rig.frame(0, both).expect("frames pass");
    for (wrong, says) in [
        (
            "{\"rules\": [{\"name\": \"a\", \"zones\": [\"b\"]}]}",
            "$.rules[0].zones[0]: there is no \"b\"",
        ),
        (
            "{\"rules\": [{\"name\": \"a\", \"labels\": \"lorry\"}]}",
            "$.rules[0]: labels names \"lorry\"",
        ),
        (
            "{\"zones\": {\"bow\": [[0,0],[1,1],[1,0],[0,1]]}, \"rules\": [{\"name\": \"a\"}]}",
            "$.zones.bow: the polygon crosses itself",
        ),
        (
            "{\"lines\": {\"dot\": [[0.5,0.5],[0.5,0.5]]}, \"rules\": [{\"name\": \"a\"}]}",
            "$.lines.dot: the line has no length",
        ),
        ("{\"rules\": [{\"name\": \"a\"}]", "line 1"),
    ] {
        std::fs::write(file.path(), wrong).expect("it can be written");
        rig.element.set_property("rules-file", path(&file));
        let n = rig.element.property::<u64>("observed");
        rig.frame(n, both).expect("frames pass");
        let said = rig.said(gst::MessageType::Warning).expect("a warning");
        assert!(
            said.contains(says) && said.ends_with("still counts"),
            "{said}"
        );
    }
    std::fs::write(
        file.path(),
        r#"{"rules": [{"name": "pets", "labels": "dog"}]}"#,
    )
    .expect("it can be written");
    rig.element.set_property("rules-file", path(&file));
    rig.frame(6, both).expect("frames pass");
    let told: Vec<_> = rig
        .log()
        .into_iter()
        .filter(|line| line.contains("trigger"))
        .collect();
    let old = |at: u32| {
        ["person", "pet"].map(|label| format!("src evr-signal trigger 1 {label} at {at}"))
    };
    let mut expected: Vec<_> = (0..6).flat_map(|n| old(n * 40_000_000)).collect();
    expected.push("src evr-signal trigger 1 dog at 240000000".into());
    assert_eq!(told, expected);
}

#[test]
fn wrong_rules_do_not_start_and_say_where_they_are_wrong() {
    let bow =
        rules_file(r#"{"zones": {"bow": [[0,0],[1,1],[1,0],[0,1]]}, "rules": [{"name": "a"}]}"#);
    let dot = rules_file(r#"{"lines": {"dot": [[0.5,0.5],[0.5,0.5]]}, "rules": [{"name": "a"}]}"#);
    let cut = rules_file(r#"{"rules": [{"name": "a"}"#);
    for (properties, says) in [
        (
            format!("rules-file={}", path(&bow)),
            "$.zones.bow: the polygon crosses itself",
        ),
        (
            format!("rules-file={}", path(&dot)),
            "$.lines.dot: the line has no length",
        ),
        (format!("rules-file={}", path(&cut)), "line 1"),
        ("rules-file=/nowhere/rules.json".into(), "cannot be read"),
        (
            "zones=bow:0,0,1,1,1,0,0,1".into(),
            "bow: the polygon crosses itself",
        ),
        (
            "lines=dot:0.5,0.5,0.5,0.5".into(),
            "dot: the line has no length",
        ),
        ("min-count=0".into(), "always holds"),
    ] {
        let rig = Rig::stopped(&properties, &["src"]);
        assert!(rig.element.set_state(gst::State::Paused).is_err());
        let said = rig.said(gst::MessageType::Error).expect("an error");
        assert!(said.starts_with("count: ") && said.contains(says), "{said}");
    }
}

#[test]
fn a_label_in_a_rules_file_that_the_model_cannot_find_is_an_error_at_its_rule() {
    let file = rules_file(
        r#"{"rules": [{"name": "a", "labels": "car"}, {"name": "b", "labels": "lorry"}]}"#,
    );
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["src"]);
    rig.event(model(&["car", "person"]));
    let said = rig.said(gst::MessageType::Error).expect("an error");
    assert!(
        said.contains("$.rules[1]: labels names \"lorry\""),
        "{said}"
    );
    assert_eq!(rig.frame(0, ONE), Err(gst::FlowError::Error));
}

#[test]
fn what_nvdsanalytics_knows_and_the_counter_does_not_is_told() {
    let file = rules_file(
        "[property]\nconfig-width=640\nconfig-height=480\n[overcrowding-stream-0]\nenable=1\n\
         roi-OC=0;0;640;0;640;480;0;480\nobject-threshold=1\ntime-threshold=2000\nclass-id=0\n",
    );
    let rig = Rig::new(&format!("rules-file={}", path(&file)), &["signal"]);
    let said = rig.said(gst::MessageType::Warning).expect("a warning");
    assert!(said.contains("time-threshold has no match"), "{said}");
    rig.log();
    rig.frame(0, ONE).expect("frames pass");
    assert_eq!(rig.log(), ["signal 0 trigger 1 person at 0"]);
}

#[test]
fn the_published_schema_takes_the_rules_that_the_element_takes_and_refuses_others() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = std::fs::read(root.join("docs/rules.schema.json")).expect("it is published");
    let schema: Value = serde_json::from_slice(&schema).expect("a schema is JSON");
    jsonschema::meta::validate(&schema).expect("a schema is one");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let scenarios = std::fs::read_dir(root.join("plugins/core/tests/scenarios"));
    let mut taken = 0;
    for entry in scenarios.expect("the scenarios are here") {
        let text = std::fs::read_to_string(entry.expect("a file").path()).expect("text");
        let rules = text.split("\n---\n").next().unwrap_or_default();
        if let Ok(rules) = serde_json::from_str::<Value>(rules) {
            assert!(schema.is_valid(&rules), "{rules}");
            taken += 1;
        }
    }
    assert!(taken >= 10, "only {taken} scenarios with JSON");
    for wrong in [
        r#"{"rules": []}"#,
        r#"{"rules": [{"labels": "a"}]}"#,
        r#"{"rules": [{"name": "a", "min-cuont": 2}]}"#,
        r#"{"rules": [{"name": "a", "min-area": 2}]}"#,
        r#"{"rules": [{"name": "a", "reference": "top"}]}"#,
        r#"{"zones": {"a": [[0, 0], [1, 1]]}, "rules": [{"name": "a"}]}"#,
        r#"{"zones": {"a": {"space": {}}}, "rules": [{"name": "a"}]}"#,
        r#"{"zones": {"a": {"space": {"max-w": 1}}}, "rules": [{"name": "a"}]}"#,
    ] {
        let file = rules_file(wrong);
        let rig = Rig::stopped(&format!("rules-file={}", path(&file)), &["src"]);
        assert!(
            rig.element.set_state(gst::State::Paused).is_err(),
            "{wrong}"
        );
        let wrong = serde_json::from_str(wrong).expect("JSON");
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
}
