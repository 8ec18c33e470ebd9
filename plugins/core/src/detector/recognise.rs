//! Which kind of detector a model is, told from the names, types and shapes of its tensors, its
//! metadata and what the user says. The input's filling is guessed in `filling`.

use super::config::ModelConfig;
use super::filling;
use super::input::Input;
use super::layout::{Activation, Coding, Layout, LayoutName, Reader, SUPPORTED, Suppression, Unit};
use super::metadata;
use super::model::{ModelInfo, TensorInfo};

/// Everything that has to be known of a model to run it on frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// How its input is filled.
    pub input: Input,
    /// How its outputs are read.
    pub layout: Layout,
    /// The names of its classes, where the config or the metadata say them.
    pub names: Option<Vec<Option<String>>>,
}

/// The model cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownLayout {
    /// None of the layouts that are known here.
    #[error(
        "the model's tensors are of no known layout ({0}): use a model of one of these, or name \
         its layout and outputs in model-config: {SUPPORTED}"
    )]
    Tensors(ModelInfo),
    /// The config names a layout that these tensors cannot have.
    #[error("model-config says layout {0:?}, which these tensors cannot have ({1}): {SUPPORTED}")]
    Config(LayoutName, ModelInfo),
    /// The model's task is no detection.
    #[error("the model's metadata say that its task is `{0}`: use one exported for `detect`")]
    Task(String),
    /// The image input is not there or not one that is understood.
    #[error(
        "the model's inputs are not understood ({0}): they must be one image [1,3,height,width] \
         or [1,height,width,3] of f32, f16 or u8, and at most `orig_target_sizes` i64[1,2] beside; \
         known layouts: {SUPPORTED}"
    )]
    Inputs(ModelInfo),
}

impl Spec {
    /// Recognises the model.
    ///
    /// # Errors
    /// [`UnknownLayout`], which prints the tensors that were found and those that are understood.
    pub fn recognise(model: &ModelInfo, config: &ModelConfig) -> Result<Self, UnknownLayout> {
        if let Some(task) = model.metadata.get("task")
            && !matches!(task.as_str(), "detect" | "segment" | "pose")
        {
            return Err(UnknownLayout::Task(task.clone()));
        }
        let names = config
            .labels
            .clone()
            .or_else(|| metadata::names(model.metadata.get("names")?));
        let frame = filling::Frame::of(model, config)
            .ok_or_else(|| UnknownLayout::Inputs(model.clone()))?;
        let tensors = Tensors {
            model,
            config,
            classes: config.classes.or(names.as_ref().map(Vec::len)),
            size: (frame.width, frame.height),
        };
        let mut layout = match config.layout {
            Some(name) => tensors
                .layout(name)
                .ok_or_else(|| UnknownLayout::Config(name, model.clone()))?,
            None => tensors
                .guess()
                .ok_or_else(|| UnknownLayout::Tensors(model.clone()))?,
        };
        override_with(&mut layout, config);
        Ok(Self {
            input: frame.fill(&layout, config),
            layout,
            names,
        })
    }
}

fn override_with(layout: &mut Layout, config: &ModelConfig) {
    layout.coding = config.coding.unwrap_or(layout.coding);
    layout.unit = config.unit.unwrap_or(layout.unit);
    layout.activation = config.activation.unwrap_or(layout.activation);
    layout.suppression = config.suppression.unwrap_or(layout.suppression);
    if let Some(strides) = &config.strides {
        layout.strides.clone_from(strides);
    }
}

/// A model's outputs, with what is known beside them.
struct Tensors<'a> {
    model: &'a ModelInfo,
    config: &'a ModelConfig,
    /// Where somebody says how many there are.
    classes: Option<usize>,
    /// Width and height of the input.
    size: (usize, usize),
}

impl Tensors<'_> {
    /// The layouts in an order in which none takes what is a later one's.
    fn guess(&self) -> Option<Layout> {
        self.detections()
            .or_else(|| self.detr())
            .or_else(|| self.ssd())
            .or_else(|| self.nanodet())
            .or_else(|| self.layout(self.family()?))
    }

    fn layout(&self, name: LayoutName) -> Option<Layout> {
        match name {
            LayoutName::Ssd => self.ssd(),
            LayoutName::Detections => self.detections(),
            LayoutName::Detr => self.detr(),
            LayoutName::Yolox => self.rows(LayoutName::Yolox),
            LayoutName::Yolov5 => self.rows(LayoutName::Yolov5),
            LayoutName::Yolov8 => self.columns(),
            LayoutName::EndToEnd => self.end_to_end(),
            LayoutName::Nanodet => self.nanodet(),
        }
    }

    /// Which family a single output is of.
    fn family(&self) -> Option<LayoutName> {
        let (_, boxes, width) = self.single()?;
        let grid = |strides: &[u32]| cells(strides, self.size) as i64;
        let is_grid = boxes == grid(&[8, 16, 32]) || boxes == grid(&[8, 16, 32, 64]);
        match (boxes, width) {
            // Few boxes of six numbers have been chosen; many are of one class and unchosen.
            (n, 6) if n <= 1000 && !is_grid && self.classes != Some(2) => {
                Some(LayoutName::EndToEnd)
            }
            (n, w) if w > 5 && is_grid && n > w => Some(LayoutName::Yolox),
            // What is longer are the boxes. A size left open is theirs too.
            (-1, w) | (_, w) if w > 4 && (boxes == -1 || boxes > w) => Some(LayoutName::Yolov5),
            (n, w) if n > 4 && (w == -1 || w > n) => Some(LayoutName::Yolov8),
            _ => None,
        }
    }

    /// The output that is read where there is but one: its index and last two dimensions.
    fn single(&self) -> Option<(usize, i64, i64)> {
        let mut of_three = self
            .model
            .outputs
            .iter()
            .enumerate()
            .filter_map(|(i, tensor)| {
                let wanted = self.config.output.as_ref();
                match tensor.shape[..] {
                    [1 | -1, a, b] if wanted.is_none_or(|name| *name == tensor.name) => {
                        Some((i, a, b))
                    }
                    _ => None,
                }
            });
        of_three.next()
    }

    fn named(&self, asked: Option<&String>, usual: &[&str]) -> Option<(usize, &TensorInfo)> {
        match asked {
            Some(name) => {
                let mut outputs = self.model.outputs.iter().enumerate();
                outputs.find(|(_, tensor)| tensor.name == *name)
            }
            None => usual.iter().find_map(|name| self.model.output(name)),
        }
    }

    fn ssd(&self) -> Option<Layout> {
        let (boxes, of_boxes) = self.named(self.config.boxes.as_ref(), &["boxes"])?;
        let (scores, of_scores) = self.named(self.config.scores.as_ref(), &["scores"])?;
        let (columns, first) = self.split(of_boxes, of_scores)?;
        let classes = self.config.classes.unwrap_or(columns - first);
        Some(Layout {
            name: LayoutName::Ssd,
            reader: Reader::Split {
                boxes,
                scores,
                columns,
                first,
            },
            classes: Some(classes.min(columns - first)),
            coding: Coding::Yxyx,
            unit: Unit::Fractions,
            ..Layout::PLAIN
        })
    }

    fn detr(&self) -> Option<Layout> {
        let (boxes, of_boxes) = self.named(self.config.boxes.as_ref(), &["dets", "pred_boxes"])?;
        let usual = &["labels", "logits", "pred_logits"];
        let (scores, of_scores) = self.named(self.config.scores.as_ref(), usual)?;
        let (columns, first) = self.split(of_boxes, of_scores)?;
        // The first DETR chooses among 91 categories and "no object", which comes last.
        let softmax = self.config.activation == Some(Activation::Softmax)
            || (self.config.activation.is_none() && columns == 92);
        let all = columns - first - usize::from(softmax);
        Some(Layout {
            name: LayoutName::Detr,
            reader: Reader::Split {
                boxes,
                scores,
                columns,
                first,
            },
            classes: Some(self.config.classes.unwrap_or(all).min(all)),
            coding: Coding::Cxcywh,
            unit: Unit::Fractions,
            activation: match softmax {
                true => Activation::Softmax,
                false => Activation::Sigmoid,
            },
            suppression: Suppression::None,
            one_class: softmax,
            ..Layout::PLAIN
        })
    }

    /// Columns, and that of the first class, of scores that stand beside boxes.
    fn split(&self, of_boxes: &TensorInfo, of_scores: &TensorInfo) -> Option<(usize, usize)> {
        match (&of_boxes.shape[..], &of_scores.shape[..]) {
            (&[1 | -1, _, 4], &[1 | -1, _, columns]) => {
                let first = usize::from(self.config.first_class.unwrap_or(0));
                let columns = size(columns).filter(|&columns| columns > first + 1 || first == 0)?;
                Some((columns, first))
            }
            _ => None,
        }
    }

    fn detections(&self) -> Option<Layout> {
        let config = self.config;
        let (boxes, of_boxes) = self.named(
            config.boxes.as_ref(),
            &["detection_boxes", "boxes", "bboxes"],
        )?;
        let (scores, of_scores) =
            self.named(config.scores.as_ref(), &["detection_scores", "scores"])?;
        let usual = &["detection_classes", "labels", "classes"];
        let (labels, of_labels) = self.named(config.class_numbers.as_ref(), usual)?;
        let flat = |tensor: &TensorInfo| matches!(tensor.shape[..], [1 | -1, _] | [_]);
        let boxes_of_four = matches!(of_boxes.shape[..], [1 | -1, _, 4] | [_, 4]);
        if !(boxes_of_four && flat(of_scores) && flat(of_labels)) {
            return None;
        }
        let tensorflow = of_boxes.plain_name() == "detection_boxes";
        let count = self.model.output("num_detections").map(|(i, _)| i);
        let first = config.first_class.unwrap_or(u16::from(tensorflow));
        Some(Layout {
            name: LayoutName::Detections,
            reader: Reader::Labelled {
                boxes,
                scores,
                labels,
                count,
                first: i32::from(first),
            },
            classes: config.classes,
            coding: if tensorflow {
                Coding::Yxyx
            } else {
                Coding::Xyxy
            },
            unit: match tensorflow {
                true => Unit::Fractions,
                false => Unit::Pixels,
            },
            suppression: Suppression::None,
            ..Layout::PLAIN
        })
    }

    fn rows(&self, name: LayoutName) -> Option<Layout> {
        let (output, boxes, width) = self.single()?;
        let width = size(width).filter(|&width| width > 4)?;
        let yolox = name == LayoutName::Yolox;
        // Ultralytics exports DETR as rows of a box and classes, without an objectness.
        let anchors = 3 * cells(&strides_of(boxes / 3, self.size), self.size) as i64;
        let few = (0..=1000).contains(&boxes) && boxes != anchors;
        let detr = !yolox && few && self.classes != Some(width - 5);
        let others = if detr { 4 } else { 5 };
        let all = width.checked_sub(others).filter(|&classes| classes > 0)?;
        Some(Layout {
            name,
            reader: Reader::Rows {
                output,
                width,
                objectness: !detr,
                grid: yolox,
            },
            classes: Some(self.classes.unwrap_or(all).min(all)),
            coding: Coding::Cxcywh,
            unit: if detr { Unit::Fractions } else { Unit::Pixels },
            suppression: match detr {
                true => Suppression::None,
                false => Suppression::PerClass,
            },
            one_class: true,
            strides: strides_of(boxes, self.size),
            ..Layout::PLAIN
        })
    }

    fn columns(&self) -> Option<Layout> {
        let (output, width, _) = self.single()?;
        let width = size(width).filter(|&width| width > 4)?;
        // Behind the classes may stand what a segmentation or a pose needs.
        let classes = self.classes.unwrap_or(width - 4).min(width - 4);
        Some(Layout {
            name: LayoutName::Yolov8,
            reader: Reader::Columns { output, width },
            classes: Some(classes),
            coding: Coding::Cxcywh,
            one_class: true,
            ..Layout::PLAIN
        })
    }

    fn end_to_end(&self) -> Option<Layout> {
        let (output, _, width) = self.single()?;
        (width == 6).then_some(Layout {
            name: LayoutName::EndToEnd,
            reader: Reader::EndToEnd { output },
            classes: self.config.classes,
            suppression: Suppression::None,
            ..Layout::PLAIN
        })
    }

    fn nanodet(&self) -> Option<Layout> {
        self.nanodet_levels().or_else(|| self.nanodet_merged())
    }

    fn nanodet_merged(&self) -> Option<Layout> {
        let (output, boxes, width) = self.single()?;
        let asked = self.config.layout == Some(LayoutName::Nanodet);
        let width = size(width)?;
        let strides = strides_of(boxes, self.size);
        let on_grid = boxes == cells(&strides, self.size) as i64;
        let classes = self.classes.unwrap_or(80);
        let bins = width.checked_sub(classes)? / 4;
        let whole = bins >= 2 && classes + 4 * bins == width;
        // A YOLOX of many classes looks alike; bins are few, and grids of four levels NanoDet's.
        let likely = asked || (on_grid && (7..=17).contains(&bins));
        (whole && likely).then(|| Layout {
            strides,
            ..Self::distances(vec![(output, output)], bins, classes)
        })
    }

    fn nanodet_levels(&self) -> Option<Layout> {
        let (mut scores, mut sides) = (Vec::new(), Vec::new());
        for (i, tensor) in self.model.outputs.iter().enumerate() {
            let [1 | -1, cells, width] = tensor.shape[..] else {
                return None;
            };
            let name = tensor.name.as_str();
            let side = ["dis", "reg", "box"].iter().any(|part| name.contains(part));
            let list = if side { &mut sides } else { &mut scores };
            list.push((cells, size(width)?, i));
        }
        let strides = [8, 16, 32, 64];
        let strides = &strides[..scores.len().min(4)];
        // The finest level first.
        scores.sort_by_key(|&(cells, _, i)| (std::cmp::Reverse(cells), i));
        sides.sort_by_key(|&(cells, _, i)| (std::cmp::Reverse(cells), i));
        let (&(_, classes, _), &(_, width, _)) = (scores.first()?, sides.first()?);
        let paired = scores.len() == sides.len() && (2..=4).contains(&scores.len());
        let bins = width / 4;
        if !paired || bins < 2 || width != 4 * bins {
            return None;
        }
        let levels = std::iter::zip(&scores, &sides).map(|(score, side)| (score.2, side.2));
        Some(Layout {
            strides: strides.to_vec(),
            ..Self::distances(levels.collect(), bins, classes)
        })
    }

    fn distances(levels: Vec<(usize, usize)>, bins: usize, classes: usize) -> Layout {
        Layout {
            name: LayoutName::Nanodet,
            reader: Reader::Distances { levels, bins },
            classes: Some(classes),
            ..Layout::PLAIN
        }
    }
}

impl Layout {
    /// What most have in common.
    const PLAIN: Self = Self {
        name: LayoutName::EndToEnd,
        reader: Reader::EndToEnd { output: 0 },
        classes: None,
        coding: Coding::Xyxy,
        unit: Unit::Pixels,
        activation: Activation::None,
        suppression: Suppression::PerClass,
        one_class: false,
        strides: Vec::new(),
    };
}

/// The levels of a grid that has this many cells; those of most models where none fits.
fn strides_of(boxes: i64, input: (usize, usize)) -> Vec<u32> {
    let usual: [&[u32]; 2] = [&[8, 16, 32], &[8, 16, 32, 64]];
    let fitting = usual
        .iter()
        .find(|strides| cells(strides, input) as i64 == boxes);
    fitting.unwrap_or(&usual[0]).to_vec()
}

/// Cells of all levels of a grid over the input.
pub(super) fn cells(strides: &[u32], (width, height): (usize, usize)) -> usize {
    let along = |size: usize, stride: u32| size.div_ceil(stride.max(1) as usize);
    let levels = strides.iter();
    levels
        .map(|&stride| along(width, stride) * along(height, stride))
        .sum()
}

/// A dimension that has to be known: neither open nor absurd.
fn size(dimension: i64) -> Option<usize> {
    usize::try_from(dimension)
        .ok()
        .filter(|size| (1..=1 << 17).contains(size))
}

#[cfg(test)]
mod tests;
