//! What several test files need: GStreamer with the plugin, and pipelines run to their end.
#![allow(dead_code, reason = "each test file uses its own share")]

pub mod http;
pub mod schemas;
pub mod secrets;
pub mod stage;

use std::sync::{Mutex, Once};

use gst::prelude::*;

/// How long anything may take before it counts as stuck.
pub const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// GStreamer with the plugin as just built.
pub fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().expect("GStreamer is installed");
        gstevr::plugin_register_static().expect("the plugin registers");
    });
}

/// Waits until something holds; panics where it does not in time.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = std::time::Instant::now() + std::time::Duration::from(PATIENCE);
    while !holds() {
        assert!(std::time::Instant::now() < patience, "{what}: not in time");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// A port that nobody listens on, for a server in a process of its own. Below those that the system
/// gives to whoever asks for any, so that nobody else gets it while the server is not there.
pub fn free_port() -> u16 {
    static RANDOM: Mutex<Option<Random>> = Mutex::new(None);
    let mut random = RANDOM.lock().expect("no test panics under it");
    let now = || std::time::UNIX_EPOCH.elapsed().expect("it is past 1970");
    let seed = || Random(now().as_nanos() as u64 ^ u64::from(std::process::id()));
    let random = random.get_or_insert_with(seed);
    loop {
        let port = u16::try_from(10_000 + random.below(20_000)).expect("small");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A pipeline from a launch line.
pub fn launch(line: &str) -> gst::Pipeline {
    init();
    let parsed = gst::parse::launch(line).unwrap_or_else(|err| panic!("{line}: {err}"));
    parsed
        .downcast()
        .expect("a launch line of several elements is a pipeline")
}

/// Has a gate triggered when its first frame comes: before it takes no signal, and soon after a gate
/// that is shut may have dropped what the recording shall begin with.
pub fn trigger_at_first_frame(gate: &gst::Element, signal: Option<&'static str>) {
    let pad = gate.static_pad("sink").expect("always there");
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        let gate = pad.parent_element().expect("a pad of the gate");
        let id = gate.emit_by_name::<Option<String>>("trigger", &[&signal]);
        assert!(id.is_some(), "a gate that runs takes signals");
        gst::PadProbeReturn::Remove
    });
}

/// Waits for EOS; the text of an ERROR message, or of a time-out, otherwise.
pub fn wait_for_eos(pipeline: &gst::Pipeline) -> Result<(), String> {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    match bus.timed_pop_filtered(PATIENCE, &kinds) {
        Some(message) => match message.view() {
            gst::MessageView::Error(err) => Err(err.error().to_string()),
            _ => Ok(()),
        },
        None => Err("neither EOS nor an error came in time".into()),
    }
}

/// Plays to EOS and takes the pipeline down.
pub fn play(pipeline: &gst::Pipeline) -> Result<(), String> {
    let started = pipeline.set_state(gst::State::Playing);
    let ended = match started {
        Ok(_) => wait_for_eos(pipeline),
        Err(_) => Err(first_error(pipeline).unwrap_or_else(|| "no error message".into())),
    };
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
    for element in pipeline.iterate_recurse().into_iter().flatten() {
        if element
            .factory()
            .is_some_and(|factory| factory.name() == "eventsink")
        {
            let location: String = element.property("location");
            schemas::check(&schemas::directory(&location));
        }
    }
    ended
}

/// The text of the first ERROR message that waits on the bus.
pub fn first_error(pipeline: &gst::Pipeline) -> Option<String> {
    let message = pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(err) => Some(err.error().to_string()),
        _ => None,
    }
}

/// The texts of the warnings that wait on the bus, on which there is no error.
#[track_caller]
pub fn warnings(pipeline: &gst::Pipeline) -> Vec<String> {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let kinds = [gst::MessageType::Warning, gst::MessageType::Error];
    let messages = std::iter::from_fn(|| bus.pop_filtered(&kinds));
    let texts = messages.map(|message| match message.view() {
        gst::MessageView::Warning(warning) => warning.error().to_string(),
        other => panic!("{other:?}"),
    });
    texts.collect()
}

/// What a launch line says that must not start.
#[track_caller]
pub fn refusal(line: &str) -> String {
    let pipeline = launch(line);
    let started = pipeline.set_state(gst::State::Playing);
    let said = first_error(&pipeline);
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
    assert!(started.is_err(), "{line}: it starts");
    said.expect("what does not start says why")
}

/// The text of the first WARNING message that waits on a bus.
pub fn warning(bus: &gst::Bus) -> Option<String> {
    bus.pop_filtered(&[gst::MessageType::Warning])
        .map(|message| warning_text(&message))
}

/// The text of the next WARNING message, once it comes.
pub fn next_warning(bus: &gst::Bus) -> Option<String> {
    bus.timed_pop_filtered(PATIENCE, &[gst::MessageType::Warning])
        .map(|message| warning_text(&message))
}

fn warning_text(message: &gst::Message) -> String {
    match message.view() {
        gst::MessageView::Warning(warning) => warning.error().to_string(),
        _ => unreachable!("nothing else was asked for"),
    }
}

/// Asserts of an element that asks a server, by its inferences, failures and skipped frames, that
/// after each failure it let frames pass for a second or longer.
#[track_caller]
pub fn failed_and_left_it_alone(
    [inferences, failures, skipped]: [u64; 3],
    frames: usize,
    took: std::time::Duration,
) {
    assert_eq!(inferences + failures + skipped, frames as u64);
    let most = 1 + took.as_secs();
    assert!(
        (1..=most).contains(&failures),
        "{failures} failures of {most} at most"
    );
}

/// Numbers that look random and are the same in every run.
pub struct Random(pub u64);

impl Random {
    /// One of `0..bound`. SplitMix64, whose high bits are good enough for a test.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) % bound
    }
}

/// A file that `cargo xtask test` has fetched or made.
pub fn asset(variable: &str) -> std::path::PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} is not set: run cargo xtask test"))
        .into()
}
