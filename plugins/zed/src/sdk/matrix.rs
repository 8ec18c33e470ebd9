//! A picture in the SDK's memory.
//!
//! Belongs here: its life, and turning what the library says of it into a slice. What the bytes
//! mean is `frame`'s.

use std::ffi::c_void;
use std::sync::Arc;

use super::abi;
use super::error::SdkError;
use super::library::Sdk;

/// A matrix of the SDK in the CPU's memory.
pub struct Mat {
    sdk: Arc<Sdk>,
    pub(super) raw: *mut c_void,
}

/// What a matrix holds: `height` rows of `width` pixels, `step` bytes from row to row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub width: usize,
    pub height: usize,
    pub step: usize,
    pub bytes: &'a [u8],
}

impl Mat {
    /// # Errors
    ///
    /// When the library gives none.
    pub fn new(sdk: &Arc<Sdk>) -> Result<Self, SdkError> {
        // SAFETY: takes nothing and returns a matrix of its own.
        let raw = unsafe { (sdk.functions.sl_mat_create_new_empty)() };
        if raw.is_null() {
            return Err(SdkError::NoMatrix);
        }
        Ok(Self {
            sdk: Arc::clone(sdk),
            raw,
        })
    }

    /// What the last retrieval put here.
    ///
    /// # Errors
    ///
    /// When what the library says of it cannot be `what` with `pixel` bytes a pixel.
    pub fn rows(&mut self, what: &'static str, pixel: usize) -> Result<Rows<'_>, SdkError> {
        let functions = &self.sdk.functions;
        // SAFETY: the matrix lives.
        let width = unsafe { (functions.sl_mat_get_width)(self.raw) };
        // SAFETY: the matrix lives.
        let height = unsafe { (functions.sl_mat_get_height)(self.raw) };
        // SAFETY: the matrix lives.
        let found_pixel = unsafe { (functions.sl_mat_get_pixel_bytes)(self.raw) };
        // SAFETY: the matrix lives.
        let step = unsafe { (functions.sl_mat_get_step_bytes)(self.raw, abi::MEM_CPU) };
        // SAFETY: the matrix lives.
        let start = unsafe { (functions.sl_mat_get_ptr)(self.raw, abi::MEM_CPU) };
        let refuse = || SdkError::Picture {
            what,
            width,
            height,
            step,
        };
        let size = |value: i32| {
            usize::try_from(value)
                .ok()
                .filter(|&size| (1..=32_768).contains(&size))
        };
        let (Some(w), Some(h)) = (size(width), size(height)) else {
            return Err(refuse());
        };
        let stride = usize::try_from(step).ok().filter(|&step| step >= w * pixel);
        let Some(stride) = stride.filter(|&stride| stride <= 1 << 20) else {
            return Err(refuse());
        };
        if start.is_null() || usize::try_from(found_pixel) != Ok(pixel) {
            return Err(refuse());
        }
        let length = stride * (h - 1) + w * pixel;
        // SAFETY: the library keeps `height` rows of `step` bytes there until the next retrieval
        // into this matrix, which needs it mutably, as this borrow does.
        let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) };
        Ok(Rows {
            width: w,
            height: h,
            step: stride,
            bytes,
        })
    }
}

impl Drop for Mat {
    fn drop(&mut self) {
        // SAFETY: created by this library and freed once.
        unsafe { (self.sdk.functions.sl_mat_free)(self.raw, abi::MEM_CPU) };
    }
}
