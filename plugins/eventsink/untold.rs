//! Clips that got their names when nobody was left to say so: the process ended between the last
//! rename and the journal's line. The next start says it.
//!
//! Which those may be is found out in `evr_core::recording::journal`.

use std::fs::{self, File, TryLockError};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use evr_core::recording::journal::Untold;
use evr_core::recording::sidecar::State;
use serde_json::Value;

use super::finish::Listener;
use super::journal;
use super::report::{Report, Subject};

/// Of a journal that nobody cuts, no more than its end is read.
const MAX_READ: u64 = 64 << 20;

/// Tells of the clips of `source` that were finished before `begun`, when this start began.
pub(super) fn tell(directory: &Path, source: &str, begun: SystemTime, listener: &impl Listener) {
    let mut untold = Untold::new(source);
    for name in [format!("{}.1", journal::NAME), journal::NAME.into()] {
        match read(&directory.join(&name), &mut untold) {
            Err(err) if err.kind() != ErrorKind::NotFound => listener.warn(&format!(
                "{name} cannot be read ({err}), so a recording that was finished as the process \
                 ended may be missing in it: make it readable"
            )),
            _ => {}
        }
    }
    for (location, told) in untold.into_clips() {
        let clip = Path::new(&location);
        let is_older = |path: &Path| {
            let modified = fs::metadata(path).and_then(|file| file.modified());
            modified.is_ok_and(|modified| modified < begun)
        };
        // What is being written has no sidecar of that name, and what is finished from now on is
        // told by who finishes it.
        let sidecar = clip.with_extension("json");
        if is_older(&sidecar) && !is_held(clip) {
            report(clip, &sidecar, &told, listener);
        }
    }
}

/// Whether somebody is about to tell of the clip, or it is gone.
fn is_held(clip: &Path) -> bool {
    File::open(clip).map_or(true, |clip| {
        matches!(clip.try_lock(), Err(TryLockError::WouldBlock))
    })
}

fn read(path: &Path, untold: &mut Untold) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_READ)))?;
    for line in BufReader::new(file).split(b'\n') {
        untold.read(&line?);
    }
    Ok(())
}

fn report(clip: &Path, sidecar: &Path, told: &Value, listener: &impl Listener) {
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
        }
    };
    listener.report(&subject, &report);
}
