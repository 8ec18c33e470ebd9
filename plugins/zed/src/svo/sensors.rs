//! What the camera felt: messages of `Camera_SN<serial>/sensors`.
//!
//! Each is a JSON object whose `data` is a block of 360 bytes in base64. Of that block only these
//! places are known. It has values of both sensors twice, and the two who described it disagree on
//! which are the calibrated ones, so those here are called uncalibrated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const TIME: usize = 0x10;
const ORIENTATION: usize = 0x3c;
const ANGULAR_VELOCITY: usize = 0x58;
const ACCELERATION: usize = 0x64;
const TEMPERATURE: usize = 0xe4;
const BLOCK: usize = 360;

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensed {
    /// ns since 1970.
    pub time: u64,
    /// Quaternion x, y, z, w.
    pub orientation: Option<[f32; 4]>,
    /// Metres a second squared.
    pub acceleration: Option<[f32; 3]>,
    /// Degrees a second.
    pub angular_velocity: Option<[f32; 3]>,
    /// Degrees Celsius.
    pub temperature: Option<f32>,
}

impl Sensed {
    /// Reads a message; nothing where it is not as described.
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(message).ok()?;
        let block = STANDARD.decode(json.get("data")?.as_str()?).ok()?;
        let block: &[u8; BLOCK] = block.first_chunk()?;
        Some(Self {
            time: u64::from_le_bytes(std::array::from_fn(|n| block[TIME + n])),
            orientation: floats(block, ORIENTATION),
            acceleration: floats(block, ACCELERATION),
            angular_velocity: floats(block, ANGULAR_VELOCITY),
            temperature: floats(block, TEMPERATURE).map(|[degrees]| degrees),
        })
    }
}

/// Numbers at their place, where all of them are some.
fn floats<const N: usize>(block: &[u8; BLOCK], at: usize) -> Option<[f32; N]> {
    let float = |n| f32::from_le_bytes(std::array::from_fn(|byte| block[at + 4 * n + byte]));
    let floats: [f32; N] = std::array::from_fn(float);
    floats
        .iter()
        .all(|float| float.is_finite())
        .then_some(floats)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(block: &[u8]) -> Vec<u8> {
        format!(r#"{{"data":"{}"}}"#, STANDARD.encode(block)).into_bytes()
    }

    #[test]
    fn every_value_is_read_from_its_place() {
        let mut block = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x10, &1_700_000_000_123_456_789u64.to_le_bytes());
        for (at, values) in [
            (0x3c, &[0.1f32, 0.2, 0.3, 0.9][..]),
            (0x58, &[1.0, 2.0, 3.0]),
            (0x64, &[0.5, -9.8, 0.25]),
            (0xe4, &[36.5]),
        ] {
            for (n, value) in values.iter().enumerate() {
                put(at + 4 * n, &value.to_le_bytes());
            }
        }
        let expected = Sensed {
            time: 1_700_000_000_123_456_789,
            orientation: Some([0.1, 0.2, 0.3, 0.9]),
            acceleration: Some([0.5, -9.8, 0.25]),
            angular_velocity: Some([1.0, 2.0, 3.0]),
            temperature: Some(36.5),
        };
        assert_eq!(Sensed::parse(&message(&block)), Some(expected));
        block[0xe4..0xe8].copy_from_slice(&f32::NAN.to_le_bytes());
        let read = Sensed::parse(&message(&block)).unwrap();
        assert_eq!(read.temperature, None);
    }

    #[test]
    fn what_is_no_sample_is_none() {
        for text in ["", "{}", r#"{"data":1}"#, r#"{"data":"%"}"#] {
            assert_eq!(Sensed::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Sensed::parse(&message(&[0; BLOCK - 1])), None);
    }
}
