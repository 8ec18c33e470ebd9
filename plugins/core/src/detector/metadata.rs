//! The values that exporters write into a model's metadata. Ultralytics prints Python objects:
//! `{0: 'person', 1: 'bicycle'}`, `[640, 640]`; others write JSON.

/// The class numbers of a model never reach this.
const MOST: usize = 1 << 16;

/// The names of the classes by their numbers, from a Python dictionary or list, or JSON of the
/// same; `None` where it is neither.
pub(super) fn names(text: &str) -> Option<Vec<Option<String>>> {
    let mut names = Vec::new();
    let inner = text.trim();
    let keyed = inner.starts_with('{');
    let mut rest = inner.strip_prefix(['{', '['])?.strip_suffix(['}', ']'])?;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\n', '\t']);
        if rest.is_empty() {
            break;
        }
        let number = if keyed {
            let (key, after) = rest.split_once(':')?;
            rest = after.trim_start();
            key.trim().trim_matches(['"', '\'']).parse().ok()?
        } else {
            names.len()
        };
        let (name, after) = quoted(rest)?;
        rest = after;
        if number >= MOST {
            return None;
        }
        if names.len() <= number {
            names.resize(number + 1, None);
        }
        names[number] = Some(name).filter(|name| !name.is_empty());
    }
    (!names.is_empty()).then_some(names)
}

/// A quoted string and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut name = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                name.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return Some((name, &text[at + 1..])),
            c => name.push(c),
        }
    }
    None
}

/// The whole numbers of a list such as `[640, 640]`, or of one alone.
pub(super) fn numbers(text: &str) -> Option<Vec<usize>> {
    let inner = text.trim().trim_matches(['[', ']', '(', ')']);
    inner
        .split(',')
        .map(|part| part.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Option<Vec<Option<String>>> {
        let name = |name: &&str| Some((*name).to_owned()).filter(|name| !name.is_empty());
        Some(names.iter().map(name).collect())
    }

    #[test]
    fn names_are_read_from_python_and_from_json() {
        assert_eq!(names("{0: 'person', 1: 'dog'}"), list(&["person", "dog"]));
        assert_eq!(names(r#"{"1": "b, c", "0": "a:"}"#), list(&["a:", "b, c"]));
        assert_eq!(names(r#"["a", "it's"]"#), list(&["a", "it's"]));
        assert_eq!(names(r"{0: 'it\'s'}"), list(&["it's"]));
        assert_eq!(names("{2: 'c'}"), list(&["", "", "c"]));
    }

    #[test]
    fn what_is_no_list_of_names_is_none() {
        for text in [
            "",
            "{",
            "{}",
            "person",
            "{0 'a'}",
            "{x: 'a'}",
            "['a",
            "{99999999: 'a'}",
        ] {
            assert_eq!(names(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_from_a_list_or_a_number() {
        assert_eq!(numbers("[384, 640]"), Some(vec![384, 640]));
        assert_eq!(numbers("320"), Some(vec![320]));
        assert_eq!(numbers("big"), None);
    }
}
