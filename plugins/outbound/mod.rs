//! What elements share that tell others outside the process what happened: how such an element
//! starts and stops (`teller`), what comes in by pads (`pads`, `intake`) and from the journal
//! (`follow`), and the outbox on disk in which it waits (`clerk`, `store`).
//!
//! Not here: what a message says (evr-core), how it is sent (the element that sends it).

pub(crate) mod clerk;
pub(crate) mod follow;
pub(crate) mod intake;
pub(crate) mod pads;
pub(crate) mod store;
pub(crate) mod teller;
