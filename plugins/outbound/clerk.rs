//! What fills the outbox: facts from the pads and from the journal, as messages in the format of
//! the element. Whoever sends calls it from his own thread.

use std::{io, path::Path, sync::Arc};

use evr_core::{
    message::{Fact, Message, Renderer},
    outbox::OutboxError,
};
use serde::{Deserialize, Serialize};

use super::{
    follow::Follower,
    intake::Intake,
    store::{Record, Store, StoreError},
};

/// The bookmark's name in the outbox's directory.
const BOOKMARK: &str = "journal";

/// A message as it waits in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// Name of the camera.
    pub(crate) source: String,
    /// What it is about; the last part of its topic.
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retain: bool,
    /// One line of JSON.
    pub(crate) body: String,
}

/// What the user has set.
#[derive(Debug, Clone)]
pub(crate) struct Desk<'a> {
    pub(crate) outbox: &'a Path,
    pub(crate) limits: evr_core::outbox::Limits,
    /// The journal to follow, if any.
    pub(crate) journal: Option<&'a Path>,
    pub(crate) format: evr_core::message::Format,
}

pub(crate) struct Clerk {
    intake: Arc<Intake>,
    renderer: Renderer,
    follower: Option<Follower>,
    store: Store,
    /// Messages that were put on disk.
    stored: u64,
    /// Sentences for the user.
    news: Vec<String>,
    /// The disk refuses, which was told.
    broken: bool,
}

impl Clerk {
    /// Opens the outbox, with what waits in it.
    ///
    /// # Errors
    /// A sentence, to be preceded by the element's name.
    pub(crate) fn new(desk: &Desk<'_>, intake: Arc<Intake>) -> Result<Self, StoreError> {
        let store = Store::open(desk.outbox, desk.limits)?;
        let follow = |journal: &Path| {
            Follower::new(journal.to_owned(), desk.outbox.join(BOOKMARK)).map_err(|err| {
                StoreError::Journal {
                    path: journal.to_owned(),
                    err,
                }
            })
        };
        Ok(Self {
            intake,
            renderer: Renderer::new(desk.format),
            follower: desk.journal.map(follow).transpose()?,
            news: store.found().into_iter().collect(),
            store,
            stored: 0,
            broken: false,
        })
    }

    /// Puts what has happened since the last call on disk.
    pub(crate) fn work(&mut self) {
        let mut letters = Vec::new();
        for fact in self.intake.take() {
            self.write(&fact, &mut letters);
        }
        let journal = self.follow(&mut letters);
        let mut refused = Vec::new();
        let put = if letters.is_empty() {
            Ok(())
        } else {
            self.store
                .put(&letters, |err: OutboxError| refused.push(err.to_string()))
        };
        if put.is_ok() {
            self.stored += (letters.len() - refused.len()) as u64;
        }
        self.news.extend(refused);
        let kept = put.and(journal).and_then(|()| self.keep());
        self.tell(kept);
    }

    /// The oldest message that waits and has a greater number than this.
    pub(crate) fn after(&mut self, number: u64) -> Option<(u64, Letter)> {
        loop {
            match self.store.after(number) {
                Ok(Some(Record { number, text })) => match serde_json::from_str(&text) {
                    Ok(letter) => return Some((number, letter)),
                    // Its checksum is right, so a later version wrote it.
                    Err(err) => {
                        self.news.push(format!(
                            "a message in the outbox is not understood and dropped ({err})"
                        ));
                        self.arrived([number]);
                    }
                },
                Ok(None) => return None,
                Err(err) => {
                    self.tell(Err(err));
                    return None;
                }
            }
        }
    }

    /// These have arrived.
    pub(crate) fn arrived(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let forgotten = self.store.forget(numbers);
        self.tell(forgotten);
    }

    /// How many messages were put on disk since it was opened.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.store.waiting()
    }

    /// How many messages and facts were lost since it was opened.
    pub(crate) fn dropped(&self) -> u64 {
        self.store.dropped() + self.intake.lost()
    }

    /// Sentences for the user since the last call.
    pub(crate) fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    fn write(&mut self, fact: &Fact, letters: &mut Vec<String>) {
        for Message { kind, body, retain } in self.renderer.render(fact) {
            let letter = Letter {
                source: fact.source.clone(),
                kind,
                retain,
                body,
            };
            letters.push(serde_json::to_string(&letter).expect("texts are JSON"));
        }
    }

    fn follow(&mut self, letters: &mut Vec<String>) -> io::Result<()> {
        let Some(follower) = &mut self.follower else {
            return Ok(());
        };
        let lines = follower.read()?;
        for line in lines.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()) {
            match Fact::from_journal(line) {
                Ok(fact) => self.write(&fact, letters),
                Err(err) => self.news.push(err.to_string()),
            }
        }
        Ok(())
    }

    fn keep(&mut self) -> io::Result<()> {
        self.follower.as_mut().map_or(Ok(()), Follower::keep)
    }

    /// Tells once that the disk refuses, until it works again.
    fn tell(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => self.broken = false,
            Err(err) => {
                if !self.broken {
                    self.news.push(format!(
                        "the outbox cannot be written or read ({err}): what waits is kept in \
                         memory and sent, but would not survive a crash; see that its disk has room"
                    ));
                }
                self.broken = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evr_core::{message::Format, outbox::Limits};
    use std::fs;

    fn fact(line: &str) -> Fact {
        Fact::from_line("door", line.as_bytes(), None, |running| {
            running.unwrap_or(0)
        })
        .expect("a fact")
    }

    fn clerk(directory: &Path, intake: &Arc<Intake>) -> Clerk {
        let journal = directory.join("events.jsonl");
        let desk = Desk {
            outbox: &directory.join("outbox"),
            limits: Limits {
                max_bytes: 1 << 20,
                max_records: 0,
            },
            journal: Some(&journal),
            format: Format::CloudEvents,
        };
        Clerk::new(&desk, intake.clone()).expect("it can be opened")
    }

    #[test]
    fn facts_of_pads_and_journal_wait_in_the_outbox_until_they_arrive() {
        let directory = tempfile::tempdir().expect("a directory");
        let intake = Arc::new(Intake::default());
        let mut desk = clerk(directory.path(), &intake);
        assert!(intake.push(fact(r#"{"id":"a"}"#)));
        let line = r#"{"id":"b","type":"evr-recording-started","time":"1970-01-01T00:00:01Z","data":{"source":"yard"}}"#;
        fs::write(
            directory.path().join("events.jsonl"),
            format!("{line}\nnone of ours\n"),
        )
        .expect("written");
        desk.work();
        assert_eq!(desk.waiting(), 2);
        assert!(desk.news()[0].contains("none of ours"));
        drop(desk);
        let mut desk = clerk(directory.path(), &intake);
        desk.work();
        let (number, letter) = desk.after(0).expect("it waits");
        assert_eq!(
            (letter.source.as_str(), letter.kind.as_str()),
            ("door", "evr-signal")
        );
        let (last, letter) = desk.after(number).expect("it waits");
        assert_eq!(letter.source, "yard");
        assert_eq!(letter.body, line);
        assert_eq!(desk.after(last), None);
        desk.arrived([number, last]);
        assert_eq!(desk.waiting(), 0);
        assert_eq!(desk.news(), Vec::<String>::new());
    }
}
