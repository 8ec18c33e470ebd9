//! Matroska files and transport streams that a crash has cut off: copied, cut after their last whole
//! frame, and told how long they are and where players may begin.
//!
//! What to write where is found out in `evr_core::recovery`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use evr_core::recording::container::Container;
use evr_core::recovery::{Mend, Mended};

use super::rewrite::{Rewritten, Why, read};

/// Makes `new` of `old`.
///
/// # Errors
/// Why it cannot be trusted, if it is there at all.
pub(super) fn mend(container: Container, old: &Path, new: &Path) -> Result<Rewritten, Why> {
    let mended = look(container, old)?;
    write(&mended, old, new)?;
    let again = look(container, new)?;
    let lead = mended.lead().filter(|_| again.tracks == mended.tracks);
    let lead = lead.ok_or_else(|| Why::Never("the new file does not hold the same".into()))?;
    let tracks = mended.tracks.iter();
    Ok(Rewritten {
        frames: lead.frames,
        duration: lead.end.saturating_sub(lead.start),
        streams: tracks.map(|track| track.stream.clone()).collect(),
    })
}

fn look(container: Container, path: &Path) -> Result<Mended, Why> {
    let mut file = File::open(path)?;
    let walk = Mend::new(container, file.metadata()?.len());
    let mut walk = walk.ok_or_else(|| Why::Never("it is of another kind".into()))?;
    while let Some((at, length)) = walk.need() {
        walk.feed(&read(&mut file, at, length)?);
    }
    walk.finish().map_err(|err| Why::Never(err.to_string()))
}

fn write(mended: &Mended, old: &Path, new: &Path) -> io::Result<()> {
    // Where the file system can, both share what they hold, and the copy takes no room.
    fs::copy(old, new)?;
    let mut file = OpenOptions::new().write(true).open(new)?;
    file.set_len(mended.keep)?;
    for patch in &mended.patches {
        file.seek(SeekFrom::Start(patch.at))?;
        file.write_all(&patch.bytes)?;
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(&mended.tail)
}
