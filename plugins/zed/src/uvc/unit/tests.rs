//! A camera of registers, and what the extension unit does to it.

use std::collections::HashMap;

use super::*;

/// A camera as the other side of the control sees it.
struct Camera {
    length: usize,
    /// By device and address.
    registers: HashMap<(u8, u32), u8>,
    flash: Vec<u8>,
    /// Reads of the flash that find nothing yet.
    asleep: u32,
    pins: Vec<[u8; 4]>,
    result: Vec<u8>,
    waited: Duration,
    blocks: Vec<Vec<u8>>,
}

impl Camera {
    fn new(length: usize) -> Self {
        let mut flash = b"OV".to_vec();
        flash.extend([0x38, 0x48, 0x62, 0x88]);
        flash.resize(64, 0);
        Self {
            length,
            registers: HashMap::new(),
            flash,
            asleep: 0,
            pins: Vec::new(),
            result: Vec::new(),
            waited: Duration::ZERO,
            blocks: Vec::new(),
        }
    }

    fn obey(&mut self, block: &[u8]) {
        let address = u32::from_be_bytes(block[5..9].try_into().unwrap());
        self.blocks.push(block.to_vec());
        self.result = vec![0; self.length];
        match block[..2] {
            [0x50, 0x10 | 0x12] => self.pins.push(block[..4].try_into().unwrap()),
            [0x50, device] => {
                self.registers.insert((device, address), block[16]);
            }
            [0x51, 0xa1] => {
                let length = usize::from(block[12]).min(self.length - 17);
                if self.asleep > 0 {
                    self.asleep -= 1;
                } else if address == 0x18000 {
                    self.result[17..17 + length].copy_from_slice(&self.flash[..length]);
                }
            }
            [0x51, device] => {
                self.result[17] = *self.registers.get(&(device, address)).unwrap_or(&0);
            }
            _ => panic!("not a command: {:02x?}", &block[..17]),
        }
    }

    fn register(&self, device: u8, address: u32) -> u8 {
        self.registers[&(device, address)]
    }
}

impl Transport for &mut Camera {
    fn query(&mut self, query: u8, data: &mut [u8]) -> io::Result<()> {
        match query {
            GET_LEN => data.copy_from_slice(&(self.length as u16).to_le_bytes()),
            SET_CUR => {
                assert_eq!(data.len(), self.length);
                self.obey(data);
            }
            GET_CUR => data.copy_from_slice(&self.result),
            _ => panic!("not a request: {query:#x}"),
        }
        Ok(())
    }

    fn wait(&mut self, time: Duration) {
        self.waited += time;
    }
}

#[test]
fn a_block_says_where_and_how_wide() {
    let mut camera = Camera::new(384);
    let mut unit = Unit::new(&mut camera).unwrap();
    unit.write(Target::System(0x8018_1033), 7).unwrap();
    unit.read(Target::Sensor(Eye::Right, 0x3507)).unwrap();
    let [write, read] = &camera.blocks[..] else {
        panic!("two commands");
    };
    assert_eq!(
        write[..17],
        [
            0x50, 0xa2, 0, 4, 1, 0x80, 0x18, 0x10, 0x33, 0, 1, 0, 1, 0, 0, 0, 7
        ]
    );
    assert_eq!(
        read[..17],
        [
            0x51, 0xa5, 0x6c, 2, 1, 0, 0, 0x35, 0x07, 0x90, 1, 0, 1, 0, 0, 0, 0
        ]
    );
    assert!(camera.waited >= 2 * SETTLE);
}

#[test]
fn the_serial_number_is_read_once_the_camera_is_awake() {
    for length in [384, 64] {
        let mut camera = Camera::new(length);
        camera.asleep = 3;
        let mut unit = Unit::new(&mut camera).unwrap();
        assert_eq!(unit.serial().unwrap(), 38_486_288);
    }
}

#[test]
fn a_flash_without_a_serial_number_is_said_and_not_waited_for_forever() {
    let mut camera = Camera::new(384);
    camera.flash[0] = 0xff;
    let err = Unit::new(&mut camera).unwrap().serial().unwrap_err();
    assert!(err.to_string().contains("ff"), "{err}");
    // A nibble that is no decimal digit is no serial number either.
    assert_eq!(serial([b'O', b'V', 0x38, 0x48, 0x6a, 0x88]), None);
}

#[test]
fn usb_2_is_told_by_the_block_and_another_length_is_refused() {
    assert!(Unit::new(&mut Camera::new(64)).unwrap().is_usb2());
    assert!(!Unit::new(&mut Camera::new(384)).unwrap().is_usb2());
    assert!(Unit::new(&mut Camera::new(32)).is_err());
}

#[test]
fn gain_uses_the_zones_that_the_sensor_has() {
    let allowed = |raw| {
        GAIN_ZONES
            .iter()
            .any(|&(from, to)| (from..=to).contains(&raw))
    };
    let raws: Vec<u32> = (0..=100).map(raw_gain).collect();
    assert!(raws.iter().all(|&raw| allowed(raw)), "{raws:?}");
    assert!(raws.is_sorted());
    assert_eq!((raws[0], raws[100]), (0, 2044));
    for percent in 0..=100 {
        assert_eq!(gain_percent(raw_gain(percent)), percent);
    }
}

#[test]
fn gain_reaches_both_eyes_and_reads_back() {
    let mut camera = Camera::new(384);
    let mut unit = Unit::new(&mut camera).unwrap();
    unit.set_gain(60).unwrap();
    assert_eq!(unit.gain().unwrap(), 60);
    // 60 % is step 392: 256 and 134 steps into the third zone's.
    let raw = 890 + 392 - 256 - 134;
    for device in [0xa3, 0xa5] {
        let read = |address| u32::from(camera.register(device, address));
        assert_eq!(read(0x3507), 0);
        assert_eq!(read(0x3508) << 8 | read(0x3509), raw);
    }
}

#[test]
fn exposure_is_a_share_of_the_longest_at_its_rate() {
    let mut camera = Camera::new(384);
    let mut unit = Unit::new(&mut camera).unwrap();
    for percent in 1..=100 {
        unit.set_exposure(percent, 1100).unwrap();
        assert_eq!(unit.exposure(1100).unwrap(), percent);
    }
    unit.set_exposure(80, 1100).unwrap();
    for device in [0xa3, 0xa5] {
        let read = |address| u32::from(camera.register(device, address));
        assert_eq!(
            read(0x3500) << 12 | read(0x3501) << 4 | read(0x3502) >> 4,
            880
        );
    }
    // Never nothing.
    Unit::new(&mut camera)
        .unwrap()
        .set_exposure(0, 1100)
        .unwrap();
    assert_eq!(camera.register(0xa3, 0x3502), 2 << 4);
}

#[test]
fn automatic_exposure_is_one_bit_among_others() {
    let mut camera = Camera::new(384);
    camera.registers.insert((0xa2, 0x8018_1033), 0x81);
    camera.registers.insert((0xa2, 0x8018_1833), 0x40);
    let mut unit = Unit::new(&mut camera).unwrap();
    unit.set_auto_exposure(true).unwrap();
    assert!(unit.auto_exposure().unwrap());
    assert_eq!(camera.register(0xa2, 0x8018_1033), 0x83);
    assert_eq!(camera.register(0xa2, 0x8018_1833), 0x42);
    let mut unit = Unit::new(&mut camera).unwrap();
    unit.set_auto_exposure(false).unwrap();
    assert!(!unit.auto_exposure().unwrap());
    assert_eq!(camera.register(0xa2, 0x8018_1033), 0x81);
}

#[test]
fn each_number_of_the_exposure_region_has_its_own_bytes() {
    let mut camera = Camera::new(384);
    let mut unit = Unit::new(&mut camera).unwrap();
    unit.set_exposure_region(Eye::Right, [0x0102, 0x0304, 0x0506, 0x0708])
        .unwrap();
    assert!(unit.set_exposure_region(Eye::Left, [0, 0, 10, 10]).is_err());
    let bytes: Vec<u8> = (0..8)
        .map(|n| camera.register(0xa2, 0x8018_18c0 + n))
        .collect();
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn the_led_and_the_sync_are_switched() {
    let mut camera = Camera::new(64);
    let mut unit = Unit::new(&mut camera).unwrap();
    unit.set_led(true).unwrap();
    unit.enable_sync().unwrap();
    assert_eq!(camera.pins, [[0x50, 0x10, 2, 0], [0x50, 0x12, 2, 1]]);
    assert_eq!(camera.register(0xa3, 0x3002), 0x80);
    assert_eq!(camera.register(0xa5, 0x3002), 0x80);
}
