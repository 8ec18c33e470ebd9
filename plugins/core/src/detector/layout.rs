//! Which kind of detector a model is, told from the names, types and shapes of its tensors.

use std::fmt;

/// Type of a tensor's elements, as far as layouts care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float.
    F32,
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
}

/// How a model's outputs are to be read. The members name the outputs by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// SSD without NMS: boxes `[1,N,4]` as ymin, xmin, ymax, xmax in fractions of the input, and
    /// scores `[1,N,classes]` after the sigmoid, without a background class: TensorFlow's object
    /// detection models cut before their post-processing.
    SsdRaw {
        /// The output with the boxes.
        boxes: usize,
        /// The output with the scores.
        scores: usize,
        /// Scores a box.
        classes: usize,
    },
}

/// How a model's only input is to be filled: `f32 [1,3,height,width]`, planes in the order R, G,
/// B, the whole frame stretched to its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Input {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// A colour of 0..=255 enters the tensor as `colour * scale + offset`.
    pub scale: f32,
    /// See `scale`.
    pub offset: f32,
}

/// Everything that has to be known of a model to run it on frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// How its input is filled.
    pub input: Input,
    /// How its outputs are read.
    pub layout: Layout,
}

/// The model has none of the layouts that are known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model's tensors are of no known layout ({0}): use a model with {SSD_RAW}, without \
     post-processing in the graph"
)]
pub struct UnknownLayout(pub ModelInfo);

const SSD_RAW: &str = "SSD tensors (one input f32[1,3,height,width]; outputs `boxes` f32[1,N,4] \
                       and `scores` f32[1,N,classes])";

impl Spec {
    /// Recognises the model.
    ///
    /// # Errors
    /// [`UnknownLayout`], which prints the tensors that were found and those that are understood.
    pub fn recognise(model: &ModelInfo) -> Result<Self, UnknownLayout> {
        ssd_raw(model).ok_or_else(|| UnknownLayout(model.clone()))
    }
}

impl Layout {
    /// How many classes the model tells apart.
    pub fn classes(&self) -> usize {
        match *self {
            Self::SsdRaw { classes, .. } => classes,
        }
    }
}

fn ssd_raw(model: &ModelInfo) -> Option<Spec> {
    let [input] = &model.inputs[..] else {
        return None;
    };
    let (boxes, of_boxes) = model.output("boxes")?;
    let (scores, of_scores) = model.output("scores")?;
    match (input.dims()?, of_boxes.dims()?, of_scores.dims()?) {
        (&[1 | -1, 3, height, width], &[1 | -1, _, 4], &[1 | -1, _, classes]) => Some(Spec {
            input: Input {
                width: size(width)?,
                height: size(height)?,
                // Colours enter as -1..=1, as the MobileNets were trained.
                scale: 2.0 / 255.0,
                offset: -1.0,
            },
            layout: Layout::SsdRaw {
                boxes,
                scores,
                classes: size(classes)?,
            },
        }),
        _ => None,
    }
}

/// A dimension that has to be known: neither open nor absurd.
fn size(dimension: i64) -> Option<usize> {
    usize::try_from(dimension)
        .ok()
        .filter(|size| (1..=1 << 14).contains(size))
}

impl ModelInfo {
    fn output(&self, name: &str) -> Option<(usize, &TensorInfo)> {
        self.outputs
            .iter()
            .enumerate()
            .find(|(_, tensor)| tensor.name == name)
    }
}

impl TensorInfo {
    /// The shape, if the elements are `f32`.
    fn dims(&self) -> Option<&[i64]> {
        (self.element == Element::F32).then_some(&self.shape[..])
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = match &self.element {
            Element::F32 => "f32",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, shape: &[i64]) -> TensorInfo {
        TensorInfo {
            name: name.into(),
            element: Element::F32,
            shape: shape.into(),
        }
    }

    fn ssdlite() -> ModelInfo {
        ModelInfo {
            inputs: vec![tensor("images", &[1, 3, 300, 320])],
            outputs: vec![
                tensor("scores", &[1, 1917, 90]),
                tensor("boxes", &[1, 1917, 4]),
            ],
        }
    }

    #[test]
    fn an_ssd_is_recognised_in_whatever_order_its_outputs_come() {
        let spec = Spec::recognise(&ssdlite()).expect("an SSD");
        assert_eq!((spec.input.width, spec.input.height), (320, 300));
        assert_eq!(
            spec.layout,
            Layout::SsdRaw {
                boxes: 1,
                scores: 0,
                classes: 90
            }
        );
    }

    #[test]
    fn an_unknown_model_is_refused_with_its_tensors_and_the_known_ones() {
        let model = ModelInfo {
            inputs: vec![tensor("images", &[1, 3, -1, 416])],
            outputs: vec![TensorInfo {
                element: Element::Other("f16".into()),
                ..tensor("output", &[1, 3549, 85])
            }],
        };
        let text = Spec::recognise(&model).expect_err("no SSD").to_string();
        assert!(text.contains("inputs: `images` f32[1,3,?,416]; outputs: `output` f16[1,3549,85]"));
        assert!(text.contains("`scores` f32[1,N,classes]"));
    }

    #[test]
    fn a_size_that_the_model_leaves_open_or_that_no_memory_holds_is_refused() {
        for size in [-1, 0, i64::MAX] {
            let mut model = ssdlite();
            model.inputs[0].shape[3] = size;
            assert!(Spec::recognise(&model).is_err());
        }
    }
}
