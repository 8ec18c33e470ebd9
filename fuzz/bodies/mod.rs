//! What is done with bytes that nobody vouches for: one plain function a parser or decoder, which
//! panics where a promise is broken.
//!
//! libFuzzer calls them by `targets/` on a nightly compiler; `plugins/core/tests/fuzz.rs` includes
//! this file and calls them on any compiler. What belongs here: bodies over evr-core. How to add
//! one stands in docs/design.md.

pub mod camera;
pub mod decoders;
pub mod grpc;
pub mod incoming;
pub mod model_config;
pub mod names;
pub mod outbox;
pub mod recovery;
pub mod reply;
pub mod sidecar;

#[path = "../target.rs"]
mod target;
pub use target::{Outcome, Target};

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "camera",
        body: camera::body,
    },
    Target {
        name: "decoders",
        body: decoders::body,
    },
    Target {
        name: "grpc",
        body: grpc::body,
    },
    Target {
        name: "incoming",
        body: incoming::body,
    },
    Target {
        name: "outbox",
        body: outbox::body,
    },
    Target {
        name: "model_config",
        body: model_config::body,
    },
    Target {
        name: "names",
        body: names::body,
    },
    Target {
        name: "recovery",
        body: recovery::body,
    },
    Target {
        name: "reply",
        body: reply::body,
    },
    Target {
        name: "sidecar",
        body: sidecar::body,
    },
];
