//! Finds ONNX Runtime and opens it, once a process: a library that is loaded stays loaded, and a
//! second one beside it is refused.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ort::environment::Environment;

/// Variable that names the library, as every user of ONNX Runtime's Rust binding reads it.
const VARIABLE: &str = "ORT_DYLIB_PATH";
/// What the system's loader is asked for; the second is what packages without headers install.
const SYSTEM_NAMES: [&str; 2] = ["libonnxruntime.so", "libonnxruntime.so.1"];
const FILE_PREFIX: &str = "libonnxruntime.so";
/// Keeps ONNX Runtime 1.29 and newer from reporting to its maker. It reads the variable while it
/// is loaded, before any call could say so, and a plugin cannot set one safely in a process that
/// has threads.
const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// The runtime of this process, from its first use on.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// Whether the runtime may send a report of this process before it is told not to: official builds
/// from 1.29 on do, unless the environment says otherwise.
pub(super) fn may_report() -> bool {
    env::var_os(NO_TELEMETRY).is_none_or(|value| value.is_empty() || value == "0")
}

/// ONNX Runtime, opened.
#[derive(Debug, Clone)]
pub(super) struct Runtime {
    /// What was opened: a path, or a name that the system's loader resolved.
    pub(super) library: PathBuf,
    pub(super) environment: Environment,
}

/// Why there is no runtime. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum RuntimeError {
    /// Nothing was named and nothing was found.
    #[error(
        "found no usable ONNX Runtime beside the plugin or in the system's library path ({0}): \
         install one (`pip install onnxruntime` brings onnxruntime/capi/libonnxruntime.so.1.*) \
         and name that file in the property runtime-library or in ORT_DYLIB_PATH"
    )]
    NotFound(String),
    /// What the user named does not open.
    #[error(
        "{origin} names {library}, which is no usable ONNX Runtime ({reason}): name the file \
         libonnxruntime.so.1.* of version 1.{} or newer, such as `pip install onnxruntime` brings \
         in onnxruntime/capi/",
        ort::MINOR_VERSION
    )]
    Unusable {
        /// The property or the variable.
        origin: &'static str,
        library: String,
        reason: String,
    },
    /// Another library is in use.
    #[error(
        "runtime-library names {asked}, but this process already runs {loaded}, and it can hold \
         only one ONNX Runtime: name the same library everywhere"
    )]
    Conflict { asked: String, loaded: String },
}

/// Opens the runtime, or hands out the one that is open.
///
/// `asked` is the property; without it goes `ORT_DYLIB_PATH`, then a library in the folder of the
/// `plugin` file, then the system's loader.
pub(super) fn open(asked: Option<&Path>, plugin: Option<&Path>) -> Result<Runtime, RuntimeError> {
    // Held while loading, so that two elements that start together load one library. Nothing but
    // this function takes it.
    let mut loaded = LOADED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(runtime) = &*loaded {
        return match asked {
            Some(asked) if !same_file(asked, &runtime.library) => Err(RuntimeError::Conflict {
                asked: asked.display().to_string(),
                loaded: runtime.library.display().to_string(),
            }),
            _ => Ok(runtime.clone()),
        };
    }
    let runtime = search(asked, plugin)?;
    *loaded = Some(runtime.clone());
    Ok(runtime)
}

fn search(asked: Option<&Path>, plugin: Option<&Path>) -> Result<Runtime, RuntimeError> {
    let named = |origin, library: &Path| {
        load(library).map_err(|reason| RuntimeError::Unusable {
            origin,
            library: library.display().to_string(),
            reason,
        })
    };
    if let Some(library) = asked {
        return named("runtime-library", library);
    }
    if let Some(library) = env::var_os(VARIABLE).filter(|library| !library.is_empty()) {
        return named(VARIABLE, Path::new(&library));
    }
    let beside = plugin.and_then(Path::parent).map(libraries_in);
    let system = SYSTEM_NAMES.iter().map(PathBuf::from);
    let mut reasons = Vec::new();
    for library in beside.into_iter().flatten().chain(system) {
        match load(&library) {
            Ok(runtime) => return Ok(runtime),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(RuntimeError::NotFound(reasons.join("; ")))
}

/// Opens one library. After a failure nothing of it is in use and another may be tried.
fn load(library: &Path) -> Result<Runtime, String> {
    // A path with a folder in it has to exist: the loader's own words for that are obscure.
    if library.components().count() > 1 && !library.is_file() {
        return Err(format!("{} is no file", library.display()));
    }
    let environment = ort::init_from(library)
        .map_err(|err| err.to_string())?
        .with_name("gst-plugin-evr")
        .with_telemetry(false)
        .build()
        .map_err(|err| err.to_string())?;
    Ok(Runtime {
        library: library.to_owned(),
        environment,
    })
}

/// The files called `libonnxruntime.so*` in a folder, the shortest name first, which is the link
/// that the others are versions of.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let files = folder.read_dir().into_iter().flatten().flatten();
    let mut libraries: Vec<_> = files
        .filter(|file| file.file_name().to_string_lossy().starts_with(FILE_PREFIX))
        .map(|file| file.path())
        .collect();
    libraries.sort_by_key(|library| (library.as_os_str().len(), library.clone()));
    libraries
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
