//! The SDK's C library: opened, proven to be of a release that is spoken here, and its functions
//! behind safe methods.
//!
//! Belongs here: every call through a pointer into the library, and nothing that decides what to
//! call when (that is `camera`). A library that was opened stays in the process: its CUDA threads
//! would outlive their code.

use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;

use libloading::Library;

use super::abi;
use super::code::Code;
use super::error::SdkError;
use super::find::{deallocator, find, said_version};
use super::guard::Guarded;
use super::matrix::Mat;
use super::version::{self, Abi, Fingerprint, Version};

/// Declares the functions with their types, and how each is found.
macro_rules! functions {
    ($(fn $name:ident($($type:ty),*) $(-> $result:ty)?;)*) => {
        pub(super) struct Functions {
            $(pub(super) $name: unsafe extern "C" fn($($type),*) $(-> $result)?,)*
        }

        impl Functions {
            /// # Safety
            ///
            /// Functions of these names in `library` must have the types declared here.
            unsafe fn load(library: &Library, name: &str) -> Result<Self, SdkError> {
                Ok(Self {
                    $($name: {
                        let symbol = stringify!($name);
                        // SAFETY: the caller answers for the type.
                        let found = unsafe { library.get(symbol.as_bytes()) };
                        *found.map_err(|_| SdkError::Symbol { library: name.to_owned(), symbol })?
                    },)*
                })
            }
        }
    };
}

functions! {
    fn sl_get_number_zed_connected() -> i32;
    fn sl_create_camera(i32) -> bool;
    fn sl_is_opened(i32) -> bool;
    fn sl_close_camera(i32);
    fn sl_unload_instance(i32);
    fn sl_grab(i32, *mut abi::RuntimeParameters) -> i32;
    fn sl_get_width(i32) -> i32;
    fn sl_get_height(i32) -> i32;
    fn sl_get_camera_fps(i32) -> f32;
    fn sl_get_zed_serial(i32) -> i32;
    fn sl_get_camera_model(i32) -> i32;
    fn sl_get_camera_firmware(i32) -> i32;
    fn sl_get_image_timestamp(i32) -> u64;
    fn sl_get_frame_dropped_count(i32) -> u32;
    fn sl_get_init_parameters(i32) -> *mut abi::InitParameters;
    fn sl_mat_create_new_empty() -> *mut c_void;
    fn sl_mat_free(*mut c_void, i32);
    fn sl_mat_get_ptr(*mut c_void, i32) -> *mut i32;
    fn sl_mat_get_width(*mut c_void) -> i32;
    fn sl_mat_get_height(*mut c_void) -> i32;
    fn sl_mat_get_pixel_bytes(*mut c_void) -> i32;
    fn sl_mat_get_step_bytes(*mut c_void, i32) -> i32;
    fn sl_retrieve_image(i32, *mut c_void, i32, i32, i32, i32, *mut c_void) -> i32;
    fn sl_retrieve_measure(i32, *mut c_void, i32, i32, i32, i32, *mut c_void) -> i32;
    fn sl_enable_positional_tracking(i32, *mut abi::PositionalTrackingParameters, *const c_char) -> i32;
    fn sl_get_position_data(i32, *mut abi::PoseData, i32) -> i32;
    fn sl_get_sensors_data(i32, *mut abi::SensorsData, i32) -> i32;
    fn sl_enable_object_detection(i32, *mut abi::ObjectDetectionParameters) -> i32;
    fn sl_retrieve_objects(i32, *mut abi::ObjectDetectionRuntimeParameters, *mut abi::Objects, u32) -> i32;
    fn sl_enable_body_tracking(i32, *mut abi::BodyTrackingParameters) -> i32;
    fn sl_retrieve_bodies(i32, *mut abi::BodyTrackingRuntimeParameters, *mut abi::Bodies, u32) -> i32;
    fn sl_set_camera_settings(i32, i32, i32) -> i32;
    fn sl_set_camera_settings_min_max(i32, i32, i32, i32) -> i32;
    fn sl_set_roi_for_aec_agc(i32, i32, *mut abi::Rect, bool) -> i32;
    fn sl_enable_recording(i32, *const c_char, i32, u32, i32, bool) -> i32;
    fn sl_disable_recording(i32);
}

/// Opening changed its arguments with 5.2: a port for GMSL stands before the log file.
type OpenUpTo51 = unsafe extern "C" fn(
    i32,
    *mut abi::InitParameters,
    u32,
    *const c_char,
    *const c_char,
    i32,
    *const c_char,
    *const c_char,
    *const c_char,
) -> i32;
type OpenFrom52 = unsafe extern "C" fn(
    i32,
    *mut abi::InitParameters,
    u32,
    *const c_char,
    *const c_char,
    i32,
    i32,
    *const c_char,
    *const c_char,
    *const c_char,
) -> i32;

enum Open {
    UpTo51(OpenUpTo51),
    From52(OpenFrom52),
}

/// Which camera, stream or file to open, in the words of the C interface.
#[derive(Debug, Default)]
pub struct Source {
    pub serial: u32,
    pub svo: CString,
    pub host: CString,
    pub port: i32,
    pub log_file: CString,
    pub settings_folder: CString,
    pub calibration: CString,
}

/// An opened library that has proven its release.
pub struct Sdk {
    pub(super) functions: Functions,
    open: Open,
    free: unsafe extern "C" fn(*mut c_void),
    pub version: Version,
    pub abi: Abi,
    pub path: String,
    /// Never closed: threads of CUDA and of the SDK run its code until the process ends.
    _library: ManuallyDrop<Library>,
}

impl std::fmt::Debug for Sdk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ZED SDK {} at {}", self.version, self.path)
    }
}

impl Sdk {
    /// Opens the library at `path`, or where the loader or the SDK's installer has it.
    ///
    /// # Errors
    ///
    /// When there is none, or none of a release that is spoken here; see [`version::decide`].
    pub fn open(path: Option<&Path>, allow_newer: bool) -> Result<Arc<Self>, SdkError> {
        let (library, path) = find(path)?;
        let name = path.display().to_string();
        let has = |symbol: &[u8]| {
            // SAFETY: only whether it is there counts; nothing is called or read through it.
            unsafe { library.get::<*const c_void>(symbol) }.is_ok()
        };
        let fingerprint = Fingerprint {
            find_usb_device: has(b"sl_find_usb_device"),
            health_status: has(b"sl_get_health_status"),
            free: has(b"sl_free"),
            open_from_svo_file: has(b"sl_open_camera_from_svo_file"),
        };
        let text = said_version(&library, &name, fingerprint.free)?;
        let (version, abi) = version::decide(&name, &text, fingerprint, allow_newer)?;
        // SAFETY: version and fingerprint agree on a release that declares them so.
        let functions = unsafe { Functions::load(&library, &name)? };
        let symbol = "sl_open_camera";
        let missing = |_| SdkError::Symbol {
            library: name.clone(),
            symbol,
        };
        let open = if abi >= Abi::V52 {
            // SAFETY: 5.2 declares it with the GMSL port.
            let found = unsafe { library.get::<OpenFrom52>(symbol.as_bytes()) };
            Open::From52(*found.map_err(missing)?)
        } else {
            // SAFETY: 5.0 and 5.1 declare it without the GMSL port.
            let found = unsafe { library.get::<OpenUpTo51>(symbol.as_bytes()) };
            Open::UpTo51(*found.map_err(missing)?)
        };
        Ok(Arc::new(Self {
            free: deallocator(&library, fingerprint.free),
            functions,
            open,
            version,
            abi,
            path: name,
            _library: ManuallyDrop::new(library),
        }))
    }

    /// Opens a camera, a stream or a file in slot `id`.
    pub fn open_camera(&self, id: i32, init: &mut abi::InitParameters, from: &Source) -> Code {
        let (svo, host) = (from.svo.as_ptr(), from.host.as_ptr());
        let log = from.log_file.as_ptr();
        let (settings, calibration) = (from.settings_folder.as_ptr(), from.calibration.as_ptr());
        Code(match self.open {
            // SAFETY: the fingerprint proved this arity; the strings and the structure, of this
            // release's layout, outlive the call, which keeps none of them.
            Open::UpTo51(open) => unsafe {
                open(
                    id,
                    init,
                    from.serial,
                    svo,
                    host,
                    from.port,
                    log,
                    settings,
                    calibration,
                )
            },
            // SAFETY: as above; 0 is the GMSL port that the SDK chooses itself.
            Open::From52(open) => unsafe {
                open(
                    id,
                    init,
                    from.serial,
                    svo,
                    host,
                    from.port,
                    0,
                    log,
                    settings,
                    calibration,
                )
            },
        })
    }

    /// The parameters of slot `id` as the library understood them.
    pub fn init_parameters(&self, id: i32) -> Option<abi::InitParameters> {
        // SAFETY: takes a number and returns a structure on the heap, or nothing.
        let echo = unsafe { (self.functions.sl_get_init_parameters)(id) };
        if echo.is_null() {
            return None;
        }
        // SAFETY: not null, and at least as large as this release's structure, since it is that
        // structure or, if the layout is another, one of a later release that only appended.
        let read = unsafe { echo.read_unaligned() };
        // SAFETY: it came from this library's heap and is not read again.
        unsafe { (self.free)(echo.cast()) };
        Some(read)
    }

    pub fn grab(&self, id: i32, runtime: &mut abi::RuntimeParameters) -> Code {
        // SAFETY: the structure has this release's layout and outlives the call.
        Code(unsafe { (self.functions.sl_grab)(id, runtime) })
    }

    pub fn retrieve_image(&self, id: i32, mat: &Mat, view: i32) -> Code {
        let stream = std::ptr::null_mut();
        // SAFETY: the matrix lives; size 0 is the camera's own; no CUDA stream is needed.
        Code(unsafe {
            (self.functions.sl_retrieve_image)(id, mat.raw, view, abi::MEM_CPU, 0, 0, stream)
        })
    }

    pub fn retrieve_measure(&self, id: i32, mat: &Mat, measure: i32) -> Code {
        let stream = std::ptr::null_mut();
        // SAFETY: the matrix lives; size 0 is the camera's own; no CUDA stream is needed.
        Code(unsafe {
            (self.functions.sl_retrieve_measure)(id, mat.raw, measure, abi::MEM_CPU, 0, 0, stream)
        })
    }

    pub fn enable_positional_tracking(
        &self,
        id: i32,
        parameters: &mut abi::PositionalTrackingParameters,
        area_file: &CStr,
    ) -> Code {
        // SAFETY: layout of 5.1 and 5.2, whose start is that of 5.0; both outlive the call.
        Code(unsafe {
            (self.functions.sl_enable_positional_tracking)(id, parameters, area_file.as_ptr())
        })
    }

    pub fn enable_object_detection(
        &self,
        id: i32,
        parameters: &mut abi::ObjectDetectionParameters,
    ) -> Code {
        // SAFETY: this release's layout; the strings it points to outlive the call.
        Code(unsafe { (self.functions.sl_enable_object_detection)(id, parameters) })
    }

    pub fn enable_body_tracking(
        &self,
        id: i32,
        parameters: &mut abi::BodyTrackingParameters,
    ) -> Code {
        // SAFETY: this release's layout.
        Code(unsafe { (self.functions.sl_enable_body_tracking)(id, parameters) })
    }

    pub fn pose(&self, id: i32, out: &mut Guarded<abi::PoseData>, frame: i32) -> Code {
        // SAFETY: room for the structure and for what a longer one would write.
        Code(unsafe { (self.functions.sl_get_position_data)(id, out.as_mut_ptr(), frame) })
    }

    pub fn sensors(&self, id: i32, out: &mut Guarded<abi::SensorsData>, time: i32) -> Code {
        // SAFETY: room for the structure and for what a longer one would write.
        Code(unsafe { (self.functions.sl_get_sensors_data)(id, out.as_mut_ptr(), time) })
    }

    pub fn objects(
        &self,
        id: i32,
        runtime: &mut abi::ObjectDetectionRuntimeParameters,
        out: &mut Guarded<abi::Objects>,
        instance: u32,
    ) -> Code {
        // SAFETY: the structure of 5.2 starts with that of 5.0; there is room for the list and for
        // what a longer one would write.
        Code(unsafe {
            (self.functions.sl_retrieve_objects)(id, runtime, out.as_mut_ptr(), instance)
        })
    }

    pub fn bodies(
        &self,
        id: i32,
        runtime: &mut abi::BodyTrackingRuntimeParameters,
        out: &mut Guarded<abi::Bodies>,
        instance: u32,
    ) -> Code {
        // SAFETY: this release's layouts; there is room for what a longer list would write.
        Code(unsafe {
            (self.functions.sl_retrieve_bodies)(id, runtime, out.as_mut_ptr(), instance)
        })
    }

    pub fn set_aec_agc_roi(&self, id: i32, side: i32, roi: Option<abi::Rect>) -> Code {
        let mut rect = roi.unwrap_or_default();
        // SAFETY: the rectangle outlives the call, which does not keep it.
        Code(unsafe { (self.functions.sl_set_roi_for_aec_agc)(id, side, &mut rect, roi.is_none()) })
    }

    pub fn enable_recording(&self, id: i32, file: &CStr, compression: i32) -> Code {
        // SAFETY: the string outlives the call; bit rate and rate 0 are the SDK's own.
        Code(unsafe {
            (self.functions.sl_enable_recording)(id, file.as_ptr(), compression, 0, 0, false)
        })
    }
}

/// Calls that take and return numbers only: nothing of them can be too short or dangle.
macro_rules! number_calls {
    ($($name:ident = $symbol:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Sdk {
            $(pub fn $name(&self, $($argument: $type),*) -> $result {
                // SAFETY: numbers in, a number out; the types are those of this release.
                unsafe { (self.functions.$symbol)($($argument),*) }
            })*
        }
    };
}

number_calls! {
    connected = sl_get_number_zed_connected() -> i32;
    create_camera = sl_create_camera(id: i32) -> bool;
    is_opened = sl_is_opened(id: i32) -> bool;
    close_camera = sl_close_camera(id: i32) -> ();
    unload_instance = sl_unload_instance(id: i32) -> ();
    width = sl_get_width(id: i32) -> i32;
    height = sl_get_height(id: i32) -> i32;
    fps = sl_get_camera_fps(id: i32) -> f32;
    serial = sl_get_zed_serial(id: i32) -> i32;
    model = sl_get_camera_model(id: i32) -> i32;
    firmware = sl_get_camera_firmware(id: i32) -> i32;
    image_timestamp = sl_get_image_timestamp(id: i32) -> u64;
    dropped = sl_get_frame_dropped_count(id: i32) -> u32;
    set = sl_set_camera_settings(id: i32, setting: i32, value: i32) -> i32;
    set_range = sl_set_camera_settings_min_max(id: i32, setting: i32, min: i32, max: i32) -> i32;
    disable_recording = sl_disable_recording(id: i32) -> ();
}
