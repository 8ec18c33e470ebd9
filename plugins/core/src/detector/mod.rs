//! From a model's tensors to detections, and from a frame's planes to a model's input.
//!
//! What belongs here: which layout a model has, how its input is filled and its outputs are read,
//! and what its classes are called. What does not: the runtime that runs it. A further layout is
//! one variant of [`Layout`], one arm in [`Spec::recognise`] and one reader in `decode`.

mod decode;
mod labels;
mod layout;
mod nms;
mod preprocess;

pub use decode::{Candidate, DecodeError, Decoder, Limits};
pub use labels::{Labels, LabelsError};
pub use layout::{Element, Input, Layout, ModelInfo, Spec, TensorInfo, UnknownLayout};
pub use preprocess::{Colour, FrameError, Matrix, PixelFormat, Planes, Preprocessor};
