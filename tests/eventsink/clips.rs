//! What a recording leaves when nothing goes wrong, and where one ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use serde_json::{Value, json};

use crate::bench::*;
use crate::common::next_warning;

#[test]
fn a_recording_becomes_a_clip_from_0_with_exactly_the_frames_its_sidecar_claims() {
    let (directory, media) = (directory(), Media::new(30, 0));
    let bench = Bench::new(&within(&directory, "%Y-{label}-{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 3.0), &media.buffers);
    bench.eos();

    assert_eq!(
        names(directory.path()),
        [
            "1970-person-1.jpg",
            "1970-person-1.json",
            "1970-person-1.mp4"
        ]
    );
    let clip = directory.path().join("1970-person-1.mp4");
    assert_eq!(shown(&clip), (0..30).map(|n| n * 100).collect::<Vec<_>>());
    let first = ffprobe(&clip, "packet=flags");
    assert!(
        first["packets"][0]["flags"]
            .as_str()
            .expect("flags")
            .starts_with('K')
    );

    let sidecar = json_of(&clip.with_extension("json"));
    assert_eq!(sidecar["schema"], "evr/recording/1");
    assert_eq!(sidecar["state"], "complete");
    assert_eq!(sidecar["source"], "camera");
    assert_eq!(sidecar["label"], "person");
    let bytes = fs::metadata(&clip).expect("it exists").len();
    assert_eq!(
        sidecar["clip"],
        json!({
            "path": "1970-person-1.mp4", "container": "mp4", "bytes": bytes,
            "start": "1970-01-01T00:00:00.000Z", "end": "1970-01-01T00:00:03.000Z",
            "duration": 3.0, "frames": 30,
            "streams": [{"type": "video", "codec": "h264",
                "profile": media.caps.structure(0).and_then(|s| s.get::<String>("profile").ok()),
                "width": 320, "height": 240, "framerate": "10/1"}],
            "requested_pre_roll": 0.8, "achieved_pre_roll": 1.0,
            "continues_from": null, "time_source": "media",
        })
    );
    assert_eq!(
        sidecar["event"],
        json!({
            "start": "1970-01-01T00:00:01.000Z", "end": "1970-01-01T00:00:01.500Z",
            "start_offset": 1.0, "end_offset": 1.5,
        })
    );
    assert_eq!(sidecar["signals"][0]["t"], 1.0);
    assert_eq!(sidecar["detections"][0]["t"], 1.0);
    assert_eq!(sidecar["counts"], json!({"person": 1}));
    assert_eq!(bench.counted("recordings"), 1);
}

#[test]
fn b_frames_keep_their_order_and_the_clip_still_starts_at_0() {
    let (directory, media) = (directory(), Media::new(40, 2));
    assert!(!media.buffers.is_sorted_by_key(|buffer| buffer.pts()));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    let from = media
        .buffers
        .iter()
        .position(|buffer| media.pts(buffer) == SECOND);
    bench.record(
        &Boundary::new(1, 1.0, 4.0),
        &media.buffers[from.expect("a GOP a second")..],
    );
    bench.eos();
    let clip = directory.path().join("1.mp4");
    assert_eq!(shown(&clip), (0..30).map(|n| n * 100).collect::<Vec<_>>());
    assert_eq!(
        json_of(&clip.with_extension("json"))["clip"]["duration"],
        3.0
    );
}

#[test]
fn b_frames_without_dts_are_stamped_or_refused_but_never_written_wrongly() {
    let (directory, mut media) = (directory(), Media::new(30, 2));
    for buffer in &mut media.buffers {
        buffer.make_mut().set_dts(None);
    }
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 3.0), &media.buffers);
    bench.eos();
    let clip = directory.path().join("1.mp4");
    let sidecar = json_of(&clip.with_extension("json"));
    assert_eq!(sidecar["clip"]["frames"], shown(&clip).len());
    if gst::ElementFactory::find("h264timestamper").is_some() {
        assert_eq!(shown(&clip), (0..30).map(|n| n * 100).collect::<Vec<_>>());
    } else {
        assert_eq!(sidecar["state"], "truncated");
    }
}

#[test]
fn the_same_input_gives_the_same_sidecar_byte_for_byte() {
    let media = Media::new(20, 0);
    let sidecars: Vec<_> = (0..2)
        .map(|_| {
            let directory = directory();
            let bench = Bench::new(&within(&directory, "{id}.mp4"));
            bench.play(&media);
            bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
            bench.eos();
            let names = names(directory.path());
            let sidecar = names.iter().find(|name| name.ends_with(".json"));
            let sidecar = sidecar.expect("a sidecar");
            (
                sidecar.clone(),
                fs::read(directory.path().join(sidecar)).expect("it exists"),
            )
        })
        .collect();
    assert_eq!(sidecars[0], sidecars[1]);
}

#[test]
fn a_recording_that_continues_another_begins_with_its_frames_again() {
    let (directory, media) = (directory(), Media::new(30, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.5), &media.buffers[..15]);
    let second = Boundary {
        continues_from: Some(1),
        ..Boundary::new(2, 1.0, 3.0)
    };
    bench.record(&second, &media.buffers[15..]);
    bench.eos();
    let clip = directory.path().join("2.mp4");
    assert_eq!(frames(&directory.path().join("1.mp4")), 15);
    assert_eq!(shown(&clip), (0..20).map(|n| n * 100).collect::<Vec<_>>());
    let (first, second) = (
        json_of(&directory.path().join("1.json")),
        json_of(&directory.path().join("2.json")),
    );
    assert_eq!(second["clip"]["continues_from"], first["id"]);
    assert_eq!(second["clip"]["start"], "1970-01-01T00:00:01.000Z");
    assert_eq!(second["state"], "complete");
}

#[test]
fn a_taken_name_gets_a_number_and_nothing_is_overwritten() {
    let (directory, media) = (directory(), Media::new(10, 0));
    fs::write(directory.path().join("clip.mp4"), b"mine").expect("written");
    let bench = Bench::new(&within(&directory, "clip.mp4"));
    bench.play(&media);
    for id in 1..=2 {
        bench.record(&Boundary::new(id, 0.0, 1.0), &media.buffers);
    }
    bench.eos();
    let clips: Vec<_> = names(directory.path())
        .into_iter()
        .filter(|name| name.ends_with(".mp4"))
        .collect();
    assert_eq!(clips, ["clip-2.mp4", "clip-3.mp4", "clip.mp4"]);
    let mine = fs::read(directory.path().join("clip.mp4")).expect("it exists");
    assert_eq!(mine, b"mine");
}

#[test]
fn a_label_that_climbs_stays_in_the_directory() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{label}.mp4"));
    bench.play(&media);
    let mut boundary = Boundary::new(1, 0.0, 1.0);
    boundary.signals = json!([{"action": "trigger", "media_time": 0, "label": "../../x y"}]);
    bench.record(&boundary, &media.buffers);
    bench.eos();
    assert!(directory.path().join("_._.._x_y.mp4").exists());
}

#[test]
fn eos_and_stopping_finish_what_is_open_and_a_flush_cuts_it() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let state = |n: u32| json_of(&directory.path().join(format!("{n}.json")))["state"].clone();
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);

    bench.boundary(&Boundary::new(1, 0.0, 9.0));
    bench.feed(&media.buffers);
    assert!(bench.pad.send_event(gst::event::FlushStart::new()));
    assert!(bench.pad.send_event(gst::event::FlushStop::new(true)));
    bench.announce(&media);

    bench.boundary(&Boundary::new(2, 0.0, 9.0));
    bench.feed(&media.buffers);
    bench.eos();
    assert_eq!(
        (state(1), state(2)),
        ("truncated".into(), "complete".into())
    );

    assert!(bench.pad.send_event(gst::event::FlushStart::new()));
    assert!(bench.pad.send_event(gst::event::FlushStop::new(true)));
    bench.announce(&media);
    bench.boundary(&Boundary::new(3, 0.0, 9.0));
    bench.feed(&media.buffers);
    bench
        .pipeline
        .set_state(gst::State::Ready)
        .expect("it stops");
    assert_eq!(state(3), "truncated");
    for n in 1..=3 {
        assert_eq!(frames(&directory.path().join(format!("{n}.mp4"))), 20);
    }
}

#[test]
fn the_end_is_posted_once_with_the_seqnum_of_its_event() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers);
    let event = gst::event::Eos::new();
    let seqnum = event.seqnum();
    assert!(bench.pad.send_event(event));
    let ended = bench
        .bus
        .timed_pop_filtered(PATIENCE, &[gst::MessageType::Eos]);
    assert_eq!(ended.expect("EOS").seqnum(), seqnum);
    assert_eq!(bench.counted("unfinished"), 0);
    assert!(bench.bus.pop_filtered(&[gst::MessageType::Eos]).is_none());
}

#[test]
fn an_element_that_was_stopped_starts_anew_with_nothing_left_over() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    for _ in 0..3 {
        bench.play(&media);
        // The same boundary each time, as a gate that starts anew counts from 1 again.
        bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
        bench.eos();
        assert_eq!(bench.counted("recordings"), 1);
        bench
            .pipeline
            .set_state(gst::State::Ready)
            .expect("it stops");
    }
    let sidecar = |name: &str| {
        let mut sidecar = json_of(&directory.path().join(name));
        sidecar["clip"]["path"].take();
        sidecar
    };
    assert_eq!(sidecar("1.json"), sidecar("1-2.json"));
    assert_eq!(sidecar("1.json"), sidecar("1-3.json"));
}

#[test]
fn other_caps_within_a_recording_begin_another_part_and_all_play() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let wide = Media::sized(20, 0, 640);
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    let boundary = Boundary::new(1, 0.0, 4.0);
    bench.boundary(&boundary);
    bench.feed(&media.buffers);
    bench.announce(&wide);
    bench.feed(&wide.buffers);
    bench.announce(&media);
    bench.feed(&media.buffers);
    bench.boundary(&boundary.closing());
    // The next recording is none of them.
    bench.record(&Boundary::new(2, 0.0, 2.0), &media.buffers);
    bench.eos();
    let clip = |name: &str| directory.path().join(name).with_extension("mp4");
    let parts = ["1", "1-part2", "1-part3"].map(clip);
    let sidecars = parts
        .each_ref()
        .map(|clip| json_of(&clip.with_extension("json")));
    let told = |member: &str| sidecars.each_ref().map(|it| it["clip"][member].clone());
    assert_eq!(told("part"), [Value::Null, 2.into(), 3.into()]);
    let id = &sidecars[0]["id"];
    assert_eq!(
        told("continues_from"),
        [Value::Null, id.clone(), id.clone()]
    );
    assert!(sidecars.iter().all(|sidecar| sidecar["id"] == *id));
    let widths = sidecars
        .each_ref()
        .map(|it| it["clip"]["streams"][0]["width"].clone());
    assert_eq!(widths, [320, 640, 320]);
    for clip in parts {
        assert_eq!(frames(&clip), 20);
    }
    let next = json_of(&clip("2").with_extension("json"));
    assert_ne!(next["id"], *id);
    assert_eq!(next["clip"]["part"], Value::Null);
}

#[test]
fn messages_come_in_order_with_typed_fields_and_json() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    let id = bench.text("evr-recording-started", "id");
    assert_eq!(bench.text("evr-recording-stopped", "reason"), "elapsed");
    let available = bench.message("evr-recording-available");
    let fields = available
        .structure()
        .expect("an element message has fields");
    assert_eq!(fields.get::<String>("id").expect("a text"), id);
    assert_eq!(fields.get::<i64>("start").expect("a time"), 0);
    assert_eq!(fields.get::<i64>("end").expect("a time"), 2 * SECOND);
    assert_eq!(fields.get::<u64>("frames").expect("a number"), 20);
    for field in ["location", "sidecar", "thumbnail"] {
        let path = fields.get::<String>(field).expect("a path");
        assert!(Path::new(&path).exists(), "{path}");
    }
    let json = fields.get::<String>("json").expect("JSON");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["type"], "evr-recording-available");
    assert_eq!(json["recording"], json_of(&directory.path().join("1.json")));
}

#[test]
fn handlers_of_splitmuxsinks_messages_hear_of_clips_too() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    for (name, time) in [("opened", 0), ("closed", 2)] {
        let message = bench.message(&format!("splitmuxsink-fragment-{name}"));
        let fields = message.structure().expect("it was chosen by them");
        let location = fields.get::<String>("location").expect("a path");
        assert_eq!(location, within(&directory, "1.mp4"));
        let time = gst::ClockTime::from_seconds(time);
        assert_eq!(fields.get("running-time"), Ok(time));
        assert_eq!(fields.get("sink"), Ok(bench.sink.clone()));
        assert!(name == "opened" || Path::new(&location).exists());
    }
}

#[test]
fn an_application_names_clips_but_only_below_the_templates_directory() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    let [mine, outside] = ["mine.mp4", "../mine.mp4"].map(|name| within(&directory, name));
    bench.sink.connect("format-location", false, move |args| {
        let path = match args[1].get::<u32>().expect("a number") {
            1 => Some(mine.clone()),
            2 => Some(outside.clone()),
            _ => None,
        };
        Some(path.to_value())
    });
    bench.play(&media);
    for n in 1..=3 {
        bench.record(&Boundary::new(n, 0.0, 1.0), &media.buffers);
    }
    let warning = next_warning(&bench.bus).expect("a path outside is told");
    assert!(warning.contains("../mine.mp4"), "{warning}");
    bench.eos();
    let clips = names(directory.path());
    let clips = clips.iter().filter(|name| name.ends_with(".mp4"));
    assert_eq!(clips.collect::<Vec<_>>(), ["2.mp4", "3.mp4", "mine.mp4"]);
}

#[test]
fn the_thumbnail_is_a_jpeg_of_the_clips_size() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    bench.eos();
    let picture = ffprobe(
        &directory.path().join("1.jpg"),
        "stream=codec_name,width,height",
    );
    assert_eq!(
        picture["streams"][0],
        json!({"codec_name": "mjpeg", "width": 320, "height": 240})
    );
}

#[test]
fn the_thumbnail_shows_the_frame_of_the_first_signal() {
    // Black and white in turn.
    let media = Media::encoded(
        "videotestsrc pattern=blink num-buffers=20 ! video/x-raw,format=I420,width=160,height=128,\
         framerate=10/1 ! x264enc key-int-max=10 bframes=2 b-adapt=false ! h264parse ! \
         video/x-h264,stream-format=avc,alignment=au",
    );
    let brightness = [1.0, 1.1].map(|event| {
        let directory = directory();
        let bench = Bench::new(&within(&directory, "{n}.mp4"));
        bench.play(&media);
        let boundary = Boundary {
            event: (event, 1.5),
            ..Boundary::new(1, 0.0, 2.0)
        };
        bench.record(&boundary, &media.buffers);
        bench.eos();
        let picture = directory.path().join("1.jpg");
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-f", "lavfi", "-i"])
            .arg(format!("movie={},signalstats", picture.display()))
            .args(["-show_entries", "frame_tags=lavfi.signalstats.YAVG"])
            .args(["-of", "csv=p=0"])
            .output();
        let text = String::from_utf8(output.expect("it is installed").stdout);
        let text = text.expect("a number");
        text.trim().parse::<f64>().expect("a number") > 128.0
    });
    assert_ne!(brightness[0], brightness[1]);
}

#[test]
fn utc_comes_from_the_senders_clock_before_the_epoch() {
    let (directory, mut media) = (directory(), Media::new(10, 0));
    let unix = gst::Caps::new_empty_simple("timestamp/x-unix");
    let time = gst::ClockTime::from_seconds(1_700_000_000);
    gst::ReferenceTimestampMeta::add(media.buffers[0].make_mut(), &unix, time, None);
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.sink.set_property("epoch", 1_600_000_000 * SECOND);
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers);
    media.buffers[0].make_mut().remove_meta_of_reference();
    bench.record(&Boundary::new(2, 0.0, 1.0), &media.buffers);
    bench.eos();
    let clip = |n| json_of(&directory.path().join(format!("{n}.json")))["clip"].clone();
    assert_eq!(clip(1)["time_source"], "reference");
    assert_eq!(clip(1)["start"], "2023-11-14T22:13:20.000Z");
    assert_eq!(clip(2)["time_source"], "property");
    assert_eq!(clip(2)["start"], "2020-09-13T12:26:40.000Z");
}

/// Removes what the test above has added.
trait WithoutReference {
    fn remove_meta_of_reference(&mut self);
}

impl WithoutReference for gst::BufferRef {
    fn remove_meta_of_reference(&mut self) {
        if let Some(meta) = self.meta_mut::<gst::ReferenceTimestampMeta>() {
            meta.remove().expect("it is not locked");
        }
    }
}

#[test]
fn a_live_pipeline_takes_utc_from_the_clock_and_ends_only_after_its_clip() {
    crate::common::init();
    let directory = directory();
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc is-live=true num-buffers=15 ! video/x-raw,width=320,height=240,\
         framerate=30/1 ! x264enc tune=zerolatency ! h264parse name=parse ! \
         eventsink location={}",
        within(&directory, "{n}.mp4")
    ));
    let pipeline = pipeline.expect("it links");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let parse = pipeline.by_name("parse").expect("it is named so");
    let gate = parse.static_pad("src").expect("a parser has one");
    gate.add_probe(gst::PadProbeType::BUFFER, |pad, _| {
        pad.push_event(Boundary::new(1, 0.0, 9.0).event());
        gst::PadProbeReturn::Remove
    });
    let begun = SystemTime::now();
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let end = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(PATIENCE, &end).expect("it ends");
    assert_eq!(end.type_(), gst::MessageType::Eos);
    let clip = json_of(&directory.path().join("1.json"))["clip"].clone();
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(frames(&directory.path().join("1.mp4")), 15);
    assert_eq!(clip["time_source"], "clock");
    let begun = begun.duration_since(UNIX_EPOCH).expect("it is after 1970");
    let start = clip["start"].as_str().expect("a time");
    let start = evr_core::time::parse_rfc3339(start).expect("RFC 3339");
    let late = start - begun.as_nanos() as i64;
    assert!((-SECOND / 100..5 * SECOND).contains(&late), "{late} ns");
}
