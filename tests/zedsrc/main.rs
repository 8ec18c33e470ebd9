//! `zedsrc` from outside, before recordings and cameras that never were.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../plugins/zed/tests/film/mod.rs"]
#[allow(dead_code, reason = "the reader's own tests use the rest")]
mod film;
#[path = "../../plugins/zed/tests/rig/mod.rs"]
#[allow(dead_code, reason = "the rig's own tests use the rest")]
mod rig;

mod camera;
mod depth;
mod files;
mod meta;
mod run;
mod stubs;
mod svo;
mod uvc;
