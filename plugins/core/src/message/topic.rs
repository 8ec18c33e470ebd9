//! Topics: a template in which the camera's name and the kind of message are filled in.

/// A topic with `{source}` and `{kind}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

/// Why a text is no template. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// A topic needs a character.
    #[error("topic is empty: set one, such as evr/{{source}}/{{kind}}")]
    Empty,
    /// It would subscribe to several.
    #[error("topic is {0:?}, but messages are not sent to a pattern: leave out + and #")]
    Pattern(String),
    /// There is no such thing to fill in.
    #[error("topic is {0:?}: only {{source}} and {{kind}} can be filled in")]
    Unknown(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A [`TopicError`] that names it.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        let left = text.replace("{source}", "").replace("{kind}", "");
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        if left.contains(['+', '#', '\0']) {
            return Err(TopicError::Pattern(text.into()));
        }
        if left.contains(['{', '}']) {
            return Err(TopicError::Unknown(text.into()));
        }
        Ok(Self(text.into()))
    }

    /// The topic of a message; a kind may have several levels, a source has one.
    pub fn fill(&self, source: &str, kind: &str) -> String {
        let topic = self.0.replace("{kind}", kind);
        topic.replace("{source}", &level(source))
    }
}

/// A text as one level of a topic: without what separates levels or means several.
pub(super) fn level(text: &str) -> String {
    let level: String = text
        .chars()
        .map(|c| match c {
            '/' | '+' | '#' | '{' | '}' | '\0' => '_',
            c => c,
        })
        .collect();
    if level.is_empty() { "_".into() } else { level }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_one_level_of_the_topic_whatever_its_name() {
        let template = Template::parse("evr/{source}/{kind}").expect("a template");
        assert_eq!(template.fill("door", "available"), "evr/door/available");
        assert_eq!(template.fill("a/+#b", "x/y"), "evr/a___b/x/y");
        assert_eq!(template.fill("", "x"), "evr/_/x");
        assert_eq!(template.fill("{kind}", "x"), "evr/_kind_/x");
    }

    #[test]
    fn what_is_no_template_says_why() {
        let why = |text: &str| Template::parse(text).expect_err("no template").to_string();
        assert!(why("").contains("empty"));
        assert!(why("evr/#").contains("evr/#"));
        assert!(why("evr/{camera}").contains("{camera}"));
    }
}
