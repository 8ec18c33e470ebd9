//! What elements share that tell others outside the process what happened: the outbox on disk.
//!
//! Not here: what a message says (evr-core), how it is sent (the element that sends it).

#[cfg_attr(
    not(test),
    allow(dead_code, reason = "the elements that send come next")
)]
pub(crate) mod store;
