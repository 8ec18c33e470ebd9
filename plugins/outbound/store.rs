//! The outbox's files: one directory, locked by whoever sends what is in it.
//!
//! What the files say and what goes when they are full is decided in `evr_core::outbox`. While the
//! disk refuses, what it should hold is kept in memory within the same bounds and delivered like
//! everything else; only a crash would lose it then.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use evr_core::outbox::{Action, Limits, Outbox, OutboxError, Place};

use crate::bridge::directory::{make_directories, sync_directory};

const EXTENSION: &str = "outbox";
const LOCK: &str = "lock";

/// Why an outbox cannot be opened. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(
        "the outbox {0:?} is used by another element or process: give each a directory of its own"
    )]
    Taken(PathBuf),
    #[error(
        "the outbox {path:?} cannot be used ({err}): make it a directory that can be written to, \
         or set another"
    )]
    Unusable { path: PathBuf, err: io::Error },
    #[error(
        "the journal {path:?} cannot be followed ({err}): set journal to eventsink's events.jsonl"
    )]
    Journal { path: PathBuf, err: io::Error },
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Rises with each record of this directory, also over restarts.
    pub(crate) number: u64,
    pub(crate) text: String,
}

pub(crate) struct Store {
    directory: PathBuf,
    outbox: Outbox,
    /// What the outbox wants done and the disk has not, oldest first.
    undone: VecDeque<Action>,
    /// The length of each file on disk, without what is undone.
    written: BTreeMap<u64, u64>,
    /// The file that was last written to.
    open: Option<(u64, File)>,
    /// It holds what is not on disk yet.
    unsynced: bool,
    /// Bytes that were cut off from half a line, which a crash has left.
    torn: u64,
    /// Records that could not be read any more.
    lost: u64,
    _lock: File,
}

impl Store {
    /// Opens the outbox in this directory, which is made where it does not exist, with everything
    /// that waits in it.
    ///
    /// # Errors
    /// A sentence that names the directory.
    pub(crate) fn open(directory: &Path, limits: Limits) -> Result<Self, StoreError> {
        let unusable = |err| StoreError::Unusable {
            path: directory.to_owned(),
            err,
        };
        make_directories(directory).map_err(unusable)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(LOCK))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Taken(directory.to_owned())),
            // Some network file systems have no locks.
            Err(TryLockError::Error(err)) if err.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(err)) => return Err(unusable(err)),
        }
        let mut store = Self {
            directory: directory.to_owned(),
            outbox: Outbox::new(limits),
            undone: VecDeque::new(),
            written: BTreeMap::new(),
            open: None,
            unsynced: false,
            torn: 0,
            lost: 0,
            _lock: lock,
        };
        store.replay().map_err(unusable)?;
        Ok(store)
    }

    fn replay(&mut self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let name = PathBuf::from(entry?.file_name());
            let number = name
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            if let Some(number) = number
                && name == Path::new(&file_name(number))
            {
                files.push(number);
            }
        }
        files.sort_unstable();
        for file in files {
            let path = self.path(file);
            let bytes = fs::read(&path)?;
            let length = self.outbox.replay(file, &bytes);
            if length < bytes.len() as u64 {
                OpenOptions::new()
                    .write(true)
                    .open(&path)?
                    .set_len(length)?;
                self.torn += bytes.len() as u64 - length;
            }
            self.written.insert(file, length);
        }
        self.work_off()
    }

    /// Puts texts of one line each into the outbox; they are on disk when this returns.
    ///
    /// # Errors
    /// What the disk says. Nothing is lost then while the process lives: what waits is kept in
    /// memory, and the next call tries again.
    pub(crate) fn put(
        &mut self,
        texts: impl IntoIterator<Item = impl AsRef<str>>,
        mut refused: impl FnMut(OutboxError),
    ) -> io::Result<()> {
        for text in texts {
            if let Err(err) = self.outbox.push(text.as_ref()) {
                refused(err);
            }
        }
        self.work_off()?;
        self.sync()
    }

    /// These have arrived. That is not synced to disk: after a power cut they are sent once more.
    ///
    /// # Errors
    /// What the disk says; the next call tries again.
    pub(crate) fn forget(&mut self, numbers: impl IntoIterator<Item = u64>) -> io::Result<()> {
        for number in numbers {
            // What was given up meanwhile may arrive all the same.
            self.outbox.forget(number);
        }
        self.work_off()
    }

    /// The oldest record that waits and has a greater number than this. One that was damaged or
    /// removed by somebody else since it was written is passed over and counts as dropped.
    ///
    /// # Errors
    /// What the disk says; the record waits on.
    pub(crate) fn after(&mut self, number: u64) -> io::Result<Option<Record>> {
        while let Some(place) = self.outbox.after(number) {
            match self.read(&place) {
                Ok(text) => {
                    return Ok(Some(Record {
                        number: place.number,
                        text,
                    }));
                }
                Err(err) if is_lost(err.kind()) => {
                    self.lost += 1;
                    self.forget([place.number])?;
                }
                Err(err) => return Err(err),
            }
        }
        Ok(None)
    }

    /// How many records wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.outbox.waiting()
    }

    /// How many were given up since it was opened, nearly always because a bound was reached.
    pub(crate) fn dropped(&self) -> u64 {
        self.outbox.dropped() + self.lost
    }

    /// What is to be said of the state in which a crash has left the files.
    pub(crate) fn found(&self) -> Option<String> {
        let (damaged, torn) = (self.outbox.damaged(), self.torn);
        (damaged > 0 || torn > 0).then(|| {
            format!(
                "the outbox {:?} had {damaged} damaged lines, which are passed over, and ended in \
                 half a line, whose {torn} bytes were cut off",
                self.directory
            )
        })
    }

    fn read(&self, place: &Place) -> io::Result<String> {
        let written = self.written.get(&place.file).copied().unwrap_or(0);
        let line = if place.offset < written {
            let length = usize::try_from(place.length).map_err(io::Error::other)?;
            let mut line = vec![0; length];
            File::open(self.path(place.file))?.read_exact_at(&mut line, place.offset)?;
            line
        } else {
            self.read_undone(place, place.offset - written)
        };
        let text = place.text(&line).map(str::to_owned);
        text.ok_or_else(|| ErrorKind::InvalidData.into())
    }

    /// The line that stands so many bytes after the end of its file.
    fn read_undone(&self, place: &Place, skip: u64) -> Vec<u8> {
        let pieces = self.undone.iter().filter_map(|action| match action {
            Action::Append { file, lines } if *file == place.file => Some(lines.bytes()),
            _ => None,
        });
        let range = pieces.flatten().skip(skip as usize);
        range.take(place.length as usize).collect()
    }

    /// Does what the outbox wants done, as far as the disk lets it.
    fn work_off(&mut self) -> io::Result<()> {
        self.undone
            .extend(std::iter::from_fn(|| self.outbox.poll()));
        while let Some(action) = self.undone.pop_front() {
            let done = match &action {
                Action::Append { file, lines } => self.append(*file, lines),
                // Not before what stands in its place is on disk.
                Action::Remove { file } => self.sync().and_then(|()| self.remove(*file)),
            };
            if let Err(err) = done {
                self.undone.push_front(action);
                self.give_way();
                return Err(err);
            }
        }
        Ok(())
    }

    fn append(&mut self, number: u64, lines: &str) -> io::Result<()> {
        let length = self.written.get(&number).copied().unwrap_or(0);
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            self.sync()?;
            let path = self.path(number);
            // Another process may have emptied the directory.
            make_directories(&self.directory)?;
            let file = OpenOptions::new().append(true).create(true).open(&path)?;
            sync_directory(&path)?;
            // Half of what failed last time may stand there.
            file.set_len(length)?;
            self.written.insert(number, length);
            self.open = Some((number, file));
        }
        let Some((_, file)) = &mut self.open else {
            return Ok(());
        };
        self.unsynced = true;
        if let Err(err) = file.write_all(lines.as_bytes()) {
            // Opened again, it is cut to its length.
            self.open = None;
            return Err(err);
        }
        self.written.insert(number, length + lines.len() as u64);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.unsynced
            && let Some((_, file)) = &self.open
        {
            file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    fn remove(&mut self, file: u64) -> io::Result<()> {
        match fs::remove_file(self.path(file)) {
            Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
            _ => drop(self.written.remove(&file)),
        }
        Ok(())
    }

    /// The disk refuses: what will be removed need not be written first, and may make room now,
    /// but for the newest file, from which a restart learns how far the numbers are.
    fn give_way(&mut self) {
        let removed: Vec<u64> = self
            .undone
            .iter()
            .filter_map(|action| match action {
                Action::Remove { file } => Some(*file),
                Action::Append { .. } => None,
            })
            .collect();
        let newest = self.written.last_key_value().map(|(file, _)| *file);
        for file in removed {
            self.undone
                .retain(|action| !matches!(action, Action::Append { file: to, .. } if *to == file));
            if Some(file) != newest && self.remove(file).is_ok() {
                self.undone
                    .retain(|action| *action != Action::Remove { file });
            }
        }
    }

    fn path(&self, file: u64) -> PathBuf {
        self.directory.join(file_name(file))
    }
}

/// Whether trying again cannot help.
fn is_lost(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::NotFound
    )
}

fn file_name(file: u64) -> String {
    format!("{file:010}.{EXTENSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Limits = Limits {
        max_bytes: 1 << 20,
        max_records: 0,
    };

    fn open(directory: &Path) -> Store {
        Store::open(directory, WIDE).expect("it can be opened")
    }

    fn put(store: &mut Store, texts: &[&str]) -> io::Result<()> {
        store.put(texts, |err| panic!("{err}"))
    }

    fn texts(store: &mut Store) -> Vec<String> {
        let (mut found, mut last) = (Vec::new(), 0);
        while let Some(record) = store.after(last).expect("it is readable") {
            last = record.number;
            found.push(record.text);
        }
        found
    }

    #[test]
    fn what_waits_is_there_after_a_restart_and_what_arrived_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("new/outbox");
        let mut store = open(&path);
        put(&mut store, &["a", "b", "c"]).expect("written");
        store.forget([1, 99]).expect("written");
        drop(store);
        let mut store = open(&path);
        assert_eq!(texts(&mut store), ["b", "c"]);
        store.forget([2, 3]).expect("written");
        assert_eq!(store.after(0).expect("readable"), None);
    }

    #[test]
    fn a_second_user_of_the_directory_is_told_so() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = open(directory.path());
        let taken = Store::open(directory.path(), WIDE)
            .err()
            .expect("it is taken");
        assert!(taken.to_string().contains("another element"), "{taken}");
        drop(store);
        open(directory.path());
    }

    #[test]
    fn a_torn_line_is_cut_off_and_said() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut store = open(directory.path());
        put(&mut store, &["a", "b"]).expect("written");
        let path = store.path(1);
        drop(store);
        let bytes = fs::read(&path).expect("readable");
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
        let mut store = open(directory.path());
        assert!(
            store
                .found()
                .expect("something was torn")
                .contains("cut off")
        );
        put(&mut store, &["c"]).expect("written");
        drop(store);
        let mut store = open(directory.path());
        assert_eq!(texts(&mut store), ["a", "c"]);
        assert_eq!(store.found(), None);
    }

    #[test]
    fn while_the_disk_refuses_everything_is_delivered_from_memory_and_written_later() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("outbox");
        let mut store = open(&path);
        put(&mut store, &["a"]).expect("written");
        // Writing fails as on a full disk.
        let full = |store: &mut Store| {
            let full = OpenOptions::new().append(true).open("/dev/full");
            store.open = Some((1, full.expect("Linux has it")));
        };
        full(&mut store);
        assert!(put(&mut store, &["b"]).is_err());
        full(&mut store);
        assert!(put(&mut store, &["c"]).is_err());
        assert_eq!(texts(&mut store), ["a", "b", "c"]);
        full(&mut store);
        assert!(store.forget([2]).is_err());
        assert_eq!(texts(&mut store), ["a", "c"]);
        put(&mut store, &["d"]).expect("written");
        assert_eq!(texts(&mut store), ["a", "c", "d"]);
        drop(store);
        assert_eq!(texts(&mut open(&path)), ["a", "c", "d"]);
    }

    #[test]
    fn while_the_disk_refuses_what_is_kept_in_memory_stays_within_the_bounds() {
        let directory = tempfile::tempdir().expect("a directory");
        let limits = Limits {
            max_bytes: 8000,
            max_records: 0,
        };
        let mut store = Store::open(directory.path(), limits).expect("it can be opened");
        put(&mut store, &["a"]).expect("written");
        // No file can be created where a directory of its name stands.
        for file in 2..200 {
            fs::create_dir(store.path(file)).expect("new");
        }
        let text = "x".repeat(100);
        let results: Vec<_> = (0..200).map(|_| put(&mut store, &[&text])).collect();
        assert!(results.iter().any(Result::is_err));
        let kept: usize = store
            .undone
            .iter()
            .map(|action| match action {
                Action::Append { lines, .. } => lines.len(),
                Action::Remove { .. } => 0,
            })
            .sum();
        assert!(kept <= 8000, "{kept} bytes are kept");
        assert_eq!(texts(&mut store).len() as u64, store.waiting());
        assert!(store.dropped() > 0);
    }

    #[test]
    fn a_directory_that_cannot_be_says_so() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        fs::write(&file, b"").expect("written");
        let error = Store::open(&file.join("outbox"), WIDE)
            .err()
            .expect("no directory");
        assert!(error.to_string().contains("outbox"), "{error}");
    }
}
