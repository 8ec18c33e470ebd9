//! What a fault costs, and what it never costs.

use std::fs;
use std::process::{Command, Stdio};

use gst::prelude::*;

use crate::bench::*;
use crate::common::until;

#[test]
fn a_location_that_cannot_be_written_is_an_element_error_and_leaves_no_file() {
    let directory = directory();
    fs::write(directory.path().join("file"), b"").expect("written");
    for (location, says) in [
        (within(&directory, "file/{id}.mp4"), "cannot be written"),
        (within(&directory, "{camera}.mp4"), "{camera}"),
        (String::new(), "names no file"),
    ] {
        let bench = Bench::new(&location);
        let _ = bench
            .pipeline
            .set_state(gst::State::Playing)
            .expect_err("it cannot start");
        let error = bench.bus.pop_filtered(&[gst::MessageType::Error]);
        let error = error.expect("it says why");
        let gst::MessageView::Error(error) = error.view() else {
            unreachable!("filtered")
        };
        let error = error.error().to_string();
        assert!(
            error.contains(says) && error.contains("eventsink"),
            "{error}"
        );
    }
    assert_eq!(names(directory.path()), ["file"]);
}

#[test]
fn caps_that_do_not_suit_are_refused_in_a_sentence() {
    let directory = directory();
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    bench.pad.send_event(gst::event::StreamStart::new("test"));
    let raw = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .build();
    assert!(!bench.pad.send_event(gst::event::Caps::new(&raw)));
    let error = bench
        .bus
        .timed_pop_filtered(PATIENCE, &[gst::MessageType::Error]);
    let error = error.expect("it says why");
    let gst::MessageView::Error(error) = error.view() else {
        unreachable!("filtered")
    };
    assert!(
        error
            .error()
            .to_string()
            .contains("encode it before signalgate")
    );
    // As upstream does with its next buffer.
    assert!(!bench.pad.send_event(gst::event::Caps::new(&raw)));
    let again = bench.bus.pop_filtered(&[gst::MessageType::Error]);
    assert!(again.is_none(), "told twice");
}

#[test]
fn media_without_a_gate_is_an_error_that_says_so() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench.play(&media);
    let refused = bench.pad.chain(media.buffers[0].clone());
    assert_eq!(refused, Err(gst::FlowError::Error));
    let error = bench
        .bus
        .timed_pop_filtered(PATIENCE, &[gst::MessageType::Error]);
    let error = error.expect("it says why");
    let gst::MessageView::Error(error) = error.view() else {
        unreachable!("filtered")
    };
    assert!(error.error().to_string().contains("signalgate"));
}

#[test]
fn a_recording_without_a_frame_fails_with_a_message_and_leaves_no_file() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &[]);
    assert!(
        bench
            .text("evr-recording-failed", "reason")
            .contains("first frame")
    );
    bench.eos();
    assert!(names(directory.path()).is_empty());
    assert_eq!(bench.counted("failed"), 1);
}

#[test]
fn a_recording_that_opens_before_the_caps_waits_for_them_and_fails_where_none_come() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    bench.pad.send_event(gst::event::StreamStart::new("test"));
    let never = Boundary::new(1, 0.0, 1.0);
    bench.record(&never, &[]);
    let reason = bench.text("evr-recording-failed", "reason");
    assert!(reason.contains("caps"), "{reason}");
    let early = Boundary::new(2, 0.0, 2.0);
    bench.boundary(&early);
    let update = Boundary {
        phase: "update",
        event: (1.0, 1.75),
        ..early.clone()
    };
    bench.boundary(&update);
    bench.announce(&media);
    bench.feed(&media.buffers);
    bench.boundary(&early.closing());
    bench.eos();
    let counted = (bench.counted("failed"), bench.counted("recordings"));
    assert_eq!(counted, (1, 1));
    assert_eq!(frames(&directory.path().join("2.mp4")), 20);
    let sidecar = json_of(&directory.path().join("2.json"));
    assert_eq!(sidecar["state"], "complete");
}

#[test]
fn a_stream_without_pts_fails_with_the_reason_and_the_cure() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench.play(&media);
    let mut buffers = media.buffers.clone();
    for buffer in &mut buffers {
        buffer.make_mut().set_pts(gst::ClockTime::NONE);
    }
    bench.record(&Boundary::new(1, 0.0, 1.0), &buffers);
    let reason = bench.text("evr-recording-failed", "reason");
    assert!(
        reason.contains("without PTS") && reason.contains("container"),
        "{reason}"
    );
}

#[test]
fn a_directory_that_turns_into_a_file_costs_its_recording_and_not_the_next() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "rec/{n}.mp4"));
    bench.play(&media);
    let rec = directory.path().join("rec");
    fs::remove_dir(&rec).expect("it is empty");
    fs::write(&rec, b"").expect("written");
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    assert!(
        bench
            .text("evr-recording-failed", "reason")
            .contains("cannot be created")
    );
    fs::remove_file(&rec).expect("it is there");
    bench.record(&Boundary::new(2, 0.0, 2.0), &media.buffers);
    bench.eos();
    assert_eq!(frames(&rec.join("2.mp4")), 20);
    assert_eq!(
        (bench.counted("failed"), bench.counted("recordings")),
        (1, 1)
    );
}

#[test]
fn a_clip_that_somebody_takes_away_is_told_of_and_leaves_nothing_to_tell_again() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    let boundary = Boundary::new(1, 0.0, 2.0);
    bench.boundary(&boundary);
    bench.feed(&media.buffers[..15]);
    bench.message("evr-recording-started");
    let known = directory.path().join("1.json.part");
    until("what is known is written down", || {
        fs::metadata(&known).is_ok_and(|file| file.len() > 0)
    });
    fs::remove_file(directory.path().join("1.mp4.part")).expect("it is there");
    bench.feed(&media.buffers[15..]);
    bench.boundary(&boundary.closing());
    let reason = bench.text("evr-recording-failed", "reason");
    assert!(reason.contains("is gone"), "{reason}");
    assert!(names(directory.path()).is_empty());
}

/// A file system of 60 KiB, unmounted at the end; `None` where mounting is not allowed.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn mount() -> Option<Self> {
        let at = directory();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=60k", "tmpfs"])
            .arg(at.path())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(at))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_costs_the_recording_and_every_frame_is_still_taken() {
    let Some(disk) = TinyDisk::mount() else {
        eprintln!("skipped: mounting needs root");
        return;
    };
    let media = Media::new(100, 0);
    assert!(media.buffers.iter().map(|b| b.size()).sum::<usize>() > 100_000);
    let bench = Bench::new(&within(&disk.0, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 10.0), &media.buffers);
    let failed = bench.message("evr-recording-failed");
    let text = |field| failed.structure()?.get::<String>(field).ok();
    let part = text("part").expect("media that is left");
    assert!(part.ends_with("1.mp4.part"));
    let reason = text("reason").expect("a sentence");
    assert!(
        reason.contains(&part) && reason.contains("disk has room"),
        "{reason}"
    );
    // With what the next start needs to make a clip of it.
    assert_eq!(names(disk.0.path()), ["1.json.part", "1.mp4.part"]);
    fs::remove_file(part).expect("it is there");
    bench.record(&Boundary::new(2, 0.0, 1.0), &media.buffers[..10]);
    bench.text("evr-recording-available", "id");
    bench.eos();
    assert_eq!(frames(&disk.0.path().join("2.mp4")), 10);
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "is run by a_killed_process_loses_at_most_a_fragment_and_leaves_no_final_name"]
fn writes_until_it_is_killed() {
    let location = std::env::var("EVR_TEST_LOCATION").expect("the test that runs it says where");
    let container = std::env::var("EVR_TEST_CONTAINER").expect("set beside it");
    let form = if container == "mpegts" {
        "byte-stream"
    } else {
        "avc"
    };
    let video = Media::encoded(&format!(
        "videotestsrc num-buffers=55 ! video/x-raw,width=320,height=240,framerate=10/1 ! \
         x264enc key-int-max=10 bframes=0 speed-preset=ultrafast option-string=scenecut=0 ! \
         h264parse ! video/x-h264,stream-format={form},alignment=au"
    ));
    let audio = Media::audio(6);
    let bench = Bench::new(&location);
    bench.sink.set_property_from_str("container", &container);
    bench.play(&video);
    let pad = bench.beside("audio_0", &audio);
    bench.boundary(&Boundary::new(1, 0.0, 9.0));
    let mut sounds = audio.buffers.iter().peekable();
    for buffer in &video.buffers {
        bench.feed([buffer]);
        while let Some(sound) = sounds.next_if(|sound| audio.pts(sound) <= video.pts(buffer)) {
            pad.chain(sound.clone()).expect("it is taken");
        }
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_process_loses_at_most_a_fragment_and_leaves_no_final_name() {
    for (container, part) in [
        ("mp4", "1.mp4.part"),
        ("matroska", "1.mkv.part"),
        ("mpegts", "1.ts.part"),
    ] {
        let directory = directory();
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "faults::writes_until_it_is_killed", "--ignored"])
            .env("EVR_TEST_LOCATION", within(&directory, "{n}"))
            .env("EVR_TEST_CONTAINER", container)
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let file = directory.path().join(part);
        // Frames, and seconds of sound.
        let written = || {
            (
                packets(&file, "v:0").len(),
                packets(&file, "a:0").len() / 47,
            )
        };
        until(&format!("{container} holds as much"), || {
            let (frames, sound) = written();
            let known = fs::metadata(directory.path().join("1.json.part"));
            frames >= 45 && sound >= 4 && known.is_ok_and(|file| file.len() > 0)
        });
        child.kill().expect("it runs");
        child.wait().expect("it has ended");
        assert!(written().0 >= 45 && written().1 >= 4, "{:?}", written());
        assert_eq!(names(directory.path()), ["1.json.part", part]);
    }
}

#[test]
fn counters_outlive_a_stop_and_begin_anew_with_the_next_start() {
    let (directory, media) = (directory(), Media::new(40, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.sink.set_property("max-files", 1u64);
    bench.sink.set_property("journal", true);
    fs::create_dir(directory.path().join("events.jsonl")).expect("made");
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers[..10]);
    bench.text("evr-recording-available", "id");
    bench.record(&Boundary::new(2, 1.0, 2.0), &media.buffers[10..20]);
    until("the first is removed", || bench.counted("removed") == 1);
    // Nothing else has to go while the element stops, which waits for that no longer than 5 s.
    fs::write(directory.path().join("2.keep"), "").expect("written");
    bench.feed(&media.buffers[20..25]);
    bench.record(&Boundary::new(3, 2.0, 3.0), &[]);
    bench.boundary(&Boundary::new(4, 2.0, 4.0));
    bench.feed(&media.buffers[20..]);
    bench
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
    let counters = [
        "recordings",
        "truncated",
        "failed",
        "removed",
        "outside",
        "unjournaled",
    ];
    let counted = || counters.map(|name| bench.counted(name));
    until("no line is left", || bench.counted("unjournaled") >= 10);
    assert_eq!(counted(), [3, 1, 1, 1, 5, 10]);
    bench.play(&media);
    assert_eq!(counted(), [0; 6]);
}

#[test]
fn a_segment_that_is_done_ends_no_recording_and_the_next_goes_on_with_it() {
    let (directory, media) = (directory(), Media::new(20, 2));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    let boundary = Boundary::new(1, 0.0, 4.0);
    bench.boundary(&boundary);
    bench.feed(&media.buffers);
    let done = gst::event::SegmentDone::new(2 * gst::ClockTime::SECOND);
    assert!(bench.pad.send_event(done));
    assert_eq!(bench.counted("unfinished"), 1);
    // As a player that loops: from the start again, behind what was played.
    let mut again = media.segment.clone();
    let fields = again.downcast_mut::<gst::ClockTime>().expect("of time");
    fields.set_base(2 * gst::ClockTime::SECOND);
    assert!(bench.pad.send_event(gst::event::Segment::new(&again)));
    bench.feed(&media.buffers);
    bench.boundary(&boundary.closing());
    assert_eq!(bench.text("evr-recording-available", "state"), "complete");
    let every = (0..40).map(|n| n * 100).collect::<Vec<_>>();
    assert_eq!(shown(&directory.path().join("1.mp4")), every);
}

#[test]
fn a_muxer_that_refuses_its_stream_costs_that_recording_and_not_the_next() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    let mut headless = media.caps.clone();
    let fields = headless.make_mut().structure_mut(0).expect("one");
    // Without it no player could start, so mp4mux does not.
    fields.remove_field("codec_data");
    bench
        .pipeline
        .set_state(gst::State::Playing)
        .expect("it starts");
    assert!(
        bench
            .pad
            .send_event(gst::event::StreamStart::new("headless"))
    );
    assert!(bench.pad.send_event(gst::event::Caps::new(&headless)));
    assert!(
        bench
            .pad
            .send_event(gst::event::Segment::new(&media.segment))
    );
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    let reason = bench.text("evr-recording-failed", "reason");
    assert!(reason.contains("1.mp4.part cannot be written"), "{reason}");
    bench.announce(&media);
    bench.record(&Boundary::new(2, 0.0, 2.0), &media.buffers);
    assert_eq!(bench.text("evr-recording-available", "state"), "complete");
    bench.eos();
    assert_eq!(names(directory.path()), ["2.jpg", "2.json", "2.mp4"]);
    assert_eq!(bench.counted("failed"), 1);
}
