//! Names of clips: the `location` template and what it becomes for one recording.
//!
//! The template is the user's word and its literal text is taken as it stands. What is filled in
//! (times, ids, labels, sources) comes from elsewhere: it never adds a directory, and holds only
//! letters, digits, `.`, `_` and `-`, so that neither a shell nor Windows is surprised.

use super::container::Container;
use crate::time::{Nanos, strftime};

/// The longest file or directory name that is made, in bytes. File systems take 255; the rest is
/// for `-10000`, `.json` and `.removed`.
const MAX_NAME: usize = 220;
/// The longest label or source in a name, in bytes.
const MAX_VALUE: usize = 80;
/// What Windows keeps for devices, whatever the extension.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"];

/// Extensions that say something of what is in a file.
const FOREIGN: [&str; 10] = [
    "mp4", "mkv", "webm", "ts", "m2ts", "mov", "avi", "json", "jpg", "part",
];

/// Why a `location` is no template. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or a directory.
    #[error("location is {0:?}, which names no file: end it in a file name, such as {{id}}.mp4")]
    NoFile(String),
    /// `{…}` with something unknown in it.
    #[error("location holds {0}: use {{id}}, {{source}}, {{label}} or {{n}}")]
    Field(String),
    /// A conversion that strftime does not know.
    #[error(
        "location holds {0:?}, which is no time ({1}): use strftime conversions such as %Y%m%d"
    )]
    Time(String, String),
    /// A name that no file system takes.
    #[error(
        "location holds the name {0:?}, which is {1} bytes long: make it at most {MAX_NAME} bytes"
    )]
    Long(String, usize),
    /// A name that leads elsewhere than to a directory of its own.
    #[error(
        "location holds the name {0:?} below a directory that changes from clip to clip: leave it out"
    )]
    Nowhere(String),
    /// A path that an application has chosen for a clip.
    #[error(
        "format-location gave {0:?}, so the clip gets its name from location: give a file name of \
         letters, digits, '.', '_' and '-', in a path that begins with {1:?} and is as deep as \
         location's"
    )]
    Chosen(String, String),
    /// An extension that says something else than the container.
    #[error(
        "location ends in .{0}, but the clip's container is {1}: end it in .{2} or set container"
    )]
    Extension(String, &'static str, &'static str),
}

/// What a template is filled with.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The clip's first frame, in nanoseconds since 1970-01-01T00:00:00Z.
    pub start: Nanos,
    /// Id of the recording.
    pub id: &'a str,
    /// Name of the camera.
    pub source: &'a str,
    /// What was seen.
    pub label: &'a str,
    /// Number of the recording, from 1.
    pub n: u64,
}

/// A `location`, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What stands between the slashes; never empty.
    names: Vec<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Time(String),
    Id,
    Source,
    Label,
    N,
}

impl Template {
    /// Reads a `location`; the container's extension may be left out.
    ///
    /// # Errors
    /// A [`NameError`] that names what is wrong.
    pub fn parse(location: &str, container: Container) -> Result<Self, NameError> {
        let file = location.rsplit('/').next().unwrap_or_default();
        if matches!(file, "" | "." | "..") {
            return Err(NameError::NoFile(location.into()));
        }
        let extension = container.extension();
        let stem = match file.rsplit_once('.') {
            Some((stem, own)) if own.eq_ignore_ascii_case(extension) => {
                if stem.is_empty() {
                    return Err(NameError::NoFile(location.into()));
                }
                &location[..location.len() - extension.len() - 1]
            }
            Some((_, other)) if FOREIGN.contains(&other) => {
                return Err(NameError::Extension(
                    other.into(),
                    container.as_str(),
                    extension,
                ));
            }
            _ => location,
        };
        let names: Vec<_> = stem.split('/').map(parts).collect::<Result<_, _>>()?;
        for name in &names {
            // What is filled in is cut; what stands there as it is cannot be.
            if let [Part::Literal(text)] = name.as_slice()
                && text.len() > MAX_NAME
            {
                return Err(NameError::Long(text.clone(), text.len()));
            }
        }
        let template = Self { names };
        // Old recordings are looked for as deep as there are names.
        let below = template.names.len() - 1 - template.depth();
        let nowhere = template.names[below..]
            .iter()
            .find_map(|name| match name.as_slice() {
                [] => Some(""),
                [Part::Literal(text)] if text == "." || text == ".." => Some(text.as_str()),
                _ => None,
            });
        match nowhere {
            Some(name) => Err(NameError::Nowhere(name.into())),
            None => Ok(template),
        }
    }

    /// The directory that every clip lies in or below: what stands before the first name that
    /// changes. Empty for the current directory.
    pub fn directory(&self) -> String {
        let fixed: Vec<_> = self.names[..self.names.len() - 1]
            .iter()
            .map_while(|name| match name.as_slice() {
                [] => Some(""),
                [Part::Literal(text)] => Some(text.as_str()),
                _ => None,
            })
            .collect();
        match fixed.as_slice() {
            [""] => "/".into(),
            names => names.join("/"),
        }
    }

    /// How many directories below [`Template::directory`] a clip lies.
    pub fn depth(&self) -> usize {
        let fixed = |name: &Vec<Part>| matches!(name.as_slice(), [] | [Part::Literal(_)]);
        let directories = &self.names[..self.names.len() - 1];
        directories.len() - directories.iter().take_while(|name| fixed(name)).count()
    }

    /// The path of one recording's clip, without the extension.
    pub fn stem(&self, facts: &Facts) -> String {
        let names: Vec<_> = self.names.iter().map(|name| fill(name, facts)).collect();
        names.join("/")
    }
}

impl Template {
    /// The path without extension that an application has chosen for one clip: like `location`
    /// in all but the names, each of which must be a plain one.
    ///
    /// # Errors
    /// A [`NameError`] that names what is wrong.
    pub fn chosen(&self, path: &str, container: Container) -> Result<String, NameError> {
        let why = || NameError::Chosen(path.into(), self.directory());
        let below = match self.directory().as_str() {
            "" => path,
            "/" => path.strip_prefix('/').ok_or_else(why)?,
            directory => path
                .strip_prefix(directory)
                .and_then(|rest| rest.strip_prefix('/'))
                .ok_or_else(why)?,
        };
        let (names, file) = below.rsplit_once('/').unwrap_or(("", below));
        let stem = match file.rsplit_once('.') {
            Some((stem, own)) if own.eq_ignore_ascii_case(container.extension()) => stem,
            Some((_, other)) if FOREIGN.contains(&other) => return Err(why()),
            _ => file,
        };
        let depth = names.split('/').filter(|name| !name.is_empty()).count();
        let plain = names.is_empty() || names.split('/').all(is_plain);
        if depth != self.depth() || !plain || !is_plain(stem) {
            return Err(why());
        }
        let length = path.len() - (file.len() - stem.len());
        Ok(path[..length].into())
    }
}

/// A name that no shell and no file system reads anything into.
fn is_plain(name: &str) -> bool {
    let filled = fill(
        &[Part::Literal(name.into()), Part::Literal(String::new())],
        &NO_FACTS,
    );
    let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with(['.', '-']) && name.chars().all(known) && filled == name
}

/// For names that hold none.
const NO_FACTS: Facts = Facts {
    start: 0,
    id: "",
    source: "",
    label: "",
    n: 0,
};

/// The name to try after `attempt - 1` others were found taken.
pub fn numbered(stem: &str, attempt: u32) -> String {
    if attempt <= 1 {
        stem.into()
    } else {
        format!("{stem}-{attempt}")
    }
}

/// The name of a further part of one recording.
pub fn part(stem: &str, part: u32) -> String {
    if part <= 1 {
        stem.into()
    } else {
        format!("{stem}-part{part}")
    }
}

fn parts(name: &str) -> Result<Vec<Part>, NameError> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(at) = rest.find(['%', '{']) {
        let (literal, special) = rest.split_at(at);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        let (part, length) = if special.starts_with('{') {
            field(special)?
        } else {
            time(special)?
        };
        parts.push(part);
        rest = &special[length..];
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.into()));
    }
    Ok(parts)
}

fn field(text: &str) -> Result<(Part, usize), NameError> {
    let length = text.find('}').map_or(text.len(), |at| at + 1);
    let part = match &text[..length] {
        "{id}" => Part::Id,
        "{source}" => Part::Source,
        "{label}" => Part::Label,
        "{n}" => Part::N,
        other => return Err(NameError::Field(other.into())),
    };
    Ok((part, length))
}

/// A conversion is `%`, flags, width and precision, and one letter.
fn time(text: &str) -> Result<(Part, usize), NameError> {
    let letter = text[1..].find(|c: char| c.is_alphabetic() || c == '%');
    let length = letter.map_or(text.len(), |at| {
        1 + at + text[1 + at..].chars().next().map_or(0, char::len_utf8)
    });
    let conversion = &text[..length];
    strftime(conversion, 0).map_err(|err| NameError::Time(conversion.into(), err.to_string()))?;
    Ok((Part::Time(conversion.into()), length))
}

fn fill(name: &[Part], facts: &Facts) -> String {
    if let [Part::Literal(text)] = name {
        return text.clone();
    }
    let mut filled = String::new();
    for part in name {
        match part {
            Part::Literal(text) => filled.push_str(text),
            Part::Time(conversion) => filled.push_str(&tame(
                &strftime(conversion, facts.start).expect("parse() has tried it"),
            )),
            Part::Id => filled.push_str(&tame(facts.id)),
            Part::Source => filled.push_str(&tame(facts.source)),
            Part::Label => filled.push_str(&tame(facts.label)),
            Part::N => filled.push_str(&facts.n.to_string()),
        }
    }
    cut(&mut filled, MAX_NAME);
    // Windows drops it, also from a directory's name; a cut may have brought it to the end.
    if filled.ends_with('.') {
        filled.replace_range(filled.len() - 1.., "_");
    }
    let device = filled.split('.').next().unwrap_or_default().to_uppercase();
    // COM¹ is a device as well.
    let device = device.trim_end_matches(char::is_numeric);
    if DEVICES.contains(&device) {
        filled.insert(0, '_');
    }
    filled
}

/// A value that no shell and no file system reads anything into.
fn tame(value: &str) -> String {
    let mut tame: String = value
        .chars()
        .map(|c| match c {
            '.' | '_' | '-' => c,
            _ if c.is_alphanumeric() => c,
            _ => '_',
        })
        .collect();
    cut(&mut tame, MAX_VALUE);
    // A leading dash is an option, a leading dot hides the file, Windows drops a dot at the end.
    if tame.starts_with(['.', '-']) {
        tame.replace_range(..1, "_");
    }
    if tame.ends_with('.') {
        tame.replace_range(tame.len() - 1.., "_");
    }
    if tame.is_empty() {
        tame.push_str("none");
    }
    tame
}

fn cut(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FACTS: Facts = Facts {
        start: 1_769_860_800_123_000_000,
        id: "0192",
        source: "front door",
        label: "person",
        n: 7,
    };

    fn stem(location: &str, facts: &Facts) -> String {
        Template::parse(location, Container::Mp4)
            .expect("a template")
            .stem(facts)
    }

    #[test]
    fn a_template_is_filled_with_time_and_facts() {
        assert_eq!(
            stem(
                "rec/%Y/%Y%m%dT%H%M%S.%3fZ-{id}-{source}-{label}-{n}.mp4",
                &FACTS
            ),
            "rec/2026/20260131T120000.123Z-0192-front_door-person-7"
        );
        assert_eq!(stem("/var/clip", &FACTS), "/var/clip");
    }

    #[test]
    fn what_is_no_template_says_why() {
        let why = |location| {
            Template::parse(location, Container::Mp4)
                .expect_err("no template")
                .to_string()
        };
        assert!(why("").contains("names no file"));
        assert!(why("recordings/").contains("\"recordings/\""));
        assert!(why("{camera}.mp4").contains("{camera}"));
        assert!(why("{id.mp4").contains("{id"));
        assert!(why("%!.mp4").contains('%'));
        assert!(why("a%").contains('%'));
        assert!(why("%ä").contains("%ä"));
        assert!(why("{id}.mkv").contains(".mkv"));
        assert!(why("{id}.json").contains(".json"));
        let long = format!("{}/{{id}}.mp4", "x".repeat(221));
        assert!(why(&long).contains("221 bytes"));
        assert!(why("a/.mp4").contains("names no file"));
        for nowhere in ["{source}/../{id}", "%Y/./{id}", "%Y//{id}"] {
            let told = why(nowhere);
            assert!(told.contains("leave it out"), "{told}");
        }
        assert!(Template::parse("../rec//{id}.mp4", Container::Mp4).is_ok());
        assert!(Template::parse("{id}.mkv", Container::Matroska).is_ok());
        assert!(Template::parse("{id}.mp4", Container::MpegTs).is_err());
    }

    #[test]
    fn the_directory_ends_before_the_first_name_that_changes() {
        let directory = |location| {
            Template::parse(location, Container::Mp4)
                .expect("a template")
                .directory()
        };
        assert_eq!(directory("a/b/{source}/{id}.mp4"), "a/b");
        assert_eq!(directory("/a/%Y/b/{id}.mp4"), "/a");
        assert_eq!(directory("/{id}.mp4"), "/");
        assert_eq!(directory("{id}.mp4"), "");
        assert_eq!(directory("../{id}"), "..");
        let depth = |location| {
            Template::parse(location, Container::Mp4)
                .expect("a template")
                .depth()
        };
        assert_eq!(
            (depth("a/b/{id}"), depth("{id}"), depth("/{id}")),
            (0, 0, 0)
        );
        assert_eq!((depth("a/%Y/b/{id}.mp4"), depth("{source}/{id}")), (2, 1));
    }

    #[test]
    fn a_value_adds_no_directory_and_hides_nothing() {
        let named = |label| stem("{label}", &Facts { label, ..FACTS });
        assert_eq!(named("../../etc/passwd"), "_._.._etc_passwd");
        assert_eq!(named(".."), "__");
        assert_eq!(named("-rf ~"), "_rf__");
        assert_eq!(named(""), "none");
        assert_eq!(named("nul"), "_nul");
        assert_eq!(named("com1.x"), "_com1.x");
        assert_eq!(named("COM²"), "_COM²");
        assert_eq!(named("a\\b:c\0d\n$(e)"), "a_b_c_d___e_");
        assert_eq!(stem("%D-%T", &FACTS), "01_31_26-12_00_00");
    }

    #[test]
    fn what_an_application_chooses_stays_where_location_is() {
        let chosen = |location, path| {
            let template = Template::parse(location, Container::Mp4).expect("a template");
            template.chosen(path, Container::Mp4).ok()
        };
        let flat = "a/b/{id}.mp4";
        assert_eq!(
            chosen(flat, "a/b/door-7.mp4").as_deref(),
            Some("a/b/door-7")
        );
        assert_eq!(chosen(flat, "a/b/door.7").as_deref(), Some("a/b/door.7"));
        let bad = [
            "",
            "door",
            "a/b/",
            "a/b/../door",
            "a/b/c/door",
            "a/bc",
            "/a/b/door",
            "a/b/.mp4",
            "a/b/-rf",
            "a/b/x y",
            "a/b/nul",
            "a/b/door.mkv",
            "a/b/door.part",
            "a/b/.",
        ];
        for path in bad {
            assert_eq!(chosen(flat, path), None, "{path}");
        }
        let long = format!("a/b/{}", "x".repeat(300));
        assert_eq!(chosen(flat, &long), None);
        assert_eq!(chosen("{id}", "x.MP4").as_deref(), Some("x"));
        assert_eq!(chosen("/{id}", "/x").as_deref(), Some("/x"));
        let deep = "a/%Y/{id}";
        assert_eq!(chosen(deep, "a/2026/x.mp4").as_deref(), Some("a/2026/x"));
        assert_eq!(chosen(deep, "a/x.mp4"), None);
        assert_eq!(chosen(deep, "a//x.mp4"), None);
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        assert_eq!(numbered("a/b", 1), "a/b");
        assert_eq!(numbered("a/b", 2), "a/b-2");
        assert_eq!(
            (part("a/b", 1), part("a/b", 2)),
            ("a/b".into(), "a/b-part2".into())
        );
    }

    /// Anything, and what is known to hurt.
    fn hostile() -> impl Strategy<Value = String> {
        const KNOWN: &[&str] = &[
            "",
            ".",
            "..",
            "con",
            "Aux.txt",
            "lpt9",
            "COM¹",
            "nul ",
            "-rf",
            "~",
            "a/b",
            "C:\\x",
            "a.",
            "\u{202e}gpj",
            "\0",
            "\r\n",
            "$(id)",
            "`id`",
            "*?<>|\"",
            "x.keep",
            "x.json",
            "ﬁ",
        ];
        prop_oneof![
            any::<String>(),
            prop::sample::select(KNOWN).prop_map(str::to_owned),
            "[.a-zä-]{60,200}",
        ]
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_directory(label in hostile(), source in hostile(), id in ".*", n: u64) {
            let facts = Facts { label: &label, source: &source, id: &id, n, start: n as i64 };
            let location = "rec/{source}/{label}.{source}.{label}/{label}{source}{n}/{id}%s{n}.mp4";
            let stem = stem(location, &facts);
            let names: Vec<_> = stem.split('/').collect();
            prop_assert_eq!(names.len(), 5);
            for name in names {
                prop_assert!(!name.is_empty() && name.len() <= MAX_NAME + 1);
                prop_assert!(!name.starts_with(['.', '-']) && !name.ends_with('.'));
                prop_assert!(name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)));
                let before_the_dot = name.split('.').next().expect("there is always one");
                let upper = before_the_dot.to_uppercase();
                let is_device = ["CON", "PRN", "AUX", "NUL"].contains(&upper.as_str())
                    || upper.chars().count() == 4
                        && (upper.starts_with("COM") || upper.starts_with("LPT"))
                        && upper.ends_with(char::is_numeric);
                prop_assert!(!is_device, "{name}");
                // With everything that is ever put behind it.
                prop_assert!(numbered(name, 10_000).len() + ".json.removed".len() <= 255);
            }
        }

        #[test]
        fn no_location_panics(location in ".*") {
            if let Ok(template) = Template::parse(&location, Container::Mp4) {
                template.directory();
                template.stem(&FACTS);
            }
        }
    }
}
