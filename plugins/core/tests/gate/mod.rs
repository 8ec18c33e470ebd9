//! What the gate's tests share: streams to feed, a driver that feeds and collects, and an oracle
//! that says what should have come out. Nothing here knows how the gate works inside.

// Every test file includes the whole of this and uses its own part.
#![allow(dead_code)]

pub(crate) mod oracle;
pub(crate) mod recipe;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod stream;
pub(crate) mod table;
