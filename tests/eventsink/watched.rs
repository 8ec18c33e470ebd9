//! What a reader sees who watches the directory: the kernel itself says what happened under which
//! name, so nothing that lasts a moment is missed.

use gst::prelude::*;
use inotify::{EventMask, Inotify, WatchMask};

use crate::bench::*;
use crate::common::until;

/// What happened in a directory since it was watched, in order.
struct Watch(Inotify);

impl Watch {
    fn new(directory: &tempfile::TempDir) -> Self {
        let inotify = Inotify::init().expect("the kernel has inotify");
        let mask = WatchMask::CREATE
            | WatchMask::MODIFY
            | WatchMask::CLOSE_WRITE
            | WatchMask::MOVE
            | WatchMask::DELETE;
        let mut watches = inotify.watches();
        watches.add(directory.path(), mask).expect("watched");
        Self(inotify)
    }

    fn events(&mut self) -> Vec<(EventMask, String)> {
        let mut seen = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.0.read_events(&mut buffer) {
                Ok(events) => seen.extend(events.map(|event| {
                    assert!(!event.mask.contains(EventMask::Q_OVERFLOW));
                    let name = event.name.expect("it happened to a file");
                    (event.mask, name.to_str().expect("UTF-8").to_owned())
                })),
                Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => return seen,
                Err(err) => panic!("{err}"),
            }
        }
    }
}

/// What a reader takes for a file of a recording.
fn is_final(name: &str) -> bool {
    [".mp4", ".mkv", ".ts", ".json", ".jpg"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// The events of final names, each as `+name` for one that appears whole and `-name` for one that
/// goes.
fn seen(events: &[(EventMask, String)]) -> Vec<String> {
    let ours = events.iter().filter(|(_, name)| is_final(name));
    ours.map(|(mask, name)| {
        if mask.contains(EventMask::MOVED_TO) {
            format!("+{name}")
        } else if mask.intersects(EventMask::MOVED_FROM | EventMask::DELETE) {
            format!("-{name}")
        } else {
            panic!("{name}, which readers see, was written to: {mask:?}")
        }
    })
    .collect()
}

fn media(container: &str) -> Media {
    let form = if container == "mpegts" {
        "byte-stream"
    } else {
        "avc"
    };
    Media::encoded(&format!(
        "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=240,framerate=10/1 ! \
         x264enc key-int-max=10 speed-preset=ultrafast bitrate=200 ! h264parse ! \
         video/x-h264,stream-format={form},alignment=au"
    ))
}

fn stop(bench: &Bench) {
    bench
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
}

#[test]
fn nothing_half_ever_bears_a_final_name_and_the_sidecar_comes_last() {
    for (container, extension) in [("mp4", "mp4"), ("matroska", "mkv"), ("mpegts", "ts")] {
        let (directory, media) = (directory(), media(container));
        let mut watch = Watch::new(&directory);
        let bench = Bench::new(&within(&directory, "{n}"));
        bench.sink.set_property_from_str("container", container);
        bench.play(&media);
        bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers[..20]);
        bench.text("evr-recording-available", "id");
        bench.record(&Boundary::new(2, 2.0, 3.0), &[]);
        bench.text("evr-recording-failed", "id");
        // Cut by the stop.
        bench.boundary(&Boundary::new(3, 2.0, 9.0));
        bench.feed(&media.buffers[20..]);
        stop(&bench);
        let events = watch.events();
        let written = |(mask, name): &(EventMask, String)| {
            mask.contains(EventMask::MODIFY) && *name == format!("1.{extension}.part")
        };
        assert!(events.iter().any(written), "{events:?}");
        let expected = [1, 3].map(|n| format!("+{n}.{extension} +{n}.jpg +{n}.json"));
        assert_eq!(seen(&events).join(" "), expected.join(" "));
    }
}

#[test]
fn a_recording_that_is_removed_loses_its_sidecar_first() {
    let (directory, media) = (directory(), Media::new(20, 0));
    let mut watch = Watch::new(&directory);
    let bench = Bench::new(&within(&directory, "{n}.mp4"));
    bench.sink.set_property("max-files", 1u64);
    bench.play(&media);
    for n in 1..=2 {
        bench.record(&Boundary::new(n, 0.0, 2.0), &media.buffers);
        bench.text("evr-recording-available", "id");
    }
    until("one is removed", || bench.counted("removed") == 1);
    stop(&bench);
    let seen = seen(&watch.events());
    let gone: Vec<_> = seen.iter().filter(|name| name.starts_with('-')).collect();
    assert_eq!(gone, ["-1.json", "-1.mp4", "-1.jpg"]);
}
