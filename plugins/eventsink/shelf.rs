//! Finished recordings on disk: finding them, and taking one away so that a crash at any moment
//! leaves none without its sidecar.
//!
//! What must go is decided in `evr_core::recording::retention`; when, in `keeper.rs`.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use evr_core::recording::retention::{self, Fate, Ours};
use evr_core::time::Nanos;

use crate::bridge::directory::sync_directory;

/// The sidecar of a recording that is being removed: readers no longer see the recording, and the
/// next start removes what is left of it.
const REMOVED: &str = ".json.removed";
/// Beside a recording, after its stem or its clip's whole name, it protects the recording.
const KEEP: &str = ".keep";

/// Where a sink's recordings lie.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub(super) directory: PathBuf,
    /// How many directories lie between it and each recording.
    pub(super) depth: usize,
    /// Name of the camera; the recordings of others are none of ours.
    pub(super) source: String,
}

/// A finished recording that may go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Path of the clip without extension.
    pub(super) stem: String,
    /// When the sidecar was written, in nanoseconds since 1970.
    pub(super) finished: Nanos,
    /// Of clip, sidecar and thumbnail.
    pub(super) bytes: u64,
}

impl Shelf {
    /// Every recording that may go, and the end of every removal that a crash has cut short.
    /// `go_on` is asked again and again whether it is still worth it.
    pub(super) fn scan(
        &self,
        go_on: &dyn Fn() -> bool,
        found: &mut dyn FnMut(Found),
    ) -> io::Result<()> {
        self.scan_directory(&self.directory, self.depth, go_on, found)
    }

    fn scan_directory(
        &self,
        directory: &Path,
        depth: usize,
        go_on: &dyn Fn() -> bool,
        found: &mut dyn FnMut(Found),
    ) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            // Removed by somebody else since its name was read.
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        if depth > 0 {
            for entry in entries {
                let entry = entry?;
                // A link would lead out of the directory, or back into it.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    self.scan_directory(&entry.path(), depth - 1, go_on, found)?;
                }
            }
            return Ok(());
        }
        let (mut sidecars, mut kept) = (Vec::new(), HashSet::new());
        for entry in entries {
            let Some(name) = name(&entry?) else { continue };
            if let Some(stem) = name.strip_suffix(".json") {
                sidecars.push(stem.to_owned());
            } else if let Some(keep) = name.strip_suffix(KEEP) {
                kept.insert(keep.to_owned());
            } else if let Some(stem) = name.strip_suffix(REMOVED) {
                self.finish_removal(&directory.join(stem));
            }
        }
        for stem in sidecars {
            if !go_on() {
                break;
            }
            let path = directory.join(&stem);
            if let Some((ours, entry)) = self.look(&path)
                && !kept.contains(&stem)
                && !kept.contains(&ours.clip)
            {
                found(entry);
            }
        }
        Ok(())
    }

    /// What lies under `stem`, if that is a recording of ours that is not protected.
    pub(super) fn find(&self, stem: &str) -> Option<Found> {
        let mut stem = PathBuf::from(stem);
        // By the same name as when the directory is read.
        if stem.is_relative() && self.directory == Path::new(".") && !stem.starts_with(".") {
            stem = self.directory.join(stem);
        }
        // An application may have put it elsewhere, where no start would find it.
        let below = stem.strip_prefix(&self.directory).ok()?;
        if below.components().count() != self.depth + 1 {
            return None;
        }
        let (ours, found) = self.look(&stem)?;
        (!protected(&stem, &ours)).then_some(found)
    }

    /// Takes a recording away: the sidecar steps aside first, so that no reader finds it without
    /// its clip, and goes last, so that a crash in between leaves a name for the next start.
    ///
    /// # Errors
    /// What the file system says; the recording may be gone in part then.
    pub(super) fn remove(&self, stem: &str) -> io::Result<Fate> {
        let path = Path::new(stem);
        let (sidecar, aside) = (with(path, ".json"), with(path, REMOVED));
        if !sidecar.exists() {
            return Ok(Fate::Gone);
        }
        // Not what was found, but what lies there now.
        let Some((ours, _)) = self.look(path) else {
            return Ok(Fate::Stays);
        };
        if protected(path, &ours) {
            return Ok(Fate::Stays);
        }
        fs::rename(&sidecar, &aside)?;
        sync_directory(&aside)?;
        self.remove_media(path, &ours)?;
        gone(fs::remove_file(&aside))?;
        self.remove_empty_directories(path);
        Ok(Fate::Removed)
    }

    fn finish_removal(&self, stem: &Path) {
        let aside = with(stem, REMOVED);
        // What does not succeed is tried again at the next start.
        let Some((ours, _)) = self.read(stem, &aside) else {
            return;
        };
        if self.remove_media(stem, &ours).is_ok() && gone(fs::remove_file(aside)).is_ok() {
            self.remove_empty_directories(stem);
        }
    }

    fn remove_media(&self, stem: &Path, ours: &Ours) -> io::Result<()> {
        // Another recording of that name would have a sidecar, finished or not.
        if [".json", ".json.part"]
            .iter()
            .any(|it| with(stem, it).exists())
        {
            return Ok(());
        }
        gone(fs::remove_file(stem.with_file_name(&ours.clip)))?;
        gone(fs::remove_file(with(stem, ".jpg")))
    }

    /// Only what the template made below the fixed directory.
    fn remove_empty_directories(&self, stem: &Path) {
        for directory in stem.ancestors().skip(1).take(self.depth) {
            // It is not empty, most of the time.
            if fs::remove_dir(directory).is_err() {
                return;
            }
        }
    }

    fn look(&self, stem: &Path) -> Option<(Ours, Found)> {
        self.read(stem, &with(stem, ".json"))
    }

    fn read(&self, stem: &Path, sidecar: &Path) -> Option<(Ours, Found)> {
        let metadata = fs::symlink_metadata(sidecar)
            .ok()
            .filter(fs::Metadata::is_file)?;
        let text = fs::read(sidecar).ok()?;
        let ours = retention::ours(stem.file_name()?.to_str()?, &text)?;
        if ours.source != self.source {
            return None;
        }
        let finished = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let size = |path: PathBuf| fs::symlink_metadata(path).map_or(0, |file| file.len());
        let clip = size(stem.with_file_name(&ours.clip));
        let found = Found {
            stem: stem.to_str()?.to_owned(),
            finished: Nanos::try_from(finished.as_nanos()).ok()?,
            bytes: metadata.len() + clip + size(with(stem, ".jpg")),
        };
        Some((ours, found))
    }
}

fn protected(stem: &Path, ours: &Ours) -> bool {
    let clip = stem.with_file_name(&ours.clip);
    with(stem, KEEP).exists() || with(&clip, KEEP).exists()
}

/// What is to be removed may be gone already.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn name(entry: &DirEntry) -> Option<String> {
    entry.file_name().into_string().ok()
}

fn with(stem: &Path, extension: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(extension);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn shelf(directory: &Path, depth: usize) -> Shelf {
        Shelf {
            directory: directory.into(),
            depth,
            source: "door".into(),
        }
    }

    /// A finished recording of 10 + 5 bytes and its sidecar.
    fn record(stem: &Path, source: &str) {
        fs::create_dir_all(stem.parent().expect("a directory")).expect("made");
        let name = stem.file_name().expect("a name").to_str().expect("UTF-8");
        let sidecar = format!(
            r#"{{"schema":"evr/recording/1","source":"{source}","clip":{{"path":"{name}.mp4"}}}}"#
        );
        fs::write(with(stem, ".mp4"), [0; 10]).expect("written");
        fs::write(with(stem, ".jpg"), [0; 5]).expect("written");
        fs::write(with(stem, ".json"), sidecar).expect("written");
    }

    fn scanned(shelf: &Shelf) -> BTreeSet<String> {
        let mut stems = BTreeSet::new();
        shelf
            .scan(&|| true, &mut |found| {
                let name = Path::new(&found.stem).file_name().expect("a name");
                stems.insert(name.to_string_lossy().into_owned());
            })
            .expect("readable");
        stems
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<_> = entries.filter_map(|entry| name(&entry.ok()?)).collect();
        names.sort();
        names
    }

    #[test]
    fn only_finished_and_unprotected_recordings_of_this_source_are_found() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        for stem in ["plain", "kept", "kept-clip", "gone"] {
            record(&at(stem), "door");
        }
        record(&at("other"), "yard");
        fs::write(at("kept.keep"), "").expect("written");
        fs::write(at("kept-clip.mp4.keep"), "").expect("written");
        fs::write(at("package.json"), "{}").expect("written");
        fs::write(at("holiday.mp4"), "").expect("written");
        fs::write(at("open.mp4.part"), "").expect("written");
        record(&at("deeper/plain-2"), "door");
        fs::remove_file(at("gone.mp4")).expect("removed");
        let shelf = shelf(directory.path(), 0);
        assert_eq!(scanned(&shelf), ["gone".into(), "plain".into()].into());
        let found = shelf.find(at("plain").to_str().expect("UTF-8"));
        let sidecar = fs::metadata(at("plain.json")).expect("written").len();
        assert_eq!(found.expect("found").bytes, 15 + sidecar);
        assert_eq!(shelf.find(at("kept").to_str().expect("UTF-8")), None);
        assert_eq!(
            shelf.find(at("deeper/plain-2").to_str().expect("UTF-8")),
            None
        );
    }

    #[test]
    fn a_bare_name_is_the_one_that_the_scan_gives() {
        let shelf = shelf(Path::new("."), 1);
        let directory = tempfile::tempdir_in(".").expect("a directory");
        let bare = Path::new(directory.path().file_name().expect("a name"));
        record(&bare.join("x"), "door");
        let found = shelf.find(bare.join("x").to_str().expect("UTF-8"));
        assert!(found.expect("found").stem.starts_with("./"));
    }

    #[test]
    fn links_are_not_followed_and_what_lies_deeper_or_higher_is_not_seen() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join("rec").join(name);
        record(&at("2026/01/right"), "door");
        record(&at("high"), "door");
        record(&at("2026/high"), "door");
        record(&at("2026/01/x/low"), "door");
        record(&directory.path().join("elsewhere/01/outside"), "door");
        std::os::unix::fs::symlink("../elsewhere", at("link")).expect("linked");
        let shelf = shelf(&directory.path().join("rec"), 2);
        assert_eq!(scanned(&shelf), ["right".into()].into());
    }

    #[test]
    fn a_recording_goes_whole_and_takes_only_the_directories_that_it_empties() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        record(&at("2026/01/a"), "door");
        record(&at("2026/02/b"), "door");
        fs::write(at("2026/02/b.txt"), "mine").expect("written");
        let shelf = shelf(directory.path(), 2);
        let remove = |stem: &str| {
            shelf
                .remove(at(stem).to_str().expect("UTF-8"))
                .expect("goes")
        };
        assert_eq!(remove("2026/01/a"), Fate::Removed);
        assert_eq!(names(&at("2026")), ["02"]);
        assert_eq!(remove("2026/02/b"), Fate::Removed);
        assert_eq!(names(&at("2026/02")), ["b.txt"]);
        assert_eq!(remove("2026/02/b"), Fate::Gone);
    }

    #[test]
    fn what_was_protected_or_replaced_meanwhile_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let shelf = shelf(directory.path(), 0);
        record(&at("a"), "door");
        record(&at("b"), "yard");
        fs::write(at("a.keep"), "").expect("written");
        for stem in ["a", "b"] {
            let fate = shelf.remove(at(stem).to_str().expect("UTF-8"));
            assert_eq!(fate.expect("readable"), Fate::Stays);
        }
        assert_eq!(names(directory.path()).len(), 7);
    }

    #[test]
    fn a_removal_that_a_crash_cut_short_at_any_step_is_finished_and_hits_nothing_else() {
        for step in 0..=3 {
            let directory = tempfile::tempdir().expect("a directory");
            let at = |name: &str| directory.path().join(name);
            record(&at("a"), "door");
            record(&at("b"), "door");
            let done: [&dyn Fn() -> io::Result<()>; 3] = [
                &|| fs::rename(at("a.json"), at("a.json.removed")),
                &|| fs::remove_file(at("a.mp4")),
                &|| fs::remove_file(at("a.jpg")),
            ];
            for done in &done[..step] {
                done().expect("done");
            }
            let shelf = shelf(directory.path(), 0);
            if step == 0 {
                assert_eq!(scanned(&shelf).len(), 2);
            } else {
                assert_eq!(scanned(&shelf), ["b".into()].into());
                assert_eq!(names(directory.path()), ["b.jpg", "b.json", "b.mp4"]);
            }
        }
    }

    #[test]
    fn the_rest_of_a_removal_never_takes_a_new_recording_of_that_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        record(&at("a"), "door");
        for sidecar in ["a.json", "a.json.part"] {
            fs::copy(at("a.json"), at("a.json.removed")).expect("copied");
            // The last step of finishing one gives it its name.
            fs::rename(at("a.json"), at(sidecar)).expect("renamed");
            scanned(&shelf(directory.path(), 0));
            assert_eq!(names(directory.path()), ["a.jpg", sidecar, "a.mp4"]);
        }
    }
}
