//! Memory that the SDK writes into, with a margin that shows whether it wrote too much.

use super::abi;
use super::error::SdkError;

/// More than any structure has ever grown between releases.
const MARGIN: usize = 4096;
const UNTOUCHED: u8 = 0xA5;

/// Structures that any bytes make valid.
///
/// # Safety
///
/// Only for `#[repr(C)]` types of numbers, arrays of them, and pointers that nobody follows.
pub unsafe trait Plain: Sized {}

// SAFETY: numbers, arrays of them and raw pointers only.
unsafe impl Plain for abi::SensorsData {}
// SAFETY: as above.
unsafe impl Plain for abi::PoseData {}
// SAFETY: as above.
unsafe impl Plain for abi::Objects {}
// SAFETY: as above.
unsafe impl Plain for abi::Bodies {}

#[repr(C)]
struct Room<T> {
    value: T,
    margin: [u8; MARGIN],
}

/// A zeroed `T` on the heap with a margin behind it.
pub struct Guarded<T: Plain>(Box<Room<T>>);

impl<T: Plain> Guarded<T> {
    pub fn new() -> Self {
        // SAFETY: zeros are valid for a plain structure and for bytes.
        let mut room = unsafe { Box::<Room<T>>::new_zeroed().assume_init() };
        room.margin.fill(UNTOUCHED);
        Self(room)
    }

    /// Where a library may write one `T`; what it writes behind it is seen, not lost.
    pub fn as_mut_ptr(&mut self) -> *mut T {
        // From the whole room, so that writing behind the value stays within what it points to.
        (&raw mut *self.0).cast()
    }

    /// What was written.
    ///
    /// # Errors
    ///
    /// When the library wrote behind it, so that its structure is another than `what` here.
    pub fn checked(&self, what: &'static str) -> Result<&T, SdkError> {
        if self.0.margin.iter().all(|&byte| byte == UNTOUCHED) {
            Ok(&self.0.value)
        } else {
            Err(SdkError::Overrun { what })
        }
    }
}

impl<T: Plain> Default for Guarded<T> {
    fn default() -> Self {
        Self::new()
    }
}
