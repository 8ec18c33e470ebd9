//! Events that no element that behaves sends, and those that an application sends to the element
//! itself: what they cost, and what they never cost.

use std::sync::LazyLock;

use gst::prelude::*;

use crate::bench::*;

/// Four seconds of video, of sound, and of nothing for the pad `meta`.
static MEDIA: LazyLock<[Media; 3]> = LazyLock::new(|| {
    let video = Media::new(40, 0);
    let lines = Media {
        caps: gst::Caps::new_empty_simple("application/x-json"),
        segment: video.segment.clone(),
        buffers: vec![],
    };
    [video, Media::audio(4), lines]
});

/// A sink with a pad for each of them.
struct Stage {
    directory: tempfile::TempDir,
    bench: Bench,
    video: &'static Media,
    audio: &'static Media,
    sound: gst::Pad,
    meta: gst::Pad,
}

impl Stage {
    fn new() -> Self {
        let [video, audio, lines] = &*MEDIA;
        let directory = directory();
        let bench = Bench::new(&within(&directory, "{n}.mp4"));
        bench.play(video);
        Self {
            sound: bench.beside("audio_0", audio),
            meta: bench.beside("meta", lines),
            directory,
            bench,
            video,
            audio,
        }
    }

    fn pads(&self) -> [&gst::Pad; 3] {
        [&self.bench.pad, &self.sound, &self.meta]
    }

    /// Says again what comes, behind a flush.
    fn announce(&self) {
        for (pad, media) in self.pads().into_iter().zip(&*MEDIA) {
            announce(pad, media);
        }
    }

    fn boundary(&self, boundary: &Boundary) {
        for pad in self.pads() {
            assert!(pad.send_event(boundary.event()));
        }
    }

    /// Feeds both streams side by side; `between` comes before the frame in the middle.
    fn feed(&self, between: impl Fn()) {
        let mut sounds = self.audio.buffers.iter().peekable();
        let middle = self.video.buffers.len() / 2;
        for (n, frame) in self.video.buffers.iter().enumerate() {
            if n == middle {
                between();
            }
            self.bench.feed([frame]);
            let now = self.video.pts(frame);
            while let Some(sound) = sounds.next_if(|sound| self.audio.pts(sound) <= now) {
                self.sound.chain(sound.clone()).expect("it is taken");
            }
        }
    }

    /// Records it all; `between` comes before the frame in the middle.
    fn record(&self, id: u64, between: impl Fn()) {
        let boundary = Boundary::new(id, 0.0, 9.0);
        self.boundary(&boundary);
        self.feed(between);
        self.boundary(&boundary.closing());
    }

    /// A flush that an application sends; `during` comes before its end.
    fn flush(&self, during: impl Fn()) {
        let sink = &self.bench.sink;
        assert!(sink.send_event(gst::event::FlushStart::new()));
        during();
        assert!(sink.send_event(gst::event::FlushStop::new(true)));
        self.announce();
    }

    /// What became of a recording: its state, its frames, its packets of sound.
    fn clip(&self, n: u32) -> (String, usize, usize) {
        let path = |extension: &str| self.directory.path().join(format!("{n}.{extension}"));
        let state = json_of(&path("json"))["state"].as_str().map(str::to_owned);
        let clip = path("mp4");
        let sounds = packets(&clip, "a:0").len();
        (state.expect("a text"), frames(&clip), sounds)
    }

    /// Every frame, and every sound up to the last.
    fn whole(&self) -> (String, usize, usize) {
        let last = self.video.buffers.last().expect("there are 40");
        let heard = |sound: &&gst::Buffer| self.audio.pts(sound) <= self.video.pts(last);
        let sounds = self.audio.buffers.iter().filter(heard).count();
        ("complete".into(), self.video.buffers.len(), sounds)
    }
}

#[test]
fn gaps_to_the_end_of_time_cost_no_frame_and_no_sound_that_comes_all_the_same() {
    let most = gst::ClockTime::MAX;
    let signed = gst::ClockTime::from_nseconds(i64::MAX as u64);
    let day = 86_400 * gst::ClockTime::SECOND;
    for (start, duration) in [
        (most, Some(most)),
        (gst::ClockTime::ZERO, Some(most)),
        (signed, None),
        (day, Some(day)),
    ] {
        let stage = Stage::new();
        stage.record(1, || {
            let gap = gst::event::Gap::builder(start);
            let gap = gap.duration(duration).build();
            assert!(stage.bench.sink.send_event(gap), "every pad takes it");
        });
        stage.bench.eos();
        assert_eq!(stage.clip(1), stage.whole(), "{start} {duration:?}");
    }
}

#[test]
fn the_end_that_an_application_sends_to_the_element_ends_every_stream_and_is_told_once() {
    let stage = Stage::new();
    stage.boundary(&Boundary::new(1, 0.0, 9.0));
    stage.feed(|| ());
    let end = gst::event::Eos::new();
    let seqnum = end.seqnum();
    assert!(stage.bench.sink.send_event(end));
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let told = stage.bench.bus.timed_pop_filtered(PATIENCE, &kinds);
    let told = told.expect("it ends");
    assert_eq!((told.type_(), told.seqnum()), (kinds[0], seqnum));
    assert_eq!(stage.clip(1), stage.whole());
    assert!(stage.bench.bus.pop_filtered(&kinds).is_none(), "told twice");
    for pad in stage.pads() {
        let late = pad.chain(stage.video.buffers[0].clone());
        assert_eq!(late, Err(gst::FlowError::Eos), "{}", pad.name());
    }
}

#[test]
fn a_flush_that_an_application_sends_to_the_element_cuts_what_is_open_and_no_more() {
    let stage = Stage::new();
    stage.boundary(&Boundary::new(1, 0.0, 9.0));
    stage.feed(|| ());
    stage.flush(|| {
        for pad in stage.pads() {
            let late = pad.chain(stage.video.buffers[0].clone());
            assert_eq!(late, Err(gst::FlowError::Flushing), "{}", pad.name());
        }
    });
    stage.record(2, || ());
    stage.bench.eos();
    let (_, frames, sounds) = stage.whole();
    assert_eq!(stage.clip(1), ("truncated".into(), frames, sounds));
    assert_eq!(stage.clip(2), stage.whole());
}

#[test]
fn an_element_without_pads_takes_no_end() {
    let directory = directory();
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.sink.release_request_pad(&bench.pad);
    assert!(!bench.sink.send_event(gst::event::Eos::new()));
}

#[test]
fn a_time_that_cannot_be_costs_its_recording_at_most_and_never_the_pipeline() {
    let signed = gst::ClockTime::from_nseconds(i64::MAX as u64);
    let hours = 1000 * 3600 * gst::ClockTime::SECOND;
    let times = [
        gst::ClockTime::ZERO,
        // The last that counts: x264enc's segment begins at 1000 h.
        signed / 2 + hours,
        signed + hours,
    ];
    for (pad, time) in (0..3).flat_map(|pad| times.map(|time| (pad, time))) {
        let stage = Stage::new();
        stage.record(1, || {
            let media = [stage.video, stage.audio, stage.video][pad];
            let mut buffer = media.buffers[0].clone();
            let fields = buffer.make_mut();
            fields.set_pts(time);
            fields.set_dts(time);
            fields.set_duration(time);
            stage.pads()[pad].chain(buffer).expect("it is taken");
        });
        // Times begin anew.
        stage.flush(|| ());
        stage.record(2, || ());
        assert!(stage.bench.sink.send_event(gst::event::Eos::new()));
        let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
        let told = stage.bench.bus.timed_pop_filtered(PATIENCE, &kinds);
        let told = told.expect("it ends");
        assert_eq!(told.type_(), kinds[0], "{pad} {time}: {told:?}");
        assert_eq!(stage.clip(2), stage.whole(), "{pad} {time}");
    }
}
