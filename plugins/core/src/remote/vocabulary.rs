//! The labels that a server has used. GStreamer keeps every label that ever stood on a frame for as
//! long as the process lives, so a stranger must not bring new ones for ever.

use std::collections::HashSet;

use super::RemoteError;
use crate::detection::Detection;

/// Different labels of one server: more than any model has classes.
const MOST: usize = 30_000;
/// Bytes of a label.
const LONGEST: usize = 256;

/// What is known so far.
#[derive(Debug, Default)]
pub struct Vocabulary {
    known: HashSet<String>,
}

impl Vocabulary {
    /// Takes note of what was found.
    ///
    /// # Errors
    /// [`RemoteError::Reply`] where a label is too long, or too many were used.
    pub fn learn(&mut self, found: &[Detection]) -> Result<(), RemoteError> {
        for Detection { label, .. } in found {
            if self.known.contains(&**label) {
                continue;
            }
            if label.len() > LONGEST {
                let what = format!("a label of {} bytes", label.len());
                return Err(RemoteError::Reply(what));
            }
            if self.known.len() >= MOST {
                let what = format!("more than {MOST} different labels");
                return Err(RemoteError::Reply(what));
            }
            self.known.insert(label.to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::BoundingBox;

    fn found(label: String) -> [Detection; 1] {
        [Detection {
            label: label.into(),
            label_id: -1,
            confidence: 1.0,
            bbox: BoundingBox::from_corners(0.0, 0.0, 1.0, 1.0),
            track_id: None,
            distance: None,
            position: None,
        }]
    }

    #[test]
    fn a_server_cannot_bring_new_labels_for_ever() {
        let mut vocabulary = Vocabulary::default();
        for n in 0..MOST {
            assert_eq!(vocabulary.learn(&found(n.to_string())), Ok(()));
        }
        let error = vocabulary.learn(&found("one more".into()));
        assert!(matches!(error, Err(RemoteError::Reply(_))));
        assert_eq!(vocabulary.learn(&found("7".into())), Ok(()));
    }

    #[test]
    fn a_label_is_no_novel() {
        let mut vocabulary = Vocabulary::default();
        let error = vocabulary.learn(&found("x".repeat(LONGEST + 1)));
        assert!(
            error
                .expect_err("it is too long")
                .to_string()
                .contains("257")
        );
    }
}
