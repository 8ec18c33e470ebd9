//! The gate with more than one stream, more than one source of signals, and stock elements around
//! it: streams beside the video are cut where the video really is.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use gst::{glib, prelude::*};

use crate::{
    bench::{self, QUICK, SECOND, boundary},
    common::{PATIENCE, launch, play, wait_for_eos},
};

/// Video has 25 frames a second, and a keyframe every 2 s.
const FRAME: i64 = SECOND / 25;
const GOP: i64 = 2 * SECOND;
/// An AAC frame at 48 kHz.
const SOUND: i64 = 1024 * SECOND / 48_000;

const VIDEO: &str = "video/x-h264,stream-format=avc,alignment=au";
const AUDIO: &str = "audio/mpeg,mpegversion=4,stream-format=raw";
const JSON: &str = "application/x-json";
const WATERMARKED: &str = "application/x-json,watermark=true";

/// What came out of a src pad, in order.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Open { id: u64, sync_point: i64, end: i64 },
    Buffer(i64),
    Close { id: u64, end: i64 },
    Eos,
}

fn see(info: &gst::PadProbeInfo) -> Option<Seen> {
    let event = match &info.data {
        Some(gst::PadProbeData::Buffer(buffer)) => {
            let pts = buffer.pts().expect("test buffers have a time");
            return Some(Seen::Buffer(pts.nseconds() as i64));
        }
        Some(gst::PadProbeData::Event(event)) => event,
        _ => return None,
    };
    if event.type_() == gst::EventType::Eos {
        return Some(Seen::Eos);
    }
    match boundary(event.structure()?)? {
        bench::Seen::Open {
            id,
            sync_point,
            end,
        } => Some(Seen::Open {
            id,
            sync_point,
            end,
        }),
        bench::Seen::Close { id, end, .. } => Some(Seen::Close { id, end }),
        bench::Seen::Buffer { .. } => None,
    }
}

fn clock_time(time: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(time.try_into().expect("test times are not negative"))
}

/// A sink pad of the gate, fed by the test's own thread.
struct Feed(gst::Pad);

impl Feed {
    fn event(&self, event: gst::Event) {
        assert!(self.0.send_event(event));
    }

    fn begin(self, caps: &str) -> Self {
        let caps: gst::Caps = caps.parse().expect("caps as one writes them");
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.event(gst::event::StreamStart::new(&self.0.name()));
        self.event(gst::event::Caps::new(&caps));
        self.event(gst::event::Segment::new(&segment));
        self
    }

    fn push(&self, time: i64, duration: i64, sync: bool) {
        self.send(
            gst::Buffer::from_slice(time.to_le_bytes()),
            time,
            duration,
            sync,
        );
    }

    fn send(&self, mut buffer: gst::Buffer, time: i64, duration: i64, sync: bool) {
        let fields = buffer.get_mut().expect("new");
        fields.set_pts(clock_time(time));
        fields.set_duration(clock_time(duration));
        if !sync {
            fields.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        self.0.chain(buffer).expect("it is taken");
    }

    /// A signal about the frame at `time`.
    fn signal(&self, time: i64) {
        self.send(gst::Buffer::from_slice(b"{}\n"), time, 0, true);
    }

    /// Nothing comes before `time`.
    fn gap(&self, time: i64) {
        self.event(gst::event::Gap::new(clock_time(time), gst::ClockTime::NONE));
    }

    fn end(&self) {
        self.event(gst::event::Eos::new());
    }
}

/// A gate with streams beside the video, each into a sink of its own, and what comes out of each.
struct Bench {
    pipeline: gst::Pipeline,
    gate: gst::Element,
    video: Feed,
    beside: Vec<Feed>,
    seen: Vec<Arc<Mutex<Vec<Seen>>>>,
}

impl Bench {
    /// `caps` are those of the streams beside the video.
    fn new(settings: &str, caps: &[&str]) -> Self {
        let pipeline = launch(&format!(
            "signalgate name=gate {settings} ! fakesink sync=false async=false"
        ));
        let gate = pipeline.by_name("gate").expect("named in the line");
        let mut seen = vec![Self::watch(&gate, "src")];
        let mut pads = Vec::new();
        for n in 0..caps.len() {
            let pad = gate.request_pad_simple(&format!("sink_{n}"));
            pads.push(pad.expect("any number is offered"));
            let sink = gst::ElementFactory::make("fakesink")
                .property("sync", false)
                .property("async", false)
                .build()
                .expect("part of GStreamer itself");
            pipeline.add(&sink).expect("it is in no pipeline yet");
            let src = format!("src_{n}");
            seen.push(Self::watch(&gate, &src));
            gate.link_pads(Some(&src), &sink, None)
                .expect("it comes with its sink pad");
        }
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let video = Feed(gate.static_pad("sink").expect("always there")).begin(VIDEO);
        let begin = |(pad, caps): (gst::Pad, &&str)| Feed(pad).begin(caps);
        let beside = pads.into_iter().zip(caps).map(begin).collect();
        Self {
            pipeline,
            gate,
            video,
            beside,
            seen,
        }
    }

    fn watch(gate: &gst::Element, pad: &str) -> Arc<Mutex<Vec<Seen>>> {
        let pad = gate.static_pad(pad).expect("a src pad comes with its sink");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(kinds, move |_, info| {
            let mut seen = into.lock().expect("no test panics under this lock");
            seen.extend(see(info));
            gst::PadProbeReturn::Ok
        });
        seen
    }

    fn signals(&self, pad: &str, caps: &str) -> Feed {
        let pad = self.gate.request_pad_simple(pad).expect("it is free");
        Feed(pad).begin(caps)
    }

    fn trigger(&self, time: i64) {
        let json = format!("{{\"media_time\":{time}}}");
        let id = self
            .gate
            .emit_by_name::<Option<String>>("trigger", &[&json]);
        assert!(id.is_some());
    }

    fn push_video(&self, time: i64) {
        self.video.push(time, FRAME, time % GOP == 0);
    }

    /// Ends everything, waits until it has come out, and tells what did: the video's first.
    fn finish(self) -> Vec<Vec<Seen>> {
        self.video.end();
        self.beside.iter().for_each(Feed::end);
        self.collect()
    }

    fn collect(self) -> Vec<Vec<Seen>> {
        let ended = wait_for_eos(&self.pipeline);
        self.pipeline
            .set_state(gst::State::Null)
            .expect("a pipeline can always be taken down");
        ended.expect("the stream ends");
        let take = |seen: Arc<Mutex<Vec<Seen>>>| {
            std::mem::take(&mut *seen.lock().expect("no test panics under this lock"))
        };
        self.seen.into_iter().map(take).collect()
    }
}

/// The times at which a stream has buffers.
fn times(seconds: i64, step: i64) -> impl Iterator<Item = i64> {
    (0..)
        .map(move |n| n * step)
        .take_while(move |&time| time < seconds * SECOND)
}

/// What a stream shall show of one recording that is all there is.
fn one_recording(all: impl Iterator<Item = i64>, (from, end): (i64, i64)) -> Vec<Seen> {
    let open = Seen::Open {
        id: 1,
        sync_point: from,
        end,
    };
    let inside = all
        .filter(|time| (from..end).contains(time))
        .map(Seen::Buffer);
    let close = [Seen::Close { id: 1, end }, Seen::Eos];
    [open].into_iter().chain(inside).chain(close).collect()
}

#[test]
fn audio_is_cut_where_the_video_is_however_far_they_are_apart() {
    for lag in [-3 * SECOND / 2, 0, 3 * SECOND / 2] {
        let bench = Bench::new(QUICK, &[AUDIO]);
        bench.trigger(10 * SECOND + 1);
        let mut audio = times(20, SOUND).peekable();
        for now in times(20, FRAME) {
            bench.push_video(now);
            while let Some(time) = audio.next_if(|&time| time <= now - lag) {
                bench.beside[0].push(time, SOUND, true);
            }
        }
        for time in audio {
            bench.beside[0].push(time, SOUND, true);
        }
        let seen = bench.finish();
        // Asked from 7 s; the keyframe before that is at 6 s, and that is where audio begins too.
        let cut = (6 * SECOND, 13 * SECOND + 1);
        assert_eq!(seen[0], one_recording(times(20, FRAME), cut), "{lag}");
        assert_eq!(seen[1], one_recording(times(20, SOUND), cut), "{lag}");
    }
}

fn has_closed(seen: &Arc<Mutex<Vec<Seen>>>) -> bool {
    let seen = seen.lock().expect("no test panics under this lock");
    matches!(seen.last(), Some(Seen::Close { .. }))
}

#[test]
fn sparse_metadata_and_a_stream_without_a_word_hold_up_nobody() {
    let settings = format!("{QUICK} signal-latency=2000000000 max-signal-lag=2000000000");
    let bench = Bench::new(&settings, &[JSON, JSON]);
    let sparse = [
        SECOND,
        5 * SECOND + 999_999_999,
        6 * SECOND,
        9 * SECOND,
        13 * SECOND,
    ];
    bench.trigger(10 * SECOND);
    for now in times(20, FRAME) {
        bench.push_video(now);
        if sparse.contains(&now) || now == 5 * SECOND + 24 * FRAME {
            let time = if sparse.contains(&now) {
                now
            } else {
                sparse[1]
            };
            bench.beside[0].push(time, 0, true);
        }
    }
    // Neither has told how far it is since, let alone ended: the video alone goes on.
    let begun = Instant::now();
    while !bench.seen.iter().all(has_closed) {
        assert!(
            begun.elapsed() < std::time::Duration::from(PATIENCE),
            "a recording stays open"
        );
        std::thread::yield_now();
    }
    let seen = bench.finish();
    let cut = (6 * SECOND, 13 * SECOND);
    assert_eq!(seen[0], one_recording(times(20, FRAME), cut));
    // What lies exactly on the first boundary belongs to it, what lies on the second does not.
    assert_eq!(seen[1], one_recording(sparse.into_iter(), cut));
    assert_eq!(seen[2], one_recording(std::iter::empty(), cut));
}

#[test]
fn streams_that_record_twice_from_one_keyframe_never_run_backwards() {
    let settings = "activation-signal-offset=-1000000000 minimum-activation-time=5000000000 \
                    maximum-activation-time=5000000000";
    let bench = Bench::new(settings, &[AUDIO]);
    // From 11 s to 17 s and, since 17.5 − 1 lies in that, from 17 s to 22.5 s.
    bench.trigger(12 * SECOND);
    bench.trigger(17 * SECOND + SECOND / 2);
    let mut audio = times(30, SOUND).peekable();
    for now in times(30, FRAME) {
        bench.push_video(now);
        while let Some(time) = audio.next_if(|&time| time <= now) {
            bench.beside[0].push(time, SOUND, true);
        }
    }
    let seen = bench.finish();
    let (from, border, end) = (10 * SECOND, 17 * SECOND, 22 * SECOND + SECOND / 2);
    for (seen, step) in seen.iter().zip([FRAME, SOUND]) {
        let buffers: Vec<i64> = seen
            .iter()
            .filter_map(|it| match it {
                Seen::Buffer(time) => Some(*time),
                _ => None,
            })
            .collect();
        let expected: Vec<i64> = times(30, step)
            .filter(|time| (from..end).contains(time))
            .collect();
        assert_eq!(buffers, expected, "each once, in order, without a hole");
        let at = |wanted: fn(&Seen) -> bool| seen.iter().rposition(wanted).expect("two recordings");
        let opened = at(|it| matches!(it, Seen::Open { id: 2, .. }));
        assert_eq!(seen[opened - 1], Seen::Close { id: 1, end: border });
        let Seen::Buffer(last) = seen[opened - 2] else {
            panic!("media stands before the first's end")
        };
        assert!((border - step..border).contains(&last), "{last}");
    }
}

#[test]
fn the_slower_of_two_signal_pads_is_waited_for_and_both_are_heard() {
    let bench = Bench::new(QUICK, &[]);
    let fast = bench.signals("signal_0", WATERMARKED);
    let slow = bench.signals("signal_1", WATERMARKED);
    for now in times(20, FRAME) {
        bench.push_video(now);
        fast.gap(now);
    }
    fast.signal(11 * SECOND);
    fast.end();
    bench.video.end();
    // The slower pad speaks of an earlier frame, and only now: had it not been waited for, its signal
    // would be late, and the recording decided.
    slow.gap(10 * SECOND);
    slow.signal(10 * SECOND);
    slow.end();
    let stats: gst::Structure = bench.gate.property("stats");
    let seen = bench.collect();
    assert_eq!(
        (
            stats.get("accepted"),
            stats.get("late"),
            stats.get("forced")
        ),
        (Ok(2u64), Ok(0u64), Ok(0u64))
    );
    // From the keyframe before 10 − 3 s to 11 + 3 s.
    let mut expected = one_recording(times(20, FRAME), (6 * SECOND, 14 * SECOND));
    let Seen::Open { end, .. } = &mut expected[0] else {
        panic!("it begins with its opening")
    };
    let Seen::Open { end: known, .. } = &seen[0][0] else {
        panic!("{:?} came first", seen[0][0])
    };
    // How much of the end is known at the opening depends on what had been applied by then.
    *end = *known;
    assert_eq!(seen[0], expected);
}

#[test]
fn a_pad_without_watermarks_does_not_hold_up_one_with() {
    let bench = Bench::new(QUICK, &[]);
    let analysis = bench.signals("signal_0", WATERMARKED);
    let outside = bench.signals("signal_1", JSON);
    for now in times(20, FRAME) {
        bench.push_video(now);
        if now == 10 * SECOND {
            analysis.signal(now);
        }
        analysis.gap(now);
    }
    // Nothing has come from outside, and its pad stays open: it gets its time, and no more.
    analysis.end();
    bench.video.end();
    let seen = bench.collect();
    drop(outside);
    assert_eq!(
        seen[0],
        one_recording(times(20, FRAME), (6 * SECOND, 13 * SECOND))
    );
}

/// The names of the events that go upstream from the gate.
fn upstream(pipeline: &gst::Pipeline) -> Arc<Mutex<Vec<String>>> {
    let media = pipeline.by_name("media").expect("named in the line");
    let names = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&names);
    let pad = media.static_pad("src").expect("a source has one");
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let name = info.event().and_then(|event| event.structure());
        let mut names = into.lock().expect("no test panics under this lock");
        names.extend(name.map(|it| it.name().to_string()));
        gst::PadProbeReturn::Ok
    });
    names
}

/// Two recordings of test video into nowhere.
fn twice(settings: &str) -> (gst::Pipeline, gst::Element) {
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=500 ! video/x-raw,framerate=25/1,width=64,height=64 \
         ! x264enc key-int-max=50 tune=zerolatency ! identity name=media ! h264parse \
         ! signalgate name=gate {QUICK} {settings} ! fakesink sync=false"
    ));
    let gate = pipeline.by_name("gate").expect("named in the line");
    let first = gate.clone();
    // The first media finds them waiting.
    gate.static_pad("sink").expect("always there").add_probe(
        gst::PadProbeType::BUFFER,
        move |_, _| {
            for time in [5 * SECOND, 14 * SECOND] {
                let json = format!("{{\"media_time\":{time}}}");
                first.emit_by_name::<Option<String>>("trigger", &[&json]);
            }
            gst::PadProbeReturn::Remove
        },
    );
    (pipeline, gate)
}

#[test]
fn upstream_is_asked_for_a_keyframe_at_each_opening_if_the_user_wants_that() {
    for (settings, wanted) in [("", 0), ("request-keyframe=true", 2)] {
        let (pipeline, _) = twice(settings);
        let names = upstream(&pipeline);
        play(&pipeline).expect("it plays to the end");
        let names = names.lock().expect("no test panics under this lock");
        let asked = names
            .iter()
            .filter(|name| *name == "GstForceKeyUnit")
            .count();
        assert_eq!(asked, wanted, "{settings} {names:?}");
    }
}

#[test]
fn open_is_notified_whenever_it_changes() {
    let (pipeline, gate) = twice("");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    gate.connect_notify(Some("open"), move |gate, _: &glib::ParamSpec| {
        let open = gate.property::<bool>("open");
        into.lock()
            .expect("no test panics under this lock")
            .push(open);
    });
    play(&pipeline).expect("it plays to the end");
    let seen = seen.lock().expect("no test panics under this lock");
    assert_eq!(*seen, [true, false, true, false]);
}

/// How many buffers of video and of audio a file holds, and when the first of each is shown.
fn contents(path: &Path) -> [(usize, Option<gst::ClockTime>); 2] {
    let pipeline = launch(&format!(
        "filesrc location={} ! qtdemux name=d d.video_0 ! queue ! fakesink name=video \
         d.audio_0 ! queue ! fakesink name=audio",
        path.display()
    ));
    let counters = ["video", "audio"].map(|name| {
        let found = Arc::new(Mutex::new((0, None)));
        let into = Arc::clone(&found);
        let sink = pipeline.by_name(name).expect("named in the line");
        let pad = sink.static_pad("sink").expect("a sink has one");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let mut found = into.lock().expect("no test panics under this lock");
            let first = found.1.or(info.buffer().and_then(|it| it.pts()));
            *found = (found.0 + 1, first);
            gst::PadProbeReturn::Ok
        });
        found
    });
    play(&pipeline).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    counters.map(|found| *found.lock().expect("no test panics under this lock"))
}

#[test]
fn splitmuxsink_writes_what_the_gate_lets_through_with_its_audio() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // From a file, whose streams come side by side: test sources of their own race each other.
    let camera = dir.path().join("camera.mp4");
    let encode = launch(&format!(
        "videotestsrc num-buffers=500 ! video/x-raw,framerate=25/1,width=64,height=64 \
         ! x264enc key-int-max=50 tune=zerolatency ! h264parse ! queue ! mux. \
         audiotestsrc samplesperbuffer=1024 num-buffers=937 ! audio/x-raw,rate=48000,channels=1 \
         ! avenc_aac ! aacparse ! queue ! mux. mp4mux name=mux ! filesink location={}",
        camera.display()
    ));
    play(&encode).expect("it plays to the end");
    let pipeline = launch(&format!(
        "signalgate name=gate {QUICK} filesrc location={} ! qtdemux name=d \
         d.video_0 ! h264parse ! gate.sink d.audio_0 ! aacparse ! gate.sink_0 \
         splitmuxsink name=files location={}/%05d.mp4 gate.src ! files.video gate.src_0 ! files.audio_0",
        camera.display(),
        dir.path().display()
    ));
    let gate = pipeline.by_name("gate").expect("named in the line");
    let first = gate.clone();
    gate.static_pad("sink").expect("always there").add_probe(
        gst::PadProbeType::BUFFER,
        move |_, _| {
            let json = "{\"media_time\":10000000000}";
            first.emit_by_name::<Option<String>>("trigger", &[&json]);
            gst::PadProbeReturn::Remove
        },
    );
    play(&pipeline).expect("it plays to the end");
    let [(frames, video), (sounds, audio)] = contents(&dir.path().join("00000.mp4"));
    // From 6 s to 13 s: 7 s, in which 328 AAC frames begin.
    assert_eq!((frames, sounds), (7 * 25, 328));
    let (video, audio) = (video.expect("a time"), audio.expect("a time"));
    let apart = audio.nseconds().abs_diff(video.nseconds());
    assert!(apart <= SOUND.unsigned_abs(), "{video} {audio}");
}
