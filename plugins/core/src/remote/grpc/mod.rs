//! Azure's gRPC extension contract: what goes over the wire (`wire`), the session from its
//! descriptors to the acknowledgement of the last picture (`session`), the shared memory that
//! pictures may lie in (`slots`), and what inferences mean (`inferences`).
//!
//! What does not belong here: HTTP/2, time-outs and the memory itself. The contract for whoever
//! writes a server is `docs/media_graph_extension.proto`.

mod inferences;
mod session;
mod slots;
mod status;
#[cfg(test)]
mod tests;
pub mod wire;

pub use inferences::{annotations, objects};
pub use session::{Answer, Description, PictureFormat, Sent, Session, timestamp};
pub use slots::Slots;
pub use status::ended;
