//! The outbox: what has to reach somebody else and waits on disk until he has said that it did.
//!
//! Records are texts of one line with a number that only rises, also over restarts. They are told
//! in their order, any number of times, until they are forgotten: at least once, never lost but for
//! the bounds, whose victims are the oldest and are counted.
//!
//! The records stand in files, oldest first; only the newest is written to. What was delivered is
//! noted there too, and a file goes as a whole once nothing waits in it or in an older one, so
//! nothing is ever rewritten. What stands in memory is where each waiting record lies, not its text.
//!
//! What belongs here: what the files say, what a crash may have left of them, what goes when a
//! bound is reached. What does not: the files themselves, who delivers and how.

mod line;

use std::collections::{BTreeMap, VecDeque};

use self::line::Line;

/// Files beyond this size are not written to any more.
const MAX_FILE: u64 = 1 << 20;
/// So many files fit into the bound, so that the oldest can go without all others.
const FILES: u64 = 8;

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together, but for the notes of what was delivered since.
    pub max_bytes: u64,
    /// Records; 0 is no limit.
    pub max_records: u64,
}

/// Why a text is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// Half of `max_bytes` is the most.
    #[error("a message of {bytes} bytes does not fit into an outbox of {max_bytes}: allow it more")]
    TooLong {
        /// Its length.
        bytes: u64,
        /// The bound.
        max_bytes: u64,
    },
    /// It has several lines.
    #[error("a message for the outbox has more than one line")]
    SeveralLines,
}

/// What to do with the files, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write to the end of this file, which may not exist yet.
    Append {
        /// The file's number.
        file: u64,
        /// Whole lines.
        lines: String,
    },
    /// Remove this file, once what was to be written before is on disk.
    Remove {
        /// The file's number.
        file: u64,
    },
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The record's number.
    pub number: u64,
    /// The file's number.
    pub file: u64,
    /// Where its line begins, in bytes.
    pub offset: u64,
    /// The line's length in bytes, with its newline.
    pub length: u64,
}

impl Place {
    /// The record's text from its line, which stands at this place; `None` where it is damaged.
    pub fn text<'a>(&self, line: &'a [u8]) -> Option<&'a str> {
        match Line::read(line.strip_suffix(b"\n")?)? {
            Line::Put(number, text) if number == self.number => Some(text),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Segment {
    file: u64,
    bytes: u64,
    /// Records that stand here and wait.
    waiting: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    /// Oldest first, their numbers rise.
    segments: VecDeque<Segment>,
    waiting: BTreeMap<u64, Place>,
    /// Number of the next record, `> ` every number that was ever used.
    next: u64,
    next_file: u64,
    actions: VecDeque<Action>,
    dropped: u64,
    damaged: u64,
}

impl Outbox {
    /// An outbox that nothing is known of: show it every file that exists, in the order of their
    /// numbers, by [`replay`](Self::replay), before anything else.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            segments: VecDeque::new(),
            waiting: BTreeMap::new(),
            next: 1,
            next_file: 1,
            actions: VecDeque::new(),
            dropped: 0,
            damaged: 0,
        }
    }

    /// Shows what stands in a file. Gives the length to which it has to be cut: what follows is a
    /// line that a crash has torn and that was promised to nobody.
    pub fn replay(&mut self, file: u64, bytes: &[u8]) -> u64 {
        self.next_file = self.next_file.max(file.saturating_add(1));
        self.segments.push_back(Segment {
            file,
            bytes: 0,
            waiting: 0,
        });
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(said) = line.strip_suffix(b"\n") else {
                break;
            };
            match Line::read(said) {
                Some(Line::Begin(next)) => self.next = self.next.max(next),
                Some(Line::Put(number, _)) => {
                    self.next = self.next.max(number.saturating_add(1));
                    self.note(number, line.len() as u64);
                }
                Some(Line::Forget(number)) => drop(self.remove(number)),
                None => self.damaged += 1,
            }
            self.newest().bytes += line.len() as u64;
        }
        // One that is only now known to be empty may go, but never the newest, which is shown last.
        self.remove_delivered();
        self.newest().bytes
    }

    /// Takes a text, to be on disk once every action has been carried out; gives its number.
    ///
    /// # Errors
    /// An [`OutboxError`]; nothing has changed then.
    pub fn push(&mut self, text: &str) -> Result<u64, OutboxError> {
        let Limits {
            max_bytes,
            max_records,
        } = self.limits;
        if text.contains('\n') {
            return Err(OutboxError::SeveralLines);
        }
        let number = self.next;
        let line = Line::Put(number, text).write();
        let bytes = line.len() as u64;
        if bytes > max_bytes / 2 {
            return Err(OutboxError::TooLong { bytes, max_bytes });
        }
        self.next += 1;
        self.make_room(bytes);
        while self.segments.len() > 1 && self.bytes() + bytes > max_bytes {
            self.drop_oldest_file();
        }
        while max_records > 0 && self.waiting.len() as u64 >= max_records {
            self.drop_oldest();
        }
        self.note(number, bytes);
        self.append(line);
        self.remove_delivered();
        Ok(number)
    }

    /// The record of this number has arrived, or never will; `false` where it did not wait.
    pub fn forget(&mut self, number: u64) -> bool {
        if self.remove(number).is_none() {
            return false;
        }
        let line = Line::Forget(number).write();
        self.make_room(line.len() as u64);
        self.append(line);
        self.remove_delivered();
        true
    }

    /// What to do next with the files.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The oldest record that waits and has a greater number than this.
    pub fn after(&self, number: u64) -> Option<Place> {
        let from = number.checked_add(1)?;
        self.waiting.range(from..).next().map(|(_, place)| *place)
    }

    /// How many records wait.
    pub fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// How many records were given up because a bound was reached.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many lines in the middle of a file were damaged.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// The file that is written to.
    fn newest(&mut self) -> &mut Segment {
        if self.segments.is_empty() {
            self.begin();
        }
        self.segments.back_mut().expect("one was just made")
    }

    /// Begins another file where the newest is full with so many bytes more.
    fn make_room(&mut self, bytes: u64) {
        let most = (self.limits.max_bytes / FILES).min(MAX_FILE);
        let newest = self.newest();
        if newest.bytes > 0 && newest.bytes + bytes > most {
            self.begin();
        }
        if self.newest().bytes == 0 {
            self.append(Line::Begin(self.next).write());
        }
    }

    fn begin(&mut self) {
        let file = self.next_file;
        self.next_file += 1;
        self.segments.push_back(Segment {
            file,
            bytes: 0,
            waiting: 0,
        });
    }

    fn append(&mut self, lines: String) {
        let newest = self.newest();
        newest.bytes += lines.len() as u64;
        let file = newest.file;
        if let Some(Action::Append {
            file: before,
            lines: written,
        }) = self.actions.back_mut()
            && *before == file
        {
            written.push_str(&lines);
        } else {
            self.actions.push_back(Action::Append { file, lines });
        }
    }

    /// A record stands at the end of the newest file, whose length is still that before it.
    fn note(&mut self, number: u64, length: u64) {
        let newest = self.newest();
        let place = Place {
            number,
            file: newest.file,
            offset: newest.bytes,
            length,
        };
        newest.waiting += 1;
        if let Some(before) = self.waiting.insert(number, place) {
            self.left(before.file);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Place> {
        let place = self.waiting.remove(&number)?;
        self.left(place.file);
        Some(place)
    }

    /// One record fewer waits in this file.
    fn left(&mut self, file: u64) {
        let at = self.segments.binary_search_by_key(&file, |s| s.file);
        if let Ok(at) = at {
            self.segments[at].waiting -= 1;
        }
    }

    /// The oldest files go in which nothing waits: what newer ones say of their records is then
    /// said of nothing.
    fn remove_delivered(&mut self) {
        while self.segments.len() > 1 && self.segments[0].waiting == 0 {
            self.remove_oldest_file();
        }
    }

    fn remove_oldest_file(&mut self) {
        if let Some(Segment { file, .. }) = self.segments.pop_front() {
            self.actions.push_back(Action::Remove { file });
        }
    }

    fn drop_oldest_file(&mut self) {
        let oldest = self.segments[0].file;
        let before = self.waiting.len();
        self.waiting.retain(|_, place| place.file != oldest);
        self.dropped += (before - self.waiting.len()) as u64;
        self.remove_oldest_file();
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.after(0) {
            self.dropped += 1;
            self.forget(oldest.number);
        }
    }
}

#[cfg(test)]
mod tests;
