//! Pictures from a video node, by the kernel's streaming of mapped buffers.
//!
//! Belongs here: the order of V4L2's calls, torn pictures, and the time of a picture. What is in a
//! picture stands in `modes`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::device::{
    Buffer, Capability, ControlValue, Format, Mapping, Node, RequestBuffers, StreamParameters,
    Turn, monotonic,
};
use super::error::UvcError;
use super::modes::Mode;
use super::unit::Transport;

const CAPTURE: u32 = 1;
const MEMORY_MAP: u32 = 1;
const YUYV: u32 = u32::from_le_bytes(*b"YUYV");
const CAN_CAPTURE: u32 = 0x1;
const CAN_STREAM: u32 = 0x0400_0000;
const HAS_DEVICE_CAPS: u32 = 0x8000_0000;
const DAMAGED: u32 = 0x40;
/// One is filled, one waits, one is read, and one more for a hiccup.
const BUFFERS: u32 = 4;

/// A video node that is open.
#[derive(Debug)]
pub struct Video {
    node: Node,
    path: PathBuf,
}

/// A video node that sends pictures.
#[derive(Debug)]
pub struct Capture {
    /// Before the node: mappings end before their device is closed.
    buffers: Vec<Mapping>,
    video: Video,
    bytes: usize,
    stride: usize,
    /// Pictures that were torn, damaged or replaced by newer ones.
    lost: u64,
    last: Option<u32>,
    /// The last look found stale pictures alone; never twice in a row, so that pictures go on.
    passed_over: bool,
}

/// What a look for pictures found.
pub enum Look<R> {
    /// Nothing that could be shown.
    Nothing,
    /// Pictures from before anyone came for them: the camera is there, and the next comes soon.
    Stale,
    Picture(R),
}

/// A picture in the device's memory.
pub struct Picture<'a> {
    pub bytes: &'a [u8],
    pub stride: usize,
    /// ns since 1970.
    pub captured: u64,
}

impl Video {
    pub fn open(path: &Path) -> Result<Self, UvcError> {
        let node = Node::open(path).map_err(|cause| UvcError::Open {
            node: path.to_owned(),
            cause,
        })?;
        let video = Self {
            node,
            path: path.to_owned(),
        };
        let mut capability = Capability::default();
        video.ask("asking what it can do", &mut capability)?;
        let can = match capability.capabilities & HAS_DEVICE_CAPS {
            0 => capability.capabilities,
            _ => capability.device_caps,
        };
        if can & CAN_CAPTURE == 0 || can & CAN_STREAM == 0 {
            return Err(UvcError::NoCapture { node: video.path });
        }
        Ok(video)
    }

    fn fault(&self, what: &'static str) -> impl Fn(io::Error) -> UvcError {
        let node = self.path.clone();
        move |cause| UvcError::Call {
            node: node.clone(),
            what,
            cause,
        }
    }

    fn ask<T: super::device::Exchange>(
        &self,
        what: &'static str,
        value: &mut T,
    ) -> Result<(), UvcError> {
        self.node.exchange(value).map_err(self.fault(what))
    }

    /// Sets one of the standard controls.
    pub fn set_control(&self, id: u32, value: i32) -> Result<(), UvcError> {
        self.ask("setting a control", &mut ControlValue { id, value })
    }

    /// Begins to send pictures of that mode.
    pub fn start(self, mode: Mode) -> Result<Capture, UvcError> {
        let (width, height) = (2 * mode.width, mode.height);
        let mut format = Format {
            kind: CAPTURE,
            width,
            height,
            pixel_format: YUYV,
            field: 1,
            ..Format::default()
        };
        self.ask("setting the picture's size", &mut format)?;
        if (format.width, format.height, format.pixel_format) != (width, height, YUYV) {
            return Err(UvcError::Format {
                node: self.path,
                width: format.width,
                height: format.height,
                wanted: format!("{width}x{height} in YUYV"),
            });
        }
        let mut parameters = StreamParameters {
            kind: CAPTURE,
            numerator: 1,
            denominator: mode.fps,
            ..StreamParameters::default()
        };
        self.ask("setting the frame rate", &mut parameters)?;
        let mut request = RequestBuffers {
            count: BUFFERS,
            kind: CAPTURE,
            memory: MEMORY_MAP,
            ..RequestBuffers::default()
        };
        self.ask("asking for buffers", &mut request)?;
        let stride = (format.bytes_per_line as usize).max(2 * width as usize);
        let mut capture = Capture {
            buffers: Vec::new(),
            bytes: stride * (height as usize - 1) + 2 * width as usize,
            stride,
            lost: 0,
            passed_over: false,
            last: None,
            video: self,
        };
        for index in 0..request.count {
            capture.add_buffer(index)?;
        }
        let on = capture.video.node.stream(true, CAPTURE as i32);
        on.map_err(capture.video.fault("starting to stream"))?;
        Ok(capture)
    }
}

/// Which buffer, for a request that fills in the rest.
fn buffer(index: u32) -> Buffer {
    Buffer {
        index,
        kind: CAPTURE,
        memory: MEMORY_MAP,
        ..Buffer::default()
    }
}

/// What has to be added to the kernel's time to have it since 1970, in ns: until the wall clock is
/// set, so it is asked for with each picture.
fn epoch() -> u64 {
    let look = || {
        let before = monotonic();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let wall = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        (monotonic() - before, wall.saturating_sub(before))
    };
    // Of three looks one is not interrupted between the two clocks.
    let looks = [look(), look(), look()];
    let closest = looks.into_iter().min_by_key(|(apart, _)| *apart);
    closest.map_or(0, |(_, epoch)| epoch)
}

impl Capture {
    fn add_buffer(&mut self, index: u32) -> Result<(), UvcError> {
        let mut found = buffer(index);
        self.video.ask("asking for a buffer", &mut found)?;
        let mapping = self.video.node.map(found.offset, found.length as usize);
        let mapping = mapping.map_err(self.video.fault("mapping a buffer"))?;
        self.buffers.push(mapping);
        self.give(index)
    }

    fn give(&self, index: u32) -> Result<(), UvcError> {
        let given = self.video.node.turn(Turn::Give, &mut buffer(index));
        given.map_err(self.video.fault("giving a buffer back"))
    }

    /// Takes a filled buffer, if there is one.
    fn take(&self) -> Result<Option<Buffer>, UvcError> {
        let mut taken = buffer(0);
        match self.video.node.turn(Turn::Take, &mut taken) {
            Ok(()) => Ok(Some(taken)),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(err) => Err(self.video.fault("taking a picture")(err)),
        }
    }

    /// The whole picture in a buffer that was taken, or nothing if it is torn.
    fn whole(&self, taken: &Buffer) -> Option<&[u8]> {
        let bytes = self.buffers.get(taken.index as usize)?.bytes();
        let used = (taken.bytes_used as usize).min(bytes.len());
        (taken.flags & DAMAGED == 0 && used >= self.bytes).then_some(&bytes[..used])
    }

    /// Waits up to `most` for a picture and lets `read` have the newest one.
    ///
    /// # Errors
    ///
    /// What the system says; [`UvcError::is_gone`] tells whether the camera has been unplugged.
    pub fn next<R>(
        &mut self,
        most: Duration,
        read: impl FnOnce(Picture<'_>) -> R,
    ) -> Result<Look<R>, UvcError> {
        let ready = self.video.node.wait(most);
        if !ready.map_err(self.video.fault("waiting for a picture"))? {
            return Ok(Look::Nothing);
        }
        let mut newest: Option<Buffer> = None;
        let mut filled = 0;
        while let Some(taken) = self.take()? {
            filled += 1;
            let old = if self.whole(&taken).is_some() {
                newest.replace(taken)
            } else {
                Some(taken)
            };
            if let Some(old) = old {
                self.give(old.index)?;
            }
        }
        let Some(newest) = newest else {
            return Ok(Look::Nothing);
        };
        // The kernel fills buffers as long as it has any: where it had none left, nobody came for
        // a while, the newest is as old as that, and the next comes soon.
        let stale = filled == self.buffers.len() && !self.passed_over;
        self.passed_over = stale;
        if stale {
            self.give(newest.index)?;
            return Ok(Look::Stale);
        }
        // The kernel counts every picture, also those that it had no buffer for.
        let missed = self.last.map_or(0, |last| {
            newest.sequence.wrapping_sub(last).saturating_sub(1)
        });
        self.lost += u64::from(missed.min(1000));
        self.last = Some(newest.sequence);
        let seconds = u64::try_from(newest.seconds).unwrap_or(0);
        let micros = u64::try_from(newest.microseconds).unwrap_or(0);
        let captured = epoch() + seconds * 1_000_000_000 + micros * 1000;
        let (stride, bytes) = (self.stride, self.whole(&newest));
        let result = bytes.map(|bytes| {
            read(Picture {
                bytes,
                stride,
                captured,
            })
        });
        self.give(newest.index)?;
        Ok(result.map_or(Look::Nothing, Look::Picture))
    }

    pub fn lost(&self) -> u64 {
        self.lost
    }

    pub fn video(&self) -> &Video {
        &self.video
    }

    pub fn path(&self) -> &Path {
        &self.video.path
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // A camera that has gone cannot stop streaming, which is what is wanted.
        let _ = self.video.node.stream(false, CAPTURE as i32);
    }
}

impl Transport for &Video {
    fn query(&mut self, query: u8, data: &mut [u8]) -> io::Result<()> {
        self.node.unit(query, data)
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}
