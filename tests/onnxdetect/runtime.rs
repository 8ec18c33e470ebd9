//! The search for ONNX Runtime.

use std::process::Command;

use crate::{asset, failure, frames, model, says};

/// Set in the processes in which a test starts itself again.
const CHILD: &str = "EVR_TEST_CHILD";

/// what the child printed.
fn in_child(test: &str, case: &str, library: Option<&str>) -> String {
    let executable = std::env::current_exe().expect("a test knows its file");
    let mut child = Command::new(executable);
    child
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, case);
    match library {
        Some(library) => child.env("ORT_DYLIB_PATH", library),
        None => child.env_remove("ORT_DYLIB_PATH"),
    };
    let output = child.output().expect("a child starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn without_a_runtime_the_sentence_says_how_to_get_one() {
    let test = "runtime::without_a_runtime_the_sentence_says_how_to_get_one";
    if let Ok(property) = std::env::var(CHILD) {
        println!(
            "{}",
            failure(&format!("onnxdetect model-file=x {property} ! fakesink"))
        );
        return;
    }
    let nothing = in_child(test, "", None);
    says(
        &nothing,
        &[
            "onnxdetect",
            "pip install onnxruntime",
            "runtime-library",
            "ORT_DYLIB_PATH",
        ],
    );
    let missing = in_child(test, "", Some("/nowhere/libonnxruntime.so"));
    says(
        &missing,
        &[
            "ORT_DYLIB_PATH names /nowhere/libonnxruntime.so",
            "pip install",
        ],
    );
    let this = std::env::current_exe().expect("a test knows its file");
    let wrong = in_child(test, &format!("runtime-library={}", this.display()), None);
    says(&wrong, &["runtime-library names", "pip install"]);
}

#[test]
fn a_second_runtime_in_one_process_is_refused() {
    let test = "runtime::a_second_runtime_in_one_process_is_refused";
    let library = asset("ORT_DYLIB_PATH");
    if std::env::var_os(CHILD).is_some() {
        let eye = format!("onnxdetect {} ! appsink name=out", model());
        frames(&format!("videotestsrc num-buffers=1 ! {eye}"));
        let other = "onnxdetect model-file=x runtime-library=/nowhere/other.so ! fakesink";
        println!("{}", failure(other));
        // The one that is loaded may be named.
        let same = eye.replace(
            "model-file",
            &format!("runtime-library={library} model-file"),
        );
        frames(&format!("videotestsrc num-buffers=1 ! {same}"));
        return;
    }
    let text = in_child(test, "conflict", Some(&library));
    says(
        &text,
        &["/nowhere/other.so", &library, "only one ONNX Runtime"],
    );
}
