//! The template of file names, and what a label, a camera or an application may put into one.

use evr_core::recording::container::Container;
use evr_core::recording::name::{Facts, Template};

use super::Outcome;

/// Template, source, label and chosen name, each in a line.
pub fn body(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (location, source, label, path) = (line(), line(), line(), line());
    let mut outcome = Outcome::Refused;
    for container in Container::ALL {
        let Ok(template) = Template::parse(location, container) else {
            continue;
        };
        outcome = Outcome::Taken;
        let stem = template.stem(&Facts {
            start: data.len() as i64 * 1_000_000_007,
            id: "01234567-89ab-8def-8123-456789abcdef",
            source,
            label,
            n: data.len() as u64,
        });
        stays(&template, &stem);
        let filled = &stem[template.directory().len()..];
        let has_surprise = |name: &str| {
            let odd = |it: char| it.is_control() || "<>:\"|?*\\".contains(it);
            name.contains(odd) && !location.contains(odd)
        };
        assert!(!has_surprise(filled), "{filled:?}");
        if let Ok(stem) = template.chosen(path, container) {
            stays(&template, &stem);
        }
    }
    outcome
}

/// Nothing leaves the directory, upwards or downwards.
fn stays(template: &Template, stem: &str) {
    let directory = template.directory();
    let below = stem.strip_prefix(directory.as_str());
    let below = below.expect("it begins with the directory");
    let names = below.split('/').filter(|name| !name.is_empty());
    assert!(
        names.clone().all(|name| name != "." && name != ".."),
        "{stem:?}"
    );
    assert_eq!(names.count(), template.depth() + 1, "{stem:?}");
}
