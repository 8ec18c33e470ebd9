//! Holds the documentation to the code: whatever the plugin registers is described, truthfully,
//! and every launch line that a page shows can be built.
//!
//! `docs/elements.md` is written from the elements themselves. After a change of theirs, write it
//! anew with `EVR_BLESS=1 cargo test --test docs`.

mod common;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use gst::{glib, prelude::*};

const ELEMENTS: &str = "docs/elements.md";
/// Of a property that carries no mutability flag.
const FIXED: &str = "–";
/// Pages describe the whole plugin; built without a feature it lacks an element.
const WHOLE: bool = cfg!(all(feature = "grpc", feature = "http", feature = "onnx"));

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every element of the plugin, by name.
fn elements() -> BTreeMap<String, gst::ElementFactory> {
    common::init();
    gst::Registry::get()
        .features_by_plugin("evr")
        .into_iter()
        .filter_map(|feature| feature.downcast::<gst::ElementFactory>().ok())
        .map(|factory| (factory.name().to_string(), factory))
        .collect()
}

/// An element's own properties, in the order in which they are declared.
fn properties(element: &gst::Element) -> Vec<glib::ParamSpec> {
    let all = element.list_properties().into_iter();
    all.filter(|pspec| pspec.owner_type() == element.type_())
        .collect()
}

/// Collects what `faults` says of each property of each element.
fn faults(faults: impl Fn(&gst::Element, &glib::ParamSpec) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, factory) in elements() {
        let element = factory.create().build().expect("the element is made");
        for pspec in properties(&element) {
            if let Some(fault) = faults(&element, &pspec) {
                found.push(format!("{name} {}: {fault}", pspec.name()));
            }
        }
    }
    found
}

#[track_caller]
fn none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}\n{}", found.join("\n"));
}

fn is_capital(text: &str) -> bool {
    text.starts_with(char::is_uppercase)
}

#[test]
fn every_property_has_a_nick_and_a_blurb() {
    let found = faults(|_, pspec| {
        let (nick, blurb) = (pspec.nick(), pspec.blurb().unwrap_or_default());
        if !is_capital(nick) {
            Some(format!("its nick \"{nick}\" begins small"))
        } else if !is_capital(blurb) || blurb.ends_with('.') || blurb.split(' ').count() < 4 {
            Some(format!("its blurb is \"{blurb}\""))
        } else {
            None
        }
    });
    none(
        found,
        "a blurb says unit and effect, begins with a capital and has no full stop",
    );
}

#[test]
fn a_fresh_property_has_its_declared_default() {
    let found = faults(|element, pspec| {
        let readable = pspec.flags().contains(glib::ParamFlags::READWRITE);
        let fresh = readable.then(|| element.property_value(pspec.name()))?;
        let (fresh, declared) = (format!("{fresh:?}"), format!("{:?}", pspec.default_value()));
        (fresh != declared).then(|| format!("is {fresh}, declared as {declared}"))
    });
    none(
        found,
        "what is declared in the specification and in Default must agree",
    );
}

#[test]
fn every_writable_property_says_until_when_it_may_change() {
    let found = faults(|_, pspec| {
        let flags = pspec.flags();
        let writable = flags.contains(glib::ParamFlags::WRITABLE);
        let fixed = flags.contains(glib::ParamFlags::CONSTRUCT_ONLY);
        match (writable && !fixed, changes(flags)) {
            (true, FIXED) => Some("has no mutability flag".into()),
            (false, FIXED) | (true, _) => None,
            (false, _) => Some("is marked as mutable and cannot be set".into()),
        }
    });
    none(
        found,
        "mark it mutable_ready, mutable_paused or mutable_playing",
    );
}

#[test]
fn the_readme_names_every_element() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    let missing = elements()
        .into_keys()
        .filter(|name| !readme.contains(&format!("`{name}`")))
        .collect();
    none(missing, "README.md has a table of the elements");
}

/// Until which state a property may change.
fn changes(flags: glib::ParamFlags) -> &'static str {
    [
        (gst::PARAM_FLAG_MUTABLE_PLAYING, "while playing"),
        (gst::PARAM_FLAG_MUTABLE_PAUSED, "up to PAUSED"),
        (gst::PARAM_FLAG_MUTABLE_READY, "up to READY"),
    ]
    .into_iter()
    .find(|(flag, _)| flags.contains(*flag))
    .map_or(FIXED, |(_, words)| words)
}

/// A property's type, in GLib's words; an enumeration shows what it may be.
fn kind(pspec: &glib::ParamSpec) -> String {
    match pspec.downcast_ref::<glib::ParamSpecEnum>() {
        Some(choice) => {
            let values = choice.enum_class();
            let nicks: Vec<_> = values.values().iter().map(|value| value.nick()).collect();
            nicks.join(", ")
        }
        None => pspec.value_type().name().to_string(),
    }
}

fn default(pspec: &glib::ParamSpec) -> String {
    if !pspec.flags().contains(glib::ParamFlags::WRITABLE) {
        return "read-only".into();
    }
    match pspec.default_value().serialize() {
        Ok(text) if text != "NULL" && text != "\"\"" => format!("`{text}`"),
        _ => "none".into(),
    }
}

/// What an element's documentation shows as its example: the first fenced block in the header of
/// its `mod.rs`.
fn example(name: &str) -> Option<String> {
    let source = fs::read_to_string(root().join(format!("plugins/{name}/mod.rs"))).ok()?;
    let header: Vec<&str> = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let (_, block) = header.split_at(header.iter().position(|line| line.starts_with("```"))?);
    let lines = block.iter().skip(1);
    let lines: Vec<_> = lines
        .take_while(|line| !line.starts_with("```"))
        .copied()
        .collect();
    Some(lines.join("\n"))
}

/// One element's part of the page, from what it says of itself.
fn section(name: &str, factory: &gst::ElementFactory) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    let description = factory.metadata("description").unwrap_or_default();
    writeln!(page, "\n## {name}\n\n{description}.")?;
    if let Some(example) = example(name) {
        writeln!(page, "\n```sh\n{example}\n```")?;
    }

    writeln!(
        page,
        "\n| pad | direction | when | caps |\n|---|---|---|---|"
    )?;
    for template in factory.static_pad_templates() {
        let direction = match template.direction() {
            gst::PadDirection::Sink => "sink",
            _ => "src",
        };
        let presence = match template.presence() {
            gst::PadPresence::Always => "always",
            gst::PadPresence::Request => "on request",
            _ => "sometimes",
        };
        let caps = template.caps().to_string().replace("; ", "`, `");
        let pad = template.name_template();
        writeln!(page, "| `{pad}` | {direction} | {presence} | `{caps}` |")?;
    }

    let element = factory.create().build().expect("the element is made");
    let properties = properties(&element);
    if !properties.is_empty() {
        let head = "| property | type | default | changes | what it does |";
        writeln!(page, "\n{head}\n|---|---|---|---|---|")?;
    }
    for pspec in properties {
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            pspec.name(),
            kind(&pspec),
            default(&pspec),
            changes(pspec.flags()),
            pspec.blurb().unwrap_or_default().replace('|', "\\|"),
        )?;
    }
    Ok(page)
}

#[test]
fn the_page_of_the_elements_says_what_they_say_themselves() {
    if !WHOLE {
        return;
    }
    let mut page = String::from(
        "# Elements\n\n\
         Every element of the plugin, with its pads and its properties; `gst-inspect-1.0` tells \
         the same. Times are nanoseconds. This page is written from the elements by \
         `EVR_BLESS=1 cargo test --test docs`.\n",
    );
    for (name, factory) in elements() {
        page += &section(&name, &factory).expect("a string takes what is written");
    }
    let path = root().join(ELEMENTS);
    if std::env::var_os("EVR_BLESS").is_some() {
        fs::create_dir_all(root().join("docs")).expect("the repository can be written");
        fs::write(&path, &page).expect("the repository can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = page
        .lines()
        .zip(written.lines().chain(std::iter::repeat("")))
        .find(|(now, then)| now != then);
    assert!(
        page == written,
        "{ELEMENTS} is not what the elements say now: run EVR_BLESS=1 cargo test --test docs\n{}",
        differs.map_or_else(String::new, |(now, then)| format!(
            "now:  {now}\nthen: {then}"
        ))
    );
}

/// The pages: README.md, what stands beside it, and all of docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![root().join("docs")];
    let in_root = fs::read_dir(root()).expect("the repository can be read");
    pages.extend(in_root.map(|entry| entry.expect("a folder can be read").path()));
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                pages.push(path);
            }
        }
    }
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

/// The `gst-launch-1.0` commands in a page's `sh` and `console` blocks, continued lines joined.
fn launch_lines(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in page.split("\n```").skip(1).step_by(2) {
        let Some((language, block)) = block.split_once('\n') else {
            continue;
        };
        if !matches!(language.trim(), "sh" | "console") {
            continue;
        }
        let block = block.replace("\\\n", " ");
        let lines = block
            .lines()
            .map(|line| line.trim_start_matches("$ ").trim());
        found.extend(
            lines
                .filter(|line| line.starts_with("gst-launch-1.0 "))
                .map(str::to_owned),
        );
    }
    found
}

/// Splits a command as a shell does, as far as documented lines need it: spaces, both quotes,
/// and a comment at the end.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn a_command_is_split_as_a_shell_splits_it() {
    assert_eq!(
        words("gst-launch-1.0 -m a  location='%Y {id}.mp4' \"b c\" '' # why"),
        [
            "gst-launch-1.0",
            "-m",
            "a",
            "location=%Y {id}.mp4",
            "b c",
            ""
        ]
    );
}

#[test]
fn every_launch_line_that_a_page_shows_can_be_built() {
    if !WHOLE {
        return;
    }
    elements();
    let mut found = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page is text");
        for line in launch_lines(&page) {
            let words = words(&line);
            let options = |word: &&String| word.starts_with('-') || *word == "gst-launch-1.0";
            let words: Vec<&str> = words
                .iter()
                .skip_while(options)
                .map(String::as_str)
                .collect();
            if let Err(err) = gst::parse::launchv(&words) {
                found.push(format!("{}: {err}\n  {line}", path.display()));
            }
        }
    }
    none(found, "a launch line in the documentation must work");
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let mut found = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page is text");
        for link in page.split("](").skip(1) {
            let target = link.split([')', '#', ' ']).next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            let folder = path.parent().unwrap_or(root());
            if !target.is_empty() && !elsewhere && !folder.join(target).exists() {
                found.push(format!("{}: {target}", path.display()));
            }
        }
    }
    none(found, "a link leads nowhere");
}
