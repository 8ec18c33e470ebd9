//! What the user asks for, by properties or in a rules file, and the rules that this makes.

use std::sync::Arc;

use evr_core::counter::{
    Emit, Labels, Reference, Rule, RulesError, parse_lines, parse_zones, rules_file,
};

use super::{ObjectCounterDirection, ObjectCounterEmit, ObjectCounterReference};
use crate::bridge::time::span;

/// Read anew with each frame, so that a change in PLAYING counts from the next frame on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) labels: Option<String>,
    pub(super) min_confidence: f64,
    pub(super) min_area: f64,
    pub(super) max_area: f64,
    pub(super) min_distance: f64,
    pub(super) max_distance: f64,
    pub(super) min_count: u32,
    pub(super) max_count: u32,
    pub(super) zones: Option<String>,
    pub(super) reference: ObjectCounterReference,
    pub(super) min_overlap: f64,
    pub(super) lines: Option<String>,
    pub(super) direction: ObjectCounterDirection,
    pub(super) min_dwell: u64,
    pub(super) confirm_frames: u32,
    pub(super) window_frames: u32,
    pub(super) absence_time: u64,
    pub(super) unobserved_time: u64,
    pub(super) emit: ObjectCounterEmit,
    pub(super) compatible: bool,
    pub(super) every_frame_inferred: bool,
    pub(super) rules_file: Option<RulesFile>,
}

/// A rules file and what it held when it was named.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RulesFile {
    pub(super) path: String,
    text: Arc<Result<String, String>>,
}

impl RulesFile {
    pub(super) fn read(path: String) -> Self {
        let text = std::fs::read_to_string(&path).map_err(|err| err.to_string());
        let text = Arc::new(text);
        Self { path, text }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let rule = Rule::default();
        Self {
            labels: None,
            // What the detector lets through counts.
            min_confidence: rule.min_confidence,
            min_area: rule.min_area,
            max_area: rule.max_area,
            min_distance: 0.0,
            max_distance: 0.0,
            min_count: rule.min_count,
            max_count: u32::MAX,
            zones: None,
            reference: ObjectCounterReference::default(),
            min_overlap: Rule::MIN_OVERLAP,
            lines: None,
            direction: ObjectCounterDirection::default(),
            min_dwell: rule.min_dwell.unsigned_abs(),
            confirm_frames: rule.confirm_frames,
            window_frames: rule.window_frames,
            absence_time: rule.absence_time.unsigned_abs(),
            unobserved_time: rule.unobserved_time.unsigned_abs(),
            emit: ObjectCounterEmit::default(),
            compatible: false,
            every_frame_inferred: true,
            rules_file: None,
        }
    }
}

/// Why the settings make no rules. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum SettingsError {
    #[error(transparent)]
    Property(RulesError),
    #[error("the rules file {path}: {error}")]
    Rules { path: String, error: RulesError },
    #[error("the rules file {path} cannot be read ({reason}): name one that can")]
    File { path: String, reason: String },
    #[error(
        "objectcounter-compatible knows labels and min-confidence alone: leave the other properties \
         at their defaults, or switch it off"
    )]
    Compatible,
}

/// The rules, and what of a file means nothing here.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) notes: Vec<String>,
}

impl Settings {
    pub(super) fn rules(&self) -> Result<Rules, SettingsError> {
        if self.compatible {
            self.check_compatible()?;
        }
        if let Some(RulesFile { path, text }) = &self.rules_file {
            let path = path.clone();
            return match text.as_ref() {
                Err(reason) => Err(SettingsError::File {
                    path,
                    reason: reason.clone(),
                }),
                Ok(text) => match rules_file::parse_any(text) {
                    Ok((rules, notes)) => Ok(Rules { rules, notes }),
                    Err(error) => Err(SettingsError::Rules { path, error }),
                },
            };
        }
        let rule = self.rule().map_err(SettingsError::Property)?;
        Ok(Rules {
            rules: vec![rule],
            notes: Vec::new(),
        })
    }

    /// An error of one of the rules that these settings make.
    pub(super) fn error(&self, error: RulesError) -> SettingsError {
        match &self.rules_file {
            None => SettingsError::Property(error),
            Some(RulesFile { path, .. }) => SettingsError::Rules {
                path: path.clone(),
                error,
            },
        }
    }

    fn rule(&self) -> Result<Rule, RulesError> {
        let list = |list: &Option<String>| list.clone().unwrap_or_default();
        let property = RulesError::Property;
        let rule = Rule {
            labels: Labels::parse(&list(&self.labels)).map_err(|err| property(err.into()))?,
            min_confidence: self.min_confidence,
            above: self.compatible,
            min_area: self.min_area,
            max_area: self.max_area,
            min_distance: Rule::distance(self.min_distance),
            max_distance: Rule::distance(self.max_distance),
            min_count: self.min_count,
            max_count: Rule::limit(self.max_count),
            zones: parse_zones(&list(&self.zones)).map_err(|err| property(err.into()))?,
            reference: match self.reference {
                ObjectCounterReference::BottomCenter => Reference::BottomCenter,
                ObjectCounterReference::Center => Reference::Center,
                ObjectCounterReference::Overlap => Reference::Overlap(self.min_overlap),
            },
            lines: parse_lines(&list(&self.lines)).map_err(|err| property(err.into()))?,
            direction: self.direction.into(),
            min_dwell: span(self.min_dwell),
            confirm_frames: self.confirm_frames,
            window_frames: self.window_frames,
            absence_time: span(self.absence_time),
            unobserved_time: span(self.unobserved_time),
            emit: match self.emit {
                ObjectCounterEmit::WhilePresent => Emit::WhilePresent,
                ObjectCounterEmit::OnChange => Emit::OnChange,
            },
            ..Rule::default()
        };
        rule.check().map_err(property)?;
        Ok(rule)
    }

    fn check_compatible(&self) -> Result<(), SettingsError> {
        let plain = Self {
            labels: self.labels.clone(),
            min_confidence: self.min_confidence,
            compatible: true,
            every_frame_inferred: self.every_frame_inferred,
            ..Self::default()
        };
        (*self == plain)
            .then_some(())
            .ok_or(SettingsError::Compatible)
    }
}
