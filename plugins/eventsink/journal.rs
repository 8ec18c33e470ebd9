//! The journal's file and thread: whole lines only, on disk before the next are taken, whoever
//! else writes to the same file.
//!
//! What a line says stands in `evr_core::recording::journal`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use evr_core::recording::journal::{Healing, heal};

use super::files::Lock;
use crate::bridge::directory::{is_at, make_directories, sync_directory};

/// The journal's name, in the directory below which all recordings lie.
pub(super) const NAME: &str = "events.jsonl";

/// Lines that wait for the disk; what comes then is lost.
const MAX_QUEUED: usize = 1024;
/// Full journals that are kept: `events.jsonl.1` is the newest of them.
const OLD: u32 = 4;
/// How long another process may hold the file and write nothing.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How often a file that others hold is tried again.
const LOCK_TICK: Duration = Duration::from_millis(1);
/// How long stopping waits for the last lines.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A line, and the lock that ends once it is written: until then no other start shall think that
/// nobody tells of the recording.
type Line = (String, Option<Lock>);

/// What the thread tells the element, from its own thread.
pub(super) trait Listener: Send + 'static {
    /// So many lines are not in the journal.
    fn lost(&self, lines: u64);
    /// What was taken is on disk, or lost.
    fn written(&self);
    /// A sentence for the user.
    fn warn(&self, sentence: &str);
}

/// The thread's other end; without it the thread writes what it has and ends.
pub(super) struct Journal {
    lines: SyncSender<Line>,
    /// Lines that were taken and are not on disk yet.
    waiting: Arc<AtomicUsize>,
    ended: Receiver<()>,
}

impl Journal {
    pub(super) fn start(
        path: PathBuf,
        max_bytes: u64,
        listener: impl Listener,
    ) -> io::Result<Self> {
        let (lines, queue) = sync_channel(MAX_QUEUED);
        let (end, ended) = channel();
        let waiting = Arc::<AtomicUsize>::default();
        let done = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("evr-journal".into())
            .spawn(move || {
                let log = Log { path, max_bytes };
                run(&log, &queue, &done, &listener);
                drop(end);
            })?;
        Ok(Self {
            lines,
            waiting,
            ended,
        })
    }

    /// Takes a line without waiting; `false` where too many wait already.
    pub(super) fn write(&self, line: String, lock: Option<Lock>) -> bool {
        // Before the thread can have written it.
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let taken = self.lines.try_send((line, lock)).is_ok();
        if !taken {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        taken
    }

    /// Whether everything that was taken is on disk, or lost.
    pub(super) fn is_written(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Waits, but not for ever, until everything is on disk.
    pub(super) fn stop(self) {
        drop(self.lines);
        // Nothing is ever sent: the other end is dropped. What takes longer goes on without us.
        let _: Result<(), RecvTimeoutError> = self.ended.recv_timeout(STOP_PATIENCE);
    }
}

fn run(log: &Log, queue: &Receiver<Line>, waiting: &AtomicUsize, listener: &impl Listener) {
    // Told once until it works again.
    let mut broken = false;
    let mut write = |lines: &[String]| {
        let written = log.append(lines.concat().as_bytes());
        match written {
            Ok(0) => {}
            Ok(torn) => listener.warn(&format!(
                "the journal {} ended in half a line, whose {torn} bytes were cut off",
                log.path.display()
            )),
            Err(err) => {
                listener.lost(lines.len() as u64);
                if !broken {
                    listener.warn(&format!(
                        "the journal {} cannot be written ({err}), so it lacks what happens now: \
                         see that it is writable and its disk has room, or set journal=false",
                        log.path.display()
                    ));
                }
                broken = true;
                return;
            }
        }
        broken = false;
    };
    if log.path.exists() {
        write(&[]);
    }
    while let Ok(first) = queue.recv() {
        let all = std::iter::once(first).chain(queue.try_iter());
        let (lines, locks): (Vec<_>, Vec<_>) = all.unzip();
        write(&lines);
        drop(locks);
        waiting.fetch_sub(lines.len(), Ordering::AcqRel);
        listener.written();
    }
}

struct Log {
    path: PathBuf,
    /// A journal that would grow beyond this is put aside first; 0 lets it grow.
    max_bytes: u64,
}

impl Log {
    /// Puts whole lines at the end, in one write; says how many bytes of half a line stood there.
    fn append(&self, lines: &[u8]) -> io::Result<u64> {
        let mut torn = 0;
        loop {
            let is_new = !self.path.exists();
            let mut file = self.open()?;
            lock(&file)?;
            // Somebody has put aside or removed what we have waited for.
            if !is_at(&file, &self.path) {
                continue;
            }
            let (length, cut) = mend(&mut file)?;
            torn += cut;
            if self.max_bytes > 0 && length > 0 && length + lines.len() as u64 > self.max_bytes {
                self.put_aside()?;
                continue;
            }
            let written = file.write_all(lines).and_then(|()| file.sync_data());
            if let Err(err) = written {
                // The next line must not begin within this one; if that fails too, it is mended
                // before the next is written.
                let _ = file.set_len(length);
                return Err(err);
            }
            if is_new {
                sync_directory(&self.path)?;
            }
            return Ok(torn);
        }
    }

    fn open(&self) -> io::Result<File> {
        let open = || {
            OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(&self.path)
        };
        match open() {
            Err(err) if err.kind() == ErrorKind::NotFound => {
                make_directories(self.path.parent().unwrap_or(Path::new("")))?;
                open()
            }
            opened => opened,
        }
    }

    /// Called with the lock, which others wait for until there is a new file.
    fn put_aside(&self) -> io::Result<()> {
        let old = |n: u32| PathBuf::from(format!("{}.{n}", self.path.display()));
        for n in (1..OLD).rev() {
            match fs::rename(old(n), old(n + 1)) {
                Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
                _ => {}
            }
        }
        fs::rename(&self.path, old(1))?;
        sync_directory(&self.path)
    }
}

/// Waits for other writers as long as one of them gets on: who holds the file next is a matter of
/// luck, and with many of them and a slow disk it may be ours late.
fn lock(file: &File) -> io::Result<()> {
    let mut patience = Instant::now() + LOCK_PATIENCE;
    let mut length = file.metadata()?.len();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            // Some network file systems have no locks; there the single write has to do.
            Err(TryLockError::Error(err)) if err.kind() == ErrorKind::Unsupported => return Ok(()),
            Err(TryLockError::Error(err)) => return Err(err),
            Err(TryLockError::WouldBlock) => {}
        }
        let now = file.metadata()?.len();
        if now != length {
            length = now;
            patience = Instant::now() + LOCK_PATIENCE;
        } else if Instant::now() > patience {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                "another process holds it locked",
            ));
        }
        std::thread::sleep(LOCK_TICK);
    }
}

/// Makes the file end in a whole line; gives its length and how many bytes were cut off.
fn mend(file: &mut File) -> io::Result<(u64, u64)> {
    let length = file.metadata()?.len();
    let mut shown = 4096;
    loop {
        let from = length.saturating_sub(shown);
        file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        file.take(length - from).read_to_end(&mut end)?;
        match heal(&end, from == 0) {
            Some(Healing::None) => return Ok((length, 0)),
            Some(Healing::End) => {
                file.write_all(b"\n")?;
                return Ok((length + 1, 0));
            }
            Some(Healing::Cut(torn)) => {
                file.set_len(length - torn)?;
                return Ok((length - torn, torn));
            }
            None => shown *= 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(directory: &tempfile::TempDir, max_bytes: u64) -> Log {
        let path = directory.path().join("new").join(NAME);
        Log { path, max_bytes }
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).expect("it exists")
    }

    #[test]
    fn a_torn_last_line_is_cut_off_before_the_next_is_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = log(&directory, 0);
        assert_eq!(log.append(b"{\"n\":1}\n").expect("written"), 0);
        let half = format!("{{\"text\":\"{}", "x".repeat(100_000));
        fs::write(&log.path, format!("{{\"n\":1}}\n{half}")).expect("written");
        assert_eq!(
            log.append(b"{\"n\":2}\n").expect("written"),
            half.len() as u64
        );
        assert_eq!(text(&log.path), "{\"n\":1}\n{\"n\":2}\n");
        fs::write(&log.path, "{\"n\":1}").expect("written");
        assert_eq!(log.append(b"{\"n\":2}\n").expect("written"), 0);
        assert_eq!(text(&log.path), "{\"n\":1}\n{\"n\":2}\n");
    }

    #[test]
    fn a_full_journal_steps_aside_and_the_oldest_goes() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = log(&directory, 20);
        for n in 0..20 {
            log.append(format!("{{\"n\":{n:02}}}\n").as_bytes())
                .expect("written");
        }
        let entries = fs::read_dir(log.path.parent().expect("a directory")).expect("readable");
        assert_eq!(entries.count(), 1 + OLD as usize);
        assert_eq!(text(&log.path), "{\"n\":18}\n{\"n\":19}\n");
        let oldest = format!("{}.{OLD}", log.path.display());
        assert_eq!(text(Path::new(&oldest)), "{\"n\":10}\n{\"n\":11}\n");
        let long = format!("{{\"long\":\"{}\"}}\n", "x".repeat(50));
        log.append(long.as_bytes()).expect("written");
        assert_eq!(text(&log.path), long);
    }

    #[test]
    fn many_writers_neither_tear_nor_lose_a_line_while_the_journal_is_put_aside() {
        let directory = tempfile::tempdir().expect("a directory");
        let whole = log(&directory, 0);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let whole = &whole;
                scope.spawn(move || {
                    for n in 0..50 {
                        // Four files of this size hold everything.
                        let log = Log {
                            path: whole.path.clone(),
                            max_bytes: 8192,
                        };
                        let filling = "x".repeat(40 + n);
                        let line =
                            format!("{{\"writer\":{writer},\"n\":{n},\"x\":\"{filling}\"}}\n");
                        log.append(line.as_bytes()).expect("written");
                    }
                });
            }
        });
        let mut read: Vec<(u64, u64)> = Vec::new();
        for entry in fs::read_dir(whole.path.parent().expect("a directory")).expect("readable") {
            for line in text(&entry.expect("an entry").path()).lines() {
                let line: serde_json::Value = serde_json::from_str(line).expect("a whole line");
                let number = |key: &str| line[key].as_u64().expect("a number");
                read.push((number("writer"), number("n")));
            }
        }
        read.sort_unstable();
        let written: Vec<_> = (0..4)
            .flat_map(|writer| (0..50).map(move |n| (writer, n)))
            .collect();
        assert_eq!(read, written);
    }

    #[test]
    fn a_full_disk_is_an_error_and_a_journal_that_was_removed_begins_anew() {
        let full = Log {
            path: "/dev/full".into(),
            max_bytes: 0,
        };
        assert!(full.append(b"{}\n").is_err());
        let directory = tempfile::tempdir().expect("a directory");
        let log = log(&directory, 0);
        log.append(b"{\"n\":1}\n").expect("written");
        fs::remove_dir_all(log.path.parent().expect("a directory")).expect("removed");
        log.append(b"{\"n\":2}\n").expect("written");
        assert_eq!(text(&log.path), "{\"n\":2}\n");
    }
}
