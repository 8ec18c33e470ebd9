//! The camera's extension unit: registers of its image processor and sensors, its flash memory and
//! its pins, through blocks of bytes.
//!
//! Belongs here: how blocks are laid out, and what is said with them (serial number, gain,
//! exposure). How a block reaches the camera is a [`Transport`], so that tests can be one.

use std::io;
use std::time::Duration;

use super::error::UvcError;

/// Requests of a UVC control.
pub const SET_CUR: u8 = 0x01;
pub const GET_CUR: u8 = 0x81;
pub const GET_LEN: u8 = 0x85;

/// How long the camera takes for a command.
const SETTLE: Duration = Duration::from_micros(300);
/// The serial number is not there at once after power-on.
const SERIAL_TRIES: u32 = 500;
const SERIAL_WAIT: Duration = Duration::from_millis(1);

/// Where a written value stands in a block, and where results begin.
const VALUE: usize = 16;
const RESULT: usize = 17;

/// Carries requests to the camera's control.
pub trait Transport {
    /// Carries out `query` (`SET_CUR`, `GET_CUR`, `GET_LEN`) with `data`.
    ///
    /// # Errors
    ///
    /// What the system says against it.
    fn query(&mut self, query: u8, data: &mut [u8]) -> io::Result<()>;
    /// Lets the camera work.
    fn wait(&mut self, time: Duration);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eye {
    Left,
    Right,
}

pub const EYES: [Eye; 2] = [Eye::Left, Eye::Right];

/// Something in the camera that has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// A register of the image processor.
    System(u32),
    /// A register of an eye's image sensor.
    Sensor(Eye, u16),
}

impl Target {
    /// A block that reads (0x51) or writes (0x50) one byte there.
    fn block(self, first: u8, length: usize) -> Vec<u8> {
        let (device, sub_address, address_width, address, mark) = match self {
            Self::System(address) => (0xa2, 0, 4, address, 0),
            Self::Sensor(Eye::Left, address) => (0xa3, 0x6c, 2, address.into(), 0x90),
            Self::Sensor(Eye::Right, address) => (0xa5, 0x6c, 2, address.into(), 0x90),
        };
        let mut block = vec![0; length];
        block[..5].copy_from_slice(&[first, device, sub_address, address_width, 1]);
        block[5..9].copy_from_slice(&address.to_be_bytes());
        block[9..13].copy_from_slice(&[mark, 1, 0, 1]);
        block
    }
}

const READ: u8 = 0x51;
const WRITE: u8 = 0x50;

const AUTO_EXPOSURE: [u32; 2] = [0x8018_1033, 0x8018_1833];
const AUTO_EXPOSURE_BIT: u8 = 0x02;
const EXPOSURE_REGION: [u32; 2] = [0x8018_10c0, 0x8018_18c0];
const GAIN: [u16; 3] = [0x3507, 0x3508, 0x3509];
const EXPOSURE: [u16; 3] = [0x3500, 0x3501, 0x3502];
const SYNC: u16 = 0x3002;
const SYNC_BIT: u8 = 0x80;
const LED_PIN: u8 = 2;
const SERIAL_ADDRESS: u32 = 0x1_8000;
const SERIAL_BYTES: u8 = 64;

/// The stretches of raw values that gain really has.
const GAIN_ZONES: [(u32, u32); 4] = [(0, 255), (378, 511), (890, 1023), (1914, 2047)];
const GAIN_STEPS: u32 = 654;

/// The extension unit behind a transport.
pub struct Unit<T> {
    transport: T,
    /// Bytes of a block: 384 on USB 3, 64 on USB 2.
    length: usize,
}

impl<T: Transport> Unit<T> {
    /// # Errors
    ///
    /// When the unit does not answer, or not like a ZED's.
    pub fn new(mut transport: T) -> Result<Self, UnitError> {
        let mut length = [0; 2];
        transport.query(GET_LEN, &mut length)?;
        let length = usize::from(u16::from_le_bytes(length));
        if length != 64 && length != 384 {
            return Err(UnitError::Uvc(UvcError::BlockLength { length }));
        }
        Ok(Self { transport, length })
    }

    /// Whether the camera hangs on USB 2, where only VGA fits.
    pub fn is_usb2(&self) -> bool {
        self.length == 64
    }

    fn send(&mut self, block: &mut [u8]) -> io::Result<()> {
        self.transport.query(SET_CUR, block)?;
        self.transport.wait(SETTLE);
        Ok(())
    }

    fn ask(&mut self, block: &mut [u8]) -> io::Result<()> {
        self.send(block)?;
        self.transport.query(GET_CUR, block)
    }

    fn read(&mut self, target: Target) -> io::Result<u8> {
        let mut block = target.block(READ, self.length);
        self.ask(&mut block)?;
        Ok(block[RESULT])
    }

    fn write(&mut self, target: Target, value: u8) -> io::Result<()> {
        let mut block = target.block(WRITE, self.length);
        block[VALUE] = value;
        self.send(&mut block)
    }

    /// Sets or clears bits of a register.
    fn change(&mut self, target: Target, bits: u8, on: bool) -> io::Result<()> {
        let old = self.read(target)?;
        let new = if on { old | bits } else { old & !bits };
        self.write(target, new)
    }

    fn flash(&mut self, address: u32, length: u8) -> io::Result<Vec<u8>> {
        let mut block = vec![0; self.length];
        block[..4].copy_from_slice(&[READ, 0xa1, 3, 0]);
        block[5..9].copy_from_slice(&address.to_be_bytes());
        block[9..13].copy_from_slice(&[0x90, length, 0, length]);
        self.ask(&mut block)?;
        let end = (RESULT + usize::from(length)).min(block.len());
        Ok(block[RESULT..end].to_vec())
    }

    /// The number that stands on the camera.
    ///
    /// # Errors
    ///
    /// When the camera does not answer, or holds something else there.
    pub fn serial(&mut self) -> Result<u32, UnitError> {
        let mut found = [0; 6];
        for _ in 0..SERIAL_TRIES {
            let bytes = self.flash(SERIAL_ADDRESS, SERIAL_BYTES)?;
            found.copy_from_slice(&bytes[..6]);
            if let Some(serial) = serial(found) {
                return Ok(serial);
            }
            self.transport.wait(SERIAL_WAIT);
        }
        Err(UnitError::Uvc(UvcError::Serial { found }))
    }

    pub fn set_led(&mut self, on: bool) -> io::Result<()> {
        self.set_pin(LED_PIN, on)
    }

    fn set_pin(&mut self, pin: u8, on: bool) -> io::Result<()> {
        let out = 0;
        for command in [[WRITE, 0x10, pin, out], [WRITE, 0x12, pin, on.into()]] {
            let mut block = vec![0; self.length];
            block[..4].copy_from_slice(&command);
            self.send(&mut block)?;
        }
        Ok(())
    }

    /// Lets the camera choose exposure and gain, or leaves them as they are.
    pub fn set_auto_exposure(&mut self, on: bool) -> io::Result<()> {
        for register in AUTO_EXPOSURE {
            self.change(Target::System(register), AUTO_EXPOSURE_BIT, on)?;
        }
        Ok(())
    }

    pub fn auto_exposure(&mut self) -> io::Result<bool> {
        let value = self.read(Target::System(AUTO_EXPOSURE[0]))?;
        Ok(value & AUTO_EXPOSURE_BIT != 0)
    }

    /// Which part of an eye's picture automatic exposure looks at.
    pub fn set_exposure_region(&mut self, eye: Eye, region: [u16; 4]) -> Result<(), UnitError> {
        let [.., width, height] = region;
        if u32::from(width) * u32::from(height) <= 100 {
            let what = format!("a region of {width}x{height} pixels, which needs more than 100,");
            return Err(UnitError::Uvc(UvcError::Value { what }));
        }
        let bytes = region.iter().flat_map(|value| value.to_be_bytes());
        for (register, byte) in (EXPOSURE_REGION[eye as usize]..).zip(bytes) {
            self.write(Target::System(register), byte)?;
        }
        Ok(())
    }

    /// Sets gain in percent. Automatic exposure has to be off.
    pub fn set_gain(&mut self, percent: u32) -> io::Result<()> {
        let raw = raw_gain(percent);
        let bytes = [0, (raw >> 8) as u8, raw as u8];
        self.write_both(GAIN, bytes)
    }

    pub fn gain(&mut self) -> io::Result<u32> {
        let [_, middle, low] = self.read_left(GAIN)?;
        Ok(gain_percent(u32::from(middle) << 8 | u32::from(low)))
    }

    /// Sets exposure in percent of `longest` lines. Automatic exposure has to be off.
    pub fn set_exposure(&mut self, percent: u32, longest: u32) -> io::Result<()> {
        let raw = (longest * percent.min(100) / 100).max(2);
        let bytes = [(raw >> 12) as u8, (raw >> 4) as u8, (raw << 4) as u8 & 0xf0];
        self.write_both(EXPOSURE, bytes)
    }

    pub fn exposure(&mut self, longest: u32) -> io::Result<u32> {
        let [high, middle, low] = self.read_left(EXPOSURE)?.map(u32::from);
        let raw = high << 12 | middle << 4 | low >> 4;
        Ok(((raw * 100 + longest / 2) / longest).min(100))
    }

    /// Lets the left sensor's vertical sync reach the sensors' controller, which counts it.
    pub fn enable_sync(&mut self) -> io::Result<()> {
        for eye in EYES {
            self.change(Target::Sensor(eye, SYNC), SYNC_BIT, true)?;
        }
        Ok(())
    }

    fn write_both(&mut self, registers: [u16; 3], bytes: [u8; 3]) -> io::Result<()> {
        for eye in EYES {
            for (register, byte) in registers.into_iter().zip(bytes) {
                self.write(Target::Sensor(eye, register), byte)?;
            }
        }
        Ok(())
    }

    fn read_left(&mut self, registers: [u16; 3]) -> io::Result<[u8; 3]> {
        let mut bytes = [0; 3];
        for (byte, register) in bytes.iter_mut().zip(registers) {
            *byte = self.read(Target::Sensor(Eye::Left, register))?;
        }
        Ok(bytes)
    }
}

/// Either the way to the camera failed, or what came back makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Uvc(UvcError),
}

/// The serial number behind its mark: four bytes whose hexadecimal digits read as decimal.
fn serial(bytes: [u8; 6]) -> Option<u32> {
    let [b'O', b'V', digits @ ..] = bytes else {
        return None;
    };
    let digits = u32::from_be_bytes(digits);
    format!("{digits:x}").parse().ok()
}

fn raw_gain(percent: u32) -> u32 {
    let step = (GAIN_STEPS * percent.min(100) + 50) / 100;
    let mut before = 0;
    for (from, to) in GAIN_ZONES {
        if step - before <= to - from {
            return from + step - before;
        }
        before += to - from + 1;
    }
    GAIN_ZONES[3].1
}

fn gain_percent(raw: u32) -> u32 {
    let mut before = 0;
    for (from, to) in GAIN_ZONES {
        if raw <= to {
            let step = before + raw.max(from) - from;
            return (step * 100 + GAIN_STEPS / 2) / GAIN_STEPS;
        }
        before += to - from + 1;
    }
    100
}

#[cfg(test)]
mod tests;
