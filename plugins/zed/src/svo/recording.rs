//! A recording: its pictures by number and by time, and what the camera felt beside each.

use std::io::{Read, Seek};

use super::container::{Channel, Container, Entry};
use super::error::SvoError;
use super::header::Header;
use super::message::{Encoding, Message};
use super::sensors::Sensed;
use super::strips::{Yuyv, decode};

/// How many pictures from the beginning are asked for their codec: more than lie between two key
/// pictures of any camera.
const ASKED: usize = 1000;
/// What is assumed of one picture in a file that does not tell.
const FPS: u32 = 30;
/// No picture is taken later, in ns since 1970: that is in the year 2262, and times that are added
/// to such a one fit.
const LATEST: u64 = i64::MAX as u64;
/// No camera takes more pictures a second.
const MOST_FPS: u32 = 1000;

/// What holds for the whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// Of the camera.
    pub serial: u32,
    pub encoding: Encoding,
    pub fps: u32,
    /// ns since 1970 of the first picture.
    pub start: u64,
    pub frames: usize,
    /// False where the file is cut off: its writer never came to its end.
    pub whole: bool,
    pub header: Header,
}

/// What a picture is.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// An access unit with start codes.
    Encoded(Vec<u8>),
    Raw(Yuyv),
}

/// A file that is open.
pub struct Recording<R> {
    container: Container<R>,
    channel: u16,
    frames: Vec<Entry>,
    sensors: u16,
    /// Ordered by time.
    samples: Vec<Entry>,
    info: Info,
}

/// The serial number in `Camera_SN<serial>/<what>`.
fn serial(topic: &str, what: &str) -> Option<u32> {
    let (camera, found) = topic.split_once('/')?;
    let serial = camera.strip_prefix("Camera_SN")?.parse().ok()?;
    (found == what).then_some(serial)
}

fn take<R>(container: &mut Container<R>, wanted: &str) -> (u16, Vec<Entry>) {
    let mut channels = container.channels.iter_mut();
    let found = channels.find(|(_, channel)| channel.topic == wanted);
    found.map_or_else(Default::default, |(id, channel)| {
        (*id, std::mem::take(&mut channel.entries))
    })
}

/// Which camera's pictures are played.
fn choose<'a>(
    channels: impl Iterator<Item = &'a Channel>,
    wanted: Option<u32>,
) -> Result<u32, SvoError> {
    let topics: Vec<_> = channels.map(|channel| channel.topic.as_str()).collect();
    let serials: Vec<_> = topics
        .iter()
        .filter_map(|topic| serial(topic, "side_by_side"))
        .collect();
    let Some(first) = serials.first() else {
        return Err(SvoError::NoCamera(match topics.is_empty() {
            true => "no topics".into(),
            false => topics.join(", "),
        }));
    };
    match wanted {
        None => Ok(*first),
        Some(wanted) if serials.contains(&wanted) => Ok(wanted),
        Some(serial) => {
            let found: Vec<_> = serials.iter().map(u32::to_string).collect();
            let found = found.join(", ");
            Err(SvoError::OtherCamera { serial, found })
        }
    }
}

/// Pictures a second, by the time that mostly lies between two.
fn rate(frames: &[Entry]) -> Option<u32> {
    let mut gaps: Vec<_> = frames
        .windows(2)
        .map(|pair| pair[1].time.saturating_sub(pair[0].time))
        .collect();
    gaps.sort_unstable();
    let gap = *gaps.get(gaps.len() / 2)?;
    let rate = 1_000_000_000u64.checked_add(gap / 2)?.checked_div(gap)?;
    u32::try_from(rate)
        .ok()
        .filter(|rate| (1..=MOST_FPS).contains(rate))
}

impl<R: Read + Seek> Recording<R> {
    /// Opens a file: lists its messages and looks at its first pictures. Of several cameras' the
    /// pictures of `camera` are played, or the first one's.
    ///
    /// # Errors
    /// What was found that is not as expected of an SVO2 file.
    pub fn open(file: R, camera: Option<u32>) -> Result<Self, SvoError> {
        let mut container = Container::open(file)?;
        let serial = choose(container.channels.values(), camera)?;
        let (id, entries) = take(&mut container, "svo_header");
        let header = match entries.first() {
            Some(entry) => Header::parse(&container.read(id, *entry)?),
            None => Header::default(),
        };
        let (sensors, mut samples) = take(&mut container, &format!("Camera_SN{serial}/sensors"));
        samples.sort_by_key(|sample| sample.time);
        let topic = format!("Camera_SN{serial}/side_by_side");
        let (channel, frames) = take(&mut container, &topic);
        let first = *frames.first().ok_or(SvoError::Empty)?;
        if let Some(number) = frames.iter().position(|entry| entry.time > LATEST) {
            let time = frames[number].time;
            return Err(SvoError::Time { number, time });
        }
        let mut encoding = None;
        for entry in frames.iter().take(ASKED) {
            let data = container.read(channel, *entry)?;
            encoding = Message::parse(&data)?.encoding();
            if encoding.is_some() {
                break;
            }
        }
        let said = header.fps.filter(|fps| *fps <= MOST_FPS);
        let unknown = || SvoError::Encoding("a stream without the parameters of its codec".into());
        let info = Info {
            serial,
            encoding: encoding.ok_or_else(unknown)?,
            fps: rate(&frames).or(said).unwrap_or(FPS),
            start: first.time,
            frames: frames.len(),
            whole: container.whole,
            header,
        };
        Ok(Self {
            container,
            channel,
            frames,
            sensors,
            samples,
            info,
        })
    }

    pub fn info(&self) -> &Info {
        &self.info
    }

    /// When that picture was taken, in ns since 1970.
    pub fn captured(&self, number: usize) -> Option<u64> {
        self.frames.get(number).map(|entry| entry.time)
    }

    /// The picture that is seen so many ns after the first: the last that was taken by then.
    pub fn at(&self, time: u64) -> usize {
        let time = self.info.start.saturating_add(time);
        let number = self.frames.iter().rposition(|entry| entry.time <= time);
        number.unwrap_or(0)
    }

    /// The picture from which on has to be decoded to see picture `number`.
    ///
    /// # Errors
    /// What was found in between that is not as expected.
    pub fn key_before(&mut self, number: usize) -> Result<usize, SvoError> {
        let encoding = self.info.encoding;
        for earlier in (0..=number.min(self.frames.len() - 1)).rev() {
            let data = self.container.read(self.channel, self.frames[earlier])?;
            if message(earlier, &data, encoding)?.is_key(encoding) {
                return Ok(earlier);
            }
        }
        Ok(0)
    }

    /// The picture; nothing behind the last.
    ///
    /// # Errors
    /// What was found there that is not as expected.
    pub fn picture(&mut self, number: usize) -> Result<Option<Picture>, SvoError> {
        let Some(entry) = self.frames.get(number) else {
            return Ok(None);
        };
        let data = self.container.read(self.channel, *entry)?;
        Ok(Some(match message(number, &data, self.info.encoding)? {
            Message::Unit(unit) => Picture::Encoded(unit.to_vec()),
            Message::Strips(strips) => {
                let raw = decode(strips).map_err(|found| SvoError::Picture { number, found })?;
                Picture::Raw(raw)
            }
        }))
    }

    /// What the camera felt last when that picture was taken, where the file says so in a way that
    /// is known.
    ///
    /// # Errors
    /// What was found instead of the message.
    pub fn sensed(&mut self, number: usize) -> Result<Option<Sensed>, SvoError> {
        let Some(time) = self.captured(number) else {
            return Ok(None);
        };
        let behind = self.samples.partition_point(|sample| sample.time <= time);
        let Some(sample) = behind.checked_sub(1).map(|last| self.samples[last]) else {
            return Ok(None);
        };
        let data = self.container.read(self.sensors, sample)?;
        Ok(Sensed::parse(&data))
    }
}

/// A message that has to be encoded like the first.
fn message(number: usize, data: &[u8], encoding: Encoding) -> Result<Message<'_>, SvoError> {
    let message = Message::parse(data)?;
    match message.encoding() {
        Some(found) if found != encoding => Err(SvoError::Picture {
            number,
            found: format!("{found:?} and not {encoding:?}"),
        }),
        _ => Ok(message),
    }
}
