//! Clips that got their names when nobody was left to say so: the process ended between the last
//! rename and the journal's line. The next start says it.
//!
//! Which those may be is found out in `evr_core::recording::journal`.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use evr_core::recording::journal::Untold;
use evr_core::recording::sidecar::State;
use serde_json::Value;

use super::files::Lock;
use super::finish::Listener;
use super::journal;
use super::report::{Report, Subject};

/// Of a journal that nobody cuts, no more than its end is read.
const MAX_READ: u64 = 64 << 20;
/// So many clips at most are open at a time.
const MAX_OPEN: usize = 32;

/// Tells of the clips of `source` that were finished before `begun`, when this start began.
pub(super) fn tell(directory: &Path, source: &str, begun: SystemTime, listener: &impl Listener) {
    let open = read(directory, source, |name, err| {
        listener.warn(&format!(
            "{name} cannot be read ({err}), so a recording that was finished as the process \
             ended may be missing in it: make it readable"
        ));
    });
    let is_older = |path: &Path| {
        let modified = fs::metadata(path).and_then(|file| file.modified());
        modified.is_ok_and(|modified| modified < begun)
    };
    // What is being written has no sidecar of that name, and what is finished from now on is told
    // by who finishes it.
    let finished = |clip: &&String| is_older(&Path::new(clip).with_extension("json"));
    let clips: Vec<_> = open.keys().filter(finished).collect();
    for clips in clips.chunks(MAX_OPEN) {
        let ours = |clip: &&String| Some(((*clip).clone(), lock(Path::new(clip))?));
        let ours: Vec<_> = clips.iter().filter_map(ours).collect();
        if ours.is_empty() {
            continue;
        }
        // Whoever had a lock until now has written its line, perhaps behind what was read.
        let mut open = read(directory, source, |_, _| {});
        for (clip, lock) in ours {
            if let Some(told) = open.remove(&clip) {
                report(Path::new(&clip), &told, lock, listener);
            }
        }
    }
}

/// The clip's lock, unless somebody is about to tell of it, or it is gone. Where a file system
/// knows no locks, nobody has it.
fn lock(clip: &Path) -> Option<Lock> {
    let clip = File::open(clip).ok()?;
    let is_held = matches!(clip.try_lock(), Err(TryLockError::WouldBlock));
    (!is_held).then(|| clip.into())
}

/// What the journal leaves open, by the clip's path.
fn read(
    directory: &Path,
    source: &str,
    unreadable: impl Fn(&str, io::Error),
) -> BTreeMap<String, Value> {
    let mut untold = Untold::new(source);
    // What is put aside between the two is read twice, which changes nothing, and not left out.
    let names = [journal::NAME.to_owned(), format!("{}.1", journal::NAME)];
    let files = names.map(|name| (File::open(directory.join(&name)), name));
    for (file, name) in files.into_iter().rev() {
        match file.and_then(|file| read_file(file, &mut untold)) {
            Err(err) if err.kind() != ErrorKind::NotFound => unreadable(&name, err),
            _ => {}
        }
    }
    untold.into_clips().collect()
}

fn read_file(mut file: File, untold: &mut Untold) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_READ)))?;
    for line in BufReader::new(file).split(b'\n') {
        untold.read(&line?);
    }
    Ok(())
}

fn report(clip: &Path, told: &Value, lock: Lock, listener: &impl Listener) {
    let sidecar = &clip.with_extension("json");
    let lock = Some(lock);
    let content = fs::read(sidecar).ok();
    let content = content.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    // Whoever has put another recording there has told of it.
    let Some(content) = content.filter(|content| content["id"] == told["id"]) else {
        return;
    };
    let Some(state) = content["state"].as_str().and_then(State::finished) else {
        return;
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let time = |name: &str| told[name].as_i64();
    let start = content["clip"]["start"].as_str();
    let subject = Subject {
        id: text(&told["id"]),
        n: told["n"].as_u64().unwrap_or(0),
        source: text(&told["source"]),
        start: time("start").unwrap_or(0),
        start_utc: start.and_then(evr_core::time::parse_rfc3339).unwrap_or(0),
    };
    let thumbnail = clip.with_extension("jpg");
    let thumbnail = thumbnail.exists().then_some(thumbnail.as_path());
    let frames = content["clip"]["frames"].as_u64().unwrap_or(0);
    let report = if state == State::Recovered {
        Report::Recovered {
            location: clip,
            sidecar,
            thumbnail,
            frames,
            content,
            lock,
        }
    } else {
        Report::Available {
            location: clip,
            sidecar,
            thumbnail,
            state,
            end: time("end").unwrap_or(subject.start),
            frames,
            reason: told["reason"]
                .as_str()
                .unwrap_or("the process ended as the recording was finished"),
            content,
            lock,
        }
    };
    listener.report(&subject, &report);
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;

    use super::*;

    /// Writes lines as the journal's thread does: the lock of a clip ends after its line.
    struct Writer<'a>(&'a Path, &'a AtomicU32);

    impl Writer<'_> {
        fn line(&self, kind: &str, clip: &Path, id: &str) {
            let data = json!({"location": clip, "source": "door", "id": id});
            let line = json!({"type": format!("evr-recording-{kind}"), "data": data});
            let mut journal = File::options()
                .append(true)
                .create(true)
                .open(self.0.join(journal::NAME))
                .expect("writable");
            journal
                .write_all(format!("{line}\n").as_bytes())
                .expect("written");
        }
    }

    impl Listener for Writer<'_> {
        fn choose(&self, _: u64) -> Option<String> {
            None
        }

        fn report(&self, subject: &Subject, report: &Report) {
            let Report::Available { location, lock, .. } = report else {
                panic!("{report:?}");
            };
            assert!(lock.is_some());
            self.1.fetch_add(1, Ordering::Relaxed);
            self.line("available", location, &subject.id);
        }

        fn warn(&self, sentence: &str) {
            panic!("{sentence}");
        }
    }

    #[test]
    fn of_starts_at_once_one_tells_of_what_a_crash_has_left_untold() {
        let directory = tempfile::tempdir().expect("a directory");
        let (directory, told) = (directory.path(), AtomicU32::new(0));
        let writer = Writer(directory, &told);
        // More than are open at a time.
        let clips = 100;
        for n in 0..clips {
            let clip = directory.join(format!("{n}.mp4"));
            fs::write(&clip, b"").expect("written");
            let sidecar = json!({"id": n.to_string(), "state": "complete"});
            fs::write(clip.with_extension("json"), sidecar.to_string()).expect("written");
            writer.line("started", &clip, &n.to_string());
        }
        let begun = SystemTime::now() + std::time::Duration::from_secs(60);
        let all = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    all.wait();
                    tell(directory, "door", begun, &Writer(directory, &told));
                });
            }
        });
        tell(directory, "door", begun, &writer);
        assert_eq!(told.load(Ordering::Relaxed), clips);
    }
}
