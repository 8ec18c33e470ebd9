//! Files of a recording: taking a name that nobody has, and making things last.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use evr_core::recording::container::Container;
use evr_core::recording::name::numbered;
use evr_core::recording::recovered;

use crate::bridge::directory::{is_at, make_directories, parent, sync_directory};

/// More names than this taken in a row is no accident.
const MAX_ATTEMPTS: u32 = 10_000;

/// The paths of one recording. The clip's `.part` exists and is ours alone.
#[derive(Debug)]
pub(super) struct Files {
    /// The clip's path without extension.
    stem: String,
    /// The clip's, without the dot.
    extension: &'static str,
    /// Of the clip, or of its sidecar where there is no clip.
    lock: Option<Lock>,
}

/// A file that is locked while somebody works on the recording, until its last word is written:
/// what is not was left by a crash. Open only to read, so that whoever watches the directory does
/// not see the finished clip being written to.
pub(super) type Lock = Arc<File>;

/// After a `.part`'s name: what will take its place.
const NEW: &str = ".new";
/// After a `.part`'s name: nobody can make a clip of it.
const BROKEN: &str = ".broken";
/// What shows that a directory can be written to.
const PROBE: &str = ".evr.part";
/// A `.part` and a sidecar without a byte that are younger than this may not be locked yet.
const YOUTH: Duration = Duration::from_secs(10);
/// What ends the name of each sidecar that is not finished.
const SIDECAR_PART: &str = ".json.part";

/// How a file gets its final name.
type Rename = fn(&Path, &Path) -> io::Result<()>;

/// What a crash has left of a recording, locked by us now.
#[derive(Debug)]
pub(super) enum Remains {
    /// The clip's `.part`.
    Part(Files, Container),
    /// The clip, under its final name.
    Clip(Files, Container),
    /// A clip that was being set aside.
    Aside(Files),
    /// No clip.
    Nothing(Files),
}

impl Files {
    /// Takes the first free name among `stem`, `stem-2`, …, by creating the sidecar's `.part`: of
    /// two processes only one can, whatever their containers. Missing directories are made.
    pub(super) fn reserve(stem: &str, extension: &'static str) -> io::Result<Self> {
        let directory = parent(Path::new(stem)).unwrap_or(Path::new(""));
        for attempt in 1..=MAX_ATTEMPTS {
            let mut files = Self {
                stem: numbered(stem, attempt),
                extension,
                lock: None,
            };
            match create_new(&files.sidecar_part(), directory) {
                Err(err) if err.kind() == ErrorKind::AlreadyExists => continue,
                Err(err) => return Err(err),
                Ok(_) => {}
            }
            // After the creation, not before: whoever held the `.part` until now has renamed it.
            let finished = [files.clip(), files.sidecar(), files.thumbnail()];
            if finished.iter().any(|path| path.exists()) {
                files.release()?;
                continue;
            }
            match create_new(&files.clip_part(), directory) {
                // A crash has left it.
                Err(err) if err.kind() == ErrorKind::AlreadyExists => {
                    files.release()?;
                    continue;
                }
                Err(err) => {
                    files.release()?;
                    return Err(err);
                }
                Ok(_) => {}
            }
            if files.hold()? {
                return Ok(files);
            }
        }
        Err(io::Error::new(
            ErrorKind::AlreadyExists,
            format!("{MAX_ATTEMPTS} files of that name exist already"),
        ))
    }

    pub(super) fn clip(&self) -> PathBuf {
        self.with(&format!(".{}", self.extension))
    }

    pub(super) fn clip_part(&self) -> PathBuf {
        self.with(&format!(".{}.part", self.extension))
    }

    pub(super) fn sidecar(&self) -> PathBuf {
        self.with(".json")
    }

    pub(super) fn thumbnail(&self) -> PathBuf {
        self.with(".jpg")
    }

    /// What says that somebody works on the recording, for whoever has the last word of it.
    pub(super) fn lock(&self) -> Option<Lock> {
        self.lock.clone()
    }

    /// The paths of all without extension.
    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// The clip's name without its directory.
    pub(super) fn clip_name(&self) -> String {
        let clip = self.clip();
        let name = clip.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// What is left of the recording whose unfinished sidecar is `part`, unless somebody works on
    /// it. From the first step of a recording to the last that file is there, so that whatever has
    /// none beside it is none of ours.
    pub(super) fn remains(part: &Path) -> Option<Remains> {
        let stem = part.to_str()?.strip_suffix(SIDECAR_PART)?;
        let of = |container: Container| Self {
            stem: stem.into(),
            extension: container.extension(),
            lock: None,
        };
        let all = || Container::ALL.into_iter().map(|own| (of(own), own));
        // Before the clip is looked for: what anything is known of has had one. And this very file
        // is locked below, as another may have its name by then.
        let sidecar = File::open(part).ok()?;
        let known = sidecar.metadata().ok()?;
        if let Some((files, own)) = all().find(|(files, _)| files.clip_part().exists()) {
            let files = files.take_over(&files.clip_part())?;
            return Some(Remains::Part(files, own));
        }
        let is_young = known.modified().ok()?.elapsed().unwrap_or_default() < YOUTH;
        if known.len() == 0 {
            // Who takes a name makes this file first.
            let files = of(Container::default());
            let files = (!is_young).then(|| files.own(sidecar, part))?;
            return files.map(Remains::Nothing);
        }
        if let Some((files, own)) = all().find(|(files, _)| files.clip().exists()) {
            let files = files.take_over(&files.clip())?;
            return (!files.sidecar().exists()).then_some(Remains::Clip(files, own));
        }
        let aside = |files: &Files| broken(&files.clip_part()).exists();
        match all().find(|(files, _)| aside(files)) {
            Some((files, _)) => files.own(sidecar, part).map(Remains::Aside),
            None => {
                let files = of(Container::default()).own(sidecar, part);
                files.map(Remains::Nothing)
            }
        }
    }

    /// Locks the clip, which has this name, unless somebody works on it.
    fn take_over(&self, clip: &Path) -> Option<Self> {
        let file = File::open(clip).ok()?;
        let metadata = file.metadata().ok()?;
        let age = metadata.modified().ok()?.elapsed().unwrap_or_default();
        let known = fs::metadata(self.sidecar_part()).ok()?.len() > 0;
        // Whoever has only just made the file is about to lock it, and tries no more than once.
        if metadata.len() == 0 && !known && age <= YOUTH {
            return None;
        }
        self.own(file, clip)
    }

    /// Locks the clip, or the sidecar of one that is gone, unless somebody has it.
    fn own(&self, file: File, path: &Path) -> Option<Self> {
        file.try_lock().ok()?;
        // Whoever held it may have renamed, replaced or removed it before letting go.
        is_at(&file, path).then(|| Self {
            stem: self.stem.clone(),
            extension: self.extension,
            lock: Some(file.into()),
        })
    }

    /// Where another file is made of the `.part`.
    pub(super) fn new_part(&self) -> PathBuf {
        new(&self.clip_part())
    }

    /// Puts the file that was made of the `.part` in its place.
    pub(super) fn replace_part(&mut self) -> io::Result<()> {
        let new = File::open(self.new_part())?;
        new.sync_all()?;
        // Before it has the name by which others find it; where there are no locks, see `hold`.
        let _ = new.try_lock();
        fs::rename(self.new_part(), self.clip_part())?;
        self.lock = Some(new.into());
        sync_directory(&self.clip())
    }

    /// The sidecar as it stood when the recording was cut off: what was to take its place, where
    /// that is whole.
    pub(super) fn unfinished_sidecar(&self) -> Option<String> {
        let part = self.sidecar_part();
        let whole = |text: &String| recovered::unfinished(text).is_some();
        let new = fs::read_to_string(new(&part)).ok().filter(whole);
        new.or_else(|| fs::read_to_string(part).ok())
    }

    /// Removes what is left of a clip without any media.
    pub(super) fn discard(&self) {
        let _locked = self.lock_sidecar();
        // Nothing is lost if they stay. The sidecar goes last: by it the next start finds them.
        let _ = fs::remove_file(self.clip_part());
        self.clean();
        let _ = fs::remove_file(self.sidecar_part());
    }

    /// Without its clip a sidecar would be taken for what a crash has left.
    fn lock_sidecar(&self) -> Option<File> {
        let sidecar = File::open(self.sidecar_part()).ok()?;
        // Otherwise it is locked already, or there are no locks.
        sidecar.try_lock().ok()?;
        Some(sidecar)
    }

    /// Removes what was on its way to take another file's place.
    pub(super) fn clean(&self) {
        for path in [
            self.new_part(),
            new(&self.sidecar_part()),
            self.thumbnail_part(),
        ] {
            // Most of them are not there.
            let _ = fs::remove_file(path);
        }
    }

    /// Sets aside what nobody can make a clip of, its sidecar last; where it is now.
    pub(super) fn set_aside(&self) -> io::Result<PathBuf> {
        let _locked = self.lock_sidecar();
        let broken = step_aside(&self.clip_part())?;
        self.set_sidecar_aside()?;
        Ok(broken)
    }

    /// The rest of setting a clip aside.
    pub(super) fn set_sidecar_aside(&self) -> io::Result<()> {
        self.clean();
        step_aside(&self.sidecar_part())?;
        sync_directory(&self.sidecar_part())
    }

    /// Gives a clip back the name of an unfinished one.
    pub(super) fn unpublish(&self) -> io::Result<()> {
        rename_new(&self.clip(), &self.clip_part())
    }

    /// Writes down what is known while the recording goes on, in one step: whoever reads it after
    /// a crash finds this or what stood there before.
    pub(super) fn announce(&self, sidecar: &str) -> io::Result<()> {
        let part = self.sidecar_part();
        write(&new(&part), sidecar.as_bytes())?;
        fs::rename(new(&part), &part)?;
        sync_directory(&part)
    }

    /// Adds a line to what is known.
    pub(super) fn note(&self, line: &str) -> io::Result<()> {
        let mut part = OpenOptions::new().append(true).open(self.sidecar_part())?;
        part.write_all(line.as_bytes())?;
        part.sync_data()
    }

    /// Locks the `.part` that was just made; `false` where that took so long that the start of
    /// another sink took it for what a crash has left, and cleans up. Where a file system knows no
    /// locks it is ours without one, and no start repairs what a crash leaves there.
    fn hold(&mut self) -> io::Result<bool> {
        let part = match File::open(self.clip_part()) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(false),
            Err(err) => {
                self.discard();
                return Err(err);
            }
            Ok(part) => part,
        };
        let is_taken = matches!(part.try_lock(), Err(TryLockError::WouldBlock));
        let is_ours = !is_taken && is_at(&part, &self.clip_part());
        self.lock = Some(part.into());
        Ok(is_ours)
    }

    /// The clip under the name that it has.
    pub(super) fn clip_now(&self) -> PathBuf {
        let part = self.clip_part();
        if part.exists() { part } else { self.clip() }
    }

    /// Puts clip and sidecar on disk, the latter still under its `.part` name.
    pub(super) fn secure(&self, sidecar: &str) -> io::Result<()> {
        File::open(self.clip_now())?.sync_all()?;
        self.announce(sidecar)
    }

    /// Puts the picture beside the clip, still under a `.part` name.
    pub(super) fn write_thumbnail(&self, jpeg: &[u8]) -> io::Result<()> {
        write(&self.thumbnail_part(), jpeg)
    }

    /// Gives the finished files their final names: the sidecar last, so that whoever sees it finds
    /// the clip, and the picture if there is one, even after a power cut.
    ///
    /// # Errors
    /// What the file system says; no final name is left then, so that nobody takes the clip for
    /// complete and the next start repairs it.
    pub(super) fn publish(&self, has_thumbnail: bool) -> io::Result<()> {
        let clip = (self.clip_part(), self.clip());
        let thumbnail = (self.thumbnail_part(), self.thumbnail());
        let mut done: Vec<(PathBuf, PathBuf)> = Vec::new();
        let mut name = |names: &(PathBuf, PathBuf), rename: Rename| {
            rename(&names.0, &names.1)?;
            done.push(names.clone());
            Ok(())
        };
        // A repair may take the picture once more.
        let again: Rename = |from, to| fs::rename(from, to);
        // When a crash came after this step, it is done.
        let is_named = !clip.0.exists() && clip.1.exists();
        let media = if is_named {
            Ok(())
        } else {
            name(&clip, rename_new)
        };
        let named = media
            .and_then(|()| {
                if has_thumbnail {
                    name(&thumbnail, again)
                } else {
                    Ok(())
                }
            })
            .and_then(|()| sync_directory(&clip.1))
            .and_then(|()| name(&(self.sidecar_part(), self.sidecar()), rename_new));
        if let Err(err) = named {
            for (part, finished) in done.iter().rev() {
                // What refuses both ways keeps the name that it has.
                let _ = fs::rename(finished, part);
            }
            return Err(err);
        }
        sync_directory(&clip.1)
    }

    /// Removes the `.part` files of a clip of which nothing was written, or that somebody else has
    /// removed; others stay for repair.
    pub(super) fn abandon(&self) {
        let is_nothing = match fs::metadata(self.clip_now()) {
            Ok(clip) => clip.len() == 0,
            Err(err) => err.kind() == ErrorKind::NotFound,
        };
        if is_nothing {
            self.discard();
        }
    }

    /// Gives back a name that turned out to be taken.
    fn release(&self) -> io::Result<()> {
        fs::remove_file(self.sidecar_part())
    }

    fn sidecar_part(&self) -> PathBuf {
        self.with(SIDECAR_PART)
    }

    fn thumbnail_part(&self) -> PathBuf {
        self.with(".jpg.part")
    }

    fn with(&self, extension: &str) -> PathBuf {
        format!("{}{extension}", self.stem).into()
    }
}

/// Where what will take the place of `part` is made.
fn new(part: &Path) -> PathBuf {
    format!("{}{NEW}", part.display()).into()
}

/// What a `.part` is called of which nobody can make a clip.
fn broken(part: &Path) -> PathBuf {
    format!("{}{BROKEN}", part.display()).into()
}

/// Sets a `.part` aside, beside those that were before it; where it is now.
fn step_aside(part: &Path) -> io::Result<PathBuf> {
    for attempt in 1..=MAX_ATTEMPTS {
        let aside = PathBuf::from(numbered(&broken(part).to_string_lossy(), attempt));
        match rename_new(part, &aside) {
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
            renamed => return renamed.map(|()| aside),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Renames a file, but never onto another.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Such as NFS, which knows no flags.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            renamed => return renamed.map_err(io::Error::from),
        }
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Whether it is the name of an unfinished sidecar.
pub(super) fn is_sidecar_part(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| path.ends_with(SIDECAR_PART))
}

/// The directory that a template names; empty is the current one.
pub(super) fn directory_path(directory: &str) -> PathBuf {
    if directory.is_empty() { "." } else { directory }.into()
}

/// Makes sure that clips can be written below `directory`, and leaves nothing behind.
pub(super) fn try_directory(directory: &str) -> io::Result<()> {
    let directory = directory_path(directory);
    make_directories(&directory)?;
    // Always the same name: what a crash has left of it is removed by the next start.
    let probe = directory.join(PROBE);
    File::create(&probe)?;
    match fs::remove_file(probe) {
        // Another eventsink that starts now tries the same name and was faster.
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Creates a file that did not exist. Whoever empties old directories may remove one that was just
/// made, before anything is in it.
fn create_new(path: &Path, directory: &Path) -> io::Result<File> {
    let mut patience = 10;
    loop {
        make_directories(directory)?;
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(err) if err.kind() == ErrorKind::NotFound && patience > 0 => patience -= 1,
            created => return created,
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if written.is_err() {
        // Half a picture or sidecar is of no use, and nothing is lost if it stays.
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests;
