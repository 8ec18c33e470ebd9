//! `moof`: samples of one fragment (ISO/IEC 14496-12, 8.8).

use super::boxes::{Numbers, child, children, u32_at, u64_at};
use super::tables::{Defaults, Entry, Table};

/// `sample_is_non_sync_sample`, 8.8.3.1.
const NOT_SYNC: u32 = 0x1_0000;

/// Adds the samples of the `moof` that begins at `offset` to their tracks.
pub(super) fn read(moof: &[u8], offset: u64, tables: &mut [Table]) {
    for (_, traf) in children(moof).filter(|(kind, _)| kind == b"traf") {
        // A track that is damaged must not cost the others.
        let _ = track(traf, offset, tables);
    }
}

fn track(traf: &[u8], moof: u64, tables: &mut [Table]) -> Option<()> {
    let tfhd = child(traf, b"tfhd")?;
    let flags = u32_at(tfhd, 0)?;
    let id = u32_at(tfhd, 4)?;
    let table = tables.iter_mut().find(|table| table.id == id)?;
    let mut numbers = Numbers::new(tfhd.get(8..)?);
    let base = if flags & 0x1 == 0 {
        moof
    } else {
        numbers.u64()?
    };
    numbers.u32_if(flags & 0x2 != 0, 0)?;
    let defaults = Defaults {
        duration: numbers.u32_if(flags & 0x8 != 0, table.defaults.duration)?,
        size: numbers.u32_if(flags & 0x10 != 0, table.defaults.size)?,
        flags: numbers.u32_if(flags & 0x20 != 0, table.defaults.flags)?,
    };
    // mp4mux of GStreamer 1.22 leaves out what a run shares with the one before, as if that were
    // the default, and tells no default.
    let inherits = Inherits {
        duration: flags & 0x8 == 0 && defaults.duration == 0,
        flags: flags & 0x20 == 0 && defaults.flags == 0,
    };
    let mut state = State {
        at: base,
        dts: decode_time(traf).unwrap_or_else(|| end(&table.entries)),
        defaults,
    };
    for (_, trun) in children(traf).filter(|(kind, _)| kind == b"trun") {
        run(trun, base, inherits, &mut state, &mut table.entries)?;
    }
    Some(())
}

/// Where the next sample lies, when it is decoded, and what it is where it does not tell itself.
struct State {
    at: u64,
    dts: i64,
    defaults: Defaults,
}

/// Which defaults are those of the sample before, as nobody tells any.
#[derive(Debug, Clone, Copy)]
struct Inherits {
    duration: bool,
    flags: bool,
}

fn decode_time(traf: &[u8]) -> Option<i64> {
    let tfdt = child(traf, b"tfdt")?;
    if tfdt.first() == Some(&1) {
        u64_at(tfdt, 4)?.try_into().ok()
    } else {
        u32_at(tfdt, 4).map(i64::from)
    }
}

fn end(entries: &[Entry]) -> i64 {
    entries
        .last()
        .map_or(0, |last| last.dts.saturating_add(i64::from(last.duration)))
}

fn run(
    trun: &[u8],
    base: u64,
    inherits: Inherits,
    state: &mut State,
    entries: &mut Vec<Entry>,
) -> Option<()> {
    let flags = u32_at(trun, 0)?;
    let count = u32_at(trun, 4)?;
    let mut numbers = Numbers::new(trun.get(8..)?);
    if flags & 0x1 != 0 {
        let offset = i64::from(numbers.u32()?.cast_signed());
        state.at = base.checked_add_signed(offset)?;
    }
    let first_flags = if flags & 0x4 != 0 {
        Some(numbers.u32()?)
    } else {
        None
    };
    let tells_something = flags & 0xf00 != 0;
    for n in 0..count {
        // Without a row of its own, a damaged count would go on for ever.
        if !tells_something && n as usize >= trun.len() {
            return None;
        }
        let duration = numbers.u32_if(flags & 0x100 != 0, state.defaults.duration)?;
        let size = numbers.u32_if(flags & 0x200 != 0, state.defaults.size)?;
        let own = numbers.u32_if(flags & 0x400 != 0, state.defaults.flags)?;
        let composition = numbers.u32_if(flags & 0x800 != 0, 0)?;
        let own = first_flags.filter(|_| n == 0).unwrap_or(own);
        entries.push(Entry {
            offset: state.at,
            size,
            dts: state.dts,
            composition: i64::from(composition.cast_signed()),
            duration,
            sync: own & NOT_SYNC == 0,
        });
        if inherits.duration {
            state.defaults.duration = duration;
        }
        if inherits.flags {
            state.defaults.flags = own;
        }
        state.at = state.at.saturating_add(u64::from(size));
        state.dts = state.dts.saturating_add(i64::from(duration));
    }
    Some(())
}
