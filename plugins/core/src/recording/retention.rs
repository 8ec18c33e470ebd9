//! Retention: which finished recordings go when there is too much of them, oldest first.
//!
//! What belongs here: the limits, the ordered index of what is kept, and what makes a sidecar one of
//! ours. What does not: directories, disks and clocks; the shell says what it finds, asks
//! [`Retention::poll`] what has to go, and says what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::sidecar::SCHEMA;
use crate::time::Nanos;

/// How much may be kept; 0 sets no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of all recordings together, clips, sidecars and thumbnails.
    pub max_total_bytes: u64,
    /// Since a recording was finished, in nanoseconds.
    pub max_age: Nanos,
    /// Number of recordings.
    pub max_files: u64,
    /// What the file system has left for others.
    pub min_free_bytes: u64,
}

impl Limits {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// The limit that a recording has to go for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::max_age`].
    Age,
    /// [`Limits::max_files`].
    Files,
    /// [`Limits::max_total_bytes`].
    TotalBytes,
    /// [`Limits::min_free_bytes`].
    FreeBytes,
}

/// A recording that has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The name under which it was added.
    pub name: Arc<str>,
    /// Why.
    pub limit: Limit,
}

/// What became of a [`Removal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its bytes are free.
    Removed,
    /// It was gone already.
    Gone,
    /// It is protected or cannot be removed: it stays and counts no more.
    Stays,
}

/// The finished recordings that may go.
///
/// Protected ones are none of its business: they count for no limit, because a user who protects
/// a recording wants to lose no other one for it.
#[derive(Debug)]
pub struct Retention {
    limits: Limits,
    /// When each was finished (nanoseconds since 1970-01-01T00:00:00Z), and which; oldest first.
    order: BTreeSet<(Nanos, Arc<str>)>,
    /// The same by name: `known.len() == order.len()`.
    known: BTreeMap<Arc<str>, (Nanos, u64)>,
    /// Sum of the bytes in `known`.
    total: u64,
    /// What the disk has left, counting what was removed since that was measured: file systems
    /// give space back late, and what is asked of them twice would be removed twice.
    free: Option<u64>,
}

impl Retention {
    /// Keeps nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            order: BTreeSet::new(),
            known: BTreeMap::new(),
            total: 0,
            free: None,
        }
    }

    /// A finished recording of `bytes`; one of the same name takes its place.
    pub fn add(&mut self, name: &str, finished: Nanos, bytes: u64) {
        self.forget(name);
        let name: Arc<str> = name.into();
        self.order.insert((finished, name.clone()));
        self.known.insert(name, (finished, bytes));
        self.total = self.total.saturating_add(bytes);
    }

    /// What the file system has left now.
    pub fn free(&mut self, bytes: u64) {
        self.free = Some(bytes);
    }

    /// What has to go next; answer with [`Retention::done`] before asking again.
    ///
    /// `now` is nanoseconds since 1970-01-01T00:00:00Z. The newest recording goes for its age
    /// alone: a limit that is smaller than one recording would otherwise leave none at all.
    pub fn poll(&self, now: Nanos) -> Option<Removal> {
        let (finished, name) = self.order.first()?;
        let limits = &self.limits;
        let exceeds = |most: u64, is: u64| most > 0 && is > most && self.order.len() > 1;
        let limit = if limits.max_age > 0 && now.saturating_sub(*finished) > limits.max_age {
            Limit::Age
        } else if exceeds(limits.max_files, self.known.len() as u64) {
            Limit::Files
        } else if exceeds(limits.max_total_bytes, self.total) {
            Limit::TotalBytes
        } else if self
            .free
            .is_some_and(|free| free < limits.min_free_bytes && self.order.len() > 1)
        {
            Limit::FreeBytes
        } else {
            return None;
        };
        let name = name.clone();
        Some(Removal { name, limit })
    }

    /// What became of a recording that had to go.
    pub fn done(&mut self, name: &str, fate: Fate) {
        let bytes = self.forget(name);
        if fate == Fate::Removed {
            self.free = self.free.map(|free| free.saturating_add(bytes));
        }
    }

    /// Bytes of all that may go.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Number of recordings that may go.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn forget(&mut self, name: &str) -> u64 {
        let Some((name, (finished, bytes))) = self.known.remove_entry(name) else {
            return 0;
        };
        self.order.remove(&(finished, name));
        self.total = self.total.saturating_sub(bytes);
        bytes
    }
}

/// What a sidecar says that belongs to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// The clip's file name.
    pub clip: String,
    /// Name of the camera.
    pub source: String,
}

/// Reads the sidecar that lies under `<stem>.json`. `None` where it is none of ours: of another
/// schema, or one that does not name a clip of the same stem beside it, such as a copy.
pub fn ours(stem: &str, sidecar: &[u8]) -> Option<Ours> {
    #[derive(Deserialize)]
    struct Document {
        schema: String,
        source: String,
        clip: Clip,
    }
    #[derive(Deserialize)]
    struct Clip {
        path: String,
    }
    let document: Document = serde_json::from_slice(sidecar).ok()?;
    let extension = document.clip.path.strip_prefix(stem)?.strip_prefix('.')?;
    let is_clip = !extension.is_empty()
        && extension.chars().all(|c| c.is_ascii_alphanumeric())
        && extension != "json";
    (document.schema == SCHEMA && is_clip && !stem.is_empty() && !stem.contains(['/', '\\']))
        .then_some(Ours {
            clip: document.clip.path,
            source: document.source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;
    use proptest::prelude::*;

    fn removed(retention: &mut Retention, now: Nanos) -> Vec<(String, Limit)> {
        let mut removed = Vec::new();
        while let Some(Removal { name, limit }) = retention.poll(now) {
            retention.done(&name, Fate::Removed);
            removed.push((name.to_string(), limit));
        }
        removed
    }

    fn five(limits: Limits) -> Retention {
        let mut retention = Retention::new(limits);
        for (name, second) in [("c", 3), ("a", 1), ("e", 5), ("b", 2), ("d", 4)] {
            retention.add(name, second * SECOND, 10);
        }
        retention
    }

    #[test]
    fn without_limits_everything_stays() {
        assert_eq!(removed(&mut five(Limits::default()), Nanos::MAX), []);
        assert!(!Limits::default().any());
    }

    #[test]
    fn the_oldest_go_until_each_limit_holds() {
        let names = |limits, now: Nanos| -> String {
            let mut retention = five(limits);
            retention.free(100);
            let removed = removed(&mut retention, now * SECOND);
            removed.into_iter().map(|(name, _)| name).collect()
        };
        let none = Limits::default();
        assert_eq!(
            names(
                Limits {
                    max_files: 3,
                    ..none
                },
                9
            ),
            "ab"
        );
        assert_eq!(
            names(
                Limits {
                    max_total_bytes: 29,
                    ..none
                },
                9
            ),
            "abc"
        );
        assert_eq!(
            names(
                Limits {
                    max_total_bytes: 30,
                    ..none
                },
                9
            ),
            "ab"
        );
        assert_eq!(
            names(
                Limits {
                    max_age: 3 * SECOND,
                    ..none
                },
                6
            ),
            "ab"
        );
        assert_eq!(
            names(
                Limits {
                    min_free_bytes: 111,
                    ..none
                },
                9
            ),
            "ab"
        );
        assert_eq!(
            names(
                Limits {
                    min_free_bytes: 100,
                    ..none
                },
                9
            ),
            ""
        );
    }

    #[test]
    fn the_newest_goes_for_its_age_alone() {
        let limits = Limits {
            max_total_bytes: 1,
            min_free_bytes: u64::MAX,
            ..Limits::default()
        };
        let mut retention = five(limits);
        retention.free(0);
        assert_eq!(removed(&mut retention, 9 * SECOND).len(), 4);
        let limits = Limits {
            max_age: 1,
            ..Limits::default()
        };
        assert_eq!(removed(&mut five(limits), 9 * SECOND).len(), 5);
    }

    #[test]
    fn what_stays_counts_no_more_and_costs_no_other() {
        let limits = Limits {
            max_files: 4,
            ..Limits::default()
        };
        let mut retention = five(limits);
        retention.done("a", Fate::Stays);
        assert_eq!(retention.poll(9 * SECOND), None);
        assert_eq!((retention.len(), retention.total()), (4, 40));
    }

    #[test]
    fn a_name_that_comes_again_counts_once() {
        let mut retention = five(Limits {
            max_files: 4,
            ..Limits::default()
        });
        retention.add("a", 9 * SECOND, 30);
        assert_eq!((retention.len(), retention.total()), (5, 70));
        let removed = removed(&mut retention, 9 * SECOND);
        assert_eq!(removed, [("b".to_owned(), Limit::Files)]);
    }

    #[test]
    fn only_a_sidecar_of_our_schema_that_names_its_own_clip_is_ours() {
        let sidecar = |schema: &str, clip: &str| {
            format!(
                r#"{{"schema":"{schema}","id":"1","source":"door","clip":{{"path":"{clip}"}}}}"#
            )
        };
        let is = |stem: &str, text: &str| ours(stem, text.as_bytes()).is_some();
        let good = sidecar(SCHEMA, "x.mp4");
        let read = ours("x", good.as_bytes()).expect("ours");
        assert_eq!(
            (read.clip.as_str(), read.source.as_str()),
            ("x.mp4", "door")
        );
        assert!(is("x-2", &sidecar(SCHEMA, "x-2.mkv")));
        assert!(!is("copy", &good));
        assert!(!is("x", &good[1..]));
        assert!(!is("x", &sidecar("other/1", "x.mp4")));
        for clip in [
            "x.json",
            "x.",
            "x",
            "x./y",
            "../x.mp4",
            "/x.mp4",
            "x.a/../../b",
            "y.mp4",
        ] {
            assert!(!is("x", &sidecar(SCHEMA, clip)), "{clip}");
        }
        assert!(!is("a/x", &sidecar(SCHEMA, "a/x.mp4")));
        assert!(!is("", &sidecar(SCHEMA, ".mp4")));
    }

    proptest! {
        /// Against the same said in another way: sort, then drop from the front while a limit is
        /// exceeded.
        #[test]
        fn exactly_the_oldest_go_and_no_more_than_must(
            recordings in prop::collection::vec((0i64..20, 0u64..50), 0..30),
            protected in prop::collection::vec(any::<bool>(), 30),
            limits in (0u64..300, 0i64..25, 0u64..20, 0u64..300),
            free in 0u64..200,
            now in 0i64..30,
        ) {
            let limits = Limits {
                max_total_bytes: limits.0,
                max_age: limits.1,
                max_files: limits.2,
                min_free_bytes: limits.3,
            };
            let mut retention = Retention::new(limits);
            let mut model = Vec::new();
            for (n, (finished, bytes)) in recordings.iter().enumerate() {
                let name = format!("{n:02}");
                retention.add(&name, *finished, *bytes);
                model.push((*finished, name, *bytes, protected[n]));
            }
            retention.free(free);
            model.sort();
            let mut expected = Vec::new();
            let mut free = free;
            while let Some((finished, name, bytes, protected)) = model.first().cloned() {
                let total: u64 = model.iter().map(|(_, _, bytes, _)| bytes).sum();
                let last = model.len() == 1;
                let exceeded = limits.max_age > 0 && now - finished > limits.max_age
                    || !last && limits.max_files > 0 && model.len() as u64 > limits.max_files
                    || !last && limits.max_total_bytes > 0 && total > limits.max_total_bytes
                    || !last && free < limits.min_free_bytes;
                if !exceeded {
                    break;
                }
                model.remove(0);
                if !protected {
                    expected.push(name);
                    free += bytes;
                }
            }
            let mut removed = Vec::new();
            while let Some(removal) = retention.poll(now) {
                let n: usize = removal.name.parse().expect("a number");
                if protected[n] {
                    retention.done(&removal.name, Fate::Stays);
                } else {
                    retention.done(&removal.name, Fate::Removed);
                    removed.push(removal.name.to_string());
                }
            }
            prop_assert_eq!(removed, expected);
            prop_assert_eq!(retention.len(), model.len());
            prop_assert_eq!(retention.total(), model.iter().map(|entry| entry.2).sum::<u64>());
        }

        #[test]
        fn no_sidecar_panics(stem in ".{0,4}", text in ".*", bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = ours(&stem, text.as_bytes());
            let _ = ours(&stem, &bytes);
        }
    }
}
