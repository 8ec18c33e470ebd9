//! A recording that a crash has cut off, or whose bytes are not those that were written.

use evr_core::recording::container::Container;
use evr_core::recovery::{Mend, Mended, Scan, Stretch};

use super::Outcome;

/// The first byte names the container, the rest is the file.
pub fn body(data: &[u8]) -> Outcome {
    let Some((kind, file)) = data.split_first() else {
        return Outcome::Refused;
    };
    let found = match kind % 3 {
        0 => samples(file),
        1 => whole(Container::Matroska, file),
        _ => whole(Container::MpegTs, file),
    };
    found.map_or(Outcome::Refused, |()| Outcome::Taken)
}

/// Of an MP4 only what the file holds is told.
fn samples(file: &[u8]) -> Option<()> {
    let mut scan = Scan::new(file.len() as u64);
    let mut steps = 0;
    while let Some((at, length)) = scan.need() {
        scan.feed(&file[at as usize..][..length]);
        steps += 1;
        assert!(steps <= file.len(), "it comes to an end");
    }
    let movie = scan.finish().ok()?;
    for sample in movie.tracks.iter().flat_map(|track| &track.samples) {
        assert!(sample.offset + u64::from(sample.size) <= file.len() as u64);
    }
    Some(())
}

fn mend(container: Container, file: &[u8]) -> Option<Mended> {
    let mut mend = Mend::new(container, file.len() as u64)?;
    let mut steps = 0;
    while let Some((at, length)) = mend.need() {
        mend.feed(&file[at as usize..][..length]);
        steps += 1;
        assert!(steps <= 2 * file.len() + 2, "it comes to an end");
    }
    mend.finish().ok()
}

/// What was mended holds what was told, from its first byte to its last.
fn whole(container: Container, file: &[u8]) -> Option<()> {
    let how = mend(container, file)?;
    assert!(how.lead().is_some());
    let mut good = file[..how.keep as usize].to_vec();
    for patch in &how.patches {
        good[patch.at as usize..][..patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    good.extend(&how.tail);
    let again = mend(container, &good);
    // Positions that lie about what is damaged may want to be set right once more, but no media is
    // told twice or lost by that.
    assert!(
        again
            .as_ref()
            .is_none_or(|again| again.keep <= good.len() as u64)
    );
    let again = again.map(|again| again.tracks).unwrap_or_default();
    match container {
        Container::MpegTs => nearly(&again, &how.tracks),
        _ => assert_eq!(again, how.tracks),
    }
    Some(())
}

/// Where a frame tells no length, only the beginning of the next says that it was whole, and that
/// may have been cut off with the rest of the next.
fn nearly(again: &[Stretch], told: &[Stretch]) {
    let frames = |tracks: &[Stretch]| tracks.iter().map(|track| track.frames).sum::<u64>();
    let (again, most) = (frames(again), frames(told));
    let least = most - told.len() as u64;
    assert!((least..=most).contains(&again), "{again} of {most} frames");
}
