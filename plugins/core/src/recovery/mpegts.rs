//! An MPEG transport stream (ISO/IEC 13818-1) that may end anywhere.
//!
//! It is cut after its last whole packet. Frames are PES packets, laid into many transport packets:
//! of a frame that is not whole, these turn into null packets, which every reader passes over.

use std::collections::BTreeMap;

use super::mend::{Count, MendError, Mended, Patch};
use crate::recording::sidecar::Stream;
use crate::time::{Nanos, SECOND};

/// Bytes of a transport packet.
const PACKET: usize = 188;
/// What each begins with.
const SYNC: u8 = 0x47;
/// The id of packets that hold nothing.
const NULL: u16 = 0x1fff;
/// Packets read at once.
const BATCH: usize = 512;
/// Packets in a row that begin as they should, where that was lost.
const SURE: usize = 3;
/// PTS have 33 bits of ticks.
const TICKS: i64 = 90_000;
const WRAP: i64 = 1 << 33;

/// A walk through a file.
#[derive(Debug)]
pub(super) struct MpegTs {
    len: u64,
    at: u64,
    over: bool,
    /// Where the table of streams is.
    map: Option<u16>,
    /// By their ids.
    tracks: BTreeMap<u16, Track>,
    /// The first PTS: all count from it, however they wrap.
    reference: Option<i64>,
    /// Where the last whole packet ends.
    keep: u64,
    /// What lies between packets and is none, from where to where.
    gaps: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Track {
    stream: Stream,
    count: Count,
    /// The frame that is being read.
    frame: Option<Frame>,
}

#[derive(Debug)]
struct Frame {
    /// Where its packets lie.
    packets: Vec<u64>,
    /// Bytes that are still to come, where the frame tells its length.
    left: Option<usize>,
    pts: Option<Nanos>,
    sync: bool,
}

/// A transport packet's header (2.4.3.2).
struct Packet<'a> {
    pid: u16,
    starts: bool,
    sync: bool,
    /// Bytes were added so that what ends here fills the packet.
    stuffed: bool,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let pid = u16::from(bytes.get(1)? & 0x1f) << 8 | u16::from(*bytes.get(2)?);
        let (adapted, paid) = (bytes.get(3)? & 0x20 != 0, bytes.get(3)? & 0x10 != 0);
        let length = if adapted {
            usize::from(*bytes.get(4)?)
        } else {
            0
        };
        let flags = bytes.get(5).copied().filter(|_| length > 0).unwrap_or(0);
        // Flags, PCR and OPCR (2.4.3.4); the other fields are private and may take the rest.
        let needed =
            1 + if flags & 0x10 != 0 { 6 } else { 0 } + if flags & 0x08 != 0 { 6 } else { 0 };
        let others = flags & 0x07 != 0;
        let from = if adapted { 5 + length } else { 4 };
        Some(Self {
            pid,
            starts: bytes.get(1)? & 0x40 != 0,
            sync: flags & 0x40 != 0,
            stuffed: adapted && !others && (length == 0 || length > needed),
            payload: bytes.get(from..).filter(|_| paid).unwrap_or_default(),
        })
    }
}

impl MpegTs {
    pub(super) fn new(len: u64) -> Self {
        Self {
            len,
            at: 0,
            over: false,
            map: None,
            tracks: BTreeMap::new(),
            reference: None,
            keep: 0,
            gaps: Vec::new(),
        }
    }

    pub(super) fn need(&self) -> Option<(u64, usize)> {
        let left = self.len.saturating_sub(self.at);
        let most = (BATCH * PACKET) as u64;
        (!self.over && left >= PACKET as u64).then_some((self.at, left.min(most) as usize))
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.need().is_none_or(|(_, length)| bytes.len() < length) {
            self.over = true;
            return;
        }
        let mut from = 0;
        while let Some(packet) = bytes.get(from..from + PACKET) {
            if packet[0] == SYNC {
                self.packet(packet, self.at + from as u64);
                from += PACKET;
                continue;
            }
            let at_end = self.at + bytes.len() as u64 == self.len;
            from = match resync(bytes, from + 1, at_end) {
                Some(further) => further,
                None if at_end => bytes.len(),
                // The last packets may be the beginning of what follows.
                None => (from + 1).max(bytes.len() - SURE * PACKET),
            };
        }
        self.at += from as u64;
    }

    fn packet(&mut self, bytes: &[u8], at: u64) {
        let Some(packet) = Packet::read(bytes) else {
            return;
        };
        if at > self.keep {
            self.gaps.push((self.keep, at));
        }
        self.keep = at + PACKET as u64;
        if packet.starts && packet.pid == 0 {
            self.map = self.map.or_else(|| map_id(packet.payload));
        } else if packet.starts && Some(packet.pid) == self.map && self.tracks.is_empty() {
            self.tracks = streams(packet.payload).unwrap_or_default();
        } else if let Some(track) = self.tracks.get_mut(&packet.pid) {
            track.packet(&packet, at, &mut self.reference);
        }
    }

    pub(super) fn finish(mut self) -> Result<Mended, MendError> {
        if self.tracks.is_empty() {
            return Err(MendError::NoTracks);
        }
        let mut lost = Vec::new();
        for track in self.tracks.values_mut() {
            let frame = track.frame.take();
            lost.extend(frame.into_iter().flat_map(|frame| frame.packets));
        }
        lost.sort_unstable();
        loop {
            if lost.pop_if(|at| *at + PACKET as u64 == self.keep).is_some() {
                self.keep -= PACKET as u64;
            } else if let Some((from, _)) = self.gaps.pop_if(|(_, to)| *to == self.keep) {
                // At the end of the file a packet might be seen in it that was none before.
                self.keep = from;
            } else {
                break;
            }
        }
        let null = |at: u64| Patch {
            // Sync byte, id without flags, payload without scrambling.
            at,
            bytes: [&[SYNC][..], &NULL.to_be_bytes(), &[0x10]].concat(),
        };
        let tracks = self.tracks.into_values();
        let tracks: Vec<_> = tracks
            .map(|track| track.count.track(track.stream, None))
            .filter(|track| track.frames > 0)
            .collect();
        if tracks.is_empty() {
            return Err(MendError::NoFrame);
        }
        Ok(Mended {
            keep: self.keep,
            patches: lost.into_iter().map(null).collect(),
            tail: Vec::new(),
            tracks,
        })
    }
}

/// Where packets begin again, from `from` on.
fn resync(bytes: &[u8], from: usize, at_end: bool) -> Option<usize> {
    let is_sync = |at: usize| bytes.get(at) == Some(&SYNC);
    let starts = from..=bytes.len().saturating_sub(PACKET);
    let sure = |at: &usize| (0..SURE).all(|n| is_sync(at + n * PACKET));
    let found = starts.clone().find(sure);
    if found.is_some() || !at_end {
        return found;
    }
    // Fewer are left. Those that end with the file are taken first, as those of a mended file do:
    // it must not be read otherwise than the one that was mended.
    let left = |at: &usize| (*at..bytes.len()).step_by(PACKET).all(is_sync);
    let ends = |at: &usize| (bytes.len() - at).is_multiple_of(PACKET);
    let mut last = starts.clone().filter(left);
    last.find(ends).or_else(|| starts.clone().find(left))
}

impl Track {
    fn packet(&mut self, packet: &Packet, at: u64, reference: &mut Option<i64>) {
        if packet.starts {
            // Where the next begins, this one was whole, unless it told its length.
            if self
                .frame
                .as_ref()
                .is_some_and(|frame| frame.left.is_none())
            {
                self.end();
            }
            self.frame = Frame::begin(packet, reference);
        }
        let Some(frame) = &mut self.frame else {
            return;
        };
        frame.packets.push(at);
        let ended = match &mut frame.left {
            Some(left) => {
                *left = left.saturating_sub(packet.payload.len());
                *left == 0
            }
            None => packet.stuffed && !packet.payload.is_empty(),
        };
        if ended {
            self.end();
        }
    }

    /// A frame is whole.
    fn end(&mut self) {
        if let Some(frame) = self.frame.take()
            && let Some(pts) = frame.pts
        {
            self.count.push(pts, frame.sync);
        }
    }
}

impl Frame {
    /// The header of a PES packet (2.4.3.6).
    fn begin(packet: &Packet, reference: &mut Option<i64>) -> Option<Self> {
        let header = packet.payload;
        if header.get(..3)? != [0, 0, 1] {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*header.get(4)?, *header.get(5)?]));
        let pts = (header.get(7)? & 0x80 != 0).then(|| ticks(header.get(9..14)?));
        let pts = pts.flatten().map(|ticks| {
            let reference = *reference.get_or_insert(ticks);
            let since = (ticks - reference + WRAP / 2).rem_euclid(WRAP) - WRAP / 2;
            (reference + since) * (SECOND / 10_000) / (TICKS / 10_000)
        });
        Some(Self {
            packets: Vec::new(),
            left: (length > 0).then_some(length + 6),
            pts,
            sync: packet.sync,
        })
    }
}

/// 33 bits in five bytes, with a marker after each part.
fn ticks(bytes: &[u8]) -> Option<i64> {
    let [a, b, c, d, e] = <[u8; 5]>::try_from(bytes).ok()?.map(i64::from);
    Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

/// The body of the section that begins in a packet, without its header and checksum (2.4.4).
fn section(payload: &[u8], table: u8) -> Option<&[u8]> {
    let section = payload.get(1 + usize::from(*payload.first()?)..)?;
    let length = usize::from(section.get(1)? & 0x0f) << 8 | usize::from(*section.get(2)?);
    let whole = section.get(..3 + length)?;
    (whole[0] == table).then(|| whole.get(8..whole.len().checked_sub(4)?))?
}

/// The first program's table, out of the table of programs (2.4.4.3).
fn map_id(payload: &[u8]) -> Option<u16> {
    let programs = section(payload, 0)?.chunks_exact(4);
    let mut ids = programs.filter(|program| program[..2] != [0, 0]);
    ids.next().map(|program| id(&program[2..]))
}

fn id(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]]) & NULL
}

/// The streams of a program (2.4.4.8), without those that no recording has.
fn streams(payload: &[u8]) -> Option<BTreeMap<u16, Track>> {
    let body = section(payload, 2)?;
    let skipped = usize::from(id(body.get(2..4)?) & 0xfff);
    let mut rest = body.get(4 + skipped..)?;
    let mut tracks = BTreeMap::new();
    while let Some(entry) = rest.get(..5) {
        let length = usize::from(id(&entry[3..]) & 0xfff);
        let described = rest.get(5..5 + length)?;
        if let Some(stream) = stream(entry[0], described) {
            let track = Track {
                stream,
                count: Count::default(),
                frame: None,
            };
            tracks.insert(id(&entry[1..]), track);
        }
        rest = &rest[5 + length..];
    }
    Some(tracks)
}

fn stream(kind: u8, described: &[u8]) -> Option<Stream> {
    match kind {
        0x1b => Some(Stream::new("video", "h264")),
        0x24 => Some(Stream::new("video", "h265")),
        0x0f | 0x11 => Some(Stream::new("audio", "aac")),
        // Private, with a registration descriptor.
        0x06 if described.windows(4).any(|four| four == b"Opus") => {
            Some(Stream::new("audio", "opus"))
        }
        _ => None,
    }
}
