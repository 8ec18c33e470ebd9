//! Files of a recording: taking a name that nobody has, and making things last.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use evr_core::recording::name::numbered;

use crate::bridge::directory::{make_directories, parent, sync_directory};

/// More names than this taken in a row is no accident.
const MAX_ATTEMPTS: u32 = 10_000;

/// The paths of one recording. The clip's `.part` exists and is ours alone.
#[derive(Debug)]
pub(super) struct Files {
    /// The clip's path without extension.
    stem: String,
    /// The clip's, without the dot.
    extension: &'static str,
    /// The clip's `.part`, locked while somebody works on it: what is not was left by a crash.
    lock: Option<File>,
}

/// After a `.part`'s name: what will take its place.
const NEW: &str = ".new";
/// After a `.part`'s name: nobody can make a clip of it.
const BROKEN: &str = ".broken";
/// A `.part` and a sidecar without a byte that are younger than this may not be locked yet.
const YOUTH: Duration = Duration::from_secs(10);

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
                Ok(_) => files.hold(File::open(files.clip_part())?),
            }
            return Ok(files);
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

    /// The clip's name without its directory.
    pub(super) fn clip_name(&self) -> String {
        let clip = self.clip();
        let name = clip.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Takes over the `.part` that a crash has left, unless somebody works on it.
    pub(super) fn take_over(part: &Path, extension: &'static str) -> Option<Self> {
        let stem = part.to_str()?.strip_suffix(".part")?;
        let stem = stem.strip_suffix(extension)?.strip_suffix('.')?;
        let lock = File::open(part).ok()?;
        lock.try_lock().ok()?;
        let metadata = lock.metadata().ok()?;
        let age = metadata.modified().ok()?.elapsed().unwrap_or_default();
        let files = Self {
            stem: stem.into(),
            extension,
            lock: Some(lock),
        };
        // Without one beside it, it is none of ours.
        let known = fs::metadata(files.sidecar_part()).ok()?.len() > 0;
        let was_locked = metadata.len() > 0 || known || age > YOUTH;
        // Whoever held it may have renamed or removed it before letting go.
        (was_locked && part.exists()).then_some(files)
    }

    /// Where another file is made of the `.part`.
    pub(super) fn new_part(&self) -> PathBuf {
        self.with(&format!(".{}.part{NEW}", self.extension))
    }

    /// Puts the file that was made of the `.part` in its place.
    pub(super) fn replace_part(&mut self) -> io::Result<()> {
        let new = File::open(self.new_part())?;
        new.sync_all()?;
        fs::rename(self.new_part(), self.clip_part())?;
        self.hold(new);
        sync_directory(&self.clip())
    }

    /// The sidecar as it stood when the recording was cut off.
    pub(super) fn unfinished_sidecar(&self) -> Option<String> {
        fs::read_to_string(self.sidecar_part()).ok()
    }

    /// Removes what is left of a clip without any media.
    pub(super) fn discard(&self) {
        // Nothing is lost if they stay.
        let _ = fs::remove_file(self.sidecar_part());
        let _ = fs::remove_file(self.clip_part());
    }

    /// Sets aside what nobody can make a clip of; where it is now.
    pub(super) fn set_aside(&self) -> io::Result<PathBuf> {
        let broken = |part: &Path| PathBuf::from(format!("{}{BROKEN}", part.display()));
        // There may be none.
        let _ = fs::remove_file(self.new_part());
        let sidecar = self.sidecar_part();
        let _ = fs::rename(&sidecar, broken(&sidecar));
        let part = self.clip_part();
        fs::rename(&part, broken(&part))?;
        Ok(broken(&part))
    }

    /// Writes down what is known while the recording goes on, in one step: whoever reads it after
    /// a crash finds this or what stood there before.
    pub(super) fn announce(&self, sidecar: &str) -> io::Result<()> {
        let part = self.sidecar_part();
        let new = PathBuf::from(format!("{}{NEW}", part.display()));
        write(&new, sidecar.as_bytes())?;
        fs::rename(new, &part)?;
        sync_directory(&part)
    }

    /// Adds a line to what is known.
    pub(super) fn note(&self, line: &str) -> io::Result<()> {
        let mut part = OpenOptions::new().append(true).open(self.sidecar_part())?;
        part.write_all(line.as_bytes())?;
        part.sync_data()
    }

    /// Only to read: whoever watches the directory shall not see the finished clip being written
    /// to. Nobody else has it open yet; where a file system knows no locks, the worst is that
    /// the start of another sink takes the recording for one that a crash has left.
    fn hold(&mut self, part: File) {
        let _ = part.try_lock();
        self.lock = Some(part);
    }

    /// Puts clip and sidecar on disk, still under their `.part` names.
    pub(super) fn secure(&self, sidecar: &str) -> io::Result<()> {
        File::open(self.clip_part())?.sync_all()?;
        self.announce(sidecar)
    }

    /// Puts the picture beside the clip, still under a `.part` name.
    pub(super) fn write_thumbnail(&self, jpeg: &[u8]) -> io::Result<()> {
        write(&self.with(".jpg.part"), jpeg)
    }

    /// Gives the finished files their final names: the sidecar last, so that whoever sees it finds
    /// the clip, and the picture if there is one.
    ///
    /// # Errors
    /// What the file system says; no final name is left then, so that nobody takes the clip for
    /// complete and the next start repairs it.
    pub(super) fn publish(&self, has_thumbnail: bool) -> io::Result<()> {
        let mut renames = vec![
            (self.clip_part(), self.clip()),
            (self.with(".jpg.part"), self.thumbnail()),
            (self.sidecar_part(), self.sidecar()),
        ];
        if !has_thumbnail {
            renames.remove(1);
        }
        for (done, (part, finished)) in renames.iter().enumerate() {
            if let Err(err) = fs::rename(part, finished) {
                for (part, finished) in renames[..done].iter().rev() {
                    // What refuses both ways keeps the name that it has.
                    let _ = fs::rename(finished, part);
                }
                return Err(err);
            }
        }
        sync_directory(&self.clip())
    }

    /// Removes the `.part` files of a clip of which nothing was written; others stay for repair.
    pub(super) fn abandon(&self) {
        let is_empty = |part: &Path| fs::metadata(part).map_or(true, |file| file.len() == 0);
        if is_empty(&self.clip_part()) {
            self.discard();
        }
    }

    /// Gives back a name that turned out to be taken.
    fn release(&self) -> io::Result<()> {
        fs::remove_file(self.sidecar_part())
    }

    fn sidecar_part(&self) -> PathBuf {
        self.with(".json.part")
    }

    fn with(&self, extension: &str) -> PathBuf {
        format!("{}{extension}", self.stem).into()
    }
}

/// The directory that a template names; empty is the current one.
pub(super) fn directory_path(directory: &str) -> PathBuf {
    if directory.is_empty() { "." } else { directory }.into()
}

/// Makes sure that clips can be written below `directory`, and leaves nothing behind.
pub(super) fn try_directory(directory: &str) -> io::Result<()> {
    let directory = directory_path(directory);
    make_directories(&directory)?;
    let probe = directory.join(format!(".evr-{}.part", std::process::id()));
    File::create(&probe)?;
    match fs::remove_file(probe) {
        // Another eventsink that starts now tries the same name, in this process or in a container
        // that counts its processes as we do, and was faster.
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
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_once_whether_it_is_being_written_or_finished() {
        let directory = tempfile::tempdir().expect("a directory");
        let stem = directory.path().join("new/clip");
        let stem = stem.to_str().expect("UTF-8");
        let first = Files::reserve(stem, "mp4").expect("free");
        let second = Files::reserve(stem, "mp4").expect("-2 is free");
        assert_eq!(first.clip_name(), "clip.mp4");
        assert_eq!(second.clip_name(), "clip-2.mp4");
        first.secure("{}").expect("written");
        first.write_thumbnail(b"jpeg").expect("written");
        first.publish(true).expect("published");
        second.abandon();
        let third = Files::reserve(stem, "mp4").expect("-2 is free again");
        assert_eq!(third.clip_name(), "clip-2.mp4");
        assert!(!first.clip_part().exists());
        assert_eq!(fs::read(first.thumbnail()).expect("a file"), b"jpeg");
    }

    #[test]
    fn recordings_that_want_one_name_at_once_each_get_their_own_whatever_the_container() {
        let directory = tempfile::tempdir().expect("a directory");
        let stem = directory.path().join("new/deep/clip");
        let stem = stem.to_str().expect("UTF-8");
        std::thread::scope(|scope| {
            for extension in ["mp4", "mkv", "mp4", "ts"] {
                scope.spawn(move || {
                    for _ in 0..25 {
                        let files = Files::reserve(stem, extension).expect("one is free");
                        files.secure(&files.clip_name()).expect("written");
                        files.publish(false).expect("published");
                    }
                });
            }
        });
        let entries = fs::read_dir(directory.path().join("new/deep")).expect("a directory");
        let (sidecars, clips): (Vec<_>, Vec<_>) = entries
            .map(|entry| entry.expect("an entry").path())
            .partition(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "json")
            });
        assert_eq!((sidecars.len(), clips.len()), (100, 100));
        for sidecar in sidecars {
            let clip = fs::read_to_string(&sidecar).expect("readable");
            assert!(sidecar.with_file_name(&clip).exists(), "{clip}");
            assert_eq!(Path::new(&clip).file_stem(), sidecar.file_stem());
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_leaves_no_half_sidecar_or_picture() {
        let directory = tempfile::tempdir().expect("a directory");
        let stem = directory.path().join("clip");
        let files = Files::reserve(stem.to_str().expect("UTF-8"), "mp4").expect("free");
        fs::remove_file(files.sidecar_part()).expect("it is there");
        for part in [".json.part.new", ".jpg.part"] {
            std::os::unix::fs::symlink("/dev/full", files.with(part)).expect("new");
        }
        assert!(files.secure("{}").is_err());
        assert!(files.write_thumbnail(b"jpeg").is_err());
        let left = fs::read_dir(directory.path()).expect("a directory");
        assert_eq!(left.count(), 1, "more than the clip's .part");
    }

    #[test]
    fn what_holds_media_is_not_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let stem = directory.path().join("clip");
        let files = Files::reserve(stem.to_str().expect("UTF-8"), "mp4").expect("free");
        fs::write(files.clip_part(), b"media").expect("written");
        files.abandon();
        assert!(files.clip_part().exists());
    }

    #[test]
    fn sinks_that_start_at_once_find_the_same_directory_good() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().to_str().expect("UTF-8");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        try_directory(path).expect("writable");
                    }
                });
            }
        });
    }

    #[test]
    fn a_directory_that_cannot_be_is_found_out_and_a_good_one_stays_empty() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        fs::write(&file, b"").expect("written");
        assert!(try_directory(file.join("x").to_str().expect("UTF-8")).is_err());
        let good = directory.path().join("good");
        try_directory(good.to_str().expect("UTF-8")).expect("writable");
        assert_eq!(fs::read_dir(good).expect("a directory").count(), 0);
    }
}
