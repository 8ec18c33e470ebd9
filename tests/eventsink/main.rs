//! eventsink alone: real H.264 goes in between hand-made boundaries, and what lies on disk is
//! looked at by ffprobe, which shares no code with it.

mod bench;
mod camera;
mod clips;
#[path = "../common/mod.rs"]
mod common;
mod endurance;
mod faults;
mod journal;
mod power;
mod remains;
mod retention;
mod sent;
mod sound;
mod streams;
mod watched;
