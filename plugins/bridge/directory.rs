//! Directories that last: what more than one element needs of the file system.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Makes a directory and those that it lies in, and makes sure that they last: what lies in a
/// directory that a power cut forgets is lost with it.
pub(crate) fn make_directories(directory: &Path) -> io::Result<()> {
    let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<_> = directory.ancestors().take_while(missing).collect();
    for directory in missing.into_iter().rev() {
        match fs::create_dir(directory) {
            // Another recording makes the same one.
            Err(err) if err.kind() == ErrorKind::AlreadyExists && directory.is_dir() => {}
            made => made?,
        }
        sync_directory(directory)?;
    }
    Ok(())
}

/// A new or renamed file or directory is only on disk once its directory is.
pub(crate) fn sync_directory(file: &Path) -> io::Result<()> {
    File::open(parent(file).unwrap_or(Path::new(".")))?.sync_all()
}

/// Whether the open file is still the one of that name.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// The directory that a file lies in, where its path names one.
pub(crate) fn parent(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
}
