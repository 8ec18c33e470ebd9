//! The packets of the sensors' controller: what each byte of a report says.
//!
//! Belongs here: bytes and numbers alone. Axes are the sensors' own and uncalibrated, since the
//! factory's sensor calibration is not public.

/// Bytes of a report that are used.
pub const REPORT: usize = 62;

/// Feature reports that start and stop the reports, and keep them coming.
pub const START: [u8; 2] = [0x32, 1];
pub const STOP: [u8; 2] = [0x32, 0];
pub const KEEP_ALIVE: [u8; 2] = [0x21, 0xf2];
/// After how many reports the controller wants to hear from us: about a second.
pub const KEEP_ALIVE_EVERY: u32 = 400;

/// A tick of the controller's clock.
const TICK_PS: u128 = 39_062_500;
const ACCELERATION: f32 = 9.8189 * 8.0 / 32_768.0;
const ANGULAR_VELOCITY: f32 = 1000.0 / 32_768.0;
const MAGNETIC_FIELD: f32 = 1.0 / 16.0;
const TEMPERATURE: f32 = 0.01;
/// What a sensor says that has no temperature.
const NO_TEMPERATURE: i16 = -27_315;
/// Firmware from which pressure comes in the finer unit.
const FINE_PRESSURE: u16 = 777;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Time of the controller's own clock in ns.
    pub time: u64,
    pub imu: Option<Imu>,
    /// Microteslas, where this report has a new value.
    pub magnetic_field: Option<[f32; 3]>,
    pub environment: Option<Environment>,
    /// Degrees Celsius beside the left and the right image sensor.
    pub camera_temperature: [Option<f32>; 2],
    /// The count of frames, where this report is the first after one.
    pub frame: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Imu {
    /// Metres a second squared.
    pub acceleration: [f32; 3],
    /// Degrees a second.
    pub angular_velocity: [f32; 3],
    /// Degrees Celsius.
    pub temperature: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Environment {
    /// Degrees Celsius.
    pub temperature: f32,
    /// Hectopascals.
    pub pressure: f32,
    /// Percent.
    pub humidity: f32,
}

/// Little-endian numbers at their places.
struct Fields<'a>(&'a [u8; REPORT]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        std::array::from_fn(|n| self.0[at + n])
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.bytes(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn three(&self, at: usize, scale: f32) -> [f32; 3] {
        std::array::from_fn(|axis| f32::from(self.i16(at + 2 * axis)) * scale)
    }
}

/// Reads a report of a controller with that firmware (its USB release number); nothing where the
/// bytes are no report of sensors.
pub fn parse(bytes: &[u8], firmware: u16) -> Option<Report> {
    let fields = Fields(bytes.first_chunk()?);
    // 1 on a ZED 2 and 2i, 0 on a ZED Mini.
    if fields.0[0] > 1 {
        return None;
    }
    let imu = (fields.0[1] == 0).then(|| Imu {
        angular_velocity: fields.three(10, ANGULAR_VELOCITY),
        acceleration: fields.three(16, ACCELERATION),
        temperature: f32::from(fields.i16(28)) * TEMPERATURE,
    });
    let fine = firmware >= FINE_PRESSURE;
    let environment = (fields.0[47] != 0).then(|| Environment {
        temperature: f32::from(fields.i16(48)) * TEMPERATURE,
        pressure: fields.u32(50) as f32 * if fine { 0.0001 } else { 0.01 },
        humidity: fields.u32(54) as f32 * if fine { 1.0 / 1024.0 } else { 0.01 },
    });
    let degrees = |at| {
        let raw = fields.i16(at);
        (raw != NO_TEMPERATURE).then(|| f32::from(raw) * TEMPERATURE)
    };
    let ticks = u128::from(u64::from_le_bytes(fields.bytes(2)));
    Some(Report {
        // No clock runs for the 584 years at which this would not fit.
        time: u64::try_from(ticks * TICK_PS / 1000).unwrap_or(u64::MAX),
        imu,
        magnetic_field: (fields.0[30] == 2).then(|| fields.three(31, MAGNETIC_FIELD)),
        environment,
        camera_temperature: [degrees(58), degrees(60)],
        frame: (fields.0[22] != 0).then(|| fields.u32(24)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report written out by hand, at the documented places.
    fn report() -> [u8; 64] {
        let mut bytes = [0; 64];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &[0x01]);
        put(2, &25_600u64.to_le_bytes());
        for (axis, value) in [32_767i16, -16_384, 0].into_iter().enumerate() {
            put(10 + 2 * axis, &value.to_le_bytes());
        }
        for (axis, value) in [0i16, 4096, -32_768].into_iter().enumerate() {
            put(16 + 2 * axis, &value.to_le_bytes());
        }
        put(22, &[1]);
        put(24, &77u32.to_le_bytes());
        put(28, &3125i16.to_le_bytes());
        put(30, &[2]);
        for (axis, value) in [16i16, -32, 800].into_iter().enumerate() {
            put(31 + 2 * axis, &value.to_le_bytes());
        }
        put(47, &[1]);
        put(48, &2950i16.to_le_bytes());
        put(50, &101_325u32.to_le_bytes());
        put(54, &4500u32.to_le_bytes());
        put(58, &4011i16.to_le_bytes());
        put(60, &(-27_315i16).to_le_bytes());
        bytes
    }

    #[track_caller]
    fn near(a: f32, b: f32) {
        assert!((a - b).abs() < 1e-3, "{a} and {b}");
    }

    #[test]
    fn every_field_is_read_from_its_place_in_its_unit() {
        let read = parse(&report(), 776).unwrap();
        // 25600 ticks of 39.0625 µs.
        assert_eq!(read.time, 1_000_000_000);
        let imu = read.imu.unwrap();
        near(imu.angular_velocity[0], 999.9695);
        near(imu.angular_velocity[1], -500.0);
        near(imu.acceleration[1], 9.8189);
        near(imu.acceleration[2], -78.5512);
        near(imu.temperature, 31.25);
        assert_eq!(read.magnetic_field, Some([1.0, -2.0, 50.0]));
        let environment = read.environment.unwrap();
        near(environment.temperature, 29.5);
        near(environment.pressure, 1013.25);
        near(environment.humidity, 45.0);
        near(read.camera_temperature[0].unwrap(), 40.11);
        assert_eq!(read.camera_temperature[1], None);
        assert_eq!(read.frame, Some(77));
    }

    #[test]
    fn newer_firmware_tells_pressure_and_humidity_in_finer_steps() {
        let mut bytes = report();
        bytes[50..54].copy_from_slice(&10_132_500u32.to_le_bytes());
        bytes[54..58].copy_from_slice(&46_080u32.to_le_bytes());
        let environment = parse(&bytes, 777).unwrap().environment.unwrap();
        near(environment.pressure, 1013.25);
        near(environment.humidity, 45.0);
    }

    #[test]
    fn what_a_report_marks_as_missing_is_missing() {
        let mut bytes = report();
        bytes[1] = 1;
        bytes[22] = 0;
        bytes[30] = 1;
        bytes[47] = 0;
        let read = parse(&bytes, 0).unwrap();
        assert_eq!((read.imu, read.magnetic_field), (None, None));
        assert_eq!((read.environment, read.frame), (None, None));
    }

    #[test]
    fn short_and_foreign_packets_are_no_reports() {
        let bytes = report();
        for length in 0..REPORT {
            assert_eq!(parse(&bytes[..length], 0), None, "{length}");
        }
        let mut foreign = bytes;
        foreign[0] = 0x32;
        assert_eq!(parse(&foreign, 0), None);
        // A ZED Mini counts from zero.
        foreign[0] = 0;
        assert!(parse(&foreign, 0).is_some());
    }

    #[test]
    fn a_clock_at_its_end_does_not_overflow() {
        let mut bytes = report();
        bytes[2..10].fill(0xff);
        assert_eq!(parse(&bytes, 0).unwrap().time, u64::MAX);
    }
}
