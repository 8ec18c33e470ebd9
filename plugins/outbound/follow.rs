//! Reading the journal of eventsinks while they write it: every line once, also those that were
//! written while nobody read, over restarts and while full journals are put aside.
//!
//! This is how a sender hears of recordings: what eventsink has put on disk is not lost with a
//! message on the bus. Where the reader is stands in a small file of its own; after a crash some
//! lines are read again, which their ids tell.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::bridge::directory::sync_directory;

/// Full journals that eventsink keeps: `events.jsonl.1` is the newest of them.
const OLD: u32 = 4;
/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// Up to where the journal was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    device: u64,
    inode: u64,
    offset: u64,
}

impl Position {
    fn in_file(file: &File, offset: u64) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            offset,
        })
    }

    /// Whether this is the file and not another that was given its number: a position follows the
    /// end of a line.
    fn is_in(&self, file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        if (self.device, self.inode) != (metadata.dev(), metadata.ino()) {
            return Ok(false);
        }
        let mut before = [b'\n'];
        if self.offset > 0
            && let Err(err) = file.read_exact_at(&mut before, self.offset - 1)
        {
            let shorter = err.kind() == ErrorKind::UnexpectedEof;
            return if shorter { Ok(false) } else { Err(err) };
        }
        Ok(before == [b'\n'])
    }
}

/// A reader of one journal.
pub(crate) struct Follower {
    journal: PathBuf,
    /// Where the position is kept.
    bookmark: PathBuf,
    /// `None` is the beginning of what comes.
    position: Option<Position>,
    kept: Option<Position>,
}

impl Follower {
    /// Goes on where the last reader with this bookmark stopped; the first one begins at the
    /// journal's end.
    pub(crate) fn new(journal: PathBuf, bookmark: PathBuf) -> io::Result<Self> {
        let kept = match fs::read(&bookmark) {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(err) if err.kind() == ErrorKind::NotFound => None,
            Err(err) => return Err(err),
        };
        let mut follower = Self {
            journal,
            bookmark,
            position: kept,
            kept,
        };
        if kept.is_none()
            && let Some(file) = open(&follower.journal)?
        {
            let end = file.metadata()?.len();
            follower.position = Some(Position::in_file(&file, end)?);
            follower.keep()?;
        }
        Ok(follower)
    }

    /// The whole lines that were written since the last call, at most about a megabyte of them.
    pub(crate) fn read(&mut self) -> io::Result<Vec<u8>> {
        let Some((mut file, from, is_newest)) = self.find()? else {
            return Ok(Vec::new());
        };
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        let mut piece = PIECE;
        loop {
            let read = (&mut file).take(piece).read_to_end(&mut bytes)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n');
            if let Some(last) = whole {
                bytes.truncate(last + 1);
                break;
            }
            if (read as u64) < piece {
                // Half a line, which may become whole.
                bytes.clear();
                break;
            }
            piece *= 2;
        }
        self.position = Some(Position::in_file(&file, from + bytes.len() as u64)?);
        // Nothing is added to a journal that was put aside.
        if bytes.is_empty() && !is_newest && self.next(&file)? {
            return self.read();
        }
        Ok(bytes)
    }

    /// What was read so far will not be asked for again, also after a crash.
    pub(crate) fn keep(&mut self) -> io::Result<()> {
        if self.kept == self.position {
            return Ok(());
        }
        let text = serde_json::to_vec(&self.position).map_err(io::Error::other)?;
        let new = self.bookmark.with_extension("new");
        fs::write(&new, text)?;
        File::open(&new)?.sync_data()?;
        fs::rename(&new, &self.bookmark)?;
        sync_directory(&self.bookmark)?;
        self.kept = self.position;
        Ok(())
    }

    /// The journals that exist, newest first.
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let journal = self.journal.clone();
        let old = (1..=OLD).map(move |n| PathBuf::from(format!("{}.{n}", journal.display())));
        std::iter::once(self.journal.clone()).chain(old)
    }

    /// The file to read on in, from where, and whether it is the one that is written to.
    fn find(&self) -> io::Result<Option<(File, u64, bool)>> {
        let mut oldest = None;
        for (n, path) in self.files().enumerate() {
            let Some(file) = open(&path)? else { continue };
            if let Some(position) = self.position
                && position.is_in(&file)?
            {
                return Ok(Some((file, position.offset, n == 0)));
            }
            oldest = Some((file, 0, n == 0));
        }
        // Nothing was read yet, or what was read is gone: everything else is news.
        Ok(oldest)
    }

    /// Goes on with the journal that was begun after this one, if there is one already.
    fn next(&mut self, done: &File) -> io::Result<bool> {
        let done = Position::in_file(done, 0)?;
        let mut newer = None;
        for path in self.files() {
            let Some(file) = open(&path)? else { continue };
            let position = Position::in_file(&file, 0)?;
            if position == done {
                break;
            }
            newer = Some(position);
        }
        self.position = newer.or(self.position);
        Ok(newer.is_some())
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    struct Journal {
        directory: tempfile::TempDir,
    }

    impl Journal {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            Self { directory }
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("events.jsonl")
        }

        fn write(&self, text: &str) {
            let mut options = OpenOptions::new();
            let file = options.append(true).create(true).open(self.path());
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .expect("written");
        }

        fn put_aside(&self) {
            let old = |n: u32| PathBuf::from(format!("{}.{n}", self.path().display()));
            for n in (1..OLD).rev() {
                let _ = fs::rename(old(n), old(n + 1));
            }
            fs::rename(self.path(), old(1)).expect("renamed");
        }

        fn follower(&self) -> Follower {
            let bookmark = self.directory.path().join("bookmark");
            Follower::new(self.path(), bookmark).expect("readable")
        }
    }

    fn read(follower: &mut Follower) -> String {
        let mut text = String::new();
        loop {
            let bytes = follower.read().expect("readable");
            if bytes.is_empty() {
                return text;
            }
            text += str::from_utf8(&bytes).expect("text");
        }
    }

    #[test]
    fn what_stood_there_before_the_first_reader_is_no_news_and_all_else_is() {
        let journal = Journal::new();
        journal.write("old\n");
        let mut follower = journal.follower();
        assert_eq!(read(&mut follower), "");
        journal.write("a\nb\nhal");
        assert_eq!(read(&mut follower), "a\nb\n");
        journal.write("f\n");
        assert_eq!(read(&mut follower), "half\n");
    }

    #[test]
    fn a_journal_that_does_not_exist_yet_is_read_from_its_beginning() {
        let journal = Journal::new();
        let mut follower = journal.follower();
        assert_eq!(read(&mut follower), "");
        journal.write("a\n");
        assert_eq!(read(&mut follower), "a\n");
    }

    #[test]
    fn after_a_restart_it_goes_on_behind_what_was_kept() {
        let journal = Journal::new();
        journal.write("old\n");
        let mut follower = journal.follower();
        journal.write("a\n");
        assert_eq!(read(&mut follower), "a\n");
        follower.keep().expect("written");
        journal.write("b\n");
        assert_eq!(read(&mut follower), "b\n");
        drop(follower);
        journal.write("c\n");
        assert_eq!(read(&mut journal.follower()), "b\nc\n");
    }

    #[test]
    fn journals_that_are_put_aside_are_read_to_their_ends_and_in_their_order() {
        let journal = Journal::new();
        journal.write("old\n");
        let mut follower = journal.follower();
        let mut expected = String::new();
        for n in 0..4 {
            for line in [format!("{n} first\n"), format!("{n} second\n")] {
                journal.write(&line);
                expected += &line;
            }
            journal.put_aside();
        }
        journal.write("last\n");
        expected += "last\n";
        assert_eq!(read(&mut follower), expected);
        // Four more put aside everything that was read: what is left is news.
        for n in 0..6 {
            journal.write(&format!("{n}\n"));
            journal.put_aside();
        }
        assert_eq!(read(&mut follower), "2\n3\n4\n5\n");
    }

    #[test]
    fn a_line_longer_than_a_piece_is_read_whole() {
        let journal = Journal::new();
        journal.write("old\n");
        let mut follower = journal.follower();
        let line = "x".repeat(PIECE as usize * 3) + "\n";
        journal.write(&line);
        assert!(read(&mut follower) == line);
    }
}
