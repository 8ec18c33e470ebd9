use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const WIDE: Limits = Limits {
    max_bytes: 1 << 30,
    max_records: 0,
};

/// Files as a disk has them.
#[derive(Debug, Default, Clone)]
struct Disk(BTreeMap<u64, Vec<u8>>);

impl Disk {
    /// Carries out what was decided, but no more than so many bytes of it: then the power fails.
    fn act(&mut self, outbox: &mut Outbox, mut allowed: usize) {
        while let Some(action) = outbox.poll() {
            match action {
                Action::Append { file, lines } => {
                    let written = lines.len().min(allowed);
                    let bytes = self.0.entry(file).or_default();
                    bytes.extend(&lines.as_bytes()[..written]);
                    allowed -= written;
                    if written < lines.len() {
                        return;
                    }
                }
                Action::Remove { file } => drop(self.0.remove(&file)),
            }
        }
    }

    fn open(&mut self, limits: Limits) -> Outbox {
        let mut outbox = Outbox::new(limits);
        for (file, bytes) in &mut self.0 {
            let length = outbox.replay(*file, bytes) as usize;
            bytes.truncate(length);
        }
        self.act(&mut outbox, usize::MAX);
        outbox
    }

    /// What waits, as the shell reads it.
    fn waiting(&self, outbox: &Outbox) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        let mut last = 0;
        while let Some(place) = outbox.after(last) {
            last = place.number;
            let line = &self.0[&place.file][place.offset as usize..][..place.length as usize];
            let text = place.text(line).expect("the line is where the outbox says");
            found.push((place.number, text.to_owned()));
        }
        assert_eq!(found.len() as u64, outbox.waiting());
        let bytes: usize = self.0.values().map(Vec::len).sum();
        assert_eq!(bytes as u64, outbox.bytes());
        found
    }
}

#[test]
fn what_was_put_is_told_in_order_until_it_is_forgotten_also_after_a_restart() {
    let mut disk = Disk::default();
    let mut outbox = disk.open(WIDE);
    for text in ["a", "b", "c"] {
        outbox.push(text).expect("it fits");
    }
    assert!(outbox.forget(2));
    assert!(!outbox.forget(2), "it waits no more");
    disk.act(&mut outbox, usize::MAX);
    let mut again = disk.open(WIDE);
    let expected = [(1, "a".to_owned()), (3, "c".to_owned())];
    assert_eq!(disk.waiting(&again), expected);
    assert_eq!(again.push("d"), Ok(4));
}

#[test]
fn numbers_go_on_rising_when_nothing_is_left() {
    let limits = Limits {
        max_bytes: 800,
        max_records: 0,
    };
    let mut disk = Disk::default();
    for expected in 1..100 {
        let mut outbox = disk.open(limits);
        assert_eq!(outbox.push("text"), Ok(expected));
        outbox.forget(expected);
        disk.act(&mut outbox, usize::MAX);
        assert!(disk.0.len() <= 2, "delivered files are still there");
    }
}

#[test]
fn the_oldest_go_when_there_are_too_many_or_they_are_too_long() {
    let few = Limits {
        max_records: 2,
        ..WIDE
    };
    let mut disk = Disk::default();
    let mut outbox = disk.open(few);
    for text in ["a", "b", "c"] {
        outbox.push(text).expect("it fits");
    }
    disk.act(&mut outbox, usize::MAX);
    assert_eq!(outbox.dropped(), 1);
    let outbox = disk.open(few);
    assert_eq!(disk.waiting(&outbox), [(2, "b".into()), (3, "c".into())]);
}

#[test]
fn what_is_no_record_says_why_and_changes_nothing() {
    let mut outbox = Outbox::new(Limits {
        max_bytes: 1000,
        max_records: 0,
    });
    let long = outbox.push(&"x".repeat(500)).expect_err("too long");
    assert!(long.to_string().contains("1000"), "{long}");
    assert_eq!(outbox.push("a\nb"), Err(OutboxError::SeveralLines));
    assert_eq!((outbox.waiting(), outbox.poll()), (0, None));
}

#[test]
fn a_damaged_line_costs_its_record_alone() {
    let mut disk = Disk::default();
    let mut outbox = disk.open(WIDE);
    for text in ["a", "b", "c"] {
        outbox.push(text).expect("it fits");
    }
    let damaged = outbox.after(1).expect("the second waits");
    disk.act(&mut outbox, usize::MAX);
    disk.0.get_mut(&damaged.file).expect("a file")[damaged.offset as usize + 3] ^= 1;
    let outbox = disk.open(WIDE);
    assert_eq!(disk.waiting(&outbox), [(1, "a".into()), (3, "c".into())]);
    assert_eq!(outbox.damaged(), 1);
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    /// One of those that wait.
    Forget(prop::sample::Index),
    /// Everything so far reaches the disk.
    Sync,
    /// So many of the bytes since the last `Sync` reach the disk, and the outbox is opened again.
    Kill(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_usize..60).prop_map(Step::Push),
        2 => any::<prop::sample::Index>().prop_map(Step::Forget),
        2 => Just(Step::Sync),
        1 => (0_usize..300).prop_map(Step::Kill),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Whenever the power fails, what was promised waits, in order, what was noted as delivered
    /// does not, and nothing that was never put appears.
    #[test]
    fn whenever_it_is_killed_nothing_promised_is_lost(steps in steps(), max_bytes in 8_000_u64..20_000) {
        // Small files, so that many begin and go, yet nothing is given up.
        let limits = Limits { max_bytes, max_records: 0 };
        let mut disk = Disk::default();
        let mut outbox = disk.open(limits);
        // Of each number its text, whether it was promised, and whether it was forgotten: for sure
        // or only perhaps.
        let mut put: BTreeMap<u64, (String, bool)> = BTreeMap::new();
        let mut forgotten: BTreeMap<u64, bool> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Push(length) => {
                    let text = "x".repeat(length);
                    let number = outbox.push(&text).expect("it fits");
                    let before = put.insert(number, (text, false));
                    prop_assert!(before.is_none_or(|(_, promised)| !promised), "used twice");
                }
                Step::Forget(which) => {
                    let numbers: Vec<u64> = outbox.waiting.keys().copied().collect();
                    if !numbers.is_empty() {
                        let number = *which.get(&numbers);
                        outbox.forget(number);
                        forgotten.insert(number, false);
                    }
                }
                Step::Sync => {
                    disk.act(&mut outbox, usize::MAX);
                    put.values_mut().for_each(|(_, promised)| *promised = true);
                    forgotten.values_mut().for_each(|sure| *sure = true);
                }
                Step::Kill(bytes) => {
                    disk.act(&mut outbox, bytes);
                    outbox = disk.open(limits);
                    let waiting: BTreeMap<_, _> = disk.waiting(&outbox).into_iter().collect();
                    for (number, (text, promised)) in &put {
                        let sure = forgotten.get(number);
                        match waiting.get(number) {
                            Some(found) => prop_assert!(found == text && sure != Some(&true)),
                            None => prop_assert!(sure.is_some() || !promised, "{} is lost", number),
                        }
                    }
                    prop_assert!(waiting.keys().all(|number| put.contains_key(number)));
                    // The number of what nobody was promised and nobody has seen may come again.
                    put.retain(|number, (_, promised)| *promised || waiting.contains_key(number));
                    put.values_mut().for_each(|(_, promised)| *promised = true);
                    for (number, sure) in &mut forgotten {
                        *sure = !waiting.contains_key(number);
                    }
                    forgotten.retain(|number, sure| *sure && put.contains_key(number));
                }
            }
            prop_assert_eq!(outbox.dropped(), 0);
        }
    }

    /// What is given up are the oldest, they are counted, and the files stay within their bound.
    #[test]
    fn bounds_hold_and_the_oldest_pay(
        lengths in prop::collection::vec(0_usize..300, 1..80),
        max_bytes in 1000_u64..5000,
        max_records in 0_u64..20,
    ) {
        let limits = Limits { max_bytes, max_records };
        let mut disk = Disk::default();
        let mut outbox = disk.open(limits);
        let mut pushed = Vec::new();
        for length in lengths {
            let text = "x".repeat(length);
            let number = outbox.push(&text).expect("it fits");
            pushed.push((number, text));
            disk.act(&mut outbox, usize::MAX);
            let waiting = disk.waiting(&outbox);
            prop_assert!(pushed.ends_with(&waiting), "not the newest");
            prop_assert!(!waiting.is_empty(), "the newest itself is gone");
            prop_assert_eq!(outbox.dropped(), (pushed.len() - waiting.len()) as u64);
            // A note for each that was given up by number may stand beyond it.
            prop_assert!(outbox.bytes() <= max_bytes + 80, "{} of {max_bytes}", outbox.bytes());
            prop_assert!(max_records == 0 || waiting.len() as u64 <= max_records);
        }
        let again = disk.open(limits);
        prop_assert_eq!(disk.waiting(&again), disk.waiting(&outbox));
    }

    #[test]
    fn whatever_stands_in_the_files_is_read_without_a_panic(
        files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
    ) {
        let mut disk = Disk(files.into_iter().enumerate().map(|(n, bytes)| (n as u64, bytes)).collect());
        let mut outbox = disk.open(WIDE);
        let number = outbox.push("text").expect("it fits");
        disk.act(&mut outbox, usize::MAX);
        let outbox = disk.open(WIDE);
        prop_assert_eq!(disk.waiting(&outbox), [(number, "text".to_owned())]);
    }
}

#[test]
fn cut_at_every_byte_it_keeps_every_whole_line() {
    let mut disk = Disk::default();
    let mut outbox = disk.open(WIDE);
    let mut ends = Vec::new();
    for n in 0..5 {
        outbox.push(&format!("text {n}")).expect("it fits");
        disk.act(&mut outbox, usize::MAX);
        ends.push(disk.0[&1].len());
    }
    outbox.forget(1);
    disk.act(&mut outbox, usize::MAX);
    let whole = disk.0[&1].clone();
    for cut in 0..=whole.len() {
        let mut disk = Disk([(1, whole[..cut].to_vec())].into());
        let mut outbox = disk.open(WIDE);
        let forgotten = usize::from(cut == whole.len());
        let expected = ends.iter().filter(|end| **end <= cut).count() - forgotten;
        assert_eq!(disk.waiting(&outbox).len(), expected, "cut at {cut}");
        let number = outbox.push("new").expect("it fits");
        disk.act(&mut outbox, usize::MAX);
        let outbox = disk.open(WIDE);
        let last = disk.waiting(&outbox).pop();
        assert_eq!(last, Some((number, "new".to_owned())), "cut at {cut}");
        assert_eq!(outbox.damaged(), 0, "cut at {cut}");
    }
}
