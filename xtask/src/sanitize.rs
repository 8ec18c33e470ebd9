//! `cargo xtask sanitize`: the tests of the crate with unsafe code under the address sanitizer, which
//! takes a nightly compiler.
//!
//! Their stand-ins of the SDK and of the kernel are C, and write where we told them to.

use anyhow::{Context, Result, ensure};

use crate::process::Progress;
use crate::{measured, process, workspace};

/// The only crate that may hold `unsafe`, see `tests/architecture.rs`.
const PACKAGE: &str = "evr-zed";
/// The sanitizer wants a target that is named, lest it get into build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const MISSING: &str = "the address sanitizer takes a nightly compiler on x86_64 Linux: \
     `rustup toolchain install nightly --profile minimal`";

/// Whether this machine has what it takes.
pub(crate) fn is_possible() -> bool {
    cfg!(all(target_arch = "x86_64", target_os = "linux"))
        && process::succeeds(workspace::nightly().arg("--version"))
}

/// Runs the tests, and writes to docs/measured.md how many there were.
pub(crate) fn run() -> Result<()> {
    ensure!(is_possible(), MISSING);
    let _progress = Progress::new(&format!("{PACKAGE} under the address sanitizer"));
    let mut command = workspace::nightly();
    command
        .args(["test", "--package", PACKAGE, "--target", TARGET])
        .arg("--target-dir")
        .arg(workspace::target()?.join("sanitize"))
        .env("RUSTFLAGS", "-Zsanitizer=address");
    let output = process::capture(&mut command)?;
    let passed = passed(&String::from_utf8_lossy(&output.stdout)).context("no test was run")?;
    let what = format!("tests of {PACKAGE} without a word of the address sanitizer");
    measured::record("sanitize", &[(what, passed.to_string())])
}

/// As `run`, where that is possible.
pub(crate) fn run_if_possible() -> Result<()> {
    match is_possible() {
        true => run(),
        false => {
            println!("not sanitized: {MISSING}");
            Ok(())
        }
    }
}

/// How many tests of all programs passed.
fn passed(said: &str) -> Option<u32> {
    let counts = said.lines().filter_map(|line| {
        let rest = line.strip_prefix("test result: ok. ")?;
        rest.split_once(" passed")?.0.parse::<u32>().ok()
    });
    counts.reduce(|sum, count| sum + count)
}

#[cfg(test)]
mod tests {
    #[test]
    fn tests_of_all_programs_are_counted() {
        let said = "test a ... ok\n\
                    test result: ok. 28 passed; 0 failed; 0 ignored\n\n\
                    test result: ok. 12 passed; 0 failed; 1 ignored";
        assert_eq!(super::passed(said), Some(40));
        assert_eq!(super::passed("nothing to do"), None);
    }
}
