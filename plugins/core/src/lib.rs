//! Event-based video recording without GStreamer.
//!
//! What belongs here: every decision (when the gate opens, what a detection counts for, what a
//! recording is called) and every format (signals, sidecars, names). What does not: GStreamer,
//! clocks, threads, files, locks and logs. A time is always an argument, so the same input gives
//! the same output at any speed, and a test needs nothing but values.

#![warn(missing_docs, unreachable_pub)]

pub mod backoff;
pub mod broker;
pub mod camera;
pub mod counter;
pub mod detection;
pub mod detector;
pub mod gate;
mod json;
pub mod message;
pub mod motion;
mod named;
pub mod observed;
pub mod outbox;
pub mod recording;
pub mod recovery;
pub mod remote;
pub mod signal;
pub mod space;
pub mod time;
pub mod tracker;
mod unit;
