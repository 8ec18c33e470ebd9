//! A session: a descriptor from either side, then pictures out and inferences back.
//!
//! Messages are numbered from 1 in each direction and say which of the other side's they answer. A
//! picture's memory is free once its message is acknowledged, with the answer or before it; an
//! acknowledgement alone is no answer, since the contract lets a server send both apart.

use std::collections::BTreeMap;

use super::super::{RawFormat, RemoteError};
use super::slots::Slots;
use super::wire::{
    Content, ContentBytes, ContentReference, Dimensions, Encoding, GraphIdentifier, Inference,
    MediaDescriptor, MediaSample, MediaStreamDescriptor, MediaStreamMessage, Payload, PixelFormat,
    SharedMemory, StreamIdentifier, VideoFrameSampleFormat,
};
use crate::time::{Nanos, SECOND};

/// Units of a sample's time in a second, as video has them everywhere.
const TIMESCALE: u32 = 90_000;

/// More inferences than this are no answer to one picture.
const MOST: usize = 10_000;

/// A running time as a sample's time; a lead-in's, which is negative, is 0.
pub fn timestamp(time: Option<Nanos>) -> u64 {
    let time = u64::try_from(time.unwrap_or(0)).unwrap_or(0);
    let ticks = u128::from(time) * u128::from(TIMESCALE) / SECOND as u128;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// How pictures are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the formats")]
pub enum PictureFormat {
    Jpeg,
    Png,
    Bmp,
    Raw(RawFormat),
}

/// What a session is told of at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The pipeline's name.
    pub pipeline: String,
    /// The element's name.
    pub element: String,
    /// What the user has to say to the server.
    pub configuration: String,
    /// Of the pictures.
    pub format: PictureFormat,
    /// Of the pictures, width and height in pixels.
    pub size: (usize, usize),
    /// Name and bytes of the memory that they lie in; `None` sends them in the messages.
    pub shared_memory: Option<(String, u64)>,
}

impl Description {
    fn message(&self) -> MediaStreamDescriptor {
        let (width, height) = self.size;
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let (encoding, layout) = match self.format {
            PictureFormat::Jpeg => (Encoding::Jpg, None),
            PictureFormat::Png => (Encoding::Png, None),
            PictureFormat::Bmp => (Encoding::Bmp, None),
            PictureFormat::Raw(format) => (Encoding::Raw, Some(layout(format))),
        };
        let (pixel_format, bytes) = layout.unwrap_or((PixelFormat::None, 0));
        let format = VideoFrameSampleFormat {
            encoding: encoding.into(),
            pixel_format: pixel_format.into(),
            dimensions: Some(Dimensions {
                width: side(width),
                height: side(height),
            }),
            stride_bytes: side(width).saturating_mul(bytes),
        };
        MediaStreamDescriptor {
            stream_identifier: Some(StreamIdentifier::Graph(GraphIdentifier {
                graph_instance_name: self.pipeline.clone(),
                graph_node_name: self.element.clone(),
            })),
            extension_configuration: self.configuration.clone(),
            media_descriptor: Some(MediaDescriptor {
                timescale: TIMESCALE,
                video_frame_sample_format: Some(format),
            }),
            shared_memory: self
                .shared_memory
                .as_ref()
                .map(|(name, bytes)| SharedMemory {
                    handle_name: name.clone(),
                    length_bytes: *bytes,
                }),
        }
    }
}

/// A layout's number, and its bytes a pixel, of the first plane where there are several.
fn layout(format: RawFormat) -> (PixelFormat, u32) {
    match format {
        RawFormat::Yuv420p => (PixelFormat::Yuv420p, 1),
        RawFormat::Rgb565be => (PixelFormat::Rgb565be, 2),
        RawFormat::Rgb565le => (PixelFormat::Rgb565le, 2),
        RawFormat::Rgb555be => (PixelFormat::Rgb555be, 2),
        RawFormat::Rgb555le => (PixelFormat::Rgb555le, 2),
        RawFormat::Rgb24 => (PixelFormat::Rgb24, 3),
        RawFormat::Bgr24 => (PixelFormat::Bgr24, 3),
        RawFormat::Argb => (PixelFormat::Argb, 4),
        RawFormat::Rgba => (PixelFormat::Rgba, 4),
        RawFormat::Abgr => (PixelFormat::Abgr, 4),
        RawFormat::Bgra => (PixelFormat::Bgra, 4),
    }
}

/// A picture on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// By which its answer is known.
    pub number: u64,
    /// To be written at this offset of the shared memory before the message goes.
    pub write: Option<(u64, Vec<u8>)>,
    /// To be sent.
    pub message: MediaStreamMessage,
}

/// What the server has found in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Of the picture.
    pub number: u64,
    /// Empty where nothing was found.
    pub inferences: Vec<Inference>,
}

/// One side of a session, ours. Who calls bounds how many pictures wait for their answer.
#[derive(Debug, Clone)]
pub struct Session {
    /// Number of our last message.
    sent: u64,
    /// Number of the server's last message.
    heard: u64,
    described: bool,
    server: Option<String>,
    /// Times of the pictures without an answer, by their numbers.
    waiting: BTreeMap<u64, u64>,
    slots: Option<Slots>,
    /// Where the pictures lie that are not acknowledged, by their numbers.
    held: BTreeMap<u64, u64>,
}

impl Session {
    /// A session and its first message.
    pub fn open(description: &Description) -> (Self, MediaStreamMessage) {
        let session = Self {
            sent: 1,
            heard: 0,
            described: false,
            server: None,
            waiting: BTreeMap::new(),
            slots: description
                .shared_memory
                .as_ref()
                .map(|(_, bytes)| Slots::new(*bytes)),
            held: BTreeMap::new(),
        };
        let message = MediaStreamMessage {
            sequence_number: 1,
            ack_sequence_number: 0,
            payload: Some(Payload::Descriptor(description.message())),
        };
        (session, message)
    }

    /// Whether the server has described itself, so that pictures may be sent.
    pub fn is_open(&self) -> bool {
        self.described
    }

    /// What the server calls itself.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// A picture with what was found in it before.
    ///
    /// # Errors
    /// [`RemoteError::Full`] where the shared memory has no place for it.
    pub fn send(
        &mut self,
        picture: Vec<u8>,
        timestamp: u64,
        inferences: Vec<Inference>,
    ) -> Result<Sent, RemoteError> {
        let number = self.sent + 1;
        let (content, write) = match &mut self.slots {
            None => (Content::Bytes(ContentBytes { bytes: picture }), None),
            Some(slots) => {
                let length = picture.len() as u64;
                let offset = slots.take(length);
                let offset = offset.ok_or(RemoteError::Full(slots.length()))?;
                self.held.insert(number, offset);
                let place = ContentReference {
                    address_offset: offset,
                    length_bytes: length,
                };
                (Content::Reference(place), Some((offset, picture)))
            }
        };
        self.sent = number;
        self.waiting.insert(number, timestamp);
        Ok(Sent {
            number,
            write,
            message: MediaStreamMessage {
                sequence_number: number,
                ack_sequence_number: self.heard,
                payload: Some(Payload::Sample(MediaSample {
                    timestamp,
                    content: Some(content),
                    inferences,
                })),
            },
        })
    }

    /// A picture was not sent after all.
    pub fn take_back(&mut self, number: u64) {
        self.release(number);
        self.waiting.remove(&number);
    }

    /// Nobody waits for this picture's answer any more. Its memory is the server's all the same.
    pub fn forget(&mut self, number: u64) {
        self.waiting.remove(&number);
    }

    /// The server has sent a message.
    ///
    /// # Errors
    /// [`RemoteError::Reply`] where it breaks the contract so that nothing more can be understood.
    pub fn hear(&mut self, message: MediaStreamMessage) -> Result<Option<Answer>, RemoteError> {
        self.heard = message.sequence_number;
        let acknowledged = message.ack_sequence_number;
        self.release(acknowledged);
        let sample = match (message.payload, self.described) {
            (Some(Payload::Descriptor(descriptor)), _) => {
                self.described = true;
                if let Some(StreamIdentifier::Extension(name)) = descriptor.stream_identifier {
                    self.server = Some(name).filter(|name| !name.is_empty());
                }
                return Ok(None);
            }
            (_, false) => {
                let what = "its first message is no media stream descriptor";
                return Err(RemoteError::Reply(what.into()));
            }
            (None, true) => return Ok(None),
            (Some(Payload::Sample(sample)), true) => sample,
        };
        if sample.inferences.len() > MOST {
            let what = format!("{} inferences of one picture", sample.inferences.len());
            return Err(RemoteError::Reply(what));
        }
        let number = match acknowledged {
            // It was acknowledged before.
            0 => {
                let mut waiting = self.waiting.iter();
                let of_then = waiting.find(|(_, time)| **time == sample.timestamp);
                of_then.map(|(number, _)| *number)
            }
            number => Some(number),
        };
        let number = number.filter(|number| self.waiting.remove(number).is_some());
        Ok(number.map(|number| Answer {
            number,
            inferences: sample.inferences,
        }))
    }

    fn release(&mut self, number: u64) {
        if let Some((slots, offset)) = self.slots.as_mut().zip(self.held.remove(&number)) {
            slots.free(offset);
        }
    }
}
