//! `moov`: what tracks there are, and the tables of their samples (ISO/IEC 14496-12, 8.5 to 8.7).

use super::boxes::{child, children, descend, u16_at, u32_at, u64_at};
use super::{Codec, Media};

/// Where a sample lies and when it is due, in its track's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) dts: i64,
    /// PTS − DTS.
    pub(super) composition: i64,
    pub(super) duration: u32,
    pub(super) sync: bool,
}

/// A track as `moov` tells it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) id: u32,
    pub(super) codec: Codec,
    /// Ticks a second.
    pub(super) timescale: u32,
    /// Ticks to add to a time to count it from the start of the file.
    pub(super) shift: i64,
    pub(super) entries: Vec<Entry>,
    /// What a fragment's samples are where they do not tell themselves.
    pub(super) defaults: Defaults,
}

/// Values that a `trex` or `tfhd` gives to samples that have none of their own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Defaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// The tracks of a `moov`, without those that cannot be understood.
pub(super) fn read(moov: &[u8]) -> Vec<Table> {
    let timescale = child(moov, b"mvhd").and_then(|mvhd| versioned(mvhd, 12, 20));
    let timescale = timescale.unwrap_or(0);
    let mut tables: Vec<Table> = children(moov)
        .filter(|(kind, _)| kind == b"trak")
        .filter_map(|(_, trak)| track(trak, timescale))
        .collect();
    let extends = child(moov, b"mvex").unwrap_or_default();
    for (_, trex) in children(extends).filter(|(kind, _)| kind == b"trex") {
        let defaults = || {
            Some(Defaults {
                duration: u32_at(trex, 12)?,
                size: u32_at(trex, 16)?,
                flags: u32_at(trex, 20)?,
            })
        };
        let id = u32_at(trex, 4);
        if let Some(table) = tables.iter_mut().find(|table| Some(table.id) == id) {
            table.defaults = defaults().unwrap_or_default();
        }
    }
    tables
}

/// The 32-bit number at one of two places, by the version of a full box.
fn versioned(full: &[u8], old: usize, new: usize) -> Option<u32> {
    u32_at(full, if full.first() == Some(&1) { new } else { old })
}

fn track(trak: &[u8], movie_timescale: u32) -> Option<Table> {
    let id = versioned(child(trak, b"tkhd")?, 12, 20)?;
    let mdia = child(trak, b"mdia")?;
    let timescale = versioned(child(mdia, b"mdhd")?, 12, 20).filter(|ticks| *ticks > 0)?;
    let stbl = descend(mdia, &[b"minf", b"stbl"])?;
    let codec = codec(child(stbl, b"stsd")?)?;
    let elst = descend(trak, &[b"edts", b"elst"]);
    Some(Table {
        id,
        codec,
        timescale,
        shift: elst.map_or(0, |elst| shift(elst, timescale, movie_timescale)),
        entries: entries(stbl).unwrap_or_default(),
        defaults: Defaults::default(),
    })
}

/// An edit list says at which of its times the track begins (8.6.6), after how long a pause.
fn shift(elst: &[u8], timescale: u32, movie_timescale: u32) -> i64 {
    let long = elst.first() == Some(&1);
    let (width, count) = (if long { 20 } else { 12 }, u32_at(elst, 4).unwrap_or(0));
    let mut pause: i64 = 0;
    for edit in elst
        .get(8..)
        .unwrap_or_default()
        .chunks_exact(width)
        .take(count as usize)
    {
        let (duration, media) = if long {
            (u64_at(edit, 0), u64_at(edit, 8).map(u64::cast_signed))
        } else {
            let media = u32_at(edit, 4).map(|time| i64::from(time.cast_signed()));
            (u32_at(edit, 0).map(u64::from), media)
        };
        match media {
            Some(-1) if movie_timescale > 0 => {
                let ticks = i128::from(duration.unwrap_or(0)) * i128::from(timescale);
                let ticks = ticks / i128::from(movie_timescale);
                pause = pause.saturating_add(i64::try_from(ticks).unwrap_or(0));
            }
            Some(start) if start >= 0 => return pause.saturating_sub(start),
            _ => {}
        }
    }
    pause
}

/// All samples that the tables of a `stbl` tell of.
fn entries(stbl: &[u8]) -> Option<Vec<Entry>> {
    let stsz = child(stbl, b"stsz")?;
    let (fixed, count) = (u32_at(stsz, 4)?, u32_at(stsz, 8)? as usize);
    // A damaged count must not cost memory: every sample stands in some table.
    let listed = stsz.len().saturating_sub(12) / 4;
    let count = if fixed == 0 { count.min(listed) } else { 0 };
    let sizes: Vec<u32> = (0..count)
        .filter_map(|n| u32_at(stsz, 12 + 4 * n))
        .collect();
    let offsets = offsets(stbl, &sizes)?;
    let mut durations = runs(child(stbl, b"stts")?, 0);
    let ctts = child(stbl, b"ctts");
    let mut compositions = runs(ctts.unwrap_or_default(), 0);
    let stss = child(stbl, b"stss");
    let mut syncs = stss.map(|stss| {
        let count = u32_at(stss, 4).unwrap_or(0) as usize;
        let all = stss
            .get(8..)
            .unwrap_or_default()
            .chunks_exact(4)
            .take(count);
        all.filter_map(|number| u32_at(number, 0)).peekable()
    });
    let mut dts: i64 = 0;
    let mut entries = Vec::with_capacity(sizes.len());
    for (n, (&size, offset)) in sizes.iter().zip(offsets).enumerate() {
        let duration = durations.next().unwrap_or(0);
        let sync = match &mut syncs {
            None => true,
            Some(syncs) => syncs.next_if_eq(&(n as u32 + 1)).is_some(),
        };
        entries.push(Entry {
            offset,
            size,
            dts,
            composition: i64::from(compositions.next().unwrap_or(0).cast_signed()),
            duration,
            sync,
        });
        dts = dts.saturating_add(i64::from(duration));
    }
    Some(entries)
}

/// A table of runs: how many samples, and their number, one for each sample.
fn runs(table: &[u8], default: u32) -> impl Iterator<Item = u32> {
    let count = u32_at(table, 4).unwrap_or(0) as usize;
    let rows = table
        .get(8..)
        .unwrap_or_default()
        .chunks_exact(8)
        .take(count);
    rows.flat_map(move |row| {
        let times = u32_at(row, 0).unwrap_or(0) as usize;
        std::iter::repeat_n(u32_at(row, 4).unwrap_or(default), times)
    })
}

/// Where each sample lies: samples follow each other within a chunk (8.7.4, 8.7.5).
fn offsets(stbl: &[u8], sizes: &[u32]) -> Option<Vec<u64>> {
    let chunks: Vec<u64> = match (child(stbl, b"stco"), child(stbl, b"co64")) {
        (Some(stco), _) => stco
            .get(8..)?
            .chunks_exact(4)
            .filter_map(|it| u32_at(it, 0))
            .map(u64::from)
            .collect(),
        (None, Some(co64)) => co64
            .get(8..)?
            .chunks_exact(8)
            .filter_map(|it| u64_at(it, 0))
            .collect(),
        (None, None) => return None,
    };
    let stsc = child(stbl, b"stsc")?.get(8..)?;
    let mut rows = stsc.chunks_exact(12).peekable();
    let mut per_chunk = 0;
    let mut sizes = sizes.iter();
    let mut offsets = Vec::with_capacity(sizes.len());
    for (n, mut at) in chunks.into_iter().enumerate() {
        while let Some(row) =
            rows.next_if(|row| u32_at(row, 0).is_some_and(|first| first as usize <= n + 1))
        {
            per_chunk = u32_at(row, 4)?;
        }
        for size in sizes.by_ref().take(per_chunk as usize) {
            offsets.push(at);
            at = at.saturating_add(u64::from(*size));
        }
    }
    Some(offsets)
}

/// The first sample entry (8.5.2): a track of ours has one, as other caps begin a new clip.
fn codec(stsd: &[u8]) -> Option<Codec> {
    let (format, entry) = children(stsd.get(8..)?).next()?;
    // Where boxes begin in an entry for pictures and in one for sound (12.1.3, 12.2.3).
    const VIDEO: usize = 78;
    const AUDIO: usize = 28;
    let config = |boxes: &[u8]| {
        children(boxes).find_map(|(kind, body)| match &kind {
            b"avcC" | b"hvcC" | b"av1C" | b"vpcC" | b"dOps" => Some(body.to_vec()),
            b"esds" => specific_config(body),
            _ => None,
        })
    };
    let is_audio = matches!(&format, b"mp4a" | b"Opus" | b"alac" | b"ac-3" | b".mp3");
    Some(if is_audio {
        let media = Media::Audio {
            rate: u32_at(entry, 24)? >> 16,
            channels: u16_at(entry, 16)?,
        };
        let config = config(entry.get(AUDIO..)?);
        Codec {
            format,
            media,
            config,
        }
    } else {
        let media = Media::Video {
            width: u16_at(entry, 24)?,
            height: u16_at(entry, 26)?,
        };
        let config = config(entry.get(VIDEO..)?);
        Codec {
            format,
            media,
            config,
        }
    })
}

/// The AudioSpecificConfig in an `esds`: descriptors 3, 4 and 5, one in the other
/// (ISO/IEC 14496-1, 7.2.6).
fn specific_config(esds: &[u8]) -> Option<Vec<u8>> {
    let stream = descriptor(esds.get(4..)?, 3)?;
    // ES_ID and flags, with none of the optional fields.
    let decoder = descriptor(stream.get(3..)?, 4)?;
    // Object type, stream type, buffer size, two bit rates.
    descriptor(decoder.get(13..)?, 5).map(<[u8]>::to_vec)
}

/// The body of the descriptor `tag` at the start of `bytes`.
fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    if bytes.first() != Some(&tag) {
        return None;
    }
    let (mut size, mut at) = (0_usize, 1);
    // Seven bits a byte, at most four of them, as long as the eighth is set.
    loop {
        let byte = *bytes.get(at)?;
        size = size << 7 | usize::from(byte & 0x7f);
        at += 1;
        if byte & 0x80 == 0 || at > 4 {
            return bytes.get(at..at + size);
        }
    }
}
