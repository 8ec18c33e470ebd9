//! A crate's bodies on any compiler: what their corpus holds, mutations of it and random bytes, the
//! same in each run. Tests include this file beside the bodies, which they call `bodies`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::bodies::{Outcome, TARGETS, Target};

/// Inputs beside the corpus, for each target.
const RANDOM: usize = 1500;
/// Mutations in all, spread over the corpus of a target.
const MUTATIONS: usize = 3000;
/// Bytes of a random input at most.
const LONGEST: usize = 2000;
/// Numbers that lengths and counts tend to break at.
const EDGES: [&[u8]; 8] = [
    &[0],
    &[0xff],
    &[0, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff; 8],
    b"\"{[,:]}\\",
];

/// The folder of this file.
pub fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The stems of the files, or the names of the folders, in a folder of `fuzz/`.
pub fn entries(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(fuzz().join(folder)).expect("the folder is there");
    let stem = |path: PathBuf| {
        path.file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    let names = entries.map(|entry| stem(entry.expect("readable").path()));
    names.map(|name| name.expect("a name")).collect()
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = fuzz().join("corpus").join(target.name);
    let entries = std::fs::read_dir(folder).expect("each target has a corpus");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    let read = |file| std::fs::read(file).expect("readable");
    files.into_iter().map(read).collect()
}

/// Small, fast and the same everywhere: Marsaglia's xorshift64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 32) as u8).collect()
    }
}

/// One to four small damages; `other` is whose pieces may get in.
fn mutate(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        let end = (at + 1 + dice.below(16)).min(input.len());
        match dice.below(6) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => input[at] = dice.next() as u8,
            2 => input.truncate(at),
            3 => drop(input.drain(at..end.max(at))),
            4 => {
                let edge = EDGES[dice.below(EDGES.len())];
                let end = (at + edge.len()).min(input.len());
                input.splice(at..end, edge.iter().copied());
            }
            _ => {
                let from = dice.below(other.len() + 1);
                let until = (from + dice.below(64)).min(other.len());
                input.splice(at..at, other[from..until].iter().copied());
            }
        }
    }
}

/// Runs one input; the panic of one that fails is followed by the bytes.
fn run(target: &Target, input: &[u8]) -> Outcome {
    struct Tell<'a>(&'a Target, &'a [u8]);
    impl Drop for Tell<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("{} fails on b\"{}\"", self.0.name, self.1.escape_ascii());
            }
        }
    }
    let _tell = Tell(target, input);
    (target.body)(input)
}

pub fn nothing_near_the_corpus_breaks_a_promise() {
    for target in TARGETS {
        let corpus = corpus(target);
        let taken = corpus
            .iter()
            .filter(|input| run(target, input) == Outcome::Taken);
        let taken = taken.count();
        // Else the mutations would only ever try the first check.
        assert!(
            taken > 0,
            "nothing in the corpus of {} is sound",
            target.name
        );
        let mut dice = Dice(0x5eed);
        for i in 0..MUTATIONS {
            let mut input = corpus[i % corpus.len()].clone();
            mutate(&mut input, &corpus[dice.below(corpus.len())], &mut dice);
            run(target, &input);
        }
    }
}

pub fn random_bytes_break_no_promise() {
    for target in TARGETS {
        let mut dice = Dice(0xb17e5);
        for _ in 0..RANDOM {
            let length = dice.below(LONGEST);
            let input = dice.bytes(length);
            run(target, &input);
        }
    }
}

/// Each body of the folder is a target with a corpus.
pub fn each_body_has_its_target_and_its_corpus(folder: &str) {
    let named: BTreeSet<_> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    let mut bodies = entries(folder);
    bodies.remove("mod");
    assert_eq!(named, bodies);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).expect("readable");
    let (targets, corpus) = (entries("targets"), entries("corpus"));
    for name in named {
        assert!(targets.contains(&name), "{name} has no target");
        assert!(corpus.contains(&name), "{name} has no corpus");
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is no [[bin]]"
        );
    }
}
