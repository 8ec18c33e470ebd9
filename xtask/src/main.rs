//! `cargo xtask`: the repository's own commands.
//!
//! Each command does all its own set-up and is safe to repeat. This file names the commands; what
//! each one does stands in the file of its name.

mod assets;
mod bench;
mod cache;
mod check;
mod clip;
mod demo;
mod fuzz;
mod launch;
mod lint;
mod matrix;
mod measured;
mod packages;
mod picture;
mod pipelines;
mod process;
mod python;
mod recordings;
mod sanitize;
mod stage;
mod stereo;
mod video;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo     find people in a sample video and record them: the whole plugin in one run
  test     everything that must hold before a merge: format, lints, pipelines, tests, licences
  soak     the long tests; writes docs/measured.md
  bench    the benchmarks; writes docs/measured.md
  fuzz     libFuzzer on what parses, a while each (part of soak); needs a nightly compiler and cargo-fuzz
  sanitize the tests of evr-zed under the address sanitizer (part of soak); needs a nightly compiler
  upstream onnxdetect beside GStreamer's own onnxinference; writes docs/measured.md
  matrix   `test`, or the command named behind it, in a Debian 13 chroot, whose GStreamer is 1.26 (needs root)
  picture  draws the picture in the README anew
  assets   only fetch what the others need: ONNX Runtime, the model, the sample clip

Missing Debian packages are installed, downloads are kept in $XDG_CACHE_HOME/gst-plugin-evr
(~/.cache/gst-plugin-evr); with both in place no command needs a network.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["demo"] => demo::run(),
        ["test"] => check::run(),
        ["soak"] => bench::soak()
            .and_then(|()| sanitize::run_if_possible())
            .and_then(|()| fuzz::run_if_possible()),
        ["bench"] => bench::bench(),
        ["fuzz"] => fuzz::run(),
        ["sanitize"] => sanitize::run(),
        ["picture"] => picture::run(),
        ["upstream"] => bench::upstream(),
        ["matrix"] => matrix::run("test"),
        ["matrix", command] => matrix::run(command),
        ["assets"] => print_assets(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_assets() -> Result<()> {
    for (name, path) in assets::prepare_all()?.environment() {
        println!("{name}={}", path.display());
    }
    Ok(())
}
