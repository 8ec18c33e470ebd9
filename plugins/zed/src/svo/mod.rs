//! SVO2 recordings without the SDK: what Stereolabs' tools write since SDK 4.1.
//!
//! An SVO2 file is an MCAP file. Stereolabs does not document what its messages hold; what is read
//! here was found out by two independent readers of it, and no file of a real camera was at hand to
//! prove it. So everything that does not look as they describe it is refused by what was found,
//! and sizes are never taken from the file's words but from the pictures themselves.
//!
//! Belongs here: bytes, their order in time, and what they say. H.264 and H.265 are handed on as
//! they stand; decoding them and waiting for a picture's time are the element's matter.

mod container;
mod error;
mod header;
mod message;
mod recording;
mod sensors;
mod strips;

pub use error::SvoError;
pub use header::Header;
pub use message::Encoding;
pub use recording::{Info, Picture, Recording};
pub use sensors::Sensed;
pub use strips::Yuyv;
