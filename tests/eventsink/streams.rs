//! More than H.264 in MP4: what each container holds, and streams beside the video.

use std::path::PathBuf;

use gst::prelude::*;
use serde_json::json;

use crate::bench::*;
use crate::common::trigger_at_first_frame;

const AAC_FRAME: f64 = 1024.0 / 48_000.0;

fn raw(frames: u32) -> String {
    format!(
        "videotestsrc num-buffers={frames} ! video/x-raw,format=I420,width=160,height=128,\
         framerate=10/1"
    )
}

fn tone(rate: u32) -> String {
    format!(
        "audiotestsrc num-buffers=20 samplesperbuffer={} ! audio/x-raw,rate={rate},channels=1",
        rate / 10
    )
}

/// A sink for this container and the clip that it will write.
fn sink(directory: &tempfile::TempDir, container: &str) -> (Bench, PathBuf) {
    let bench = Bench::new(&within(directory, "clip"));
    bench.sink.set_property_from_str("container", container);
    let extension = match container {
        "matroska" => "mkv",
        "mpegts" => "ts",
        other => other,
    };
    let clip = directory.path().join("clip").with_extension(extension);
    (bench, clip)
}

/// What these elements make, recorded alone.
fn recorded(elements: &str, container: &str) -> (tempfile::TempDir, PathBuf, Media) {
    let (directory, media) = (directory(), Media::encoded(elements));
    let (bench, clip) = sink(&directory, container);
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 9.0), &media.buffers);
    bench.eos();
    assert_eq!(json_of(&clip.with_extension("json"))["state"], "complete");
    (directory, clip, media)
}

/// The same of audio, without a pad for video.
fn recorded_alone(elements: &str, container: &str) -> (tempfile::TempDir, PathBuf) {
    let (directory, media) = (directory(), Media::encoded(elements));
    let (mut bench, clip) = sink(&directory, container);
    bench.sink.release_request_pad(&bench.pad);
    let pad = bench.sink.request_pad_simple("audio_%u");
    bench.pad = pad.expect("it is offered");
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 9.0), &media.buffers);
    bench.eos();
    (directory, clip)
}

#[test]
fn each_video_codec_plays_from_every_container_that_takes_it() {
    let encoders = [
        (
            "x264enc bframes=2 ! h264parse ! video/x-h264,stream-format=FORM,alignment=au",
            "h264",
        ),
        (
            "x265enc speed-preset=ultrafast log-level=0 ! h265parse ! \
          video/x-h265,stream-format=FORM,alignment=au",
            "h265",
        ),
        ("av1enc cpu-used=8 usage-profile=realtime ! av1parse", "av1"),
        ("vp8enc deadline=1", "vp8"),
        ("vp9enc deadline=1 ! vp9parse", "vp9"),
        ("jpegenc ! jpegparse", "mjpeg"),
    ];
    for (encoder, codec) in encoders {
        for container in ["mp4", "matroska", "mpegts"] {
            let packed = if codec == "h264" { "avc" } else { "hvc1" };
            let form = if container == "mpegts" {
                "byte-stream"
            } else {
                packed
            };
            let takes = match codec {
                "h264" | "h265" => true,
                "av1" | "vp9" => container != "mpegts",
                _ => container == "matroska",
            };
            if !takes {
                continue;
            }
            let encoder = encoder.replace("FORM", form);
            let (_directory, clip, media) =
                recorded(&format!("{} ! {encoder}", raw(20)), container);
            let what = format!("{codec} in {container}");
            assert_eq!(media.buffers.len(), 20, "{what}");
            let times = shown(&clip);
            let first = times[0];
            let times: Vec<_> = times.iter().map(|time| time - first).collect();
            assert_eq!(
                times,
                (0..20).map(|n| n * 100).collect::<Vec<_>>(),
                "{what}"
            );
            assert!(
                container == "mpegts" || first == 0,
                "{what} starts at {first}"
            );
            let sidecar = json_of(&clip.with_extension("json"));
            assert_eq!(sidecar["clip"]["streams"][0]["codec"], codec);
            assert_eq!(sidecar["clip"]["container"], container);
        }
    }
}

#[test]
fn h264_and_aac_with_their_headers_in_the_stream_play_too() {
    for container in ["mp4", "matroska"] {
        for form in [
            "x264enc ! h264parse ! video/x-h264,stream-format=avc3",
            "x265enc speed-preset=ultrafast log-level=0 ! h265parse ! video/x-h265,stream-format=hev1",
        ] {
            let (_directory, clip, _) = recorded(&format!("{} ! {form}", raw(20)), container);
            assert_eq!(frames(&clip), 20, "{form} in {container}");
        }
        let adts = tone(48_000) + " ! avenc_aac ! aacparse ! audio/mpeg,stream-format=adts";
        let (_directory, clip) = recorded_alone(&adts, container);
        let decoded = ffprobe_of(&clip, "a:0", "stream=codec_name,sample_rate");
        let stream = json!({"codec_name": "aac", "sample_rate": "48000"});
        assert_eq!(decoded["streams"][0], stream, "{container}");
    }
}

#[test]
fn sound_that_no_container_holds_is_refused_in_a_sentence_and_nobody_waits() {
    crate::common::init();
    let directory = directory();
    for (encoder, says) in [
        ("vorbisenc", "audio/x-vorbis"),
        ("alawenc", "container=matroska"),
    ] {
        let pipeline = gst::parse::launch(&format!(
            "audiotestsrc num-buffers=20 ! {encoder} ! signalgate ! eventsink location={}",
            within(&directory, "{n}")
        ));
        let pipeline = pipeline.expect("it links");
        // It fails at once or on the way.
        let _ = pipeline.set_state(gst::State::Playing);
        let bus = pipeline.bus().expect("a pipeline has a bus");
        let error = bus.timed_pop_filtered(PATIENCE, &[gst::MessageType::Error]);
        pipeline.set_state(gst::State::Null).expect("it stops");
        let error = error.expect("it says why");
        let gst::MessageView::Error(error) = error.view() else {
            unreachable!("filtered")
        };
        let error = error.error().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn each_audio_codec_plays_from_every_container_that_takes_it_even_alone() {
    let encoders = [
        (
            tone(48_000) + " ! avenc_aac ! aacparse ! audio/mpeg,stream-format=raw",
            "aac",
            true,
        ),
        (tone(48_000) + " ! opusenc ! opusparse", "opus", true),
        (tone(8000) + " ! alawenc", "alaw", false),
        (tone(8000) + " ! mulawenc", "mulaw", false),
        (
            tone(8000) + " ! audioconvert ! audio/x-raw,format=S16LE",
            "pcm",
            false,
        ),
    ];
    for (elements, codec, everywhere) in encoders {
        let containers = if everywhere {
            &["mp4", "matroska", "mpegts"][..]
        } else {
            &["matroska"]
        };
        for container in containers {
            let media = Media::encoded(&elements);
            let (_directory, clip) = recorded_alone(&elements, container);
            let what = format!("{codec} in {container}");
            let packets = packets(&clip, "a:0");
            assert_eq!(packets.len(), media.buffers.len(), "{what}");
            let decoded = ffprobe_of(&clip, "a:0", "stream=nb_read_frames");
            let decoded = decoded["streams"][0]["nb_read_frames"].as_str();
            let decoded: usize = decoded.and_then(|n| n.parse().ok()).expect("a number");
            // The first only sets a decoder going.
            assert!(decoded + 1 >= packets.len(), "{what}: {decoded}");
            let sidecar = json_of(&clip.with_extension("json"));
            let stream = &sidecar["clip"]["streams"][0];
            assert_eq!(
                (&stream["type"], &stream["codec"]),
                (&json!("audio"), &json!(codec))
            );
            assert_eq!(stream["channels"], 1, "{what}");
        }
    }
}

/// Video with B-frames and two tracks of audio, the second of which is there only in these
/// stretches, in seconds.
/// `asked` seconds into the clip lies the moment that was asked for.
fn in_company(
    container: &str,
    stretches: &[(f64, f64)],
    asked: f64,
) -> (tempfile::TempDir, PathBuf) {
    let (directory, audio) = (directory(), Media::audio(4));
    let form = if container == "mpegts" {
        "byte-stream"
    } else {
        "avc"
    };
    let video = Media::encoded(&format!(
        "{} ! x264enc bframes=2 key-int-max=10 b-adapt=false option-string=scenecut=0 ! h264parse \
         ! video/x-h264,stream-format={form},alignment=au",
        raw(40)
    ));
    let (bench, clip) = sink(&directory, container);
    bench.sink.set_property("exact-start", asked > 0.0);
    bench.play(&video);
    let pads = ["audio_0", "audio_1"].map(|name| bench.beside(name, &audio));
    let boundary = Boundary {
        asked,
        ..Boundary::new(1, 0.0, 4.0)
    };
    for pad in [&bench.pad, &pads[0], &pads[1]] {
        assert!(pad.send_event(boundary.event()));
    }
    let mut heard = audio.buffers.iter().peekable();
    for buffer in &video.buffers {
        bench.feed([buffer]);
        while let Some(sound) = heard.next_if(|sound| audio.pts(sound) <= video.pts(buffer)) {
            let now = audio.pts(sound) as f64 / SECOND as f64;
            pads[0].chain(sound.clone()).expect("it is taken");
            if stretches
                .iter()
                .any(|(from, to)| (*from..*to).contains(&now))
            {
                pads[1].chain(sound.clone()).expect("it is taken");
            }
        }
    }
    for pad in [&bench.pad, &pads[0], &pads[1]] {
        assert!(pad.send_event(boundary.closing().event()));
    }
    bench.eos();
    (directory, clip)
}

#[test]
fn audio_that_begins_later_and_pauses_stays_in_sync_with_b_frames() {
    for container in ["mp4", "matroska", "mpegts"] {
        let (_directory, clip) = in_company(container, &[(0.5, 1.5), (2.0, 4.0)], 0.0);
        let video = packets(&clip, "v:0");
        let sound = [packets(&clip, "a:0"), packets(&clip, "a:1")];
        let zero = video[0];
        let sound = sound.map(|times| times.iter().map(|time| time - zero).collect::<Vec<_>>());
        assert_eq!(video.len(), 40, "{container}");
        let count = |times: &[f64], from: f64, to: f64| {
            times
                .iter()
                .filter(|time| (from..to).contains(*time))
                .count() as f64
        };
        let near = |what: f64, wanted: f64| (what - wanted).abs() <= AAC_FRAME;
        assert!(near(sound[0][0], 0.0), "{container}: {}", sound[0][0]);
        assert!(near(sound[1][0], 0.5), "{container}: {}", sound[1][0]);
        assert!(
            near(count(&sound[1], 0.5, 1.5) * AAC_FRAME, 1.0),
            "{container}"
        );
        assert_eq!(count(&sound[1], 1.53, 1.99), 0.0, "{container}");
        let back = sound[1]
            .iter()
            .find(|time| **time > 1.75)
            .expect("it comes back");
        assert!(near(*back, 2.0), "{container}: {back}");
        let sidecar = json_of(&clip.with_extension("json"));
        assert_eq!(sidecar["state"], "complete", "{container}");
        assert_eq!(sidecar["clip"]["streams"][2]["codec"], "aac", "{container}");
    }
}

#[test]
fn a_clip_does_not_wait_for_audio_that_never_comes() {
    for container in ["mp4", "matroska", "mpegts"] {
        let (_directory, clip) = in_company(container, &[], 0.0);
        assert_eq!(packets(&clip, "v:0").len(), 40, "{container}");
        assert!(packets(&clip, "a:0").len() > 180, "{container}");
        assert_eq!(packets(&clip, "a:1").len(), 0, "{container}");
        assert_eq!(json_of(&clip.with_extension("json"))["state"], "complete");
    }
}

#[test]
fn audio_of_a_recording_that_continues_another_begins_with_it_again() {
    let (directory, video, audio) = (directory(), Media::new(40, 0), Media::audio(4));
    let bench = Bench::new(&within(&directory, "{n}"));
    bench.play(&video);
    let pad = bench.beside("audio_0", &audio);
    let first = Boundary::new(1, 0.0, 2.5);
    let second = Boundary {
        continues_from: Some(1),
        ..Boundary::new(2, 2.0, 4.0)
    };
    // All of the video before any of the audio: the gate's tasks may be that far apart.
    bench.record(&first, &video.buffers[..25]);
    bench.record(&second, &video.buffers[25..]);
    let (early, late): (Vec<_>, Vec<_>) = audio
        .buffers
        .iter()
        .partition(|sound| audio.pts(sound) < 5 * SECOND / 2);
    for (boundary, sounds) in [(first, early), (second, late)] {
        assert!(pad.send_event(boundary.event()));
        for sound in sounds {
            pad.chain(sound.clone()).expect("it is taken");
        }
        assert!(pad.send_event(boundary.closing().event()));
    }
    bench.eos();
    for (name, frames, length) in [("1.mp4", 25, 2.5), ("2.mp4", 20, 2.0)] {
        let clip = directory.path().join(name);
        let sounds = packets(&clip, "a:0");
        assert_eq!(packets(&clip, "v:0").len(), frames, "{name}");
        assert!(sounds[0].abs() <= AAC_FRAME, "{name}: {}", sounds[0]);
        let end = sounds[sounds.len() - 1] + AAC_FRAME;
        assert!((end - length).abs() <= AAC_FRAME, "{name}: {end}");
        let whole = (sounds.len() as f64 * AAC_FRAME - length).abs();
        assert!(whole <= AAC_FRAME, "{name}: {}", sounds.len());
    }
}

#[test]
fn what_a_pad_brings_may_be_told_late_and_change() {
    let (directory, video, audio) = (directory(), Media::new(40, 0), Media::audio(4));
    let other = Media::encoded(
        "audiotestsrc num-buffers=94 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=1 ! \
         avenc_aac ! aacparse ! audio/mpeg,stream-format=raw",
    );
    let bench = Bench::new(&within(&directory, "{n}"));
    let pad = bench.sink.request_pad_simple("audio_%u").expect("offered");
    bench.play(&video);
    let boundary = Boundary::new(1, 0.0, 4.0);
    bench.boundary(&boundary);
    bench.feed(&video.buffers[..10]);
    assert!(pad.send_event(gst::event::StreamStart::new("audio")));
    announce(&pad, &audio);
    for sound in audio
        .buffers
        .iter()
        .filter(|sound| audio.pts(sound) < 2 * SECOND)
    {
        pad.chain(sound.clone()).expect("it is taken");
    }
    bench.feed(&video.buffers[10..25]);
    announce(&pad, &other);
    for sound in &audio.buffers[94..] {
        pad.chain(sound.clone()).expect("it is taken");
    }
    bench.feed(&video.buffers[25..]);
    bench.boundary(&boundary.closing());
    bench.eos();
    let clip = |name: &str| directory.path().join(name);
    let (first, second) = (clip("1.mp4"), clip("1-part2.mp4"));
    assert_eq!(packets(&first, "v:0").len(), 25);
    assert_eq!(packets(&first, "a:0").len(), 94);
    // From the last sync point on, so that no frame is missing.
    assert_eq!(packets(&second, "v:0").len(), 20);
    let sidecars = [first, second].map(|clip| json_of(&clip.with_extension("json")));
    assert_eq!(sidecars[0]["id"], sidecars[1]["id"]);
    assert_eq!(sidecars[0]["clip"]["part"], json!(null));
    assert_eq!(sidecars[1]["clip"]["part"], 2);
    assert_eq!(sidecars[1]["clip"]["continues_from"], sidecars[1]["id"]);
    let channels = sidecars.map(|it| it["clip"]["streams"][1]["channels"].clone());
    assert_eq!(channels, [2, 1]);
}

#[test]
fn a_file_whose_audio_comes_after_all_of_its_video_loses_none_of_it() {
    let (directory, video, audio) = (directory(), Media::new(40, 0), Media::audio(4));
    let bench = Bench::new(&within(&directory, "{n}"));
    let pad = bench.sink.request_pad_simple("audio_%u").expect("offered");
    bench.play(&video);
    // Longer than a live clip would wait, and not told yet what the pad brings.
    bench.record(&Boundary::new(1, 0.0, 4.0), &video.buffers);
    assert!(bench.pad.send_event(gst::event::Eos::new()));
    assert!(pad.send_event(gst::event::StreamStart::new("audio")));
    announce(&pad, &audio);
    for sound in &audio.buffers {
        pad.chain(sound.clone()).expect("it is taken");
    }
    assert!(pad.send_event(gst::event::Eos::new()));
    bench.text("evr-recording-available", "id");
    let clip = directory.path().join("1.mp4");
    assert_eq!(packets(&clip, "v:0").len(), 40);
    assert!(packets(&clip, "a:0").len() >= 187);
    assert_eq!(json_of(&clip.with_extension("json"))["state"], "complete");
}

#[test]
fn lines_on_the_meta_pad_become_the_sidecars_detections() {
    let (directory, video) = (directory(), Media::new(20, 0));
    let bench = Bench::new(&within(&directory, "{n}"));
    bench.play(&video);
    let lines = Media {
        caps: gst::Caps::new_empty_simple("application/x-json"),
        segment: video.segment.clone(),
        buffers: vec![],
    };
    let pad = bench.beside("meta", &lines);
    let boundary = Boundary::new(1, 0.0, 2.0);
    bench.boundary(&boundary);
    bench.feed(&video.buffers);
    for (frame, count) in [(3, 1), (5, 2), (7, 0)] {
        let object = r#"{"label":"cat","confidence":0.5,"box":{"l":0,"t":0,"w":0.5,"h":0.5}}"#;
        let objects = vec![object; count].join(",");
        let line = format!("{{\"objects\":[{objects}]}}\n");
        let mut buffer = gst::Buffer::from_mut_slice(line.into_bytes());
        let pts = video.buffers[frame].pts();
        buffer.get_mut().expect("new").set_pts(pts);
        pad.chain(buffer).expect("it is taken");
    }
    bench.boundary(&boundary.closing());
    bench.eos();
    let sidecar = json_of(&directory.path().join("1.json"));
    let times = sidecar["detections"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|seen| {
            (
                seen["t"].as_f64().expect("seconds"),
                seen["objects"].as_array().map_or(9, Vec::len),
            )
        });
    assert_eq!(times.collect::<Vec<_>>(), [(0.3, 1), (0.5, 2), (0.7, 0)]);
    assert_eq!(sidecar["counts"], json!({"cat": 2}));
    assert_eq!(sidecar["clip"]["streams"].as_array().map(Vec::len), Some(1));
}

#[test]
fn audio_and_video_come_through_the_gate_into_one_clip() {
    crate::common::init();
    let directory = directory();
    let pipeline = gst::parse::launch(&format!(
        "signalgate name=gate activation-signal-offset=-1000000000 \
         minimum-activation-time=2000000000 \
         {} ! x264enc bframes=2 key-int-max=10 b-adapt=false option-string=scenecut=0 ! h264parse \
         ! queue ! gate.sink \
         audiotestsrc num-buffers=188 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 \
         ! avenc_aac ! aacparse ! queue ! gate.sink_0 \
         gate.src ! queue ! sink.video gate.src_0 ! queue ! sink.audio_0 \
         eventsink name=sink location={}",
        raw(40),
        within(&directory, "{n}")
    ));
    let pipeline = pipeline.expect("it links");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let gate = pipeline.by_name("gate").expect("it is named so");
    trigger_at_first_frame(&gate, Some(r#"{"media_time":1500000000}"#));
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let end = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(PATIENCE, &end).expect("it ends");
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    let clip = directory.path().join("1.mp4");
    let sidecar = json_of(&clip.with_extension("json"));
    assert_eq!(sidecar["state"], "complete");
    let (video, sound) = (packets(&clip, "v:0"), packets(&clip, "a:0"));
    // [0 s, 3.5 s), and what B-frames at the end need.
    assert!((35..=37).contains(&video.len()), "{}", video.len());
    assert!(sound[0].abs() <= AAC_FRAME, "{}", sound[0]);
    assert!((sound.len() as f64 * AAC_FRAME - 3.5).abs() <= 2.0 * AAC_FRAME);
}

#[test]
fn what_lies_before_the_exact_start_is_in_the_file_and_not_shown() {
    // The second track begins before the start that was asked for, and after it.
    for (begins, asked) in [(0.25, 0.6), (1.5, 0.6)] {
        let (directory, clip) = in_company("mp4", &[(begins, 4.0)], asked);
        let video = shown(&clip);
        assert_eq!(video, (0..34).map(|n| n * 100).collect::<Vec<_>>());
        let all = ffprobe(&clip, "stream=nb_frames");
        assert_eq!(all["streams"][0]["nb_frames"], "40");
        for (track, from) in [("a:0", 0.0), ("a:1", begins)] {
            let first = packets(&clip, track)
                .into_iter()
                .find(|time| *time >= -AAC_FRAME / 2.0);
            let wanted = (from - asked).max(0.0);
            let late = first.expect("sound") - wanted;
            assert!(late.abs() <= AAC_FRAME, "{track} from {begins}: {late}");
        }
        let sidecar = json_of(&clip.with_extension("json"));
        assert_eq!(sidecar["clip"]["hidden_lead_in"], 0.6);
        assert_eq!(sidecar["clip"]["start"], "1970-01-01T00:00:00.600Z");
        assert_eq!(sidecar["clip"]["duration"], 3.4);
        assert_eq!(sidecar["clip"]["frames"], 40);
        assert_eq!(sidecar["clip"]["achieved_pre_roll"], 0.4);
        assert_eq!(sidecar["event"]["start_offset"], 0.4);
        assert_eq!(played(&clip), 34);
        assert!(directory.path().join("clip.jpg").exists());
    }
}

/// Frames that GStreamer shows of the video.
fn played(clip: &std::path::Path) -> usize {
    let clip = clip.display();
    let elements = format!("filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! identity");
    Media::encoded(&elements).buffers.len()
}
