//! Recordings that a crash has cut off: found when the element starts, made good as far as they are
//! whole, and given the names that they would have had.
//!
//! What of a file is whole is found out in `evr_core::recovery`, what their sidecars say in
//! `evr_core::recording::recovered`; what a recording leaves at each of its steps, in `files`. A
//! thread of its own does the work, one recording after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evr_core::recording::container::Container;
use evr_core::recording::id::recording_id;
use evr_core::recording::recovered::{self, Found};
use evr_core::recording::sidecar::{self, ClipFile};
use evr_core::time::{MILLISECOND, Nanos, SECOND, parse_rfc3339};
use serde_json::Value;

use super::files::{Files, Remains, is_sidecar_part};
use super::finish::Listener;
use super::report::{Report, Subject};
use super::rewrite::{self, Rewritten, Why};
use super::shelf::Shelf;
use super::thumbnail::{self, Picture};
use super::untold;

/// How long stopping waits for the file that is being repaired.
const PATIENCE: Duration = Duration::from_secs(30);

/// The thread's other end.
pub(super) struct Repair {
    go_on: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl Repair {
    /// Looks for what a crash has left where `shelf` lies, and where there is a journal for what it
    /// leaves untold.
    pub(super) fn start(
        shelf: Shelf,
        (pictures, journal): (bool, bool),
        listener: impl Listener + Send + 'static,
    ) -> std::io::Result<Self> {
        let (end, ended) = channel();
        let begun = SystemTime::now();
        let go_on = Arc::new(AtomicBool::new(true));
        let going_on = go_on.clone();
        std::thread::Builder::new()
            .name("evr-repair".into())
            .spawn(move || {
                let mut left = Vec::new();
                find(&shelf.directory, shelf.depth, &mut left);
                left.sort();
                let work = Work {
                    source: shelf.source,
                    pictures,
                    listener,
                };
                if journal {
                    untold::tell(&shelf.directory, &work.source, begun, &work.listener);
                }
                for sidecar in left {
                    if !going_on.load(Ordering::Relaxed) {
                        break;
                    }
                    if let Some(remains) = Files::remains(&sidecar) {
                        work.repair(remains);
                    }
                }
                drop(end);
            })?;
        Ok(Self { go_on, ended })
    }

    /// Waits, but not for ever, until the file that is being repaired is; others wait for the next
    /// start.
    pub(super) fn stop(self) {
        self.go_on.store(false, Ordering::Relaxed);
        // Nothing is ever sent: the other end is dropped.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

/// The unfinished sidecars; what cannot be read is no recording that could be repaired.
fn find(directory: &Path, depth: usize, left: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        // A link would lead out of the directory.
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && depth > 0 {
            find(&path, depth - 1, left);
        } else if kind.is_file() && depth == 0 && is_sidecar_part(&path) {
            left.push(path);
        }
    }
}

struct Work<L> {
    source: String,
    pictures: bool,
    listener: L,
}

/// What became of a file.
struct Done {
    sidecar: Value,
    pictured: bool,
}

impl<L: Listener> Work<L> {
    fn repair(&self, remains: Remains) {
        match remains {
            Remains::Part(files, container) => self.part(files, container),
            Remains::Clip(files, container) => self.clip(files, container),
            // Why was told when it was set aside.
            Remains::Aside(files) => drop(files.set_sidecar_aside()),
            Remains::Nothing(files) => self.nothing(&files),
        }
    }

    fn part(&self, mut files: Files, container: Container) {
        if fs::metadata(files.clip_part()).is_ok_and(|file| file.len() == 0) {
            let reason = format!(
                "a crash cut {} off before its first fragment was written, so there is no clip",
                files.clip().display()
            );
            return self.discard(&files, &reason);
        }
        let repaired = match finished(&files, &files.clip_part()) {
            Some(sidecar) => self.publish(&files, sidecar).map_err(Why::NotNow),
            None => rewrite::rewrite(&files, container)
                .and_then(|new| self.replace(&mut files, container, &new)),
        };
        match repaired {
            Ok(done) => self.tell(&files, done),
            Err(Why::Never(why)) => self.set_aside(&files, &why),
            Err(Why::NotNow(why)) => self.put_off(&files, &why),
        }
    }

    /// The crash came between the last two steps.
    fn clip(&self, files: Files, container: Container) {
        match finished(&files, &files.clip()) {
            Some(sidecar) => match self.publish(&files, sidecar) {
                Ok(done) => self.tell(&files, done),
                Err(why) => self.put_off(&files, &why),
            },
            None => match files.unpublish() {
                Ok(()) => self.part(files, container),
                Err(err) => self.put_off(&files, &err.to_string()),
            },
        }
    }

    fn nothing(&self, files: &Files) {
        // Without a word the crash came before there was anything to speak of.
        if files
            .unfinished_sidecar()
            .is_some_and(|text| !text.is_empty())
        {
            let reason = format!(
                "{}.* was cut off by a crash and its clip is gone, so there is none",
                files.stem()
            );
            return self.discard(files, &reason);
        }
        files.discard();
    }

    /// There is no media.
    fn discard(&self, files: &Files, reason: &str) {
        let report = Report::Failed { part: None, reason };
        self.listener.report(&self.known(files), &report);
        self.listener.warn(reason);
        files.discard();
    }

    fn tell(&self, files: &Files, done: Done) {
        let thumbnail = done.pictured.then(|| files.thumbnail());
        let report = Report::Recovered {
            location: &files.clip(),
            sidecar: &files.sidecar(),
            thumbnail: thumbnail.as_deref(),
            frames: done.sidecar["clip"]["frames"].as_u64().unwrap_or(0),
            content: done.sidecar.clone(),
            lock: files.lock(),
        };
        self.listener.report(&subject(&done.sidecar), &report);
    }

    /// What is known of a recording that leaves no clip.
    fn known(&self, files: &Files) -> Subject {
        let known = files.unfinished_sidecar();
        let known = known.and_then(|text| recovered::unfinished(&text));
        let subject = known.map_or_else(|| self.unknown(files), |known| subject(&known));
        Subject {
            source: self.source.clone(),
            ..subject
        }
    }

    /// A recording of which nothing was written down before the crash.
    fn unknown(&self, files: &Files) -> Subject {
        let start = modified(&files.clip_now()).unwrap_or(0);
        Subject {
            id: recording_id(&self.source, 0, start, 0),
            n: 0,
            source: self.source.clone(),
            start: 0,
            start_utc: start,
        }
    }

    /// Keeps what cannot be repaired, under a name that no later start tries again.
    fn set_aside(&self, files: &Files, why: &str) {
        let part = files.clip_part();
        let subject = self.known(files);
        match files.set_aside() {
            Ok(broken) => {
                let reason = format!(
                    "{} was cut off by a crash and cannot be repaired ({why}): it is kept as {}",
                    part.display(),
                    broken.display()
                );
                let report = Report::Failed {
                    part: Some(&broken),
                    reason: &reason,
                };
                self.listener.report(&subject, &report);
                self.listener.warn(&reason);
            }
            Err(err) => self.listener.warn(&format!(
                "{} was cut off by a crash and can neither be repaired ({why}) nor renamed \
                 ({err}): see that its directory is writable",
                part.display()
            )),
        }
    }

    /// Leaves for the next start what the disk refuses today.
    fn put_off(&self, files: &Files, why: &str) {
        self.listener.warn(&format!(
            "{} was cut off by a crash and cannot be repaired now ({why}): see that its directory \
             is writable and its disk has room for it once more; the next start tries again",
            files.clip().display()
        ));
    }

    /// Puts the new file in the old one's place.
    fn replace(
        &self,
        files: &mut Files,
        container: Container,
        new: &Rewritten,
    ) -> Result<Done, Why> {
        let not_now = |err: std::io::Error| Why::NotNow(err.to_string());
        let modified = modified(&files.clip_part()).map_err(not_now)?;
        files.replace_part().map_err(not_now)?;
        let found = Found {
            file: ClipFile {
                name: files.clip_name(),
                container: container.as_str(),
                bytes: fs::metadata(files.clip_part()).map_err(not_now)?.len(),
            },
            duration: new.duration,
            frames: new.frames,
            streams: new.streams.clone(),
            modified,
        };
        let unfinished = files.unfinished_sidecar();
        let sidecar = recovered::sidecar(unfinished.as_deref(), &self.source, &found);
        self.publish(files, sidecar).map_err(Why::NotNow)
    }

    /// Thumbnail, sidecar, final names.
    fn publish(&self, files: &Files, sidecar: Value) -> Result<Done, String> {
        let mut json =
            serde_json::to_string_pretty(&sidecar).expect("a value has only strings as names");
        json.push('\n');
        files.secure(&json).map_err(|err| err.to_string())?;
        let streams = sidecar["clip"]["streams"].as_array();
        let shows = streams.is_some_and(|all| all.iter().any(|own| own["type"] == "video"));
        // A recording without its picture is as good as before.
        let pictured = self.pictures && shows && picture(files, &sidecar).is_ok();
        files.publish(pictured).map_err(|err| err.to_string())?;
        // What a crash has left half done.
        files.clean();
        Ok(Done { sidecar, pictured })
    }
}

/// The sidecar of a clip that a crash has robbed of no more than its names.
fn finished(files: &Files, clip: &Path) -> Option<Value> {
    let bytes = fs::metadata(clip).ok()?.len();
    recovered::finished(&files.unfinished_sidecar()?, bytes)
}

fn picture(files: &Files, sidecar: &Value) -> Result<(), String> {
    let seconds = |value: &Value| (value.as_f64().unwrap_or(0.0) * SECOND as f64) as Nanos;
    let last = (seconds(&sidecar["clip"]["duration"]) - MILLISECOND).max(0);
    let objects = sidecar["signals"].get(0).map(sidecar::objects);
    let jpeg = thumbnail::take(&Picture {
        clip: &files.clip_now(),
        at: (seconds(&sidecar["event"]["start_offset"]) + MILLISECOND).clamp(0, last),
        objects: objects.unwrap_or_default(),
    })?;
    files.write_thumbnail(&jpeg).map_err(|err| err.to_string())
}

/// When the file was written to, in nanoseconds since 1970.
fn modified(path: &Path) -> std::io::Result<Nanos> {
    let since = fs::metadata(path)?.modified()?.duration_since(UNIX_EPOCH);
    Ok(since.map_or(0, |since| {
        Nanos::try_from(since.as_nanos()).unwrap_or(Nanos::MAX)
    }))
}

/// What messages say first. The run that made the recording is over, and its running time with it.
fn subject(sidecar: &Value) -> Subject {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let start = sidecar["clip"]["start"].as_str().and_then(parse_rfc3339);
    Subject {
        id: text(&sidecar["id"]),
        n: 0,
        source: text(&sidecar["source"]),
        start: 0,
        start_utc: start.unwrap_or(0),
    }
}
