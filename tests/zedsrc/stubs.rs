//! The stand-ins of the crate evr-zed for the SDK and the kernel, built as a test needs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A library of that stand-in.
pub fn built(source: &str, defines: &[&str], folder: &Path, name: &str) -> PathBuf {
    let library = folder.join(name);
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC"])
        .args(defines.iter().map(|define| format!("-D{define}")));
    cc.arg(format!("-DLOG=\"{}\"", folder.join("calls").display()));
    cc.arg(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("plugins/zed/tests")
            .join(source),
    );
    let status = cc.arg("-o").arg(&library).status();
    assert!(status.expect("a C compiler is installed").success());
    library
}

/// An SDK 5.2 that is none, as the property says where it is.
pub fn sdk(defines: &[&str]) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder for the stand-in");
    let defines = [&["FLAVOUR=52"], defines].concat();
    let library = built("sdk/stub.c", &defines, folder.path(), "libsl_zed_c.so");
    let property = format!("backend=sdk sdk-library={}", library.display());
    (folder, property)
}

/// What that SDK was asked, by lines.
pub fn calls(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("calls")).unwrap_or_default()
}
