//! The MCAP file: which messages each channel has, when they were logged, and where they stand.
//!
//! Belongs here: records and chunks, whatever messages mean. The whole file is gone through once,
//! by record headers and the message indexes behind each chunk, so that neither the summary at
//! the end, which a recorder that lost power never wrote, nor reading all pictures is needed.
//! Of records only those fields are read that are asked for, none beyond its record's end: lengths
//! are the file's own words, and memory is taken for no more than is there.
//! Format: <https://mcap.dev/spec>.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use mcap::McapError;
use mcap::records::op;
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};

use super::error::SvoError;

const MAGIC: [u8; 8] = *b"\x89MCAP0\r\n";
/// Bytes of a record's code and length.
const FRONT: u64 = 9;
/// Bytes of a message in front of its data: channel, sequence, two times.
const MESSAGE_FRONT: u64 = 22;
/// Bytes of a message or an unpacked chunk, at most: more than a raw picture of both eyes of the
/// largest camera. What claims to be longer is damaged.
const LONGEST: u64 = 64 << 20;
/// No chunk is so numbered: the message stands in the file as it is.
const PLAIN: u32 = u32::MAX;

/// Where a message is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// When it was logged, in ns since 1970.
    pub time: u64,
    /// Of `Container::packed`, or `PLAIN`.
    chunk: u32,
    /// Of its record, in the unpacked chunk or in the file.
    at: u64,
}

#[derive(Debug, Default)]
pub(super) struct Channel {
    pub topic: String,
    /// In the order of the file.
    pub entries: Vec<Entry>,
}

/// A record: its code, and where its body begins and would end.
#[derive(Clone, Copy)]
struct Record {
    code: u8,
    body: u64,
    end: u64,
}

/// A chunk, by places in the file: its own record, and the records stored in it.
#[derive(Clone, Copy)]
struct Chunk {
    record: u64,
    data: u64,
    end: u64,
    compressed: bool,
}

/// What an index says of a message: when it was logged, and where in the chunk its record stands.
#[derive(Clone, Copy)]
struct Place {
    time: u64,
    offset: u64,
}

/// What the indexes behind a chunk say, by channel.
type Indexes = BTreeMap<u16, Vec<Place>>;

pub(super) struct Container<R> {
    file: R,
    length: u64,
    /// Whether the writer came to its end.
    pub whole: bool,
    pub channels: BTreeMap<u16, Channel>,
    /// The compressed chunks.
    packed: Vec<Chunk>,
    /// The one that was unpacked last.
    unpacked: Option<(u32, Vec<u8>)>,
}

impl<R: Read + Seek> Container<R> {
    pub(super) fn open(mut file: R) -> Result<Self, SvoError> {
        let length = file.seek(SeekFrom::End(0))?;
        let start = bytes(&mut file, 0, length.min(MAGIC.len() as u64))?;
        if start != MAGIC {
            let words = match start.is_empty() {
                true => "nothing".into(),
                false => format!("\"{}\"", start.escape_ascii()),
            };
            return Err(SvoError::NoMcap(words));
        }
        let mut container = Self {
            file,
            length,
            whole: false,
            channels: BTreeMap::new(),
            packed: Vec::new(),
            unpacked: None,
        };
        container.list()?;
        Ok(container)
    }

    /// Goes through the records of the file.
    fn list(&mut self) -> Result<(), SvoError> {
        let mut at = MAGIC.len() as u64;
        let mut last: Option<(Chunk, Indexes)> = None;
        while let Some(record) = front(&mut self.file, at, self.length)? {
            let complete = record.end <= self.length;
            if record.code == op::MESSAGE_INDEX
                && complete
                && let Some((_, indexes)) = &mut last
            {
                let body = bytes(&mut self.file, record.body, record.end - record.body)?;
                indexes.extend(index(&body));
            } else {
                self.settle(last.take())?;
                match record.code {
                    op::DATA_END | op::FOOTER => {
                        self.whole = true;
                        return Ok(());
                    }
                    op::CHUNK => last = self.chunk(record)?.map(|chunk| (chunk, Indexes::new())),
                    _ if complete => {
                        note(&mut self.channels, &mut self.file, (at, record.end), PLAIN)?;
                    }
                    _ => {}
                }
            }
            at = record.end;
        }
        self.settle(last)
    }

    /// The head of a chunk; nothing where the file ends in it.
    fn chunk(&mut self, record: Record) -> Result<Option<Chunk>, SvoError> {
        // Two times, the unpacked size and a checksum; the compression's name and the size follow.
        const FIXED: u64 = 28;
        let end = record.end.min(self.length);
        let room = end.saturating_sub(record.body);
        if room < FIXED + 4 {
            return Ok(None);
        }
        let name = number(&bytes(&mut self.file, record.body + FIXED, 4)?);
        let head = FIXED + 4 + name + 8;
        if head > room {
            return Ok(None);
        }
        let stored = number(&bytes(&mut self.file, record.body + head - 8, 8)?);
        let data = record.body + head;
        Ok(Some(Chunk {
            record: record.body - FRONT,
            data,
            end: data.saturating_add(stored).min(end),
            compressed: name > 0,
        }))
    }

    /// Takes over a chunk's messages: by its indexes, where these speak of known channels alone,
    /// else by going through it.
    fn settle(&mut self, chunk: Option<(Chunk, Indexes)>) -> Result<(), SvoError> {
        let Some((chunk, indexes)) = chunk else {
            return Ok(());
        };
        let (number, base) = match chunk.compressed {
            true => (self.packed.len() as u32, 0),
            false => (PLAIN, chunk.data),
        };
        let span = (chunk.data, chunk.end);
        if chunk.compressed {
            self.packed.push(chunk);
        }
        let known = indexes.keys().all(|id| self.channels.contains_key(id));
        if !indexes.is_empty() && known {
            for (id, mut places) in indexes {
                places.sort_by_key(|place| place.offset);
                let entries = places.into_iter().map(|place| Entry {
                    time: place.time,
                    chunk: number,
                    at: base.saturating_add(place.offset),
                });
                self.channels.entry(id).or_default().entries.extend(entries);
            }
        } else if number == PLAIN {
            note(&mut self.channels, &mut self.file, span, PLAIN)?;
        } else {
            let records = self.unpack(number)?;
            let span = (0, records.len() as u64);
            note(&mut self.channels, &mut Cursor::new(&records), span, number)?;
            self.unpacked = Some((number, records));
        }
        Ok(())
    }

    /// The records of a compressed chunk; of one that is cut off or damaged, those before that.
    fn unpack(&mut self, number: u32) -> Result<Vec<u8>, SvoError> {
        let Chunk { record, end, .. } = self.packed[number as usize];
        let packed = bytes(&mut self.file, record, end - record)?;
        let options = LinearReaderOptions::default()
            .with_skip_start_magic(true)
            .with_skip_end_magic(true)
            .with_record_length_limit(LONGEST as usize);
        let mut reader = LinearReader::new_with_options(options);
        let (mut rest, mut records) = (packed.as_slice(), Vec::new());
        while let Some(event) = reader.next_event() {
            match event {
                Ok(LinearReadEvent::ReadRequest(wanted)) => {
                    let (now, later) = rest.split_at(wanted.min(rest.len()));
                    reader.insert(now.len()).copy_from_slice(now);
                    reader.notify_read(now.len());
                    rest = later;
                }
                Ok(LinearReadEvent::Record { data, opcode }) => {
                    if (records.len() + data.len()) as u64 > LONGEST {
                        break;
                    }
                    records.push(opcode);
                    records.extend((data.len() as u64).to_le_bytes());
                    records.extend(data);
                }
                Err(McapError::UnsupportedCompression(name)) => {
                    return Err(SvoError::Compression(name));
                }
                Err(_) => break,
            }
        }
        Ok(records)
    }

    /// A message's data; `channel` is whose it has to be.
    pub(super) fn read(&mut self, channel: u16, entry: Entry) -> Result<Vec<u8>, SvoError> {
        let found = match entry.chunk {
            PLAIN => message(&mut self.file, entry.at, self.length)?,
            number => {
                let records = match self.unpacked.take() {
                    Some((held, records)) if held == number => records,
                    _ => self.unpack(number)?,
                };
                let length = records.len() as u64;
                let found = message(&mut Cursor::new(&records), entry.at, length)?;
                self.unpacked = Some((number, records));
                found
            }
        };
        match found {
            Some((id, data)) if id == channel => Ok(data),
            _ => Err(SvoError::Damaged {
                at: match entry.chunk {
                    PLAIN => entry.at,
                    number => self.packed[number as usize].record,
                },
                what: "the message that its index names is not there",
            }),
        }
    }
}

/// Notes the channels and messages whose records stand between two places, of a file or of an
/// unpacked chunk. What is broken is passed over.
fn note<F: Read + Seek>(
    channels: &mut BTreeMap<u16, Channel>,
    file: &mut F,
    (mut at, end): (u64, u64),
    chunk: u32,
) -> io::Result<()> {
    while let Some(record) = front(file, at, end)?
        && record.end <= end
    {
        let length = match record.code {
            op::MESSAGE => MESSAGE_FRONT.min(record.end - record.body),
            op::CHANNEL => record.end - record.body,
            _ => 0,
        };
        let body = bytes(file, record.body, length)?;
        match record.code {
            op::CHANNEL => {
                if let Some((id, topic)) = channel(&body) {
                    channels.entry(id).or_default().topic = topic;
                }
            }
            op::MESSAGE => {
                if let Some((id, time)) = logged(&body) {
                    let entries = &mut channels.entry(id).or_default().entries;
                    entries.push(Entry { time, chunk, at });
                }
            }
            _ => {}
        }
        at = record.end;
    }
    Ok(())
}

/// The id and topic of a channel; the id of its schema stands between them.
fn channel(body: &[u8]) -> Option<(u16, String)> {
    let (front, rest) = body.split_at_checked(8)?;
    let topic = rest.get(..number(&front[4..]) as usize)?;
    let topic = String::from_utf8(topic.to_vec()).ok()?;
    Some((id(front), topic))
}

/// A message's channel and when it was logged; its sequence stands between them.
fn logged(body: &[u8]) -> Option<(u16, u64)> {
    let front = body.get(..MESSAGE_FRONT as usize)?;
    Some((id(front), number(&front[6..14])))
}

/// The channel that an index is about, and where that one's messages are.
fn index(body: &[u8]) -> Option<(u16, Vec<Place>)> {
    let (front, rest) = body.split_at_checked(6)?;
    let places = rest.get(..number(&front[2..]) as usize)?;
    let places = places.chunks_exact(16).map(|place| Place {
        time: number(&place[..8]),
        offset: number(&place[8..]),
    });
    Some((id(front), places.collect()))
}

/// The channel's number at the beginning of a body.
fn id(body: &[u8]) -> u16 {
    u16::from_le_bytes([body[0], body[1]])
}

/// The channel and data of the message whose record stands there.
fn message<F: Read + Seek>(file: &mut F, at: u64, end: u64) -> io::Result<Option<(u16, Vec<u8>)>> {
    let record = match front(file, at, end)? {
        Some(record) if record.code == op::MESSAGE && record.end <= end => record,
        _ => return Ok(None),
    };
    let length = record.end - record.body;
    if !(MESSAGE_FRONT..=LONGEST).contains(&length) {
        return Ok(None);
    }
    let mut body = bytes(file, record.body, length)?;
    let data = body.split_off(MESSAGE_FRONT as usize);
    Ok(Some((id(&body), data)))
}

/// The front of the record at a place; nothing where it would reach over the end.
fn front<F: Read + Seek>(file: &mut F, at: u64, end: u64) -> io::Result<Option<Record>> {
    let body = at.saturating_add(FRONT);
    if body > end {
        return Ok(None);
    }
    let front = bytes(file, at, FRONT)?;
    Ok(Some(Record {
        code: front[0],
        body,
        end: body.saturating_add(number(&front[1..])),
    }))
}

/// Bytes that are known to be there.
fn bytes<F: Read + Seek>(file: &mut F, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A little-endian number of eight bytes at most.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
