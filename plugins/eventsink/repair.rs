//! Recordings that a crash has cut off: found when the element starts, written anew as far as they
//! are whole, and given the names that they would have had.
//!
//! What of a file is whole is found out in `evr_core::recovery`, what their sidecars say in
//! `evr_core::recording::recovered`. A thread of its own does the work, one file after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, UNIX_EPOCH};

use evr_core::recording::container::Container;
use evr_core::recording::recovered::{self, Found};
use evr_core::recording::sidecar::{self, ClipFile};
use evr_core::time::{MILLISECOND, Nanos, SECOND, parse_rfc3339};
use serde_json::Value;

use super::files::Files;
use super::finish::Listener;
use super::report::{Report, Subject};
use super::rewrite;
use super::shelf::Shelf;
use super::thumbnail::{self, Picture};

/// How long stopping waits for the file that is being repaired.
const PATIENCE: Duration = Duration::from_secs(30);

/// The thread's other end.
pub(super) struct Repair {
    go_on: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl Repair {
    /// Looks for what a crash has left where `shelf` lies.
    pub(super) fn start(
        shelf: Shelf,
        pictures: bool,
        listener: impl Listener + Send + 'static,
    ) -> std::io::Result<Self> {
        let (end, ended) = channel();
        let go_on = Arc::new(AtomicBool::new(true));
        let going_on = go_on.clone();
        std::thread::Builder::new()
            .name("evr-repair".into())
            .spawn(move || {
                let mut parts = Vec::new();
                find(&shelf.directory, shelf.depth, &mut parts);
                parts.sort();
                for part in parts {
                    if !going_on.load(Ordering::Relaxed) {
                        break;
                    }
                    repair(&part, &shelf.source, pictures, &listener);
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

/// The clips' `.part` files; what cannot be read is no recording that could be repaired.
fn find(directory: &Path, depth: usize, parts: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        // A link would lead out of the directory.
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && depth > 0 {
            find(&path, depth - 1, parts);
        } else if kind.is_file() && depth == 0 && container(&path).is_some() {
            parts.push(path);
        }
    }
}

fn container(part: &Path) -> Option<Container> {
    let clip = part.to_str()?.strip_suffix(".part")?;
    let extension = Path::new(clip).extension()?;
    Container::ALL
        .into_iter()
        .find(|container| extension == container.extension())
}

fn repair(part: &Path, source: &str, pictures: bool, listener: &impl Listener) {
    let Some(container) = container(part) else {
        return;
    };
    let Some(mut files) = Files::take_over(part, container.extension()) else {
        return;
    };
    if fs::metadata(part).is_ok_and(|file| file.len() == 0) {
        return discard(&files, source, listener);
    }
    let repaired = rewrite::rewrite(&files, container)
        .and_then(|movie| publish(&mut files, source, container, pictures, &movie));
    match repaired {
        Ok(done) => {
            let thumbnail = done.pictured.then(|| files.thumbnail());
            let report = Report::Recovered {
                location: &files.clip(),
                sidecar: &files.sidecar(),
                thumbnail: thumbnail.as_deref(),
                frames: done.frames,
                content: done.sidecar.clone(),
            };
            listener.report(&subject(&done.sidecar), &report);
        }
        Err(why) => set_aside(&files, source, &why, listener),
    }
}

/// The crash came before anything had been written.
fn discard(files: &Files, source: &str, listener: &impl Listener) {
    let reason = format!(
        "a crash cut {} off before its first fragment was written, so there is no clip",
        files.clip().display()
    );
    let report = Report::Failed {
        part: None,
        reason: &reason,
    };
    listener.report(&known(files, source), &report);
    listener.warn(&reason);
    files.discard();
}

/// What is known of a recording that leaves no clip.
fn known(files: &Files, source: &str) -> Subject {
    let known = files.unfinished_sidecar();
    let known = known.and_then(|text| recovered::unfinished(&text));
    Subject {
        source: source.into(),
        ..subject(&known.unwrap_or(Value::Null))
    }
}

/// Keeps what cannot be repaired, under a name that no later start tries again.
fn set_aside(files: &Files, source: &str, why: &str, listener: &impl Listener) {
    let part = files.clip_part();
    let subject = known(files, source);
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
            listener.report(&subject, &report);
            listener.warn(&reason);
        }
        Err(err) => listener.warn(&format!(
            "{} was cut off by a crash and can neither be repaired ({why}) nor renamed ({err}): \
             see that its directory is writable",
            part.display()
        )),
    }
}

/// What became of a file.
struct Done {
    sidecar: Value,
    frames: u64,
    pictured: bool,
}

/// Thumbnail, sidecar, final names.
fn publish(
    files: &mut Files,
    source: &str,
    container: Container,
    pictures: bool,
    movie: &rewrite::Rewritten,
) -> Result<Done, String> {
    let text = |err: std::io::Error| err.to_string();
    let modified = fs::metadata(files.clip_part()).and_then(|file| file.modified());
    let modified = modified.map_err(text)?.duration_since(UNIX_EPOCH);
    files.replace_part().map_err(text)?;
    let found = Found {
        file: ClipFile {
            name: files.clip_name(),
            container: container.as_str(),
            bytes: fs::metadata(files.clip_part()).map_err(text)?.len(),
        },
        duration: movie.duration,
        frames: movie.frames,
        streams: movie.streams.clone(),
        modified: modified.map_or(0, |since| Nanos::try_from(since.as_nanos()).unwrap_or(0)),
    };
    let sidecar = recovered::sidecar(files.unfinished_sidecar().as_deref(), source, &found);
    let mut json =
        serde_json::to_string_pretty(&sidecar).expect("a value has only strings as names");
    json.push('\n');
    files.secure(&json).map_err(text)?;
    // A recording without its picture is as good as before.
    let pictured = pictures && movie.has_video && picture(files, &sidecar).is_ok();
    files.publish(pictured).map_err(text)?;
    Ok(Done {
        sidecar,
        frames: movie.frames,
        pictured,
    })
}

fn picture(files: &Files, sidecar: &Value) -> Result<(), String> {
    let seconds = |value: &Value| (value.as_f64().unwrap_or(0.0) * SECOND as f64) as Nanos;
    let last = (seconds(&sidecar["clip"]["duration"]) - MILLISECOND).max(0);
    let objects = sidecar["signals"].get(0).map(sidecar::objects);
    let jpeg = thumbnail::take(&Picture {
        clip: &files.clip_part(),
        at: (seconds(&sidecar["event"]["start_offset"]) + MILLISECOND).clamp(0, last),
        objects: objects.unwrap_or_default(),
    })?;
    files.write_thumbnail(&jpeg).map_err(|err| err.to_string())
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
