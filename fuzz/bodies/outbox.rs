//! The outbox's files, whatever stands in them.

use evr_core::outbox::{Action, Limits, Outbox};

use super::Outcome;

/// Replays the bytes as one file, takes a record, and finds it after what was written then.
pub fn body(data: &[u8]) -> Outcome {
    let limits = Limits {
        max_bytes: 1 << 20,
        max_records: 0,
    };
    let mut outbox = Outbox::new(limits);
    let kept = outbox.replay(1, data) as usize;
    let mut files = std::collections::BTreeMap::from([(1, data[..kept].to_vec())]);
    let found = outbox.waiting() > 0;
    let number = outbox.push("text").expect("it fits");
    while let Some(action) = outbox.poll() {
        match action {
            Action::Append { file, lines } => {
                files.entry(file).or_default().extend(lines.as_bytes());
            }
            Action::Remove { file } => drop(files.remove(&file)),
        }
    }
    let mut again = Outbox::new(limits);
    for (file, bytes) in &files {
        assert_eq!(again.replay(*file, bytes), bytes.len() as u64);
    }
    let place = again.after(number - 1).expect("it waits");
    let line = &files[&place.file][place.offset as usize..][..place.length as usize];
    assert_eq!(place.text(line), Some("text"));
    match found {
        true => Outcome::Taken,
        false => Outcome::Refused,
    }
}
