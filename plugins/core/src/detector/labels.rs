//! What a model's classes are called.

use super::Candidate;
use super::layout::{Layout, LayoutName, Reader};
use crate::detection::Detection;

/// The names of COCO's 90 category ids, from id 1; the dataset leaves ten of them unused.
/// Source: the `categories` of COCO 2017's `instances_val2017.json`.
#[rustfmt::skip]
const COCO: [Option<&str>; 90] = [
    Some("person"), Some("bicycle"), Some("car"), Some("motorcycle"), Some("airplane"),
    Some("bus"), Some("train"), Some("truck"), Some("boat"), Some("traffic light"),
    Some("fire hydrant"), None, Some("stop sign"), Some("parking meter"), Some("bench"),
    Some("bird"), Some("cat"), Some("dog"), Some("horse"), Some("sheep"),
    Some("cow"), Some("elephant"), Some("bear"), Some("zebra"), Some("giraffe"),
    None, Some("backpack"), Some("umbrella"), None, None,
    Some("handbag"), Some("tie"), Some("suitcase"), Some("frisbee"), Some("skis"),
    Some("snowboard"), Some("sports ball"), Some("kite"), Some("baseball bat"), Some("baseball glove"),
    Some("skateboard"), Some("surfboard"), Some("tennis racket"), Some("bottle"), None,
    Some("wine glass"), Some("cup"), Some("fork"), Some("knife"), Some("spoon"),
    Some("bowl"), Some("banana"), Some("apple"), Some("sandwich"), Some("orange"),
    Some("broccoli"), Some("carrot"), Some("hot dog"), Some("pizza"), Some("donut"),
    Some("cake"), Some("chair"), Some("couch"), Some("potted plant"), Some("bed"),
    None, Some("dining table"), None, None, Some("toilet"),
    None, Some("tv"), Some("laptop"), Some("mouse"), Some("remote"),
    Some("keyboard"), Some("cell phone"), Some("microwave"), Some("oven"), Some("toaster"),
    Some("sink"), Some("refrigerator"), None, Some("book"), Some("clock"),
    Some("vase"), Some("scissors"), Some("teddy bear"), Some("hair drier"), Some("toothbrush"),
];

/// A name for each class of a model, none for a class that is never meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<Option<String>>,
    /// The model's own number of the first class.
    first_id: i32,
}

/// The classes cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// No built-in names have this many classes.
    #[error(
        "the model has {0} classes, and only COCO's 80 classes and 90 or 91 categories are known \
         by name: give the names, one a line, as label-file"
    )]
    Unknown(usize),
    /// The names are of another model.
    #[error(
        "{names} labels do not name the {classes} classes of the model: give one a class, empty \
         for a class that is not used"
    )]
    Count {
        /// Names given.
        names: usize,
        /// Classes of the model.
        classes: usize,
    },
}

impl Labels {
    /// The names that a model goes by when nobody gives others.
    ///
    /// # Errors
    /// [`LabelsError::Unknown`] where none are known.
    pub fn built_in(layout: &Layout) -> Result<Self, LabelsError> {
        let categories = || COCO.iter().map(|name| name.map(String::from));
        let classes = layout.classes.unwrap_or(match layout.reader {
            Reader::Labelled { first: 1, .. } => 90,
            _ => 80,
        });
        let names = match classes {
            90 => categories().collect(),
            // Category 0 is not used either.
            91 => std::iter::once(None).chain(categories()).collect(),
            80 => categories().filter(Option::is_some).collect(),
            other => return Err(LabelsError::Unknown(other)),
        };
        Ok(Self {
            names,
            first_id: first_id(layout),
        })
    }

    /// Names from the model's metadata or a config, from its first class on.
    ///
    /// # Errors
    /// [`LabelsError::Count`] where there are more names than classes.
    pub fn named(mut names: Vec<Option<String>>, layout: &Layout) -> Result<Self, LabelsError> {
        if let Some(classes) = layout.classes {
            if names.len() > classes {
                let names = names.len();
                return Err(LabelsError::Count { names, classes });
            }
            names.resize(classes, None);
        }
        Ok(Self {
            names,
            first_id: first_id(layout),
        })
    }

    /// Reads a label file: one class a line, from the model's first class on; an empty line is a
    /// class that is not used, empty lines at the end do not count.
    ///
    /// # Errors
    /// [`LabelsError::Count`] where the lines are none or more than the classes.
    pub fn parse(text: &str, layout: &Layout) -> Result<Self, LabelsError> {
        // Some editors begin a file with a byte order mark, which is no part of the first name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
        let names: Vec<_> = text
            .lines()
            .map(|line| Some(line.trim().to_owned()).filter(|name| !name.is_empty()))
            .collect();
        if names.is_empty() {
            let classes = layout.classes.unwrap_or(1);
            return Err(LabelsError::Count { names: 0, classes });
        }
        Self::named(names, layout)
    }

    /// Every name, in the model's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().map(String::as_str)
    }

    /// The model's own number of each name, in the same order.
    pub fn ids(&self) -> impl Iterator<Item = i32> {
        let numbered = (self.first_id..).zip(&self.names);
        numbered.filter_map(|(id, name)| name.as_ref().map(|_| id))
    }

    /// The candidate by its name; `None` for a class that is never meant.
    pub fn detection(&self, candidate: &Candidate) -> Option<Detection> {
        let label = self.names.get(candidate.class)?.clone()?;
        Some(Detection {
            label: label.into(),
            label_id: self.first_id + i32::try_from(candidate.class).ok()?,
            confidence: f64::from(candidate.score),
            bbox: candidate.bbox,
            track_id: None,
            distance: None,
            position: None,
        })
    }
}

/// An SSD's scores leave out the background, which has the number 0.
fn first_id(layout: &Layout) -> i32 {
    match layout.reader {
        Reader::Labelled { first, .. } => first,
        _ => i32::from(layout.name == LayoutName::Ssd),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::{Activation, Coding, Suppression, Unit};
    use super::*;
    use crate::detection::BoundingBox;

    fn layout(name: LayoutName, classes: usize) -> Layout {
        Layout {
            name,
            reader: Reader::EndToEnd { output: 0 },
            classes: Some(classes),
            coding: Coding::Xyxy,
            unit: Unit::Pixels,
            activation: Activation::None,
            suppression: Suppression::None,
            one_class: false,
            strides: vec![],
        }
    }

    fn of_class(class: usize) -> Candidate {
        Candidate {
            class,
            place: class,
            score: 0.5,
            bbox: BoundingBox::from_corners(0.0, 0.0, 1.0, 1.0),
        }
    }

    #[test]
    fn coco_has_eighty_names_however_its_classes_are_counted() {
        for (name, classes, numbers) in [
            (LayoutName::Ssd, 90, [0, 2, 43, 89]),
            (LayoutName::Detr, 91, [1, 3, 44, 90]),
            (LayoutName::Yolov8, 80, [0, 2, 39, 79]),
        ] {
            let coco = Labels::built_in(&layout(name, classes)).expect("COCO");
            assert_eq!(coco.names().count(), 80);
            let names = ["person", "car", "bottle", "toothbrush"];
            for (class, name) in numbers.into_iter().zip(names) {
                let detection = coco.detection(&of_class(class)).expect("a used class");
                assert_eq!(detection.label, name);
                let id = class + usize::from(classes == 90);
                assert_eq!(usize::try_from(detection.label_id), Ok(id));
            }
        }
    }

    #[test]
    fn an_unused_class_and_one_out_of_range_are_no_detections() {
        let coco = Labels::built_in(&layout(LayoutName::Ssd, 90)).expect("COCO");
        assert_eq!(coco.detection(&of_class(11)), None);
        assert_eq!(coco.detection(&of_class(90)), None);
    }

    #[test]
    fn a_label_file_names_one_class_a_line_and_may_skip_some() {
        let four = layout(LayoutName::Ssd, 4);
        let labels = Labels::parse("\u{feff}cat\r\n\r\n dog \n\n", &four).expect("four classes");
        assert_eq!(labels.names().collect::<Vec<_>>(), ["cat", "dog"]);
        assert_eq!(labels.ids().collect::<Vec<_>>(), [1, 3]);
        let dog = labels.detection(&of_class(2)).expect("named");
        assert_eq!((dog.label_id, &*dog.label), (3, "dog"));
    }

    #[test]
    fn names_for_another_number_of_classes_are_refused() {
        let two = layout(LayoutName::Yolox, 2);
        assert_eq!(
            Labels::parse("a\nb\nc\n", &two),
            Err(LabelsError::Count {
                names: 3,
                classes: 2
            })
        );
        assert!(Labels::parse("\n", &two).is_err());
        assert_eq!(Labels::built_in(&two), Err(LabelsError::Unknown(2)));
    }

    #[test]
    fn a_model_that_hides_its_classes_takes_as_many_names_as_there_are() {
        let hidden = Layout {
            classes: None,
            ..layout(LayoutName::EndToEnd, 1)
        };
        let labels = Labels::parse("a\nb\nc\n", &hidden).expect("three");
        assert_eq!(labels.names().count(), 3);
        assert_eq!(
            Labels::built_in(&hidden).map(|coco| coco.names().count()),
            Ok(80)
        );
    }
}
