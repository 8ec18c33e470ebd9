//! Who may name whom, and other habits that the compiler does not hold: rules over the
//! repository's own text. A rule that the compiler or clippy can hold belongs there instead.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Files stay near 400 lines; this is where a second idea has certainly moved in.
const MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the repository, outside what is built or hidden.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.expect("a folder can be read").path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let skipped = matches!(
            name,
            "target" | ".git" | ".env" | "__pycache__" | "recordings"
        );
        if path.is_dir() && !skipped {
            found.extend(files(&path));
        } else if path.is_file() && !skipped {
            // In a worktree `.git` is a file.
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What of a Rust file is shipped: everything but its tests and comments, line by line with the
/// lines' numbers. Strings stay, which is good enough.
fn shipped(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a source file is text");
    let text = text.split("#[cfg(test)]\nmod tests {").next();
    text.unwrap_or_default()
        .lines()
        .enumerate()
        .map(|(n, line)| {
            (
                n + 1,
                line.split("//").next().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    files(&root().join(folder))
        .into_iter()
        .filter(|path| path.extension() == Some(OsStr::new("rs")))
        // The tests of a folder module.
        .filter(|path| !path.ends_with("tests.rs") && !path.iter().any(|part| part == "tests"))
        .collect()
}

/// Every line of shipped code below `folder` in which `says` finds something, as `file:line: what`.
fn offences(folder: &str, says: impl Fn(&Path, &str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for path in rust_files(folder) {
        for (n, line) in shipped(&path) {
            if let Some(what) = says(&path, &line) {
                let path = path.strip_prefix(root()).unwrap_or(&path).display();
                found.push(format!("{path}:{n}: {what}"));
            }
        }
    }
    found
}

/// Whether `line` names `word` as a word of its own.
fn names(line: &str, word: &str) -> bool {
    let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_a_name)
            && !line[at + word.len()..].starts_with(part_of_a_name)
    })
}

/// The folders in `plugins/` that are elements.
fn elements() -> Vec<String> {
    let entries = fs::read_dir(root().join("plugins")).expect("the plugin's sources are here");
    let mut elements: Vec<String> = entries
        .map(|entry| entry.expect("a folder can be read").path())
        .filter(|path| path.is_dir())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .filter(|name| {
            !matches!(
                name.as_str(),
                "core" | "bridge" | "mqtt" | "outbound" | "remote" | "zed"
            )
        })
        .collect();
    elements.sort();
    elements
}

#[track_caller]
fn none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}\n{}", found.join("\n"));
}

#[test]
fn an_element_never_imports_another() {
    let elements = elements();
    assert!(elements.iter().any(|element| element == "objectcounter"));
    for owner in elements
        .iter()
        .map(String::as_str)
        .chain(["bridge", "mqtt", "outbound", "remote"])
    {
        let found = offences(&format!("plugins/{owner}"), |_, line| {
            let other = elements.iter().find(|&other| {
                other != owner
                    && ["crate", "super"]
                        .iter()
                        .any(|from| line.contains(&format!("{from}::{other}")))
            })?;
            Some(format!("names {other}"))
        });
        none(
            found,
            "elements meet in bridge and core, never in each other",
        );
    }
}

#[test]
fn core_knows_no_gstreamer() {
    let found = offences("plugins/core/src", |_, line| {
        // Sentences may: every other piece between quotes is code.
        let code: String = line.split('"').step_by(2).collect();
        let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        let word = words.find(|word| {
            matches!(*word, "gst" | "glib" | "gstreamer") || word.starts_with("gst_")
        })?;
        Some(format!("names {word}"))
    });
    none(found, "evr-core decides by values alone");
}

#[test]
fn shipped_code_neither_panics_on_purpose_nor_unwraps() {
    let found = offences("plugins", |_, line| {
        let word = [".unwrap()", "panic!(", "todo!(", "unimplemented!("]
            .into_iter()
            .find(|word| line.contains(word) && !line.contains("catch_panic"))?;
        Some(format!("says {word}"))
    });
    none(
        found,
        "return an error, or say by expect(\"…\") why it cannot fail",
    );
}

#[test]
fn only_the_zed_crate_is_unsafe() {
    for folder in ["plugins", "xtask", "examples"] {
        let found = offences(folder, |path, line| {
            let zed = path.starts_with(root().join("plugins/zed"));
            (!zed && names(line, "unsafe")).then(|| "says unsafe".to_owned())
        });
        none(found, "unsafe code stands in plugins/zed alone");
    }
}

#[test]
fn files_stay_short() {
    let mut found = Vec::new();
    for folder in ["plugins", "xtask", "examples"] {
        for path in rust_files(folder) {
            let lines = shipped(&path).len();
            if lines > MAX_LINES {
                found.push(format!(
                    "{}: {lines} lines before its tests",
                    path.display()
                ));
            }
        }
    }
    none(found, "a second idea has moved in: give it its own file");
}

#[test]
fn the_repository_speaks_of_itself_alone() {
    // In pieces, so that this file does not say them either.
    let paths = [
        ["/wo", "rk/"],
        ["../sha", "red"],
        ["/ro", "ot/"],
        ["/ho", "me/"],
    ];
    let paths = paths.map(|pieces| pieces.concat());
    let mut found = Vec::new();
    for path in files(root()) {
        // What is no text is a fixture.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for (n, line) in text.lines().enumerate() {
            if let Some(word) = paths.iter().find(|word| line.contains(*word)) {
                found.push(format!("{}:{}: says {word}", path.display(), n + 1));
            }
        }
    }
    none(found, "a path of one machine means nothing on another");
}
