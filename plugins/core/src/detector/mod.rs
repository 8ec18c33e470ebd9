//! From a model's tensors to detections, and from a frame's planes to a model's input.
//!
//! What belongs here: which layout a model has, how its input is filled and its outputs are read,
//! and what its classes are called. What does not: the runtime that runs it. A further layout is
//! a variant of [`LayoutName`], an arm in `recognise` and, if no reader suits, one in `decode`.

mod config;
mod decode;
mod filling;
mod input;
mod labels;
mod layout;
mod metadata;
mod model;
mod nms;
mod pace;
mod preprocess;
mod recognise;

pub use config::{ConfigError, ModelConfig};
pub use decode::{Candidate, DecodeError, Decoder, Limits};
pub use input::{Colours, Input, Mapping, Rect, Resize, Sample};
pub use labels::{Labels, LabelsError};
pub use layout::{Activation, Coding, Layout, LayoutName, Reader, Suppression, Unit};
pub use model::{Element, ModelInfo, TensorInfo};
pub use pace::Pace;
pub use preprocess::{Colour, FrameError, Matrix, PixelFormat, Planes, Preprocessor, TensorMut};
pub use recognise::{Spec, UnknownLayout};
