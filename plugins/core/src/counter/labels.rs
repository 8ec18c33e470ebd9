//! The list of labels that count: `person,truck:0.6`.
//!
//! Here: what such a list says, and whether a model can say it too. Not here: what is done with a
//! detection that passes.

/// How many of a model's labels a refusal names before it only counts the rest.
const NAMED_LABELS: usize = 8;

/// Which labels count and from which confidence on; an empty list lets every label count.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Labels(Vec<Entry>);

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    label: String,
    /// Replaces the general threshold for this label.
    min_confidence: Option<f64>,
}

/// Why a list of labels is refused. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// Nothing between two commas, or nothing before a colon.
    #[error(
        "labels is \"{0}\", which holds an empty label: give names separated by commas, \
         such as person,truck:0.6, or nothing for all"
    )]
    Empty(String),
    /// An item of a list without a name.
    #[error("this label is empty: name one, or leave labels out for all")]
    EmptyItem,
    /// A list without an item.
    #[error(
        "this list holds no label, so nothing would count: name one, or leave labels out for all"
    )]
    EmptyList,
    /// One label twice.
    #[error("labels names \"{0}\" twice: name it once")]
    Twice(String),
    /// What follows the colon is no share of 1.
    #[error("labels gives \"{label}\" the confidence \"{value}\": give a number from 0 to 1")]
    Confidence {
        /// Whose.
        label: String,
        /// What stands there.
        value: String,
    },
    /// The model cannot say it.
    #[error("labels names \"{label}\", which the model {model} cannot find: use {offered}")]
    Unknown {
        /// What was asked for.
        label: String,
        /// The model's name.
        model: String,
        /// The nearest of its labels first.
        offered: String,
    },
}

impl Labels {
    /// Reads a list: names separated by commas, each with `:` and its own threshold or without.
    /// Spaces around a name mean nothing.
    ///
    /// # Errors
    /// A [`LabelsError`] that quotes what is wrong.
    pub fn parse(list: &str) -> Result<Self, LabelsError> {
        let mut labels = Self::default();
        if list.trim().is_empty() {
            return Ok(labels);
        }
        for item in list.split(',') {
            // The last colon, as a model may have colons in its labels.
            let (label, threshold) = match item.rsplit_once(':') {
                Some((label, threshold)) => (label.trim(), Some(threshold.trim())),
                None => (item.trim(), None),
            };
            if label.is_empty() {
                return Err(LabelsError::Empty(list.to_owned()));
            }
            labels.add(label, threshold)?;
        }
        Ok(labels)
    }

    /// Adds an item of a list that needs no separators, so that a label may hold commas, and colons
    /// but for a last one before a number, which is its threshold.
    ///
    /// # Errors
    /// A [`LabelsError`] that quotes what is wrong.
    pub(super) fn push(&mut self, item: &str) -> Result<(), LabelsError> {
        let is_threshold = |text: &str| text.is_empty() || text.parse::<f64>().is_ok();
        let parts = item.trim().rsplit_once(':');
        let parts = parts.map(|(label, text)| (label.trim(), text.trim()));
        let (label, threshold) = match parts.filter(|(_, text)| is_threshold(text)) {
            Some((label, threshold)) => (label, Some(threshold)),
            None => (item.trim(), None),
        };
        if label.is_empty() {
            return Err(LabelsError::EmptyItem);
        }
        self.add(label, threshold)
    }

    fn add(&mut self, label: &str, threshold: Option<&str>) -> Result<(), LabelsError> {
        if self.0.iter().any(|entry| entry.label == label) {
            return Err(LabelsError::Twice(label.to_owned()));
        }
        let min_confidence = threshold
            .map(|value| share(value).ok_or_else(|| confidence_error(label, value)))
            .transpose()?;
        self.0.push(Entry {
            label: label.to_owned(),
            min_confidence,
        });
        Ok(())
    }

    /// From which confidence on a label counts, which is `min_confidence` where the list gives
    /// none of its own; `None` where the label is not listed.
    pub(super) fn threshold(&self, label: &str, min_confidence: f64) -> Option<f64> {
        if self.0.is_empty() {
            return Some(min_confidence);
        }
        let entry = self.0.iter().find(|entry| entry.label == label)?;
        Some(entry.min_confidence.unwrap_or(min_confidence))
    }

    /// Whether a model that says exactly `known` can say every listed label. A model that does
    /// not tell its labels (`known` is empty) is believed.
    ///
    /// # Errors
    /// [`LabelsError::Unknown`] for the first that it cannot say.
    pub fn check(&self, model: &str, known: &[String]) -> Result<(), LabelsError> {
        if known.is_empty() {
            return Ok(());
        }
        match self.0.iter().find(|entry| !known.contains(&entry.label)) {
            None => Ok(()),
            Some(Entry { label, .. }) => Err(LabelsError::Unknown {
                label: label.clone(),
                model: model.to_owned(),
                offered: nearest_first(label, known),
            }),
        }
    }
}

fn share(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&value).then_some(value)
}

fn confidence_error(label: &str, value: &str) -> LabelsError {
    LabelsError::Confidence {
        label: label.to_owned(),
        value: value.to_owned(),
    }
}

fn nearest_first(label: &str, known: &[String]) -> String {
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    // Stable, so labels equally far keep the model's order.
    known.sort_by_cached_key(|known| distance(label, known));
    let named = known.len().min(NAMED_LABELS);
    let mut offered = known[..named].join(", ");
    if known.len() > named {
        offered += &format!(" or one of {} others", known.len() - named);
    }
    offered
}

/// Levenshtein's distance between two words, whatever their case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    // row[j] is the distance between the part of `a` read so far and the first j letters of `b`.
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_lets_every_label_count() {
        for list in ["", "  "] {
            let labels = Labels::parse(list).expect("nothing means all");
            assert_eq!(labels.threshold("zebra", 0.5), Some(0.5));
        }
    }

    #[test]
    fn a_label_has_its_own_threshold_or_the_general_one() {
        let labels = Labels::parse(" person , traffic light:0.6").expect("a right list");
        assert_eq!(labels.threshold("person", 0.5), Some(0.5));
        assert_eq!(labels.threshold("traffic light", 0.9), Some(0.6));
        assert_eq!(labels.threshold("dog", 0.0), None);
    }

    #[test]
    fn a_list_that_says_nothing_clear_is_refused_with_its_fault() {
        let why = |list: &str| Labels::parse(list).expect_err("refused").to_string();
        for list in ["person,,car", "person,", ":0.5", ","] {
            assert!(why(list).contains("empty label"), "{list}");
        }
        assert!(why("car,person:0.5,car").contains("\"car\" twice"));
        for value in ["", "high", "1.1", "-0.1", "NaN", "inf"] {
            let why = why(&format!("person:{value}"));
            assert!(why.contains(&format!("\"person\" the confidence \"{value}\"")));
        }
    }

    #[test]
    fn a_label_that_the_model_cannot_say_is_refused_with_the_nearest_first() {
        let known: Vec<String> = (0..20)
            .map(|n| format!("thing {n}"))
            .chain(["person".into(), "parrot".into()])
            .collect();
        let check = |list| {
            Labels::parse(list)
                .expect("a right list")
                .check("m", &known)
        };
        assert_eq!(check("person,thing 3:0.2"), Ok(()));
        let why = check("person,Persn").expect_err("misspelt").to_string();
        assert!(why.contains("\"Persn\", which the model m cannot find: use person, parrot,"));
        assert!(why.ends_with("or one of 14 others"), "{why}");
    }

    #[test]
    fn a_model_that_does_not_tell_its_labels_is_believed() {
        let labels = Labels::parse("anything").expect("a right list");
        assert_eq!(labels.check("m", &[]), Ok(()));
    }

    #[test]
    fn distance_counts_letters_changed() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("Über", "über"), 0);
    }
}
