//! Settings of a camera that may change while it runs, in Stereolabs' words; both ways to a camera
//! take them.

/// What is set; the numbers are those of `SL_VIDEO_SETTINGS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// 0 to 8, as contrast, saturation and sharpness.
    Brightness = 0,
    Contrast = 1,
    /// 0 to 11.
    Hue = 2,
    Saturation = 3,
    Sharpness = 4,
    /// 1 to 9.
    Gamma = 5,
    /// Percent; of effect while automatic exposure is off.
    Gain = 6,
    /// Percent of the longest; of effect while automatic exposure is off.
    Exposure = 7,
    /// Whether the camera chooses exposure and gain.
    AutoExposure = 8,
    /// 2800 to 6500 K in steps of 100; of effect while automatic white balance is off.
    WhiteBalance = 10,
    AutoWhiteBalance = 11,
    Led = 12,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left = 0,
    Right = 1,
    Both = 2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    Value(Setting, i32),
    /// Bounds of automatic exposure in microseconds.
    ExposureRange(i32, i32),
    /// Left, top, width and height that automatic exposure looks at; none is the whole picture.
    ExposureRegion(Side, Option<[u16; 4]>),
}

impl Control {
    /// Whether setting `self` makes an earlier `other` void.
    fn replaces(self, other: Self) -> bool {
        match (self, other) {
            (Self::Value(a, _), Self::Value(b, _)) => a == b,
            (Self::ExposureRange(..), Self::ExposureRange(..)) => true,
            (Self::ExposureRegion(a, _), Self::ExposureRegion(b, _)) => a == b || a == Side::Both,
            _ => false,
        }
    }
}

/// What was set and holds, in order, for a camera that comes back without it.
#[derive(Debug, Clone, Default)]
pub struct Controls(Vec<Control>);

impl Controls {
    pub fn set(&mut self, control: Control) {
        self.0.retain(|old| !control.replaces(*old));
        self.0.push(control);
    }

    pub fn iter(&self) -> impl Iterator<Item = Control> {
        self.0.iter().copied()
    }
}

/// What has to be set so that a camera which holds `held` holds `wanted`.
pub fn changes(held: &[Control], wanted: &[Control]) -> Vec<Control> {
    let mut changes = Vec::new();
    // Nobody asks for a part of the picture any more, or for that of other eyes.
    for old in held {
        if let Control::ExposureRegion(side, Some(_)) = *old
            && !wanted.contains(old)
        {
            changes.push(Control::ExposureRegion(side, None));
        }
    }
    changes.extend(wanted.iter().filter(|control| !held.contains(control)));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_set_and_a_region_is_taken_back() {
        let of = Control::Value;
        let held = [
            of(Setting::Hue, 1),
            of(Setting::AutoExposure, 1),
            Control::ExposureRegion(Side::Left, Some([0, 0, 20, 20])),
        ];
        assert_eq!(changes(&held, &held), []);
        assert_eq!(changes(&[], &held), held);
        let wanted = [
            of(Setting::Hue, 1),
            of(Setting::AutoExposure, 0),
            of(Setting::Gain, 10),
        ];
        assert_eq!(
            changes(&held, &wanted),
            [
                Control::ExposureRegion(Side::Left, None),
                of(Setting::AutoExposure, 0),
                of(Setting::Gain, 10),
            ]
        );
    }

    #[test]
    fn the_last_word_on_each_setting_holds() {
        let mut controls = Controls::default();
        for control in [
            Control::Value(Setting::Gain, 10),
            Control::Value(Setting::Led, 1),
            Control::ExposureRegion(Side::Left, None),
            Control::Value(Setting::Gain, 20),
            Control::ExposureRegion(Side::Both, Some([0, 0, 20, 20])),
        ] {
            controls.set(control);
        }
        let held: Vec<_> = controls.iter().collect();
        assert_eq!(
            held,
            [
                Control::Value(Setting::Led, 1),
                Control::Value(Setting::Gain, 20),
                Control::ExposureRegion(Side::Both, Some([0, 0, 20, 20])),
            ]
        );
    }
}
