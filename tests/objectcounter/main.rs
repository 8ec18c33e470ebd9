//! `objectcounter` from outside: frames with observations go in, frames and signals come out.

#[path = "../common/mod.rs"]
mod common;
mod rig;
mod rules;
mod stream;
