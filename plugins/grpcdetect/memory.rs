//! Memory that is shared with a server on this machine: a file in `/dev/shm`, filled by `pwrite`, so
//! that a server that cuts it short costs an error and no signal.
//!
//! A file is locked as long as its process lives. Whoever makes one removes those that nobody has
//! locked, which were left by a process that was killed. Only who has the lock removes a file, so
//! the name of one that is locked and still has a name is its own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

const FOLDER: &str = "/dev/shm";
const PREFIX: &str = "gst-evr-";
/// Processes of several containers may have one number.
const ATTEMPTS: u32 = 1000;

/// The memory; gone with this value.
#[derive(Debug)]
pub(super) struct Memory {
    file: File,
    name: String,
    bytes: u64,
}

impl Memory {
    /// Of `bytes`, which are there at once or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(bytes: u64) -> Result<Self, io::Error> {
        sweep();
        for n in 0..ATTEMPTS {
            let name = format!("{PREFIX}{}-{n}", std::process::id());
            // Pictures are for this user, and for root, alone.
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path(&name));
            let file = match file {
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            // Somebody may have taken it for one that was left, and removed it.
            if file.try_lock().is_err() || file.metadata()?.nlink() == 0 {
                continue;
            }
            let memory = Self { file, name, bytes };
            fallocate(&memory.file, FallocateFlags::empty(), 0, bytes)?;
            return Ok(memory);
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Its name in `/dev/shm`, and its length.
    pub(super) fn describe(&self) -> (String, u64) {
        (self.name.clone(), self.bytes)
    }

    /// Writes a picture.
    pub(super) fn write(&self, offset: u64, picture: &[u8]) -> Result<(), io::Error> {
        self.file.write_all_at(picture, offset)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // If it is gone already, all the better.
        let _ = fs::remove_file(path(&self.name));
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Removes what nobody has locked.
fn sweep() {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    for entry in entries.filter(ours) {
        // Others' files cannot be opened, and are others' business.
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        if is_left(&file) {
            let _ = fs::remove_file(entry.path());
        }
        // Let go only now: who has just made it and locks it next sees that it is gone.
        drop(file);
    }
}

/// Locks a file that nobody has locked, unless somebody has removed it: then another may have its
/// name.
fn is_left(file: &File) -> bool {
    file.try_lock().is_ok() && file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn memory_is_there_while_it_is_used_and_what_was_left_is_removed() {
        let left = path(&format!("{PREFIX}left-by-{}", std::process::id()));
        fs::write(&left, b"picture").expect("there is shared memory");
        let memory = Memory::new(100).expect("there is room");
        // Another process may have seen it first, and be about to remove it.
        let patience = Instant::now() + Duration::from_secs(10);
        while left.exists() {
            assert!(Instant::now() < patience, "it was left for good");
            std::thread::yield_now();
        }
        let (name, bytes) = memory.describe();
        memory.write(98, b"ab").expect("it fits");
        let content = fs::read(path(&name)).expect("it can be read");
        assert_eq!((content.len() as u64, &content[98..]), (bytes, &b"ab"[..]));
        let other = Memory::new(1).expect("there is room");
        assert!(path(&name).exists(), "it is in use");
        assert_ne!(other.describe().0, name);
        drop(memory);
        assert!(!path(&name).exists());
    }

    #[test]
    fn who_sweeps_never_removes_what_another_has_just_made() {
        let make = || {
            for _ in 0..1000 {
                let memory = Memory::new(1).expect("there is room");
                let found = fs::metadata(path(&memory.name)).expect("it is in use");
                let made = memory.file.metadata().expect("it is open");
                assert_eq!(found.ino(), made.ino());
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(make);
            }
        });
    }
}
