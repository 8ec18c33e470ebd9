//! Ids of recordings: UUIDv8 (RFC 9562) that sort by time and that the same input gives again.

use uuid::{Builder, Uuid};

use crate::time::{MILLISECOND, Nanos};

/// The name space of the hash, drawn once at random.
const RECORDINGS: Uuid = Uuid::from_u128(0x8d0c_3c5e_52a1_4f0b_9a57_1d2f_6c84_e3b0);

/// The id of recording `n` of `source`, whose first frame was shown at `start` (nanoseconds since
/// 1970-01-01T00:00:00Z); `epoch` counts the flushes before it.
///
/// The first 48 bits are `start` in milliseconds, 0 for anything before 1970; the others but
/// version and variant are a SHA-1 hash of all four.
pub fn recording_id(source: &str, epoch: u64, start: Nanos, n: u64) -> String {
    let name = format!("{epoch} {start} {n} {source}");
    let mut bytes = Uuid::new_v5(&RECORDINGS, name.as_bytes()).into_bytes();
    let milliseconds = u64::try_from(start.div_euclid(MILLISECOND)).unwrap_or(0);
    // An i64 of nanoseconds holds 44 bits of milliseconds, so the upper two bytes are 0.
    let time: [u8; 8] = milliseconds.to_be_bytes();
    bytes[..6].copy_from_slice(&time[2..]);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_8_that_begins_with_its_milliseconds() {
        let id = recording_id("camera", 0, 0x0192_0000_0001 * MILLISECOND + 999_999, 1);
        assert!(id.starts_with("01920000-0001-8"), "{id}");
        let uuid = Uuid::parse_str(&id).expect("it is a UUID");
        assert_eq!(uuid.get_version_num(), 8);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn the_same_facts_give_the_same_id_and_any_other_fact_another() {
        let id = recording_id("camera", 0, 5, 1);
        assert_eq!(id, recording_id("camera", 0, 5, 1));
        for other in [
            recording_id("door", 0, 5, 1),
            recording_id("camera", 1, 5, 1),
            recording_id("camera", 0, 6, 1),
            recording_id("camera", 0, 5, 2),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn ids_sort_by_time_and_begin_with_zeroes_before_1970() {
        let ids: Vec<_> = (-1..5)
            .map(|second| recording_id("camera", 0, second * 1000 * MILLISECOND, 1))
            .collect();
        assert!(ids[0].starts_with("00000000-0000-8"));
        assert!(ids[1..].is_sorted());
    }
}
