//! Inference by a server: what is sent of a frame, and what the reply says.
//!
//! What belongs here: Azure's HTTP and gRPC contracts and the KServe v2 protocol as bytes in and
//! values out, the pictures that are sent, and when to ask again. What does not: sockets, encoders of pictures
//! and clocks. A server is a stranger: nothing in its reply is trusted to have a size, a number or
//! a shape, and every fault is a [`RemoteError`] of that one frame.

mod error;
pub mod grpc;
mod inferences;
pub mod kserve;
mod patience;
mod picture;
mod reply;
mod vocabulary;
pub mod webhook;

pub use error::RemoteError;
pub use inferences::read_inferences;
pub use patience::Patience;
pub use picture::{Picture, PictureError, RawFormat, Scaling, bmp, raw};
pub use reply::{azure, request_id, retry_after};
pub use vocabulary::Vocabulary;
