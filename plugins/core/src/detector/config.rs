//! The model config: a small JSON object that overrides what is guessed of a model.

use serde::Deserialize;

use super::input::{Colours, Resize};
use super::layout::{Activation, Coding, LayoutName, Suppression, Unit};

/// What the user says of a model. Every member that is not given is guessed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelConfig {
    /// The family.
    pub layout: Option<LayoutName>,
    /// Width of the input in pixels, for a model that leaves it open.
    pub width: Option<usize>,
    /// Height of the input in pixels.
    pub height: Option<usize>,
    /// How a frame is brought to that size.
    pub resize: Option<Resize>,
    /// Colour of what is padded, 0..=255.
    pub pad: Option<f32>,
    /// Order of the colours.
    pub colours: Option<Colours>,
    /// A colour c of 0..=255 enters as `(c * scale - mean) / std`.
    pub scale: Option<f32>,
    /// One number a colour, in the input's order.
    pub mean: Option<[f32; 3]>,
    /// One number a colour, in the input's order.
    pub std: Option<[f32; 3]>,
    /// Name of the output with the boxes.
    pub boxes: Option<String>,
    /// Name of the output with the scores.
    pub scores: Option<String>,
    /// Name of the output with the class numbers.
    pub class_numbers: Option<String>,
    /// Name of the only output that is read.
    pub output: Option<String>,
    /// The four numbers of a box.
    pub coding: Option<Coding>,
    /// What they count.
    pub unit: Option<Unit>,
    /// What is still to be done to scores.
    pub activation: Option<Activation>,
    /// Which overlapping boxes are one object.
    pub suppression: Option<Suppression>,
    /// Pixels a cell, a number a level.
    pub strides: Option<Vec<u32>>,
    /// How many classes there are.
    pub classes: Option<usize>,
    /// The number, or among the scores the column, of the first class.
    pub first_class: Option<u16>,
    /// Names of the classes; `null` or an empty name for one that is not used.
    pub labels: Option<Vec<Option<String>>>,
}

/// The config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON, or not of this shape.
    #[error("{0}: see the model config's members in the guide")]
    Json(#[from] serde_json::Error),
    /// A value that makes no sense.
    #[error("`{0}` must be {1}")]
    Value(&'static str, &'static str),
}

impl ModelConfig {
    /// Reads the JSON text of a config.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the member, and the line and column where JSON has them.
    pub fn parse(json: &str) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(json)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let require = |sound: bool, member, what| match sound {
            true => Ok(()),
            false => Err(ConfigError::Value(member, what)),
        };
        let side = |side: Option<usize>| side.is_none_or(|side| (1..=1 << 13).contains(&side));
        require(side(self.width), "width", "1 to 8192 pixels")?;
        require(side(self.height), "height", "1 to 8192 pixels")?;
        let pad = self.pad.unwrap_or(0.0);
        require((0.0..=255.0).contains(&pad), "pad", "a colour, 0 to 255")?;
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let scale = self.scale.unwrap_or(1.0);
        require(
            finite(&[scale]) && scale != 0.0,
            "scale",
            "a number other than 0",
        )?;
        let (mean, std) = (self.mean.unwrap_or_default(), self.std.unwrap_or([1.0; 3]));
        require(finite(&mean), "mean", "three numbers")?;
        let positive = std.iter().all(|&std| std.is_normal() && std > 0.0);
        require(positive, "std", "three numbers above 0")?;
        let strides = self.strides.as_deref().unwrap_or(&[8]);
        let sound = (1..=8).contains(&strides.len())
            && strides.iter().all(|stride| (1..=1 << 12).contains(stride));
        require(sound, "strides", "one to eight numbers of 1 to 4096")?;
        let classes = self.classes.unwrap_or(1);
        require((1..=1 << 16).contains(&classes), "classes", "1 to 65536")?;
        let labels = self.labels.as_ref().map_or(1, Vec::len);
        require(
            (1..=1 << 16).contains(&labels),
            "labels",
            "1 to 65536 names",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        ModelConfig::parse(json).expect_err(json).to_string()
    }

    #[test]
    fn every_member_is_read() {
        let json = r#"{"layout": "end-to-end", "width": 640, "height": 384,
            "resize": "letterbox-top-left", "pad": 0, "colours": "bgr", "scale": 0.5,
            "mean": [1, 2, 3], "std": [4, 5, 6], "boxes": "b", "scores": "s",
            "class-numbers": "c", "output": "o", "coding": "cxcywh", "unit": "fractions",
            "activation": "softmax", "suppression": "agnostic", "strides": [4], "classes": 2,
            "first-class": 1, "labels": ["cat", null]}"#;
        let config = ModelConfig::parse(json).expect("sound");
        assert_eq!(config.layout, Some(LayoutName::EndToEnd));
        assert_eq!(config.resize, Some(Resize::LetterboxTopLeft));
        assert_eq!(config.labels, Some(vec![Some("cat".into()), None]));
        assert_eq!(
            ModelConfig::parse("{}").expect("all guessed"),
            ModelConfig::default()
        );
    }

    #[test]
    fn a_member_that_does_not_exist_is_refused_with_those_that_do() {
        let text = refusal(r#"{"layuot": "ssd"}"#);
        assert!(
            text.contains("`layuot`") && text.contains("`layout`"),
            "{text}"
        );
        let text = refusal(r#"{"layout": "yolo"}"#);
        assert!(
            text.contains("`yolo`") && text.contains("`yolox`"),
            "{text}"
        );
    }

    #[test]
    fn values_without_sense_are_refused_by_the_members_name() {
        for (json, member) in [
            (r#"{"width": 0}"#, "width"),
            (r#"{"height": 100000}"#, "height"),
            (r#"{"pad": 256}"#, "pad"),
            (r#"{"scale": 0}"#, "scale"),
            (r#"{"std": [1, 0, 1]}"#, "std"),
            (r#"{"strides": []}"#, "strides"),
            (r#"{"strides": [0]}"#, "strides"),
            (r#"{"classes": 0}"#, "classes"),
            (r#"{"labels": []}"#, "labels"),
        ] {
            let text = refusal(json);
            assert!(text.contains(&format!("`{member}`")), "{json}: {text}");
        }
        // Refused by the parser itself where numbers keep their digits.
        refusal(r#"{"mean": [1, 1e39, 1]}"#);
    }
}
