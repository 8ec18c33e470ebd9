//! A crash at each step of making a recording: what lies in the directory then is put there by hand,
//! and the next start makes the defined thing of it.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use gst::prelude::*;
use serde_json::Value;

use crate::bench::*;

const KINDS: [(&str, &str); 3] = [("mp4", "mp4"), ("matroska", "mkv"), ("mpegts", "ts")];

/// What a recording that came to its end has left.
struct Finished {
    media: Media,
    extension: &'static str,
    container: &'static str,
    clip: Vec<u8>,
    sidecar: Vec<u8>,
    thumbnail: Vec<u8>,
    /// The sidecar as it was while the recording went on.
    known: Vec<u8>,
}

impl Finished {
    fn make((container, extension): (&'static str, &'static str)) -> Self {
        let (directory, media) = (directory(), media(container));
        let bench = Bench::new(&within(&directory, "1"));
        bench.sink.set_property_from_str("container", container);
        bench.play(&media);
        bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
        bench.text("evr-recording-available", "id");
        let read = |ending: &str| {
            fs::read(directory.path().join(format!("1.{ending}"))).expect("it was made")
        };
        let sidecar = read("json");
        let mut known: Value = serde_json::from_slice(&sidecar).expect("JSON");
        known["state"] = "recording".into();
        for (member, value) in [("bytes", 0), ("frames", 0), ("duration", 0)] {
            known["clip"][member] = value.into();
        }
        known["clip"]["end"] = known["clip"]["start"].clone();
        known["counts"] = serde_json::json!({});
        Self {
            media,
            extension,
            container,
            clip: read(extension),
            sidecar,
            thumbnail: read("jpg"),
            known: known.to_string().into_bytes(),
        }
    }

    /// Bytes by the words that the tables below use for them.
    fn bytes(&self, word: &str) -> &[u8] {
        let half = |bytes: &'_ [u8]| bytes.len() / 2;
        match word {
            "clip" => &self.clip,
            "half-clip" => &self.clip[..half(&self.clip)],
            "told" => &self.sidecar,
            "half-told" => &self.sidecar[..half(&self.sidecar)],
            "known" => &self.known,
            "picture" => &self.thumbnail,
            "half-picture" => &self.thumbnail[..half(&self.thumbnail)],
            "" => b"",
            other => panic!("no bytes are called {other}"),
        }
    }

    /// Puts files into `directory`, such as `1.json.part=known 1.mkv.part=`; empty ones were made
    /// a minute ago.
    fn lay(&self, directory: &Path, files: &str) {
        for file in self.names(files) {
            let (name, word) = file.split_once('=').expect("a name and bytes");
            let path = directory.join(name);
            fs::write(&path, self.bytes(word)).expect("written");
            let then = SystemTime::now() - Duration::from_secs(60);
            let file = File::options()
                .append(true)
                .open(path)
                .expect("it is there");
            file.set_times(FileTimes::new().set_modified(then))
                .expect("set");
        }
    }

    /// Words of a table, with the clip's own ending for `CLIP`.
    fn names(&self, words: &str) -> Vec<String> {
        let mut names: Vec<_> = words
            .split_whitespace()
            .map(|word| word.replace("CLIP", self.extension))
            .collect();
        names.sort();
        names
    }

    /// Starts an eventsink where these files lie; its bench, the names of its messages about them
    /// and its warnings.
    fn start(&self, directory: &tempfile::TempDir) -> (Bench, Vec<String>) {
        // What lies under a later name is looked at last.
        self.lay(directory.path(), "9.json.part=known 9.CLIP.part=");
        let bench = Bench::new(&within(directory, "{n}"));
        bench
            .sink
            .set_property_from_str("container", self.container);
        bench.play(&self.media);
        let mut said = Vec::new();
        loop {
            let message = bench.bus.timed_pop(PATIENCE);
            let message = message.expect("it speaks of the last");
            let last = format!("/9.{}", self.extension);
            if let gst::MessageView::Warning(warning) = message.view() {
                said.push(warning.error().to_string());
            }
            let Some(fields) = message.structure() else {
                continue;
            };
            let reason = fields.get::<String>("reason").unwrap_or_default();
            if reason.contains(&last) {
                break;
            }
            let name = fields.name().as_str();
            said.extend(name.starts_with("evr-recording-").then(|| name.to_owned()));
        }
        bench
            .pipeline
            .set_state(gst::State::Null)
            .expect("it stops");
        (bench, said)
    }
}

fn media(container: &str) -> Media {
    let form = ["avc", "byte-stream"][usize::from(container == "mpegts")];
    Media::encoded(&format!(
        "videotestsrc num-buffers=20 ! video/x-raw,width=160,height=120,framerate=10/1 ! \
         x264enc key-int-max=10 bframes=2 speed-preset=ultrafast bitrate=200 ! h264parse ! \
         video/x-h264,stream-format={form},alignment=au"
    ))
}

/// What lies there when the crash comes, what lies there after the next start, and the message.
type Step = (&'static str, &'static str, Option<&'static str>);
const RECOVERED: Option<&str> = Some("evr-recording-recovered");
const FAILED: Option<&str> = Some("evr-recording-failed");
const WHOLE: &str = "1.CLIP 1.jpg 1.json";

const STEPS: [Step; 20] = [
    // A name is taken.
    ("1.json.part=", "", None),
    ("1.json.part= 1.CLIP.part=", "", FAILED),
    // What is known is written down.
    (
        "1.json.part= 1.json.part.new=half-told 1.CLIP.part=",
        "",
        FAILED,
    ),
    ("1.json.part=known 1.CLIP.part=", "", FAILED),
    // The clip is whole, and may be on disk.
    ("1.json.part=known 1.CLIP.part=clip", WHOLE, RECOVERED),
    // The sidecar is on its way.
    (
        "1.json.part=known 1.json.part.new= 1.CLIP.part=clip",
        WHOLE,
        RECOVERED,
    ),
    (
        "1.json.part=known 1.json.part.new=half-told 1.CLIP.part=clip",
        WHOLE,
        RECOVERED,
    ),
    (
        "1.json.part=known 1.json.part.new=told 1.CLIP.part=clip",
        WHOLE,
        RECOVERED,
    ),
    ("1.json.part=told 1.CLIP.part=clip", WHOLE, RECOVERED),
    // The picture is.
    (
        "1.json.part=told 1.CLIP.part=clip 1.jpg.part=half-picture",
        WHOLE,
        RECOVERED,
    ),
    (
        "1.json.part=told 1.CLIP.part=clip 1.jpg.part=picture",
        WHOLE,
        RECOVERED,
    ),
    // Clip and picture have their names.
    (
        "1.json.part=told 1.CLIP=clip 1.jpg.part=picture",
        WHOLE,
        RECOVERED,
    ),
    (
        "1.json.part=told 1.CLIP=clip 1.jpg=picture",
        WHOLE,
        RECOVERED,
    ),
    ("1.json.part=told 1.CLIP=clip", WHOLE, RECOVERED),
    // All have.
    ("1.json=told 1.CLIP=clip 1.jpg=picture", WHOLE, None),
    // A repair was cut off, too.
    (
        "1.json.part=known 1.CLIP.part=clip 1.CLIP.part.new=half-clip",
        WHOLE,
        RECOVERED,
    ),
    // One that cannot be was being set aside.
    (
        "1.json.part=known 1.CLIP.part.broken=half-clip 1.json.part.new=half-told",
        "1.CLIP.part.broken 1.json.part.broken",
        None,
    ),
    // What holds nothing was being removed.
    ("1.json.part=known", "", FAILED),
    // Where a clip lies nobody knows how, it is looked into.
    ("1.json.part=known 1.CLIP=clip", WHOLE, RECOVERED),
    // Somebody took a name that was taken, and did not come to giving it back.
    (
        "1.json.part= 1.json=told 1.CLIP=clip 1.jpg=picture",
        WHOLE,
        None,
    ),
];

#[test]
fn a_crash_at_any_step_has_a_defined_result_at_the_next_start() {
    for kind in KINDS {
        let finished = Finished::make(kind);
        for (lies, left, message) in STEPS {
            let directory = directory();
            finished.lay(directory.path(), lies);
            let (bench, said) = finished.start(&directory);
            assert_eq!(
                names(directory.path()),
                finished.names(left),
                "{kind:?}: {lies}"
            );
            let messages = said.iter().filter(|said| said.starts_with("evr-"));
            assert!(messages.eq(message), "{kind:?}: {lies}: {said:?}");
            if left == WHOLE {
                is_whole(directory.path(), &finished, message);
            }
            // Also holds what lies there to the schema.
            drop(bench);
            if kind == KINDS[0] {
                let (_bench, said) = finished.start(&directory);
                assert!(said.is_empty(), "{lies}: told twice: {said:?}");
                assert_eq!(names(directory.path()), finished.names(left), "{lies}");
            }
        }
    }
}

/// Nothing of the recording is lost.
fn is_whole(directory: &Path, finished: &Finished, message: Option<&str>) {
    let clip = directory.join(format!("1.{}", finished.extension));
    assert_eq!(frames(&clip), 20);
    let sidecar = json_of(&directory.join("1.json"));
    let state = if message.is_some() {
        "recovered"
    } else {
        "complete"
    };
    assert_eq!(sidecar["state"], state);
    assert_eq!(sidecar["clip"]["frames"], 20);
    assert_eq!(
        sidecar["clip"]["bytes"],
        fs::metadata(&clip).expect("it is there").len()
    );
    assert_eq!(sidecar["signals"][0]["label"], "person");
    let picture = fs::read(directory.join("1.jpg")).expect("it is there");
    assert!(picture.starts_with(&[0xff, 0xd8]) && picture.ends_with(&[0xff, 0xd9]));
}

#[test]
fn what_has_only_just_been_taken_is_left_to_whoever_took_it() {
    let finished = Finished::make(KINDS[0]);
    for lies in ["1.json.part", "1.json.part 1.mp4.part"] {
        let directory = directory();
        for name in lies.split(' ') {
            fs::write(directory.path().join(name), b"").expect("written");
        }
        let (_bench, said) = finished.start(&directory);
        assert!(said.is_empty(), "{said:?}");
        assert_eq!(names(directory.path()), finished.names(lies));
    }
}

#[test]
fn a_clip_that_is_being_given_its_names_is_nobody_elses_to_finish() {
    let finished = Finished::make(KINDS[0]);
    let directory = directory();
    finished.lay(directory.path(), "1.json.part=told 1.mp4=clip");
    let clip = File::open(directory.path().join("1.mp4")).expect("it is there");
    // As its writer does, until the last of its names is given.
    clip.try_lock().expect("nobody else has it");
    let (_bench, said) = finished.start(&directory);
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(names(directory.path()), ["1.json.part", "1.mp4"]);
}

#[test]
fn what_the_disk_refuses_to_repair_stays_for_the_start_after() {
    let finished = Finished::make(KINDS[1]);
    let directory = directory();
    finished.lay(directory.path(), "1.json.part=known 1.mkv.part=clip");
    // Where the new file would be made nothing can be.
    let new = directory.path().join("1.mkv.part.new");
    fs::create_dir(&new).expect("made");
    let (bench, said) = finished.start(&directory);
    drop(bench);
    let [warning] = &said[..] else {
        panic!("one warning and no more: {said:?}");
    };
    assert!(warning.contains("next start tries again"), "{warning}");
    fs::remove_dir(new).expect("it is empty");
    let (_bench, said) = finished.start(&directory);
    assert_eq!(said, ["evr-recording-recovered"]);
    is_whole(directory.path(), &finished, RECOVERED);
}
