//! What goes when there is too much, and what never goes.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::bench::*;
use crate::common::until;

/// Recordings of a second each, numbered from the first to the last of `n`, until as many as
/// `removed` are gone.
fn record(
    directory: &tempfile::TempDir,
    name: &str,
    set: &dyn Fn(&gst::Element),
    n: [u64; 2],
    removed: u64,
) {
    let media = Media::new(10, 0);
    let bench = Bench::new(&within(directory, name));
    set(&bench.sink);
    bench.play(&media);
    for id in n[0]..=n[1] {
        bench.record(&Boundary::new(id, 0.0, 1.0), &media.buffers);
        bench.text("evr-recording-available", "id");
    }
    bench.eos();
    until("what has to go is gone", || {
        bench.counted("removed") >= removed
    });
    bench
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
}

fn clips(directory: &Path) -> Vec<String> {
    let mut names = names(directory);
    names.retain(|name| name.ends_with(".mp4"));
    names
}

#[test]
fn the_oldest_recordings_go_whole_also_those_of_an_earlier_run() {
    let directory = directory();
    record(&directory, "{n}.mp4", &|_| (), [1, 3], 0);
    for (name, text) in [
        ("2.keep", ""),
        ("9.mp4", "mine"),
        ("9.json", "{}"),
        ("0.mp4.part", "x"),
    ] {
        fs::write(directory.path().join(name), text).expect("written");
    }
    record(
        &directory,
        "{n}.mp4",
        &|sink| sink.set_property("max-files", 2u64),
        [4, 5],
        2,
    );
    assert_eq!(
        names(directory.path()).join(" "),
        "0.mp4.part 2.jpg 2.json 2.keep 2.mp4 4.jpg 4.json 4.mp4 5.jpg 5.json 5.mp4 9.json 9.mp4"
    );
}

#[test]
fn every_limit_is_heard_and_the_newest_goes_for_its_age_alone() {
    let directory = directory();
    for (property, value, left) in [
        ("max-total-bytes", 1, 1),
        ("min-free-bytes", u64::MAX, 1),
        ("max-age", 1, 0),
        ("max-age", 3_600_000_000_000, 2),
    ] {
        let (inner, name) = (format!("{property}-{value}"), "{n}.mp4");
        let location = format!("{inner}/{name}");
        record(&directory, &location, &|_| (), [1, 1], 0);
        let set = |sink: &gst::Element| sink.set_property_from_str(property, &value.to_string());
        record(&directory, &location, &set, [2, 2], 2 - left);
        assert_eq!(
            clips(&directory.path().join(inner)).len() as u64,
            left,
            "{property}"
        );
    }
}

#[test]
fn a_camera_never_loses_recordings_for_another_and_emptied_days_go() {
    let directory = directory();
    let location = "{source}/day {n}/clip.mp4";
    let of = |source: &'static str, most: u64| {
        move |sink: &gst::Element| {
            sink.set_property("source-id", source);
            sink.set_property("max-files", most);
        }
    };
    record(&directory, location, &of("yard", 0), [1, 2], 0);
    record(&directory, location, &of("door", 1), [1, 2], 1);
    let days = |source: &str| names(&directory.path().join(source)).join(", ");
    assert_eq!(days("yard"), "day 1, day 2");
    assert_eq!(days("door"), "day 2");
}

/// Fills a directory with recordings, starts with a limit, records one more, and says how long the
/// sink took to come up, to remove a tenth, and to finish the recording that came meanwhile.
fn crowd(recordings: u64) -> (usize, [Duration; 3]) {
    let (directory, media) = (directory(), Media::new(10, 0));
    record(&directory, "model.mp4", &|_| (), [1, 1], 0);
    let model = fs::read_to_string(directory.path().join("model.json")).expect("readable");
    for n in 0..recordings {
        let path = |extension: &str| directory.path().join(format!("{n:06}.{extension}"));
        let sidecar = model.replace("model.mp4", &format!("{n:06}.mp4"));
        fs::write(path("mp4"), b"clip").expect("written");
        fs::write(path("json"), sidecar).expect("written");
    }
    for name in ["model.json", "model.jpg", "model.mp4"] {
        fs::remove_file(directory.path().join(name)).expect("it is there");
    }
    let bench = Bench::new(&within(&directory, "{id}.mp4"));
    bench.sink.set_property("max-files", recordings * 9 / 10);
    let begun = Instant::now();
    bench.play(&media);
    let up = begun.elapsed();
    bench.record(&Boundary::new(1, 0.0, 1.0), &media.buffers);
    bench.text("evr-recording-available", "id");
    let recorded = begun.elapsed();
    let patience = begun + Duration::from_secs(600);
    while bench.counted("removed") <= recordings / 10 {
        assert!(
            Instant::now() < patience,
            "{} removed",
            bench.counted("removed")
        );
        std::thread::yield_now();
    }
    let removed = begun.elapsed();
    bench.eos();
    bench
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
    let left = clips(directory.path()).len();
    // All sidecars are the same but for their names: the first was checked.
    drop(directory);
    (left, [up, recorded, removed])
}

#[test]
fn a_crowded_directory_holds_up_neither_the_start_nor_a_recording() {
    let (left, _) = crowd(1_000);
    assert_eq!(left, 900);
}

#[test]
#[ignore = "takes a minute"]
fn soak_retention_of_a_hundred_thousand_recordings() {
    let (left, [up, recorded, removed]) = crowd(100_000);
    assert_eq!(left, 90_000);
    assert!(
        up < Duration::from_secs(1) && recorded < removed,
        "{up:?} {recorded:?} {removed:?}"
    );
    println!(
        "measured: retention over 100,000 recordings: start of the sink / first recording \
         available / 10,001 removed: {:.2} s / {:.1} s / {:.1} s",
        up.as_secs_f64(),
        recorded.as_secs_f64(),
        removed.as_secs_f64()
    );
}
