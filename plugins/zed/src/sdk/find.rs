//! Where the SDK's C library may be, and what it says of itself before it is trusted.
//!
//! Belongs here: opening it and the few calls that every release has alike.

use std::error::Error;
use std::ffi::{CStr, c_char, c_void};
use std::path::{Path, PathBuf};

use libloading::Library;

use super::error::SdkError;

const NAME: &str = "libsl_zed_c.so";
/// Where the SDK's installer and zed-c-api's put it, for a loader that was not told.
const INSTALLED: &str = "/usr/local/zed/lib/libsl_zed_c.so";

/// Opens the library that was asked for, or the first of those that may be there.
pub(super) fn find(asked: Option<&Path>) -> Result<(Library, PathBuf), SdkError> {
    let candidates = match asked {
        Some(path) => vec![path],
        None => vec![Path::new(NAME), Path::new(INSTALLED)],
    };
    let mut cause = String::new();
    for path in candidates {
        // SAFETY: runs the initialisers of a library that the user installed or named for this.
        match unsafe { Library::new(path) } {
            Ok(library) => return Ok((library, path.to_owned())),
            Err(err) if cause.is_empty() => {
                // What the loader says stands below.
                cause = err
                    .source()
                    .map_or_else(|| err.to_string(), ToString::to_string);
            }
            Err(_) => {}
        }
    }
    Err(SdkError::Absent { cause })
}

/// The function that frees what the library hands out: its own since 5.1, before that C's.
pub(super) fn deallocator(library: &Library, own: bool) -> unsafe extern "C" fn(*mut c_void) {
    if own {
        // SAFETY: `sl_free` has had this type since it came.
        if let Ok(free) = unsafe { library.get(b"sl_free") } {
            return *free;
        }
    }
    libc::free
}

/// What the library calls its release.
pub(super) fn said_version(
    library: &Library,
    name: &str,
    own_free: bool,
) -> Result<String, SdkError> {
    let symbol = "sl_get_sdk_version";
    type Say = unsafe extern "C" fn() -> *mut c_char;
    // SAFETY: every release since 4.0 declares it so.
    let say = unsafe { library.get::<Say>(symbol.as_bytes()) }.map_err(|_| SdkError::Symbol {
        library: name.to_owned(),
        symbol,
    })?;
    // SAFETY: takes nothing, needs no camera, and returns a string on the heap or nothing.
    let said = unsafe { say() };
    if said.is_null() {
        return Ok(String::new());
    }
    // SAFETY: not null, and a C string by its declaration.
    let text = unsafe { CStr::from_ptr(said) }
        .to_string_lossy()
        .into_owned();
    // SAFETY: it came from this library's heap and is not read again.
    unsafe { deallocator(library, own_free)(said.cast()) };
    Ok(text)
}
