//! What an activation leaves: a clip, a sidecar and a thumbnail that share one id.
//!
//! What belongs here: what a recording is called, which units of a stream stand in its clip and at
//! what times, which of them the next recording may need again, and what the sidecar says. What
//! does not: files, muxers, buffers (they are payloads here).

pub mod beside;
pub mod clock;
pub mod container;
pub mod edit;
pub mod id;
pub mod journal;
pub mod kept;
pub mod meta;
pub mod name;
pub mod recovered;
pub mod retention;
pub mod sidecar;
pub mod track;

pub use crate::unit::Unit;
