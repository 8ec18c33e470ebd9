//! What an application finds that was not there to hear it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use gst::prelude::*;
use serde_json::{Value, json};

use crate::bench::*;
use crate::common::{next_warning, schemas, until};

fn bench(location: &str) -> Bench {
    let bench = Bench::new(location);
    bench.sink.set_property("journal", true);
    bench
}

fn stop(bench: &Bench) {
    bench
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
}

/// Waits until the journal tells of everything, which stopping does for no longer than 5 s.
fn end(bench: &Bench) {
    bench.eos();
    stop(bench);
}

fn lines(directory: &Path) -> Vec<Value> {
    let text = fs::read_to_string(directory.join("events.jsonl")).expect("a journal");
    assert!(text.ends_with('\n'));
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a whole line"))
        .collect()
}

fn types(lines: &[Value]) -> Vec<&str> {
    let words = lines
        .iter()
        .map(|line| line["type"].as_str().expect("a text"));
    words
        .map(|word| word.trim_start_matches("evr-recording-"))
        .collect()
}

#[test]
fn the_journal_tells_of_every_recording_what_the_bus_tells() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = bench(&within(&directory, "{n}/{id}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    let message = bench.message("evr-recording-available");
    bench.record(&Boundary::new(2, 0.0, 2.0), &[]);
    bench.message("evr-recording-failed");
    end(&bench);
    let lines = lines(directory.path());
    assert_eq!(types(&lines), ["started", "stopped", "available", "failed"]);
    let fields = message.structure().expect("it has");
    let text = |field: &str| fields.get::<String>(field).expect("a text");
    let available = &lines[2];
    assert_eq!(available["subject"].as_str(), Some(text("id").as_str()));
    assert_eq!(available["source"], "/evr/camera");
    assert_eq!(
        available["data"]["location"].as_str(),
        Some(text("location").as_str())
    );
    assert_eq!(available["data"]["recording"]["counts"]["person"], 1);
    assert!(
        lines[3]["data"]["reason"]
            .as_str()
            .expect("why")
            .contains("first frame")
    );
    assert_eq!(bench.counted("unjournaled"), 0);
}

#[test]
fn the_end_is_told_when_the_journal_tells_of_the_last_recording() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = bench(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    let journal = directory.path().join("events.jsonl");
    fs::write(&journal, "").expect("written");
    let journal = fs::File::open(journal).expect("it is there");
    journal.lock().expect("nobody has written yet");
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers);
    assert!(bench.pad.send_event(gst::event::Eos::new()));
    bench.message("evr-recording-available");
    let end = [gst::MessageType::Eos];
    let early = gst::ClockTime::from_mseconds(200);
    assert!(bench.bus.timed_pop_filtered(early, &end).is_none());
    journal.unlock().expect("it was locked");
    bench.bus.timed_pop_filtered(PATIENCE, &end).expect("EOS");
    let told = lines(directory.path());
    assert_eq!(types(&told), ["started", "stopped", "available"]);
}

#[test]
fn a_journal_that_a_crash_tore_is_mended_at_the_start() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = bench(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers);
    bench.text("evr-recording-available", "id");
    end(&bench);
    let journal = directory.path().join("events.jsonl");
    let mut torn = fs::read(&journal).expect("readable");
    torn.extend_from_slice(b"{\"specversion\":\"1.");
    fs::write(&journal, torn).expect("written");
    bench.play(&media);
    let warning = next_warning(&bench.bus).expect("it says so");
    assert!(warning.contains("half a line"), "{warning}");
    stop(&bench);
    assert_eq!(
        types(&lines(directory.path())),
        ["started", "stopped", "available"]
    );
}

#[test]
fn a_clip_that_got_its_names_and_no_line_before_the_crash_is_told_at_the_start() {
    for lost in 1..=2 {
        let (directory, media) = (directory(), Media::new(20, 0));
        let bench = bench(&within(&directory, "{n}.mp4"));
        bench.play(&media);
        for n in 1..=2 {
            bench.record(&Boundary::new(n, 0.0, 2.0), &media.buffers);
            bench.text("evr-recording-available", "id");
        }
        end(&bench);
        let journal = directory.path().join("events.jsonl");
        let text = fs::read_to_string(&journal).expect("readable");
        let mut told: Vec<_> = text.lines().collect();
        let last: Value = serde_json::from_str(told[5]).expect("a whole line");
        told.truncate(6 - lost);
        fs::write(&journal, told.join("\n") + "\n").expect("written");
        bench.play(&media);
        let message = bench.message("evr-recording-available");
        let fields = message.structure().expect("it has");
        let text = |field: &str| fields.get::<String>(field).expect("a text");
        assert_eq!(text("id"), last["subject"]);
        for path in ["location", "sidecar", "thumbnail"] {
            assert_eq!(text(path), last["data"][path]);
        }
        assert_eq!(fields.get::<u64>("frames"), Ok(20));
        end(&bench);
        // Once is enough.
        bench.play(&media);
        stop(&bench);
        let lines = lines(directory.path());
        let kinds = types(&lines);
        assert_eq!(kinds.len(), 7 - lost, "{kinds:?}");
        let told = &lines[kinds.len() - 1];
        assert_eq!(told["type"], last["type"]);
        assert_eq!(told["data"]["recording"], last["data"]["recording"]);
    }
}

#[test]
fn a_start_beside_a_sink_that_is_about_to_tell_of_its_clip_leaves_that_to_it() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let location = within(&directory, "{n}.mp4");
    let (first, second) = (bench(&location), bench(&location));
    first.play(&media);
    let boundary = Boundary::new(1, 0.0, 2.0);
    first.boundary(&boundary);
    first.feed(&media.buffers);
    let journal = directory.path().join("events.jsonl");
    until("the journal tells of the start", || {
        fs::read_to_string(&journal).is_ok_and(|text| text.contains("-started"))
    });
    // So that the line of the clip has to wait.
    let journal = fs::File::open(journal).expect("it is there");
    journal.lock().expect("it is unlocked between lines");
    first.boundary(&boundary.closing());
    first.text("evr-recording-available", "id");
    // What a crash has left is looked at once all clips were.
    let then = fs::FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(60));
    for name in ["9.mp4.part", "9.json.part"] {
        let file = fs::File::create(directory.path().join(name)).expect("it can be made");
        file.set_times(then).expect("it is ours");
    }
    second.play(&media);
    let reason = second.text("evr-recording-failed", "reason");
    assert!(reason.contains("9.mp4"), "{reason}");
    journal.unlock().expect("it was locked");
    for bench in [&first, &second] {
        bench.eos();
        stop(bench);
    }
    let lines = lines(directory.path());
    let mut kinds = types(&lines);
    kinds.sort_unstable();
    assert_eq!(kinds, ["available", "failed", "started", "stopped"]);
}

#[test]
fn a_mended_clip_that_got_its_names_and_no_line_is_told_as_recovered() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = bench(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    let sidecar = bench.text("evr-recording-available", "sidecar");
    end(&bench);
    // What a repair leaves that a second crash kept from saying so.
    let mended = fs::read_to_string(&sidecar).expect("readable");
    let mended = mended.replace(r#""state": "complete""#, r#""state": "recovered""#);
    fs::write(&sidecar, mended).expect("written");
    let journal = directory.path().join("events.jsonl");
    let text = fs::read_to_string(&journal).expect("readable");
    let told: Vec<_> = text.lines().take(2).collect();
    fs::write(&journal, told.join("\n") + "\n").expect("written");
    bench.play(&media);
    let message = bench.message("evr-recording-recovered");
    let fields = message.structure().expect("it has");
    assert_eq!(fields.get::<String>("sidecar").as_ref(), Ok(&sidecar));
    assert_eq!(fields.get::<String>("state").as_deref(), Ok("recovered"));
    assert_eq!(fields.get::<u64>("frames"), Ok(20));
    end(&bench);
    assert_eq!(bench.counted("recovered"), 1);
    let lines = lines(directory.path());
    assert_eq!(types(&lines), ["started", "stopped", "recovered"]);
}

#[test]
fn a_journal_that_cannot_be_written_costs_no_recording() {
    let (directory, media) = (directory(), Media::new(10, 0));
    fs::create_dir(directory.path().join("events.jsonl")).expect("made");
    let bench = bench(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers);
    bench.text("evr-recording-available", "id");
    bench.eos();
    stop(&bench);
    assert_eq!(frames(&directory.path().join("1.mp4")), 10);
    let told = bench.counted("unjournaled");
    assert_eq!((told, bench.counted("failed")), (3, 0));
    fs::remove_dir(directory.path().join("events.jsonl")).expect("it is empty");
    bench.play(&media);
    bench.record(&Boundary::new(2, 0.0, 1.0), &media.buffers);
    bench.text("evr-recording-available", "id");
    end(&bench);
    assert_eq!(lines(directory.path()).len(), 3);
}

#[test]
fn a_full_journal_steps_aside() {
    let (directory, media) = (directory(), Media::new(10, 0));
    let bench = bench(&within(&directory, "{n}.mp4"));
    bench.sink.set_property("journal-max-bytes", 1u64);
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers);
    bench.text("evr-recording-available", "id");
    end(&bench);
    assert!(directory.path().join("events.jsonl.1").exists());
    assert_eq!(types(&lines(directory.path())).last(), Some(&"available"));
}

/// Not a test of its own: one of the processes of the next.
#[test]
#[ignore = "is run by processes_that_share_a_directory_take_each_name_once_and_tear_no_line"]
fn records_beside_another_process() {
    let location = std::env::var("EVR_TEST_LOCATION").expect("the test that runs it says where");
    let media = Media::new(10, 0);
    let bench = bench(&location);
    bench.play(&media);
    for id in 1..=10 {
        bench.record(&Boundary::new(id, 0.0, 1.0), &media.buffers);
    }
    bench.eos();
    stop(&bench);
    assert_eq!(bench.counted("recordings"), 10);
}

#[test]
fn processes_that_share_a_directory_take_each_name_once_and_tear_no_line() {
    let directory = directory();
    // Every recording of either process asks for the same name.
    let location = within(&directory, "%Y-{label}.mp4");
    let children = [(); 2].map(|()| {
        Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "journal::records_beside_another_process",
                "--ignored",
            ])
            .env("EVR_TEST_LOCATION", &location)
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts")
    });
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let lines = lines(directory.path());
    assert_eq!(lines.len(), 60);
    let mut names = names(directory.path());
    names.retain(|name| name != "events.jsonl");
    assert_eq!(names.len(), 60, "{names:?}");
    for sidecar in names.iter().filter(|name| name.ends_with(".json")) {
        let clip = json_of(&directory.path().join(sidecar))["clip"]["path"].clone();
        assert_eq!(
            clip.as_str(),
            Some(sidecar.replace(".json", ".mp4").as_str())
        );
        let told = |line: &&Value| {
            let path = line["data"]["location"].as_str().expect("a path");
            Path::new(path).ends_with(clip.as_str().expect("a text"))
        };
        assert_eq!(lines.iter().filter(told).count(), 3, "{clip}");
    }
}

#[test]
fn sidecars_and_journals_that_say_something_else_do_not_pass() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let bench = bench(&within(&directory, "{n}.mp4"));
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    bench.text("evr-recording-available", "id");
    end(&bench);
    assert_eq!(schemas::check(directory.path()), 4);
    let passes = |name: &str, pointer: &str, value: Value| {
        let path = directory.path().join(name);
        let text = fs::read_to_string(&path).expect("readable");
        let first = serde_json::Deserializer::from_str(&text).into_iter().next();
        let mut document: Value = first.expect("a document").expect("JSON");
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        document.pointer_mut(parent).expect("it is there")[member] = value;
        fs::write(&path, document.to_string()).expect("written");
        let passes = std::panic::catch_unwind(|| schemas::check(directory.path())).is_ok();
        fs::write(&path, text).expect("written");
        passes
    };
    assert!(passes("1.json", "/source", json!("door")));
    assert!(passes("1.json", "/signals/0/surprise", json!(1)));
    assert!(!passes("1.json", "/clip/path", json!("../1.mp4")));
    assert!(!passes("1.json", "/clip/surprise", json!(1)));
    assert!(!passes("1.json", "/event/start", json!("1970-01-01")));
    assert!(!passes("1.json", "/detections/0/objects/0/box/l", json!(2)));
    assert!(!passes("1.json", "/state", json!("fine")));
    assert!(!passes("events.jsonl", "/specversion", json!("0.3")));
    assert!(!passes("events.jsonl", "/source", json!("front door")));
    assert!(!passes("events.jsonl", "/data/surprise", json!(1)));
}
