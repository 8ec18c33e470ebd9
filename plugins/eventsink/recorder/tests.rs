//! What the recorder decides, without a pipeline.

use super::*;
use crate::eventsink::caps;
use crate::eventsink::writer::MAX_QUEUED;
use evr_core::recording::sidecar::State;

const FRAME: usize = 1 << 20;

fn recorder() -> Recorder {
    gst::init().expect("GStreamer is installed");
    let mut recorder = Recorder::new(Config {
        template: Template::parse("{id}.mp4", Container::Mp4).expect("a template"),
        container: Container::Mp4,
        source: "camera".into(),
        epoch: None,
        fragment: gst::ClockTime::SECOND,
        thumbnail: false,
        exact_start: false,
    });
    let caps = "video/x-h264, stream-format=avc, alignment=au, width=320, height=240";
    let caps = caps.parse().expect("caps");
    let input = caps::accept(Kind::Video, Container::Mp4, &caps).expect("recordable");
    recorder.add(Kind::Video);
    recorder.input(Kind::Video, input);
    let segment = gst::FormattedSegment::<gst::ClockTime>::new().upcast();
    recorder.segment(Kind::Video, segment);
    recorder
}

fn boundary(phase: Phase, end: Nanos) -> Recording {
    Recording {
        id: 1,
        phase,
        asked: 0,
        start: 0,
        sync_point: 0,
        end,
        event_start: 0,
        event_end: 0,
        continues_from: None,
        cause: "trigger".into(),
        signals: vec![],
    }
}

/// 10 fps, a sync point every second.
fn frame(n: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(FRAME).expect("memory");
    let fields = buffer.get_mut().expect("a new buffer has one owner");
    fields.set_pts(n * 100 * gst::ClockTime::MSECOND);
    fields.set_dts(fields.pts());
    if !n.is_multiple_of(10) {
        fields.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    buffer
}

/// Feeds frames to a writer behind which nobody reads; says which were written.
fn written(recorder: &mut Recorder, frames: std::ops::Range<u64>) -> Vec<u64> {
    let mut written = Vec::new();
    for n in frames {
        for action in recorder
            .buffer(Kind::Video, frame(n))
            .expect("a gate has spoken")
        {
            if let Action::Write {
                writer,
                track,
                buffer,
                pts,
                dts,
            } = action
            {
                written.push(n);
                writer.write(track, buffer, pts, dts);
            }
        }
    }
    written
}

#[test]
fn a_live_camera_whose_disk_hangs_loses_groups_of_pictures_and_never_waits() {
    let mut recorder = recorder();
    let live = Moment {
        live: true,
        clock: None,
    };
    recorder.boundary(Kind::Video, boundary(Phase::Open, 0), live);
    let bound = MAX_QUEUED / FRAME as u64;
    let written = written(&mut recorder, 0..100);
    assert_eq!(written, (0..bound).collect::<Vec<_>>());
    let actions = recorder.boundary(Kind::Video, boundary(Phase::Close, 10_000_000_000), live);
    let [Action::End(_, ending)] = actions.as_slice() else {
        panic!("the clip ends");
    };
    assert_eq!(ending.facts.state, State::Truncated);
    assert_eq!(ending.facts.frames, bound);
    assert!(ending.reason.contains("could not keep up"));
}

#[test]
fn a_file_that_can_wait_loses_nothing() {
    let mut recorder = recorder();
    let file = Moment {
        live: false,
        clock: None,
    };
    recorder.boundary(Kind::Video, boundary(Phase::Open, 0), file);
    assert_eq!(written(&mut recorder, 0..50).len(), 50);
}

#[test]
fn a_boundary_that_comes_twice_counts_once_and_what_lies_outside_is_counted() {
    let mut recorder = recorder();
    let file = Moment {
        live: false,
        clock: None,
    };
    assert_eq!(recorder.buffer(Kind::Video, frame(0)).err(), Some(NoGate));
    let open = boundary(Phase::Open, 0);
    recorder.boundary(Kind::Video, open.clone(), file);
    assert_eq!(written(&mut recorder, 0..2).len(), 2);
    assert!(recorder.boundary(Kind::Video, open, file).is_empty());
    let close = boundary(Phase::Close, 1);
    assert_eq!(recorder.boundary(Kind::Video, close.clone(), file).len(), 1);
    assert!(recorder.boundary(Kind::Video, close, file).is_empty());
    assert!(written(&mut recorder, 2..4).is_empty());
    assert_eq!(recorder.outside(), 2);
}

#[test]
fn what_was_told_within_a_recording_stands_in_it_although_it_never_closes() {
    let mut recorder = recorder();
    let live = Moment {
        live: true,
        clock: None,
    };
    let signal = |at: Nanos| serde_json::json!({"action": "trigger", "media_time": at});
    let mut open = boundary(Phase::Open, 0);
    open.signals.push(signal(0));
    recorder.boundary(Kind::Video, open.clone(), live);
    written(&mut recorder, 0..20);
    let mut update = boundary(Phase::Update, 0);
    update.event_end = 1_500_000_000;
    update.signals.push(signal(update.event_end));
    let actions = recorder.boundary(Kind::Video, update, live);
    let [Action::Learn(_, facts)] = actions.as_slice() else {
        panic!("it is written down");
    };
    assert_eq!(
        facts.signals,
        [signal(1_500_000_000)],
        "what is new, no more"
    );
    // The sticky boundary comes again where an element behind the gate is relinked.
    assert!(recorder.boundary(Kind::Video, open, live).is_empty());
    let actions = recorder.stop("the pipeline was stopped");
    let [Action::End(_, ending)] = actions.as_slice() else {
        panic!("the clip ends");
    };
    assert_eq!(ending.facts.signals, [signal(0), signal(1_500_000_000)]);
    assert_eq!(ending.facts.event_end, 1_500_000_000);
}

/// AAC of this pad, `count` frames of 20 ms from `from` on.
fn sounds(recorder: &mut Recorder, from: u64, count: u64) -> Vec<Action> {
    let mut actions = Vec::new();
    for n in 0..count {
        let mut buffer = gst::Buffer::with_size(100).expect("memory");
        let fields = buffer.get_mut().expect("a new buffer has one owner");
        fields.set_pts((from + 20 * n) * gst::ClockTime::MSECOND);
        actions.extend(
            recorder
                .buffer(Kind::Audio(0), buffer)
                .expect("it is beside"),
        );
    }
    actions
}

#[test]
fn sound_that_comes_back_after_long_begins_a_part_with_the_last_group_of_pictures() {
    let mut recorder = recorder();
    recorder.add(Kind::Audio(0));
    let caps = "audio/mpeg, mpegversion=4, stream-format=raw, rate=48000, channels=2";
    let caps = caps.parse().expect("caps");
    let input = caps::accept(Kind::Audio(0), Container::Mp4, &caps).expect("recordable");
    recorder.input(Kind::Audio(0), input);
    let segment = gst::FormattedSegment::<gst::ClockTime>::new().upcast();
    recorder.segment(Kind::Audio(0), segment);
    let live = Moment {
        live: true,
        clock: None,
    };
    recorder.boundary(Kind::Video, boundary(Phase::Open, 0), live);
    let ended = std::cell::Cell::new(0);
    let act = |actions: Vec<Action>| {
        let mut parts = Vec::new();
        for action in actions {
            match action {
                Action::EndTrack(writer, track) => {
                    ended.set(ended.get() + 1);
                    writer.end_track(track);
                }
                Action::Begin(beginning) => parts.push((beginning.part, beginning.subject.start)),
                _ => {}
            }
        }
        parts
    };
    let first = act(recorder
        .buffer(Kind::Video, small(0))
        .expect("a gate has spoken"));
    assert_eq!(first, [(1, 0)]);
    assert!(act(sounds(&mut recorder, 0, 50)).is_empty());
    for n in 1..75 {
        let actions = recorder
            .buffer(Kind::Video, small(n))
            .expect("a gate has spoken");
        assert!(act(actions).is_empty());
    }
    let parts = act(sounds(&mut recorder, 7400, 2));
    assert_eq!(parts, [(2, 7_000_000_000)]);
    assert_eq!(ended.get(), 1);
    // The second part has a track for it.
    assert!(act(sounds(&mut recorder, 7440, 2)).is_empty());
}

#[test]
fn sound_is_bounded_too_where_the_disk_of_a_live_camera_hangs() {
    let mut recorder = recorder();
    recorder.add(Kind::Audio(0));
    let caps = "audio/mpeg, mpegversion=4, stream-format=raw, rate=48000, channels=2";
    let caps = caps.parse().expect("caps");
    let input = caps::accept(Kind::Audio(0), Container::Mp4, &caps).expect("recordable");
    recorder.input(Kind::Audio(0), input);
    let segment = gst::FormattedSegment::<gst::ClockTime>::new().upcast();
    recorder.segment(Kind::Audio(0), segment);
    let live = Moment {
        live: true,
        clock: None,
    };
    recorder.boundary(Kind::Video, boundary(Phase::Open, 0), live);
    let (mut pictures, mut sounds) = (0, 0);
    for n in 0..100 {
        for (kind, buffer) in [(Kind::Video, small(n)), (Kind::Audio(0), frame(n))] {
            let actions = recorder.buffer(kind, buffer).expect("a gate has spoken");
            for action in actions {
                if let Action::Write {
                    writer,
                    track,
                    buffer,
                    pts,
                    dts,
                } = action
                {
                    pictures += u64::from(track == 0);
                    sounds += u64::from(track == 1);
                    writer.write(track, buffer, pts, dts);
                }
            }
        }
    }
    let bound = MAX_QUEUED / FRAME as u64;
    assert_eq!((pictures, sounds), (bound, 2 * bound));
    let actions = recorder.stop("the pipeline was stopped");
    let [Action::End(_, ending)] = actions.as_slice() else {
        panic!("the clip ends");
    };
    assert_eq!(ending.facts.state, State::Truncated);
}

/// As `frame`, of one byte.
fn small(n: u64) -> gst::Buffer {
    let mut buffer = frame(n);
    let fields = buffer.get_mut().expect("a new buffer has one owner");
    fields.set_size(1);
    buffer
}
