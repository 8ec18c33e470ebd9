//! docs/measured.md: what was measured, on what, when; a section for each command that measures.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::{assets, process, workspace};

const INTRODUCTION: &str = "\
# Measured

`cargo xtask soak`, `bench`, `upstream`, `fuzz` and `sanitize` each write their own section; the others are kept by hand.
";

/// The figure in a line `measured: <what>: <value>`, which may follow other output.
pub(crate) fn figure(line: &str) -> Option<(String, String)> {
    let (_, figure) = line.split_once("measured: ")?;
    let (what, value) = figure.split_once(": ")?;
    Some((what.trim().to_owned(), value.trim().to_owned()))
}

/// Writes `figures` as the section `name`; other sections stay.
pub(crate) fn record(name: &str, figures: &[(String, String)]) -> Result<()> {
    if figures.is_empty() {
        println!("nothing was measured: docs/measured.md stays as it is");
        return Ok(());
    }
    let path = workspace::root().join("docs/measured.md");
    let before = fs::read_to_string(&path).unwrap_or_else(|_| INTRODUCTION.to_owned());
    let after = replace_section(&before, name, &section(name, &circumstances(), figures));
    fs::write(&path, after).with_context(|| format!("cannot write {}", path.display()))?;
    println!("figures written to docs/measured.md: {}", figures.len());
    Ok(())
}

fn section(name: &str, circumstances: &str, figures: &[(String, String)]) -> String {
    let mut text = format!("## {name}\n\n{circumstances}\n\n| what | value |\n|---|---|\n");
    for (what, value) in figures {
        text += &format!("| {} | {} |\n", escape(what), escape(value));
    }
    text
}

fn escape(cell: &str) -> String {
    cell.replace('|', r"\|")
}

/// `text` with its section `name` replaced, or added at the end.
fn replace_section(text: &str, name: &str, section: &str) -> String {
    let heading = format!("## {name}");
    let mut kept = String::new();
    let mut placed = false;
    let mut skipping = false;
    for line in text.lines() {
        if line.starts_with("## ") {
            skipping = line.trim_end() == heading;
            if skipping && !placed {
                kept += section;
                kept.push('\n');
                placed = true;
            }
        }
        if !skipping {
            kept += line;
            kept.push('\n');
        }
    }
    let mut kept = kept.trim_end().to_owned();
    if !placed {
        kept = format!("{kept}\n\n{}", section.trim_end());
    }
    kept + "\n"
}

/// The machine, the versions and the day.
fn circumstances() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores, {}; GStreamer {}, {}, ONNX Runtime {}; {}.",
        processor(),
        std::env::consts::ARCH,
        first_line("pkg-config", &["--modversion", "gstreamer-1.0"]),
        first_line("rustc", &["--version"]),
        assets::RUNTIME_VERSION,
        Timestamp::now().strftime("%Y-%m-%d")
    )
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = model.map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    name.unwrap_or("unknown processor").to_owned()
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    process::capture(Command::new(program).args(arguments))
        .ok()
        .and_then(|output| {
            Some(
                String::from_utf8_lossy(&output.stdout)
                    .lines()
                    .next()?
                    .to_owned(),
            )
        })
        .unwrap_or_else(|| format!("unknown {program}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_behind_the_test_runners_words() {
        let line = "test soak_gate ... measured: gate: lead: 1.2 s";
        assert_eq!(figure(line), Some(("gate".into(), "lead: 1.2 s".into())));
        assert_eq!(figure("running 3 tests"), None);
    }

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let first = replace_section("# Measured\n", "soak", "## soak\n\nold\n");
        let both = replace_section(&first, "bench", "## bench\n\nkept\n");
        let again = replace_section(&both, "soak", "## soak\n\nnew\n");
        assert_eq!(again, "# Measured\n\n## soak\n\nnew\n\n## bench\n\nkept\n");
    }
}
