//! A device node of the kernel: opening it, asking it, waiting for it.
//!
//! Belongs here: every system call of the UVC backend, and the kernel's structures for them on
//! 64-bit Linux, held by assertions. Calls go through the C library. What to ask in which order is
//! `capture`'s and `sensors`'.

use std::ffi::{CString, c_int, c_ulong, c_void};
use std::fs::File;
use std::io::{self, Read};
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::time::Duration;

/// Structures that the kernel reads and writes.
///
/// # Safety
///
/// Only for `#[repr(C)]` types of numbers that any bytes make valid, whose size is the one that
/// their request's number carries.
pub unsafe trait Exchange {
    const REQUEST: c_ulong;
}

/// Declares a structure with the request that carries it, and checks one against the other.
macro_rules! exchange {
    ($(#[$doc:meta])* $name:ident, $request:literal { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name { $(pub $field: $type,)* }

        // Bits 16 to 29 of a request are the size of what it carries.
        const _: () = assert!(size_of::<$name>() == ($request >> 16 & 0x3fff));

        // SAFETY: numbers only, of the size that the request carries.
        unsafe impl Exchange for $name {
            const REQUEST: c_ulong = $request;
        }

        impl Default for $name {
            fn default() -> Self {
                // SAFETY: zeros are valid numbers.
                unsafe { std::mem::zeroed() }
            }
        }
    };
}

exchange!(/// `VIDIOC_QUERYCAP`.
Capability, 0x8068_5600 {
    driver: [u8; 16], card: [u8; 32], bus_info: [u8; 32], version: u32,
    capabilities: u32, device_caps: u32, reserved: [u32; 3],
});
exchange!(/// `VIDIOC_S_FMT` of a picture in one plane.
Format, 0xc0d0_5605 {
    kind: u32, align: u32, width: u32, height: u32, pixel_format: u32, field: u32,
    bytes_per_line: u32, size_image: u32, rest: [u8; 176],
});
exchange!(/// `VIDIOC_S_PARM` of a capture.
StreamParameters, 0xc0cc_5616 {
    kind: u32, capability: u32, capture_mode: u32, numerator: u32, denominator: u32,
    rest: [u8; 184],
});
exchange!(/// `VIDIOC_REQBUFS`.
RequestBuffers, 0xc014_5608 {
    count: u32, kind: u32, memory: u32, capabilities: u32, flags: u32,
});
exchange!(/// `VIDIOC_QUERYBUF`.
Buffer, 0xc058_5609 {
    index: u32, kind: u32, bytes_used: u32, flags: u32, field: u32,
    seconds: i64, microseconds: i64, timecode: [u32; 4], sequence: u32, memory: u32,
    offset: u64, length: u32, reserved: u32, request: u32,
});
exchange!(/// `VIDIOC_S_CTRL`.
    ControlValue, 0xc008_561c { id: u32, value: i32, });

const _: () = {
    assert!(offset_of!(Capability, device_caps) == 0x58);
    assert!(offset_of!(Buffer, seconds) == 0x18);
    assert!(offset_of!(Buffer, sequence) == 0x38);
    assert!(offset_of!(Buffer, offset) == 0x40);
    assert!(offset_of!(Buffer, length) == 0x48);
    assert!(size_of::<UnitQuery>() == 16);
};

/// A buffer that is given to the kernel or taken from it: the same structure as to ask for one.
#[derive(Clone, Copy)]
pub enum Turn {
    Give,
    Take,
}

impl Turn {
    /// `VIDIOC_QBUF` and `VIDIOC_DQBUF`.
    fn request(self) -> c_ulong {
        match self {
            Self::Give => 0xc058_560f,
            Self::Take => 0xc058_5611,
        }
    }
}

/// `UVCIOC_CTRL_QUERY`.
#[repr(C)]
struct UnitQuery {
    unit: u8,
    selector: u8,
    query: u8,
    size: u16,
    data: *mut u8,
}

const UNIT_QUERY: c_ulong = 0xc010_7521;
const STREAM_ON: c_ulong = 0x4004_5612;
const STREAM_OFF: c_ulong = 0x4004_5613;
/// The extension unit of a ZED and its selector.
const UNIT: u8 = 4;
const SELECTOR: u8 = 2;

/// An open node, which never blocks.
#[derive(Debug)]
pub struct Node(File);

impl Node {
    pub fn open(path: &Path) -> io::Result<Self> {
        let name = CString::new(path.as_os_str().as_bytes())?;
        let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: a C string that outlives the call.
        let fd = checked(unsafe { libc::open(name.as_ptr(), flags) })?;
        // SAFETY: just opened, and nobody else's.
        let owned = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self(File::from(owned)))
    }

    fn fd(&self) -> c_int {
        self.0.as_raw_fd()
    }

    /// # Safety
    ///
    /// `argument` must be what `request` takes, and live through the call.
    unsafe fn ioctl(&self, request: c_ulong, argument: *mut c_void) -> io::Result<()> {
        loop {
            // SAFETY: the caller answers for the argument.
            let result = unsafe { libc::ioctl(self.fd(), request, argument) };
            match checked(result) {
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(drop),
            }
        }
    }

    /// Asks with a structure that carries its own request.
    pub fn exchange<T: Exchange>(&self, value: &mut T) -> io::Result<()> {
        // SAFETY: the request's number carries this structure's size.
        unsafe { self.ioctl(T::REQUEST, (&raw mut *value).cast()) }
    }

    /// Gives a buffer to the kernel or takes one from it.
    pub fn turn(&self, turn: Turn, buffer: &mut Buffer) -> io::Result<()> {
        // SAFETY: both requests carry the structure that `VIDIOC_QUERYBUF` carries.
        unsafe { self.ioctl(turn.request(), (&raw mut *buffer).cast()) }
    }

    pub fn stream(&self, on: bool, mut kind: c_int) -> io::Result<()> {
        let request = if on { STREAM_ON } else { STREAM_OFF };
        // SAFETY: both requests carry an int.
        unsafe { self.ioctl(request, (&raw mut kind).cast()) }
    }

    /// One request to the camera's extension unit.
    pub fn unit(&self, query: u8, data: &mut [u8]) -> io::Result<()> {
        let size = u16::try_from(data.len()).map_err(io::Error::other)?;
        let mut request = UnitQuery {
            unit: UNIT,
            selector: SELECTOR,
            query,
            size,
            data: data.as_mut_ptr(),
        };
        // SAFETY: the structure carries its data's size, and both live through the call.
        unsafe { self.ioctl(UNIT_QUERY, (&raw mut request).cast()) }
    }

    /// Sends a feature report to a HID device.
    pub fn feature(&self, mut report: [u8; 2]) -> io::Result<()> {
        // HIDIOCSFEATURE of two bytes.
        let request = 0xc002_4806;
        // SAFETY: the request's number carries the report's size.
        unsafe { self.ioctl(request, (&raw mut report).cast()) }
    }

    pub fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(bytes)
    }

    /// Waits until there is something to take; says whether there is.
    pub fn wait(&self, most: Duration) -> io::Result<bool> {
        let mut poll = libc::pollfd {
            fd: self.fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let most = c_int::try_from(most.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: one structure, which lives through the call.
        match checked(unsafe { libc::poll(&raw mut poll, 1, most) }) {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => Ok(false),
            // A device that has gone says so by events that were not asked for: reading tells.
            result => result.map(|ready| ready > 0),
        }
    }

    /// Maps memory of the device.
    pub fn map(&self, offset: u64, length: usize) -> io::Result<Mapping> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        let nowhere = ptr::null_mut();
        // SAFETY: a new mapping at a place that the kernel chooses.
        let start =
            unsafe { libc::mmap(nowhere, length, access, libc::MAP_SHARED, self.fd(), offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { start, length })
    }
}

fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// Memory that is shared with a device, until dropped.
#[derive(Debug)]
pub struct Mapping {
    start: *mut c_void,
    length: usize,
}

// SAFETY: memory of the process, bound to no thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// What is there. Only to be called while the kernel does not own the buffer: it would write
    /// under our eyes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped with this length until dropped; the caller holds the buffer.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by us, once.
        unsafe { libc::munmap(self.start, self.length) };
    }
}

/// Time of the clock by which the kernel stamps pictures, in ns.
pub fn monotonic() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one structure, which lives through the call. This clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
