//! A packet of the sensors' controller.

use evr_zed::uvc::hid::{REPORT, parse};

use super::Outcome;

/// Two bytes of the firmware's number, then the packet.
pub fn body(data: &[u8]) -> Outcome {
    let Some((firmware, packet)) = data.split_first_chunk() else {
        return Outcome::Refused;
    };
    let Some(report) = parse(packet, u16::from_le_bytes(*firmware)) else {
        return Outcome::Refused;
    };
    assert!(packet.len() >= REPORT);
    if let Some(imu) = report.imu {
        // A 16-bit number of units of 1/32768 of each range.
        assert!(imu.acceleration.iter().all(|axis| axis.abs() < 79.0));
        assert!(imu.angular_velocity.iter().all(|axis| axis.abs() <= 1000.0));
    }
    Outcome::Taken
}
