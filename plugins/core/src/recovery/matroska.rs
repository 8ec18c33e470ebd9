//! A Matroska file (RFC 9559) that may end anywhere: what of it is whole.
//!
//! Who writes one does not know how long its segment and its newest cluster will be, and leaves
//! that open until the end. Here is the walk; what to do about it is planned in `segment`.

use super::ebml::{self, Header, LONGEST};
use super::mend::{MendError, Mended};
use super::segment::{Block, Segment};

/// Ids of elements.
pub(super) const EBML: u32 = 0x1a45_dfa3;
pub(super) const SEGMENT: u32 = 0x1853_8067;
pub(super) const SEEK_HEAD: u32 = 0x114d_9b74;
pub(super) const INFO: u32 = 0x1549_a966;
pub(super) const TRACKS: u32 = 0x1654_ae6b;
pub(super) const CLUSTER: u32 = 0x1f43_b675;
pub(super) const CUES: u32 = 0x1c53_bb6b;
const CHAPTERS: u32 = 0x1043_a770;
const ATTACHMENTS: u32 = 0x1941_a469;
const TAGS: u32 = 0x1254_c367;
const VOID: u32 = 0xec;
const CHECKSUM: u32 = 0xbf;
const TIMESTAMP: u32 = 0xe7;
const POSITION: u32 = 0xa7;
const PREVIOUS_SIZE: u32 = 0xab;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const BLOCK_DURATION: u32 = 0x9b;
const REFERENCE: u32 = 0xfb;

/// A head larger than this is damage: it holds no media.
const MAX_HEAD: u64 = 4 << 20;
/// A block tells its track (up to eight bytes), time and flags, and how many frames are laced.
const BLOCK_HEAD: usize = 12;
/// What a cluster begins with: its header and that of its timestamp.
const CLUSTER_HEAD: usize = 2 * LONGEST;
/// Bytes searched at once for the next cluster.
const SEARCHED: usize = 1 << 16;

/// A walk through a file.
#[derive(Debug)]
pub(super) struct Matroska {
    len: u64,
    at: u64,
    stage: Stage,
    segment: Option<Segment>,
    /// The one that is being read.
    cluster: Option<Cluster>,
    /// Of the cluster.
    group: Option<Group>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The header of an element, with the first bytes of its body.
    Header,
    /// The whole body of the element at `at`.
    Body(Header),
    /// The next cluster, as from here on nothing makes sense; where that began.
    Search(u64),
    Over,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Cluster {
    pub(super) at: u64,
    pub(super) header: Header,
    /// Where it ends, if its size is known and lies within the file.
    end: Option<u64>,
    pub(super) timestamp: u64,
    pub(super) blocks: u64,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    end: u64,
    block: Option<Block>,
    duration: Option<u64>,
    refers: bool,
}

impl Matroska {
    pub(super) fn new(len: u64) -> Self {
        Self {
            len,
            at: 0,
            stage: Stage::Header,
            segment: None,
            cluster: None,
            group: None,
        }
    }

    pub(super) fn need(&self) -> Option<(u64, usize)> {
        let most = match self.stage {
            Stage::Header => LONGEST + BLOCK_HEAD,
            Stage::Body(header) => {
                let size = usize::try_from(header.size?).ok()?;
                return Some((self.at + header.header as u64, size));
            }
            Stage::Search(_) => SEARCHED,
            Stage::Over => return None,
        };
        let left = self.len.saturating_sub(self.at);
        (left > 0).then_some((self.at, left.min(most as u64) as usize))
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.need().is_none_or(|(_, length)| bytes.len() < length) {
            self.stage = Stage::Over;
            return;
        }
        match self.stage {
            Stage::Header => self.header(bytes),
            Stage::Body(header) => self.body(&header, bytes),
            Stage::Search(from) => self.search(from, bytes),
            Stage::Over => {}
        }
    }

    fn header(&mut self, bytes: &[u8]) {
        self.leave();
        let read = Header::read(bytes).and_then(|header| {
            let known = match (header.id, header.size) {
                (SEGMENT | CLUSTER, None) => true,
                (SEGMENT | CLUSTER, Some(_)) => true,
                (_, size) => self.end_of(&header, size?)? <= self.limit(),
            };
            known.then_some(header)
        });
        let understood = match read {
            None => None,
            Some(header) if self.segment.is_none() => self.outside(&header),
            Some(header) if self.group.is_some() => self.in_group(&header, bytes),
            Some(header) if self.cluster.is_some() => self.in_cluster(&header, bytes),
            Some(header) => self.in_segment(&header),
        };
        if understood.is_none() {
            self.damage();
        }
    }

    /// Closes what ends here.
    fn leave(&mut self) {
        if let Some(group) = self.group.take_if(|group| group.end <= self.at)
            && let Some(block) = group.block
        {
            self.block(Block {
                duration: group.duration,
                sync: !group.refers,
                ..block
            });
        }
        let at = self.at;
        if let Some(cluster) = self.cluster.take_if(|cluster| cluster.end == Some(at)) {
            self.close(cluster, at);
        }
    }

    fn close(&mut self, cluster: Cluster, end: u64) {
        if let Some(segment) = &mut self.segment {
            segment.close(&cluster, end);
        }
    }

    /// How far an element may reach.
    fn limit(&self) -> u64 {
        let group = self.group.map(|group| group.end);
        let cluster = self.cluster.and_then(|cluster| cluster.end);
        group.or(cluster).unwrap_or(self.len).min(self.len)
    }

    fn end_of(&self, header: &Header, size: u64) -> Option<u64> {
        let body = self.at.checked_add(header.header as u64)?;
        body.checked_add(size)
    }

    /// Goes on behind an element.
    fn skip(&mut self, header: &Header) -> Option<()> {
        self.at = self.end_of(header, header.size?)?;
        Some(())
    }

    fn outside(&mut self, header: &Header) -> Option<()> {
        match header.id {
            SEGMENT => {
                self.segment = Some(Segment::new(self.at, *header));
                self.at += header.header as u64;
                Some(())
            }
            EBML | VOID => self.skip(header),
            _ => None,
        }
    }

    fn in_segment(&mut self, header: &Header) -> Option<()> {
        match header.id {
            CLUSTER => {
                let end = header.size.and_then(|size| self.end_of(header, size));
                self.cluster = Some(Cluster {
                    at: self.at,
                    header: *header,
                    end: end.filter(|end| *end <= self.len),
                    timestamp: 0,
                    blocks: 0,
                });
                self.at += header.header as u64;
                Some(())
            }
            SEEK_HEAD | INFO | TRACKS if header.size? <= MAX_HEAD => {
                self.stage = Stage::Body(*header);
                Some(())
            }
            CUES | CHAPTERS | ATTACHMENTS | TAGS | VOID | CHECKSUM => {
                let at = self.at;
                self.skip(header)?;
                self.segment.as_mut()?.place(header.id, at, self.at);
                Some(())
            }
            _ => None,
        }
    }

    fn in_cluster(&mut self, header: &Header, bytes: &[u8]) -> Option<()> {
        let body = bytes.get(header.header..)?;
        match header.id {
            TIMESTAMP => {
                let number = ebml::uint(body.get(..usize::try_from(header.size?).ok()?)?)?;
                self.cluster.as_mut()?.timestamp = number;
            }
            SIMPLE_BLOCK => {
                let block = self.read_block(header, body)?;
                self.skip(header)?;
                self.block(block);
                return Some(());
            }
            BLOCK_GROUP => {
                self.group = Some(Group {
                    end: self.end_of(header, header.size?)?,
                    block: None,
                    duration: None,
                    refers: false,
                });
                self.at += header.header as u64;
                return Some(());
            }
            POSITION | PREVIOUS_SIZE | VOID | CHECKSUM => {}
            // Whoever wrote it did not know where the cluster would end: here.
            CLUSTER | CUES | CHAPTERS | ATTACHMENTS | TAGS | SEEK_HEAD | INFO | TRACKS
                if self.cluster?.end.is_none() && self.cluster?.blocks > 0 =>
            {
                let cluster = self.cluster.take()?;
                self.close(cluster, self.at);
                return self.in_segment(header);
            }
            _ => return None,
        }
        self.skip(header)
    }

    fn in_group(&mut self, header: &Header, bytes: &[u8]) -> Option<()> {
        let body = bytes.get(header.header..)?;
        let number = || ebml::uint(body.get(..usize::try_from(header.size?).ok()?)?);
        match header.id {
            BLOCK => {
                let block = self.read_block(header, body)?;
                self.group.as_mut()?.block = Some(block);
            }
            BLOCK_DURATION => self.group.as_mut()?.duration = number(),
            REFERENCE => self.group.as_mut()?.refers = true,
            // Such as additions and padding.
            _ => {}
        }
        self.skip(header)
    }

    /// What a block tells before its frames (RFC 9559, 10).
    fn read_block(&self, header: &Header, body: &[u8]) -> Option<Block> {
        let (track, width) = ebml::vint(body)?;
        let rest = body.get(width..)?;
        let [high, low, flags] = *rest.get(..3)? else {
            return None;
        };
        let laced = flags & 0x06 != 0;
        let frames = 1 + if laced { u64::from(*rest.get(3)?) } else { 0 };
        let offset = i64::from(i16::from_be_bytes([high, low]));
        let known = self.segment.as_ref()?.has(track?);
        let whole = header.size? > width as u64 + 3;
        (known && whole).then_some(Block {
            track: track?,
            time: i64::try_from(self.cluster?.timestamp)
                .ok()?
                .checked_add(offset)?,
            duration: None,
            sync: flags & 0x80 != 0,
            frames,
        })
    }

    /// A block is whole, and ends where we are.
    fn block(&mut self, block: Block) {
        if let (Some(cluster), Some(segment)) = (&mut self.cluster, &mut self.segment) {
            cluster.blocks += 1;
            segment.block(&block, cluster, self.at);
        }
    }

    fn body(&mut self, header: &Header, bytes: &[u8]) {
        let (at, body) = (self.at, self.at + header.header as u64);
        self.stage = Stage::Header;
        self.at = body + bytes.len() as u64;
        let Some(segment) = &mut self.segment else {
            return;
        };
        match header.id {
            SEEK_HEAD => segment.seek_head(bytes, body),
            INFO => segment.info(bytes, body),
            _ => segment.tracks(bytes),
        }
        segment.place(header.id, at, self.at);
    }

    /// Here is no element: the file was cut, or a byte of it is not what was written.
    fn damage(&mut self) {
        self.group = None;
        // Of a cluster that holds nothing nothing need stay.
        let from = match self.cluster.take() {
            Some(cluster) if cluster.blocks > 0 => {
                self.close(cluster, self.at);
                self.at
            }
            Some(cluster) => cluster.at,
            None => self.at,
        };
        // What is damaged before the segment may be anything; a cluster of ours is none then.
        let is_ours = self.segment.is_some();
        self.stage = if is_ours {
            Stage::Search(from)
        } else {
            Stage::Over
        };
        self.at += 1;
    }

    fn search(&mut self, from: u64, bytes: &[u8]) {
        let found = (0..bytes.len()).find(|at| begins_cluster(&bytes[*at..]));
        let at_end = self.at + bytes.len() as u64 == self.len;
        match found {
            Some(at) => {
                self.at += at as u64;
                self.stage = Stage::Header;
                if let Some(segment) = &mut self.segment {
                    segment.hole(from, self.at);
                }
            }
            None if at_end => self.stage = Stage::Over,
            None => self.at += (bytes.len() - CLUSTER_HEAD) as u64,
        }
    }

    pub(super) fn finish(mut self) -> Result<Mended, MendError> {
        self.leave();
        if let Some(cluster) = self.cluster.take() {
            self.close(cluster, self.at);
        }
        self.segment.ok_or(MendError::NoTracks)?.finish(self.len)
    }
}

/// Whether a cluster begins here, with its timestamp.
fn begins_cluster(bytes: &[u8]) -> bool {
    let header = Header::read(bytes).filter(|header| header.id == CLUSTER);
    header.is_some_and(|header| {
        let first = bytes.get(header.header..).and_then(Header::read);
        first.is_some_and(|first| first.id == TIMESTAMP && first.size.is_some_and(|size| size <= 8))
    })
}
