//! JSON text that is written as it is said, member by member: for what is told with every frame,
//! where a tree of values would cost more than the decision that it tells.
//!
//! Not here: reading, and whatever is written seldom; that is serde_json's.

use std::ops::Range;

/// The decimal digits of the numbers below a hundred.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < pairs.len() {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// Text in the making.
#[derive(Debug, Default)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn finish(self) -> String {
        String::from_utf8(self.0).expect("it is made of strings and digits alone")
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What was written elsewhere, from one piece's beginning to another's end.
    pub(crate) fn copy(&mut self, other: &Self, piece: Range<usize>) {
        self.0.extend_from_slice(&other.0[piece]);
    }

    /// JSON that is known while this is written.
    pub(crate) fn literal(&mut self, json: &'static str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// A string with what JSON asks to be escaped.
    pub(crate) fn string(&mut self, value: &str) {
        let plain = |&byte: &u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        if value.as_bytes().iter().all(plain) {
            self.0.push(b'"');
            self.0.extend_from_slice(value.as_bytes());
            self.0.push(b'"');
        } else {
            self.value(&value.into());
        }
    }

    pub(crate) fn integer(&mut self, value: impl Into<i128>) {
        let value = value.into();
        match u64::try_from(value) {
            Ok(value) => self.digits(value),
            Err(_) => self.0.extend_from_slice(value.to_string().as_bytes()),
        }
    }

    /// A number rounded to `DIGITS`, an even number, after the point; `null` where it is none.
    pub(crate) fn decimal<const DIGITS: usize>(&mut self, value: f64) {
        let steps = 10_u64.pow(DIGITS as u32);
        if !(0.0..1e6).contains(&value) {
            let steps = steps as f64;
            self.value(&((value * steps).round() / steps).into());
            return;
        }
        let scaled = (value * steps as f64 + 0.5) as u64;
        self.digits(scaled / steps);
        let mut rest = (scaled % steps) as u32;
        let mut fraction = [b'0'; DIGITS];
        for pair in fraction.rchunks_exact_mut(2) {
            pair.copy_from_slice(&PAIRS[(rest % 100) as usize]);
            rest /= 100;
        }
        self.0.push(b'.');
        // All of them, and then what says nothing is taken back: copying a fixed number is no call.
        self.0.extend_from_slice(&fraction);
        let idle = fraction[1..].iter().rev();
        let idle = idle.take_while(|&&digit| digit == b'0').count();
        self.0.truncate(self.0.len() - idle);
    }

    /// The members of an object: each begins by [`Members::name`].
    pub(crate) fn object(&mut self, write: impl FnOnce(&mut Members<'_>)) {
        self.0.push(b'{');
        write(&mut Members {
            text: self,
            first: true,
        });
        self.0.push(b'}');
    }

    /// A list of whatever `each` writes of the items.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.0.push(b'[');
        for (n, item) in items.into_iter().enumerate() {
            if n > 0 {
                self.0.push(b',');
            }
            each(self, item);
        }
        self.0.push(b']');
    }

    /// A list of as many of the items, from the first on, as end before `limit` bytes of text; gives
    /// how many these are.
    pub(crate) fn list_within<T>(
        &mut self,
        limit: usize,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> usize {
        let mut told = 0;
        self.0.push(b'[');
        for item in items {
            let before = self.len();
            if told > 0 {
                self.0.push(b',');
            }
            each(self, item);
            if self.len() >= limit {
                self.0.truncate(before);
                break;
            }
            told += 1;
        }
        self.0.push(b']');
        told
    }

    fn digits(&mut self, mut value: u64) {
        if value < 10 {
            self.0.push(b'0' + value as u8);
            return;
        }
        let mut digits = [b'0'; 20];
        let mut from = digits.len();
        while value >= 10 {
            from -= 2;
            digits[from..from + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
            value /= 100;
        }
        if value > 0 {
            from -= 1;
            digits[from] += value as u8;
        }
        self.0.extend_from_slice(&digits[from..]);
    }

    /// A value that is there already.
    pub(crate) fn value(&mut self, value: &serde_json::Value) {
        self.0.extend_from_slice(value.to_string().as_bytes());
    }
}

/// The members of an object that is being written.
pub(crate) struct Members<'a> {
    text: &'a mut Text,
    first: bool,
}

impl Members<'_> {
    /// Begins a member, whose value is to follow in the text. The name needs no escapes.
    pub(crate) fn name(&mut self, name: &'static str) -> &mut Text {
        self.next();
        self.text.0.push(b'"');
        self.text.literal(name);
        self.text.literal("\":");
        self.text
    }

    /// Begins a member that somebody else has named.
    pub(crate) fn given_name(&mut self, name: &str) -> &mut Text {
        self.next();
        self.text.string(name);
        self.text.0.push(b':');
        self.text
    }

    /// The text where members stand that are written as they are, with commas between them.
    pub(crate) fn raw(&mut self) -> &mut Text {
        self.next();
        self.text
    }

    fn next(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.text.0.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn written(write: impl FnOnce(&mut Text)) -> String {
        let mut text = Text::default();
        write(&mut text);
        text.finish()
    }

    fn read(write: impl FnOnce(&mut Text)) -> Value {
        let text = written(write);
        serde_json::from_str(&text).unwrap_or_else(|err| panic!("{text}: {err}"))
    }

    proptest! {
        #[test]
        fn any_string_is_read_back(value: String, name: String) {
            let read = read(|text| text.object(|object| object.given_name(&name).string(&value)));
            prop_assert_eq!(&read[&name], &value);
        }

        #[test]
        fn any_integer_is_read_back(signed: i64, unsigned: u64) {
            prop_assert_eq!(read(|text| text.integer(signed)), Value::from(signed));
            prop_assert_eq!(read(|text| text.integer(unsigned)), Value::from(unsigned));
        }

        #[test]
        fn a_number_is_read_back_rounded(
            value in prop_oneof![any::<f64>(), -2.0..2.0_f64, (0..=1_000_000_u32).prop_map(|n| f64::from(n) / 1e6)],
        ) {
            let told = written(|text| text.decimal::<6>(value));
            let rounded = (value * 1e6).round() / 1e6;
            // Not by serde_json, which is off by a bit where numbers are very large.
            if rounded.is_finite() {
                prop_assert_eq!(told.parse(), Ok(rounded));
            } else {
                prop_assert_eq!(told, "null");
            }
        }
    }

    #[test]
    fn numbers_are_told_as_short_as_they_are() {
        let all = [0.0, 1.0, 0.5, -0.25, 0.000_04, 0.999_96, 12.3456, f64::NAN];
        assert_eq!(
            all.map(|value| written(|text| text.decimal::<4>(value))),
            [
                "0.0", "1.0", "0.5", "-0.25", "0.0", "1.0", "12.3456", "null"
            ]
        );
    }

    #[test]
    fn a_list_ends_before_the_limit_and_says_how_far_it_came() {
        for (limit, expected, told) in [(0, "[]", 0), (5, "[10]", 1), (8, "[10,11]", 2)] {
            let mut text = Text::default();
            assert_eq!(text.list_within(limit, 10..12, Text::integer), told);
            assert_eq!(text.finish(), expected);
        }
    }

    #[test]
    fn objects_and_lists_nest() {
        let told = written(|text| {
            text.object(|object| {
                object.name("empty").object(|_| ());
                object.name("list").list([1, 2], Text::integer);
                object
                    .name("inner")
                    .object(|inner| inner.name("n").integer(-1));
            });
        });
        assert_eq!(told, r#"{"empty":{},"list":[1,2],"inner":{"n":-1}}"#);
    }
}
