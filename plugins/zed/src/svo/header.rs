//! The one message of the channel `svo_header`.
//!
//! Belongs here: what is said to whom wants to know it. Nothing is decided by it but the frame
//! rate of a file too short to tell its own: two files that were looked at disagree about whether
//! the width is that of one eye or of both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the writer says of the recording, as far as it is known how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    pub sdk_version: Option<String>,
    /// Of the format.
    pub version: Option<String>,
    /// As it says; whether of one eye or of both is not known.
    pub size: Option<(u32, u32)>,
    pub serial: Option<u32>,
    pub fps: Option<u32>,
    /// Samples of the motion sensors a second.
    pub imu_frequency: Option<f64>,
}

impl Header {
    /// Reads the message; what is not as described is left out.
    pub(super) fn parse(message: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(message).unwrap_or_default();
        let field = |names: &[&str]| {
            let fields = json.as_object()?.iter();
            let mut named =
                fields.filter(|(key, _)| names.iter().any(|name| name.eq_ignore_ascii_case(key)));
            named.next().map(|(_, value)| value)
        };
        let text = |names: &[&str]| Some(field(names)?.as_str()?.to_owned());
        let block = text(&["header"]).and_then(|text| STANDARD.decode(text).ok());
        let at = |place: usize| {
            let bytes = block.as_ref()?.get(place..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes)).filter(|number| *number > 0)
        };
        Self {
            sdk_version: text(&["zed_sdk_version"]),
            version: text(&["version"]),
            size: at(0).zip(at(4)),
            serial: at(8),
            fps: at(12),
            imu_frequency: field(&["imu_frequency", "imu_frequency_hz"]).and_then(Value::as_f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_their_places_whichever_case_their_names_have() {
        let block: Vec<u8> = [2560u32, 720, 12_345_678, 60]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
        let json = format!(
            r#"{{"header":"{}","ZED_SDK_version":"5.1.2","version":"2.0.3","IMU_frequency":400}}"#,
            STANDARD.encode(block)
        );
        let header = Header::parse(json.as_bytes());
        assert_eq!(header.size, Some((2560, 720)));
        assert_eq!((header.serial, header.fps), (Some(12_345_678), Some(60)));
        assert_eq!(header.sdk_version.as_deref(), Some("5.1.2"));
        assert_eq!(header.version.as_deref(), Some("2.0.3"));
        assert_eq!(header.imu_frequency, Some(400.0));
    }

    #[test]
    fn what_is_no_header_says_nothing() {
        for text in ["", "[]", "{", r#"{"header":7}"#, r#"{"header":"AAAA"}"#] {
            assert_eq!(Header::parse(text.as_bytes()), Header::default(), "{text}");
        }
    }
}
