//! What an activation leaves: a clip, a sidecar and a thumbnail that share one id.
//!
//! What belongs here: what a recording is called, which units of a stream stand in its clip and at
//! what times, which of them the next recording may need again, and what the sidecar says. What
//! does not: files, muxers, buffers (they are payloads here).

pub mod clock;
pub mod id;
pub mod kept;
pub mod name;
pub mod sidecar;
pub mod track;

use crate::time::Nanos;

/// One access unit of an encoded stream. Times are signed running times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit<T> {
    /// When it is shown.
    pub pts: Nanos,
    /// When it is decoded; `None` where upstream does not say.
    pub dts: Option<Nanos>,
    /// How long it is shown; `None` where upstream does not say.
    pub duration: Option<Nanos>,
    /// Decoding can begin here.
    pub sync: bool,
    /// Size of the payload.
    pub bytes: u64,
    /// The unit itself.
    pub payload: T,
}
