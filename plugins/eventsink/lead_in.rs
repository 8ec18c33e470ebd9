//! Hides what a finished MP4 shows before the moment that was asked for.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use evr_core::recording::edit;
use evr_core::time::Nanos;

/// What a box begins with: its size and its name.
const HEADER: u64 = 8;
/// More than that is no description of any clip of ours.
const MAX_MOOV: u64 = 256 << 20;

/// Makes players begin `lead_in` into the clip. The file keeps its size.
///
/// # Errors
/// Why it is shown from its first frame on, as before.
pub(super) fn hide(clip: &Path, lead_in: Nanos) -> Result<(), String> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(clip)
        .map_err(|err| err.to_string())?;
    let (at, size) = moov(&mut file).map_err(|err| err.to_string())?;
    let mut bytes = vec![0; size];
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(|err| err.to_string())?;
    edit::hide(&mut bytes, lead_in).map_err(|err| err.to_string())?;
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.write_all(&bytes))
        .map_err(|err| err.to_string())
}

/// Where the content of the last `moov` lies, which is the one that speaks of the whole clip.
fn moov(file: &mut File) -> io::Result<(u64, usize)> {
    let end = file.metadata()?.len();
    let (mut next, mut found) = (0, None);
    while next + HEADER <= end {
        file.seek(SeekFrom::Start(next))?;
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header)?;
        let [a, b, c, d, name @ ..] = header;
        let size = match u32::from_be_bytes([a, b, c, d]) {
            0 => end - next,
            1 => {
                let mut wide = [0; 8];
                file.read_exact(&mut wide)?;
                u64::from_be_bytes(wide)
            }
            size => size.into(),
        };
        if size < HEADER || size > end - next {
            return Err(ErrorKind::InvalidData.into());
        }
        if name == *b"moov" && size <= MAX_MOOV {
            found = Some((next + HEADER, size - HEADER));
        }
        next += size;
    }
    let (at, size) = found.ok_or(ErrorKind::InvalidData)?;
    Ok((at, usize::try_from(size).map_err(io::Error::other)?))
}
