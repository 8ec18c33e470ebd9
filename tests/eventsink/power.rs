//! A power cut takes what the disk was not told to keep: the order in which a recording is put there,
//! as the kernel hears it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bench::*;

/// Not a test of its own: the process that the next test listens to.
#[test]
#[ignore = "is run by every_name_is_given_after_what_bears_it_is_on_disk"]
fn records_once() {
    let location = std::env::var("EVR_TEST_LOCATION").expect("the test that runs it says where");
    let media = Media::new(20, 0);
    let bench = Bench::new(&location);
    bench.play(&media);
    bench.record(&Boundary::new(1, 0.0, 2.0), &media.buffers);
    bench.text("evr-recording-available", "id");
}

/// A call of `strace -y` in short: `sync <file>`, `name <file> <file>`.
fn short(call: &str) -> Option<String> {
    let last = |path: &str| Path::new(path).file_name()?.to_str().map(str::to_owned);
    if call.starts_with("fsync(") {
        let (_, path) = call.split_once('<')?;
        return Some(format!("sync {}", last(path.split_once('>')?.0)?));
    }
    let mut paths = call.split('"').skip(1).step_by(2);
    let (from, to) = (paths.next()?, paths.next()?);
    Some(format!("name {} {}", last(from)?, last(to)?))
}

#[test]
fn every_name_is_given_after_what_bears_it_is_on_disk() {
    let may_trace = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    if !may_trace.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no strace, or it may not trace");
        return;
    }
    let (directory, trace) = (directory(), directory());
    let ran = Command::new("strace")
        .args([
            "-ff",
            "-y",
            "-e",
            "trace=fsync,rename,renameat,renameat2",
            "-o",
        ])
        .arg(trace.path().join("thread"))
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", "power::records_once", "--ignored"])
        .env("EVR_TEST_LOCATION", within(&directory, "{n}"))
        .stdout(Stdio::null())
        .status();
    assert!(ran.expect("it starts").success(), "nothing is recorded");
    let threads = names(trace.path()).into_iter();
    let mut threads = threads.map(|name| {
        let text = fs::read_to_string(trace.path().join(name)).expect("readable");
        text.lines().filter_map(short).collect::<Vec<_>>()
    });
    let done = threads.find(|calls| calls.iter().any(|call| call == "name 1.mp4.part 1.mp4"));
    let folder = directory.path().file_name().expect("it has a name");
    let sync_names = format!("sync {}", folder.to_str().expect("UTF-8"));
    let sync_names = sync_names.as_str();
    assert_eq!(
        done.expect("a thread has made the clip"),
        [
            // What a repair needs to know, as soon as there is something to repair.
            "sync 1.json.part.new",
            "name 1.json.part.new 1.json.part",
            sync_names,
            "sync 1.mp4.part",
            "sync 1.json.part.new",
            "name 1.json.part.new 1.json.part",
            sync_names,
            "sync 1.jpg.part",
            "name 1.mp4.part 1.mp4",
            "name 1.jpg.part 1.jpg",
            sync_names,
            // The sidecar says that all of it is there.
            "name 1.json.part 1.json",
            sync_names,
        ]
    );
}
