//! Frame exactness through real pipelines: encoded video whose frames carry their numbers goes
//! through the gate into files, and what the files decode to is compared with what the formula of
//! the design says, for trigger phases × GOP × B-frames × audio × lag of the signals.
//!
//! The normal test takes a sample of the cases; `cargo xtask soak` takes them all.

#[path = "../common/mod.rs"]
mod common;
mod numbered;

use std::{collections::BTreeMap, fs, path::Path};

use gst::prelude::*;

use common::{init, launch, schemas, wait_for_eos};
use numbered::{AUDIO_FRAME, Clip, FRAME, Stream};

const SECOND: i64 = 1_000_000_000;
const STREAM_SECONDS: usize = 50;
/// Asked of the gate.
const PRE_ROLL: i64 = 3 * SECOND;
const MINIMUM: i64 = 5 * SECOND;

const GOPS: [usize; 3] = [1, 2, 10];
const BFRAMES: [usize; 2] = [0, 2];
const LAGS: [i64; 3] = [0, SECOND / 2, 2 * SECOND];
const PHASES: usize = 20;

#[derive(Debug, Clone, Copy)]
struct Case {
    gop: usize,
    bframes: usize,
    audio: bool,
    lag: i64,
    phase: usize,
}

fn all_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for gop in GOPS {
        for bframes in BFRAMES {
            for audio in [false, true] {
                for lag in LAGS {
                    cases.extend((0..PHASES).map(|phase| Case {
                        gop,
                        bframes,
                        audio,
                        lag,
                        phase,
                    }));
                }
            }
        }
    }
    cases
}

impl Case {
    /// The first trigger lies anywhere in a group of pictures, and as a rule not on a frame. The
    /// second extends its recording; the third begins another, whose pre-roll reaches back into
    /// groups of pictures that the first has begun.
    fn triggers(&self) -> [i64; 3] {
        let gop = self.gop as i64 * SECOND;
        let phase = self.phase as i64;
        let first = 20 * SECOND + gop * phase / PHASES as i64 + phase * 7_654_321 % FRAME;
        [first, first + 2_100_000_000, first + 11_300_000_000]
    }

    /// What the formula says: sync point, asked start and end of each recording.
    fn expected(&self) -> [Expected; 2] {
        let [first, extending, second] = self.triggers();
        let gop = self.gop as i64 * SECOND;
        [(first, extending), (second, second)].map(|(first, last)| {
            let start = first - PRE_ROLL;
            Expected {
                start,
                sync_point: start / gop * gop,
                end: last + MINIMUM,
            }
        })
    }
}

/// One recording.
#[derive(Debug, Clone, Copy)]
struct Expected {
    start: i64,
    sync_point: i64,
    end: i64,
}

impl Expected {
    fn holds(&self, number: u32) -> bool {
        (self.sync_point..self.end).contains(&(i64::from(number) * FRAME))
    }
}

/// Everything is encoded once and replayed for each case.
struct Streams {
    video: BTreeMap<(usize, usize), Stream>,
    audio: Stream,
}

impl Streams {
    fn new() -> Self {
        init();
        let kinds = GOPS
            .iter()
            .flat_map(|&gop| BFRAMES.map(|bframes| (gop, bframes)));
        let encode = |(gop, bframes)| {
            let stream = numbered::video(STREAM_SECONDS, gop, bframes);
            ((gop, bframes), stream)
        };
        Self {
            video: kinds.map(encode).collect(),
            audio: numbered::audio(STREAM_SECONDS),
        }
    }
}

/// What is counted over all cases, and a sentence for each fault.
#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    recordings: usize,
    frames: usize,
    missing: usize,
    duplicated: usize,
    damaged: usize,
    strange: usize,
    beyond_the_end: usize,
    not_on_keyframe: usize,
    less_pre_roll: usize,
    audio_apart: usize,
    most_apart: i64,
    faults: Vec<String>,
}

impl Tally {
    /// One clip that shall hold these recordings.
    fn take(&mut self, case: Case, clip: &Clip, expected: &[Expected]) {
        let before = self.faulty();
        let shown: Vec<u32> = clip.numbers.iter().copied().flatten().collect();
        let wanted = |number: &u32| expected.iter().any(|it| it.holds(*number));
        let all = (0..STREAM_SECONDS as u32 * 25).filter(wanted);
        self.recordings += expected.len();
        self.frames += shown.len();
        self.damaged += clip.numbers.len() - shown.len();
        self.missing += all.filter(|number| !shown.contains(number)).count();
        self.duplicated += shown.windows(2).filter(|pair| pair[0] >= pair[1]).count();
        // A picture shown just after the end that one before the end was predicted from.
        let needed = |number: &u32| {
            let after = |it: &Expected| i64::from(*number) * FRAME - it.end;
            expected
                .iter()
                .any(|it| (0..case.bframes as i64 * FRAME).contains(&after(it)))
        };
        let others = shown.iter().filter(|number| !wanted(number));
        let (beyond, strange): (Vec<u32>, Vec<u32>) = others.partition(|number| needed(number));
        self.beyond_the_end += beyond.len();
        self.strange += strange.len();
        self.not_on_keyframe += usize::from(!clip.starts_on_keyframe);
        let first = shown.first().map(|&number| i64::from(number) * FRAME);
        self.less_pre_roll += usize::from(first.is_none_or(|first| first > expected[0].start));
        if case.audio {
            let apart = match clip.starts {
                (Some(video), Some(audio)) => (audio - video).abs(),
                _ => i64::MAX,
            };
            self.most_apart = self.most_apart.max(apart);
            self.audio_apart += usize::from(apart > AUDIO_FRAME);
        }
        if self.faulty() > before {
            self.faults.push(format!("{case:?} {expected:?}: {clip:?}"));
        }
    }

    fn faulty(&self) -> usize {
        self.missing
            + self.duplicated
            + self.damaged
            + self.strange
            + self.not_on_keyframe
            + self.less_pre_roll
            + self.audio_apart
    }

    fn check(&self) {
        let some: Vec<_> = self.faults.iter().take(3).collect();
        assert_eq!(
            self.faulty(),
            0,
            "{} faults in {self:?}, as {some:#?}",
            self.faults.len()
        );
        assert!(self.cases > 0 && self.recordings >= 2 * self.cases);
    }
}

/// A request pad of the gate, ready to be fed by the test's thread.
fn request(gate: &gst::Element, name: &str) -> gst::Pad {
    gate.request_pad_simple(name).expect("the gate offers it")
}

fn begin(pad: &gst::Pad, events: [gst::Event; 3]) {
    for event in events {
        assert!(pad.send_event(event));
    }
}

/// The analysis: its triggers, and how far it has come.
struct Signals {
    pad: gst::Pad,
    /// By time.
    triggers: Vec<i64>,
}

impl Signals {
    fn start(pad: gst::Pad, triggers: &[i64]) -> Self {
        let caps = gst::Caps::builder("application/x-json").field("watermark", true);
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        begin(
            &pad,
            [
                gst::event::StreamStart::new("signals"),
                gst::event::Caps::new(&caps.build()),
                gst::event::Segment::new(&segment),
            ],
        );
        let triggers = triggers.to_vec();
        Self { pad, triggers }
    }

    /// Everything up to `time` has been analysed.
    fn reach(&mut self, time: i64) {
        while let Some(&trigger) = self.triggers.first().filter(|&&it| it <= time) {
            self.triggers.remove(0);
            let line = format!("{{\"media_time\":{trigger}}}\n");
            let mut buffer = gst::Buffer::from_mut_slice(line.into_bytes());
            let pts = gst::ClockTime::from_nseconds(trigger as u64);
            buffer.get_mut().expect("new").set_pts(pts);
            self.pad.chain(buffer).expect("it is taken");
        }
        if let Ok(time) = u64::try_from(time) {
            let time = gst::ClockTime::from_nseconds(time);
            self.pad
                .send_event(gst::event::Gap::new(time, gst::ClockTime::NONE));
        }
    }
}

/// Feeds media as a demuxer does, audio beside the video, and signals as far behind as the case says.
fn replay(case: Case, streams: &Streams, pipeline: &gst::Pipeline, gate: &gst::Element) {
    let video = &streams.video[&(case.gop, case.bframes)];
    let video_pad = gate.static_pad("sink").expect("always there");
    let audio_pad = case
        .audio
        .then(|| gate.static_pad("sink_0").expect("requested before"));
    let signal_pad = request(gate, "signal");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let mut signals = Signals::start(signal_pad, &case.triggers());
    begin(&video_pad, video.head());
    let mut audio = streams.audio.buffers.iter().peekable();
    if let Some(pad) = &audio_pad {
        begin(pad, streams.audio.head());
    }
    for buffer in &video.buffers {
        let now = video.decoded_at(buffer);
        video_pad.chain(buffer.clone()).expect("it is taken");
        while let Some(pad) = &audio_pad
            && let Some(buffer) = audio.next_if(|it| streams.audio.decoded_at(it) <= now)
        {
            pad.chain(buffer.clone()).expect("it is taken");
        }
        signals.reach(now - case.lag);
    }
    for pad in [Some(&video_pad), audio_pad.as_ref()].into_iter().flatten() {
        assert!(pad.send_event(gst::event::Eos::new()));
    }
    signals.reach(STREAM_SECONDS as i64 * SECOND);
    signals.pad.send_event(gst::event::Eos::new());
    let ended = wait_for_eos(pipeline);
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
    ended.unwrap_or_else(|err| panic!("{case:?}: {err}"));
}

fn clips_of(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut clips: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|it| it == "mp4"))
        .collect();
    clips.sort();
    clips
}

fn run(case: Case, streams: &Streams, tally: &mut Tally) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let folder = dir.path();
    let gate = format!(
        "signalgate name=gate activation-signal-offset=-{PRE_ROLL} minimum-activation-time={MINIMUM}"
    );
    let expected = case.expected();
    tally.cases += 1;
    if case.audio {
        let path = folder.join("clip.mkv");
        let pipeline = launch(&format!(
            "{gate} matroskamux name=mux ! filesink location={} \
             gate.src ! mux.video_0",
            path.display()
        ));
        let [gate, mux] = ["gate", "mux"].map(|name| pipeline.by_name(name).expect("in the line"));
        request(&gate, "sink_0");
        gate.link_pads(Some("src_0"), &mux, Some("audio_0"))
            .expect("it comes with sink_0");
        replay(case, streams, &pipeline, &gate);
        tally.take(case, &numbered::decode(&path, true), &expected);
    } else {
        let pipeline = launch(&format!(
            "{gate} ! eventsink thumbnail=false location={}/{{n}}.mp4",
            folder.display()
        ));
        let gate = pipeline.by_name("gate").expect("named in the line");
        replay(case, streams, &pipeline, &gate);
        schemas::check(folder);
        let clips = clips_of(folder);
        assert_eq!(clips.len(), expected.len(), "{case:?}");
        for (path, expected) in clips.iter().zip(expected) {
            tally.take(case, &numbered::decode(path, false), &[expected]);
        }
    }
}

#[test]
fn a_sample_of_all_cases_holds_every_frame_once() {
    let streams = Streams::new();
    let cases = all_cases();
    let mut tally = Tally::default();
    // Each kind of case at one phase.
    for (n, phases) in cases.chunks(PHASES).enumerate() {
        run(phases[n * 7 % PHASES], &streams, &mut tally);
    }
    tally.check();
}

#[test]
#[ignore = "several hundred pipelines"]
fn soak_every_case_holds_every_frame_once() {
    let streams = Streams::new();
    let mut tally = Tally::default();
    for case in all_cases() {
        run(case, &streams, &mut tally);
    }
    let say = |what: &str, value: &dyn std::fmt::Display| {
        println!("measured: exactness, {what}: {value}");
    };
    say(
        "cases (20 phases × GOP 1, 2, 10 s × B-frames 0, 2 × audio none, AAC × lag 0, 0.5, 2 s)",
        &tally.cases,
    );
    say("recordings", &tally.recordings);
    say("frames decoded", &tally.frames);
    say("frames missing", &tally.missing);
    say("frames duplicated", &tally.duplicated);
    say(
        "frames damaged or from elsewhere",
        &(tally.damaged + tally.strange),
    );
    say(
        "frames shown after the end that earlier ones need",
        &tally.beyond_the_end,
    );
    say("clips not starting on a keyframe", &tally.not_on_keyframe);
    say("clips with less pre-roll than asked", &tally.less_pre_roll);
    say(
        "audio and video starts furthest apart",
        &format!("{:.1} ms", tally.most_apart as f64 / 1e6),
    );
    tally.check();
}
