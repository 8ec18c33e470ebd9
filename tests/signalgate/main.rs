//! The gate as an element: what it lets through, what it says, and that it never gets stuck.

mod bench;
#[path = "../common/mod.rs"]
mod common;
mod media;
mod signals;
mod states;
mod streams;
