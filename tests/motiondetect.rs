//! `motiondetect` from outside: pictures go in; frames, regions and signals come out.

mod common;

use std::sync::{Arc, Mutex};

use common::init;
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use serde_json::Value;

const WIDTH: usize = 160;
const HEIGHT: usize = 120;
const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// The n-th picture of a wall; what moves stands at `x` in front of it.
fn picture(format: &str, n: u64, x: Option<usize>) -> gst::Buffer {
    let luma = |column: usize, row: usize| -> u8 {
        let thing = x.is_some_and(|x| (x..x + 24).contains(&column)) && (40..100).contains(&row);
        if thing {
            230
        } else {
            60 + (column / 16 * 24) as u8 % 90
        }
    };
    let mut bytes = Vec::new();
    for row in 0..HEIGHT {
        for column in 0..WIDTH {
            match format {
                "YUY2" => bytes.extend([luma(column, row), 128]),
                "UYVY" => bytes.extend([128, luma(column, row)]),
                "RGB" => bytes.extend([7, luma(column, row), 7]),
                _ => bytes.push(luma(column, row)),
            }
        }
    }
    if matches!(format, "I420" | "NV12") {
        bytes.resize(WIDTH * HEIGHT * 3 / 2, 128);
    }
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let fields = buffer.get_mut().expect("a new buffer has one owner");
    fields.set_pts(FRAME * n);
    fields.set_duration(FRAME);
    buffer
}

fn caps(format: &str) -> gst::Caps {
    let caps = format!("video/x-raw,format={format},width={WIDTH},height={HEIGHT},framerate=25/1");
    caps.parse().expect("right caps")
}

/// The element between pads that write down, in one common order, all that comes out.
struct Rig {
    element: gst::Element,
    input: gst::Pad,
    bus: gst::Bus,
    log: Arc<Mutex<Vec<String>>>,
    taps: Vec<gst::Pad>,
}

impl Rig {
    fn new(properties: &str, pads: &[&str]) -> Self {
        let mut rig = Self::stopped(properties, pads);
        rig.start("I420");
        rig
    }

    fn stopped(properties: &str, pads: &[&str]) -> Self {
        init();
        let element = gst::parse::launch(&format!("motiondetect name=motion {properties}"))
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
            rig.tap(name);
        }
        rig
    }

    fn tap(&mut self, name: &str) {
        let pad = self
            .element
            .static_pad(name)
            .or_else(|| self.element.request_pad_simple(name))
            .expect("there is such a pad");
        let (log, events, name) = (self.log.clone(), self.log.clone(), pad.name());
        let event_name = name.clone();
        let tap = gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(move |_, _, buffer| {
                let line = format!("{name} {}", describe_buffer(&buffer));
                log.lock().expect("no test panics here").push(line);
                Ok(gst::FlowSuccess::Ok)
            })
            .event_function(move |_, _, event| {
                if let Some(text) = describe_event(&event) {
                    let line = format!("{event_name} {text}");
                    events.lock().expect("no test panics here").push(line);
                }
                true
            })
            .build();
        tap.set_active(true).expect("a new pad activates");
        pad.link(&tap).expect("the tap takes any caps");
        self.taps.push(tap);
    }

    fn start(&mut self, format: &str) {
        self.element
            .set_state(gst::State::Playing)
            .expect("the element starts");
        self.input.set_active(true).expect("a new pad activates");
        self.event(gst::event::StreamStart::new("video"));
        self.event(gst::event::Caps::new(&caps(format)));
        self.event(gst::event::Segment::new(&gst::FormattedSegment::<
            gst::ClockTime,
        >::new()));
    }

    fn event(&self, event: gst::Event) -> bool {
        self.input.push_event(event)
    }

    /// Pushes pictures in which something goes from left to right where `pattern` has `#`.
    fn play(&self, first: u64, pattern: &str) {
        for (n, what) in (first..).zip(pattern.chars()) {
            let x = (what == '#').then_some(4 * n as usize % 128);
            self.input.push(picture("I420", n, x)).expect("frames pass");
        }
    }

    /// What has come out since the last time.
    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().expect("no test panics here"))
    }

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

fn number(pts: Option<gst::ClockTime>) -> u64 {
    pts.expect("every test buffer has one").nseconds() / FRAME.nseconds()
}

fn describe_buffer(buffer: &gst::Buffer) -> String {
    let n = number(buffer.pts());
    let map = buffer.map_readable().expect("ordinary memory");
    if !map.starts_with(b"{") {
        let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>().count();
        let discont = buffer.flags().contains(gst::BufferFlags::DISCONT);
        return format!(
            "frame {n}{}{}",
            if regions > 0 { " moving" } else { "" },
            if discont { " discont" } else { "" }
        );
    }
    let signal: Value = serde_json::from_slice(&map).expect("one line of JSON");
    assert_eq!(signal["label"], "motion");
    let media_time = signal["media_time"].as_u64().expect("a time");
    format!(
        "{n} motion at {} of {}",
        media_time / FRAME.nseconds(),
        signal["frames"]
    )
}

fn describe_event(event: &gst::Event) -> Option<String> {
    match event.view() {
        gst::EventView::Gap(gap) => Some(format!("gap {}", number(Some(gap.get().0)))),
        gst::EventView::Eos(_) => Some("eos".into()),
        _ => {
            let json: String = event.structure()?.get("json").ok()?;
            let signal: Value = serde_json::from_str(&json).ok()?;
            Some(format!("{} {}", event.structure()?.name(), signal["label"]))
        }
    }
}

#[test]
fn motion_is_told_at_once_then_once_a_window_and_the_watermark_waits_for_it() {
    let rig = Rig::new("event-aggregation-window=160000000", &["signal"]);
    rig.play(0, "...######.....");
    assert_eq!(
        rig.log(),
        [
            "signal gap 0",
            "signal gap 1",
            "signal gap 2",
            // One frame of motion may be anything; the second confirms it.
            "signal gap 3",
            "signal 4 motion at 4 of 1",
            // 5, 6 and 7 are gathered until 4 + 4 frames are over.
            "signal 7 motion at 7 of 3",
            "signal 8 motion at 8 of 1",
            "signal gap 12",
            "signal gap 13",
        ]
    );
    assert_eq!(rig.element.property::<u64>("observed"), 14);
    assert_eq!(rig.element.property::<u64>("moved"), 5);
    assert_eq!(rig.element.property::<u64>("signals"), 3);
    assert!(!rig.element.property::<bool>("moving"));
}

#[test]
fn what_is_gathered_is_told_before_the_stream_ends() {
    let rig = Rig::new("", &["signal"]);
    rig.play(0, "..####");
    rig.log();
    rig.event(gst::event::Eos::new());
    assert_eq!(rig.log(), ["signal 5 motion at 5 of 2", "signal eos"]);
}

#[test]
fn what_is_gathered_is_told_before_another_stream_begins_and_the_scene_is_forgotten() {
    let mut rig = Rig::stopped("", &["signal"]);
    let sink = rig.element.static_pad("sink").expect("always there");
    rig.input.unlink(&sink).expect("it was linked");
    let concat = gst::ElementFactory::make("concat").build();
    let concat = concat.expect("GStreamer has it");
    let src = concat.static_pad("src").expect("always there");
    src.link(&sink).expect("video links");
    let next = |input: &gst::Pad| {
        let pad = concat.request_pad_simple("sink_%u");
        let pad = pad.expect("it takes any number");
        input.link(&pad).expect("video links");
    };
    next(&rig.input);
    let second = gst::Pad::builder(gst::PadDirection::Src).build();
    next(&second);
    concat.set_state(gst::State::Playing).expect("it starts");
    rig.start("I420");
    rig.play(0, "..####");
    rig.log();
    // Nobody behind it hears that the first stream has ended.
    rig.event(gst::event::Eos::new());
    let first = std::mem::replace(&mut rig.input, second);
    rig.start("I420");
    assert_eq!(rig.log(), ["signal 5 motion at 5 of 2"]);
    rig.play(0, "..##");
    assert_eq!(
        rig.log(),
        [
            "signal gap 0",
            "signal gap 1",
            "signal gap 2",
            "signal 3 motion at 9 of 1",
        ]
    );
    first.set_active(false).expect("it was active");
    concat.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn a_flush_forgets_what_was_gathered_and_the_scene() {
    let rig = Rig::new("", &["signal"]);
    rig.play(0, "..####");
    rig.event(gst::event::FlushStart::new());
    rig.event(gst::event::FlushStop::new(true));
    rig.event(gst::event::Segment::new(&gst::FormattedSegment::<
        gst::ClockTime,
    >::new()));
    rig.log();
    rig.play(0, "..");
    rig.event(gst::event::Eos::new());
    assert_eq!(rig.log(), ["signal gap 0", "signal gap 1", "signal eos"]);
}

#[test]
fn with_no_signal_pad_each_frame_with_motion_tells_it_in_band_before_it() {
    let rig = Rig::new("", &["src"]);
    rig.play(0, "..###.");
    assert_eq!(
        rig.log(),
        [
            "src frame 0",
            "src frame 1",
            "src frame 2",
            "src evr-signal \"motion\"",
            "src frame 3 moving",
            "src evr-signal \"motion\"",
            "src frame 4 moving",
            "src frame 5",
        ]
    );
}

#[test]
fn only_frames_with_motion_pass_where_still_ones_are_dropped() {
    let rig = Rig::new("drop-still=true", &["src", "signal"]);
    rig.play(0, ".###..#");
    let src: Vec<_> = rig
        .log()
        .into_iter()
        .filter(|line| line.starts_with("src"))
        .collect();
    assert_eq!(
        src,
        [
            "src gap 0",
            "src gap 1",
            "src frame 2 moving discont",
            "src frame 3 moving",
            "src gap 4",
            "src gap 5",
            "src gap 6",
        ]
    );
}

#[test]
fn a_region_lies_where_it_moves_and_no_counter_takes_it_for_an_object() {
    init();
    let element = gst::parse::launch("motiondetect ! objectcounter name=count")
        .expect("the line links")
        .downcast::<gst::Bin>()
        .expect("two elements are a bin");
    let mut harness = gst_check::Harness::with_element(
        &element.by_name("count").expect("it is in the line"),
        None,
        Some("src"),
    );
    let motion = element.iterate_elements().into_iter().flatten();
    let motion = motion
        .into_iter()
        .find(|it| it.factory().is_some_and(|it| it.name() == "motiondetect"))
        .expect("it is in the line");
    let mut input = gst_check::Harness::with_element(&motion, Some("sink"), None);
    element.set_state(gst::State::Playing).expect("it starts");
    input.set_src_caps(caps("I420"));
    for n in 0..6 {
        let x = (n > 1).then_some(8 * n as usize);
        input.push(picture("I420", n, x)).expect("frames pass");
    }
    let last = std::iter::from_fn(|| harness.try_pull()).last();
    let last = last.expect("six frames came");
    let region = last.iter_meta::<VideoRegionOfInterestMeta>().next();
    let region = region.expect("it moves");
    assert_eq!(region.roi_type(), "motion");
    let (x, y, w, h) = region.rect();
    assert!((16..=40).contains(&x) && (24..=50).contains(&w), "{x} {w}");
    assert_eq!((y, h), (40, 60));
    let count = element.by_name("count").expect("it is in the line");
    assert_eq!(count.property::<u64>("signals"), 0);
    element.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn every_format_shows_the_same_motion() {
    for format in ["I420", "NV12", "GRAY8", "YUY2", "UYVY", "RGB"] {
        let mut rig = Rig::stopped("", &["src"]);
        rig.start(format);
        for n in 0..6 {
            let x = (n > 1).then_some(8 * n as usize);
            rig.input.push(picture(format, n, x)).expect(format);
        }
        let moving = |line: &String| line.ends_with("moving");
        assert_eq!(
            rig.log().iter().filter(|it| moving(it)).count(),
            3,
            "{format}"
        );
    }
}

#[test]
fn zones_masks_and_sensitivity_change_while_playing_and_wrong_ones_are_warned_of_once() {
    let rig = Rig::new("sensitivity=high", &["src"]);
    rig.play(0, "..###");
    let moved = || rig.element.property::<u64>("moved");
    assert_eq!(moved(), 3);
    rig.element
        .set_property("masks", "[[0,0],[1,0],[1,1],[0,1]]");
    rig.play(5, "###");
    assert_eq!(moved(), 3);
    rig.element.set_property("masks", "[[0,0],[1,0]");
    rig.play(8, "###");
    assert_eq!(moved(), 3);
    assert_eq!(
        rig.said(gst::MessageType::Warning).as_deref(),
        Some(
            "motion: masks is [[0,0],[1,0]: give a polygon such as [[0,0],[1,0],[1,0.5]], a list \
             of them, or an object that names them, as JSON; what counted before still counts"
        )
    );
    assert_eq!(rig.said(gst::MessageType::Warning), None);
    rig.element.set_property("masks", None::<&str>);
    rig.play(11, "###");
    assert_eq!(moved(), 6);
    rig.element.set_property("min-area", 0.9);
    rig.play(14, "###");
    assert_eq!(moved(), 6);
}

#[test]
fn wrong_zones_do_not_start() {
    let rig = Rig::stopped("zones=[[0,0],[1,1]]", &["src"]);
    assert!(rig.element.set_state(gst::State::Paused).is_err());
    assert_eq!(
        rig.said(gst::MessageType::Error).as_deref(),
        Some("motion: zones polygon 1 has 2 corners: give at least three")
    );
}
