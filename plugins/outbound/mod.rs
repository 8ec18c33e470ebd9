//! What elements share that tell others outside the process what happened: what comes in by pads
//! and from the journal, and the outbox on disk in which it waits.
//!
//! Not here: what a message says (evr-core), how it is sent (the element that sends it).

pub(crate) mod clerk;
pub(crate) mod follow;
pub(crate) mod intake;
pub(crate) mod pads;
pub(crate) mod store;
