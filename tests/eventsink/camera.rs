//! A camera whose frames go to the gate and to somebody else: whatever happens to the disk, that
//! somebody sees every frame when it comes, no error reaches the bus, and the recording after the
//! fault is good.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gst::prelude::*;

use crate::bench::*;
use crate::common::{launch, schemas, until};

/// Frames a second.
const RATE: u64 = 10;
/// How long a frame may take to the other branch. The queues before the gate hold a second.
const FRAME_PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// A live pipeline that the test feeds frame by frame, as fast as the other branch takes them.
struct Camera {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    gate: gst::Element,
    sink: gst::Element,
    /// The other branch.
    plain: gst_app::AppSink,
    media: Media,
    /// Frames so far.
    sent: u64,
    /// Added to the time stamps of what comes.
    jump: gst::ClockTime,
    /// Bytes without a meaning that each frame carries.
    filling: usize,
}

impl Camera {
    /// Records to `{n}.mp4` in the directory: a second from each trigger on.
    fn new(directory: &Path) -> Self {
        let media = Media::new(40, 0);
        let pipeline = launch(&format!(
            "appsrc name=source is-live=true format=time ! tee name=t \
             t. ! queue ! signalgate name=gate activation-signal-offset=0 \
             activation-evaluation-window=0 signal-latency=0 \
             minimum-activation-time=2000000000 \
             ! eventsink name=sink location={}/{{n}}.mp4 \
             t. ! queue ! appsink name=plain sync=false",
            directory.display()
        ));
        let named = |name: &str| pipeline.by_name(name).expect("named in the line");
        let source = named("source").downcast::<gst_app::AppSrc>();
        let source = source.expect("an appsrc");
        source.set_caps(Some(&media.caps));
        let plain = named("plain").downcast::<gst_app::AppSink>();
        let camera = Self {
            source,
            gate: named("gate"),
            sink: named("sink"),
            plain: plain.expect("an appsink"),
            media,
            sent: 0,
            jump: gst::ClockTime::ZERO,
            filling: 0,
            pipeline,
        };
        camera
            .pipeline
            .set_state(gst::State::Playing)
            .expect("it starts");
        camera
    }

    /// Sends frames; each must have come out of the other branch before the next goes in.
    fn run(&mut self, frames: u64) {
        for _ in 0..frames {
            let at = self.sent as usize % self.media.buffers.len();
            let mut buffer = self.media.buffers[at].clone();
            let time = gst::ClockTime::SECOND * self.sent / RATE + self.jump;
            let fields = buffer.make_mut();
            fields.set_pts(time);
            fields.set_dts(time);
            if self.filling > 0 {
                buffer.append(filler(self.filling));
            }
            self.source.push_buffer(buffer).expect("it is taken");
            self.sent += 1;
            let seen = self.plain.try_pull_sample(FRAME_PATIENCE);
            let seen = seen.unwrap_or_else(|| panic!("frame {} was held up", self.sent));
            let seen = seen.buffer().expect("a frame").pts();
            assert_eq!(seen, Some(time));
        }
    }

    /// Triggers a recording, which lasts for two seconds of media from here, and sends its first
    /// frames.
    fn open(&mut self) {
        // Named, because the gate may be some frames behind the other branch.
        let newest = gst::ClockTime::SECOND * (self.sent - 1) / RATE + self.jump;
        let trigger = format!(r#"{{"media_time":{}}}"#, newest.nseconds());
        let id = self
            .gate
            .emit_by_name::<Option<String>>("trigger", &[&trigger]);
        assert!(id.is_some(), "the gate takes a trigger");
        self.run(5);
    }

    /// Sends what is left of a recording and more, so that it closes.
    fn close(&mut self) {
        self.run(25);
    }

    /// Waits for what becomes of the recording.
    fn outcome(&mut self) -> gst::Structure {
        self.message(&["evr-recording-available", "evr-recording-failed"])
    }

    /// A recording that nothing happens to.
    fn good(&mut self) {
        self.open();
        self.close();
        let told = self.outcome();
        assert_eq!(told.name(), "evr-recording-available", "{told}");
        let text = |field: &str| told.get::<String>(field).expect("a text");
        assert_eq!(text("state"), "complete", "{told}");
        let sidecar = json_of(Path::new(&text("sidecar")));
        let written = frames(Path::new(&text("location")));
        assert_eq!(sidecar["clip"]["frames"], written);
        assert!(written >= 20, "{written} frames");
    }

    /// A good recording, one that the fault hits, and one after it; says what became of the one
    /// that was hit. `hit` breaks what the open recording needs, `heal` mends it again.
    fn go_through(&mut self, hit: impl FnOnce(&mut Self), heal: impl FnOnce()) -> gst::Structure {
        self.run(15);
        self.good();
        self.open();
        self.message(&["evr-recording-started"]);
        hit(self);
        self.close();
        let told = self.outcome();
        heal();
        self.good();
        told
    }

    /// Of what has come to its end, whatever that is.
    fn counted(&self) -> [u64; 3] {
        until("nothing is unfinished", || {
            self.sink.property::<u64>("unfinished") == 0
        });
        ["recordings", "truncated", "failed"].map(|name| self.sink.property(name))
    }

    /// The next message of these names; an ERROR is one too many.
    fn message(&mut self, names: &[&str]) -> gst::Structure {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        loop {
            let message = bus.timed_pop(PATIENCE);
            let message = message.unwrap_or_else(|| panic!("none of {names:?} came"));
            if let gst::MessageView::Error(error) = message.view() {
                panic!("an error of the camera's pipeline: {}", error.error());
            }
            let Some(fields) = message.structure() else {
                continue;
            };
            if names.contains(&fields.name().as_str()) {
                return fields.to_owned();
            }
        }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
        if !std::thread::panicking() {
            let location: String = self.sink.property("location");
            schemas::check(&schemas::directory(&location));
        }
    }
}

/// A unit of H.264 that says nothing, behind its length.
fn filler(size: usize) -> gst::Buffer {
    const FILLER: u8 = 12;
    let mut bytes = vec![0xff; size];
    bytes[..4].copy_from_slice(&u32::try_from(size - 4).expect("small").to_be_bytes());
    bytes[4] = FILLER;
    bytes[size - 1] = 0x80;
    gst::Buffer::from_mut_slice(bytes)
}

fn reason(told: &gst::Structure) -> String {
    told.get("reason").expect("why")
}

/// A file system of its own, unmounted at the end; `None` where mounting is not allowed.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(arguments: &[&str]) -> Option<Self> {
        let at = directory();
        let mounted = Command::new("mount")
            .args(arguments)
            .arg(at.path())
            .stderr(Stdio::null())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("skipped: mounting needs root");
            return None;
        }
        Some(Self(at))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.runs(program, arguments), "{program}");
    }

    fn runs(&self, program: &str, arguments: &[&str]) -> bool {
        let ran = Command::new(program)
            .args(arguments)
            .arg(self.path())
            .status();
        ran.expect("it is installed").success()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_directory_that_is_deleted_within_a_clip_costs_that_clip_and_is_made_again() {
    let directory = directory();
    let rec = directory.path().join("rec");
    let mut camera = Camera::new(&rec);
    let known = rec.join("2.json.part");
    let remove = |_: &mut Camera| {
        until("what is known is written down", || {
            fs::metadata(&known).is_ok_and(|file| file.len() > 0)
        });
        // The journal may just be writing there.
        until("it is gone", || fs::remove_dir_all(&rec).is_ok());
    };
    let told = camera.go_through(remove, || ());
    assert!(reason(&told).contains("rec/2.mp4"), "{told}");
    assert_eq!(camera.counted(), [2, 0, 1]);
    assert_eq!(names(&rec).join(" "), "3.jpg 3.json 3.mp4 events.jsonl");
}

#[test]
fn a_disk_that_is_full_within_a_clip_keeps_what_was_written() {
    let Some(disk) = Disk::mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) else {
        return;
    };
    let filler = disk.path().join("filler");
    let mut camera = Camera::new(disk.path());
    let part = disk.path().join("2.mp4.part");
    let fill = |camera: &mut Camera| {
        camera.run(12);
        until("something is written", || {
            fs::metadata(&part).is_ok_and(|file| file.len() > 0)
        });
        let full = fs::write(&filler, vec![0; 2 << 20]).expect_err("it is too small");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    };
    let told = camera.go_through(fill, || fs::remove_file(&filler).expect("removed"));
    assert!(reason(&told).contains("disk has room"), "{told}");
    assert_eq!(told.get::<&str>("part").ok(), part.to_str());
    assert!(fs::metadata(part).expect("it stays").len() > 0);
    assert_eq!(camera.counted(), [2, 0, 1]);
}

#[test]
fn a_directory_that_becomes_read_only_costs_the_clips_that_begin_there() {
    let Some(disk) = Disk::mount(&["-t", "tmpfs", "tmpfs"]) else {
        return;
    };
    let mut camera = Camera::new(disk.path());
    camera.run(15);
    camera.good();
    let journal = disk.path().join("events.jsonl");
    until("the journal tells", || {
        fs::read_to_string(&journal).is_ok_and(|text| text.contains("-available"))
    });
    // Whoever has told may not have closed its file yet, which forbids it.
    until("it becomes read-only", || {
        disk.runs("mount", &["-o", "remount,ro"])
    });
    camera.open();
    camera.close();
    let told = camera.outcome();
    assert_eq!(told.name(), "evr-recording-failed");
    assert!(reason(&told).contains("cannot be created"), "{told}");
    disk.run("mount", &["-o", "remount,rw"]);
    camera.good();
    assert_eq!(camera.counted(), [2, 0, 1]);
    assert!(!disk.path().join("2.mp4.part").exists());
}

/// A file system that can be made to hang, of so many MiB.
fn freezer(size: u64) -> Option<(Disk, tempfile::TempDir)> {
    let directory = directory();
    let image: PathBuf = directory.path().join("image");
    let made = fs::File::create(&image).and_then(|file| file.set_len(size << 20));
    made.expect("room");
    let formatted = Command::new("mkfs.ext4")
        .args(["-q", "-F"])
        .arg(&image)
        .status();
    let image = image.to_str().expect("UTF-8");
    if !formatted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no mkfs.ext4");
        return None;
    }
    Some((Disk::mount(&["-o", "loop", image])?, directory))
}

#[test]
fn a_disk_that_hangs_for_two_recordings_delays_them_and_loses_nothing() {
    let Some((disk, _image)) = freezer(16) else {
        return;
    };
    let mut camera = Camera::new(disk.path());
    camera.run(15);
    camera.good();
    disk.run("fsfreeze", &["-f"]);
    for _ in 0..2 {
        camera.open();
        camera.close();
    }
    disk.run("fsfreeze", &["-u"]);
    for _ in 0..2 {
        let told = camera.outcome();
        assert_eq!(told.get::<String>("state").expect("a state"), "complete");
    }
    camera.good();
    assert_eq!(camera.counted(), [4, 0, 0]);
}

#[test]
fn a_disk_that_hangs_for_too_long_costs_its_clip_whole_groups_of_pictures() {
    let Some((disk, _image)) = freezer(128) else {
        return;
    };
    let mut camera = Camera::new(disk.path());
    camera.run(15);
    camera.good();
    let say = |camera: &Camera, what: &str| {
        let newest = gst::ClockTime::SECOND * (camera.sent - 1) / RATE;
        let signal = format!(r#"{{"media_time":{}}}"#, newest.nseconds());
        camera
            .gate
            .emit_by_name_with_values(what, &[signal.to_value()]);
    };
    say(&camera, "start");
    camera.run(5);
    camera.message(&["evr-recording-started"]);
    disk.run("fsfreeze", &["-f"]);
    // More than may wait for the disk.
    camera.filling = 1 << 20;
    camera.run(55);
    camera.filling = 0;
    disk.run("fsfreeze", &["-u"]);
    let part = disk.path().join("2.mp4.part");
    until("the disk has caught up", || {
        fs::metadata(&part).is_ok_and(|file| file.len() > 24 << 20)
    });
    camera.run(40);
    say(&camera, "stop");
    camera.run(20);
    let told = camera.outcome();
    assert_eq!(told.get::<&str>("state"), Ok("truncated"), "{told}");
    assert!(reason(&told).contains("could not keep up"), "{told}");
    let clip = disk.path().join("2.mp4");
    let sidecar = json_of(&clip.with_extension("json"));
    let times = shown(&clip);
    assert_eq!(sidecar["clip"]["frames"], times.len());
    let holes: Vec<_> = times
        .windows(2)
        .filter(|pair| pair[1] - pair[0] > 100)
        .collect();
    assert!(!holes.is_empty());
    let gaps = sidecar["clip"]["gaps"].as_array().map_or(0, Vec::len);
    let long = holes.iter().filter(|pair| pair[1] - pair[0] > 1000).count();
    assert_eq!(gaps, long, "{sidecar}");
    // Each ends with a keyframe, of which there is one a second; the first frame is one.
    assert!(holes.iter().all(|pair| pair[1] % 1000 == 0), "{holes:?}");
    camera.good();
    assert_eq!(camera.counted(), [3, 1, 0]);
}

#[test]
fn a_sidecar_that_gets_no_name_leaves_its_clip_without_one_too() {
    let directory = directory();
    let in_the_way = directory.path().join("2.json/x");
    let mut camera = Camera::new(directory.path());
    let told = camera.go_through(|_| fs::create_dir_all(&in_the_way).expect("made"), || ());
    assert!(
        reason(&told).contains("2.mp4 cannot be completed"),
        "{told}"
    );
    let part: String = told.get("part").expect("the clip");
    assert!(frames(Path::new(&part)) >= 20);
    assert!(!directory.path().join("2.mp4").exists());
    assert_eq!(camera.counted(), [2, 0, 1]);
}

#[test]
fn a_clock_that_jumps_by_an_hour_ends_the_clip_with_the_last_frame_before() {
    let directory = directory();
    let mut camera = Camera::new(directory.path());
    let jump = |camera: &mut Camera| camera.jump = gst::ClockTime::from_seconds(3600);
    let told = camera.go_through(jump, || ());
    assert_eq!(told.get("end"), Ok(5 * SECOND), "{told}");
    assert_eq!(told.get("state"), Ok("complete"), "{told}");
    assert_eq!(camera.counted(), [3, 0, 0]);
    let [last, written] = ["duration", "frames"]
        .map(|member| json_of(&directory.path().join("3.json"))["clip"][member].as_f64());
    assert_eq!(last, written.map(|frames| frames / RATE as f64));
}
