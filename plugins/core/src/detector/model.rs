//! What a model says of itself: its tensors and the metadata that its exporter left.

use std::collections::BTreeMap;
use std::fmt;

/// Type of a tensor's elements, as far as layouts care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// 8-bit unsigned integer.
    U8,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// Anything else, by the runtime's name for it.
    Other(String),
}

/// One input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the graph.
    pub name: String,
    /// Type of its elements.
    pub element: Element,
    /// Its dimensions; -1 where the model leaves one open.
    pub shape: Vec<i64>,
}

/// What a model says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelInfo {
    /// In the model's order.
    pub inputs: Vec<TensorInfo>,
    /// In the model's order.
    pub outputs: Vec<TensorInfo>,
    /// What the exporter wrote beside the graph, such as `names` and `imgsz`.
    pub metadata: BTreeMap<String, String>,
}

impl ModelInfo {
    /// The output of this name; TensorFlow's converters put `:0` behind names.
    pub(super) fn output(&self, name: &str) -> Option<(usize, &TensorInfo)> {
        self.outputs
            .iter()
            .enumerate()
            .find(|(_, tensor)| tensor.plain_name() == name)
    }
}

impl TensorInfo {
    /// The name without what TensorFlow's converters put behind it.
    pub(super) fn plain_name(&self) -> &str {
        self.name.strip_suffix(":0").unwrap_or(&self.name)
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = match &self.element {
            Element::F32 => "f32",
            Element::F16 => "f16",
            Element::U8 => "u8",
            Element::I32 => "i32",
            Element::I64 => "i64",
            Element::Other(name) => name,
        };
        write!(f, "`{}` {element}[", self.name)?;
        for (i, dimension) in self.shape.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            match dimension {
                -1 => write!(f, "{comma}?")?,
                dimension => write!(f, "{comma}{dimension}")?,
            }
        }
        f.write_str("]")
    }
}

impl fmt::Display for ModelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, tensors: &[TensorInfo]| {
            for (i, tensor) in tensors.iter().enumerate() {
                write!(f, "{}{tensor}", if i == 0 { " " } else { ", " })?;
            }
            Ok(())
        };
        f.write_str("inputs:")?;
        list(f, &self.inputs)?;
        f.write_str("; outputs:")?;
        list(f, &self.outputs)
    }
}
