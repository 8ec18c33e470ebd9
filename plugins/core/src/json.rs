//! JSON text that is written as it is said, member by member: for what is told with every frame,
//! where a tree of values would cost more than the decision that it tells.
//!
//! Not here: reading, and whatever is written seldom; that is serde_json's.

use std::fmt::Write;

/// The members of an object in the text that it is part of.
pub(crate) struct Members<'a>(&'a mut String);

impl<'a> Members<'a> {
    /// Begins an object at the end of `text`.
    pub(crate) fn open(text: &'a mut String) -> Self {
        text.push('{');
        Self(text)
    }

    pub(crate) fn close(self) {
        self.0.push('}');
    }

    /// The text up to where the value of member `name` goes.
    pub(crate) fn member(&mut self, name: &str) -> &mut String {
        // No value ends so: an object that does has no member yet.
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        quote(self.0, name);
        self.0.push(':');
        self.0
    }

    pub(crate) fn string(&mut self, name: &str, value: &str) {
        quote(self.member(name), value);
    }

    pub(crate) fn integer(&mut self, name: &str, value: impl Into<i128>) {
        integer(self.member(name), value.into());
    }

    pub(crate) fn object(&mut self, name: &str) -> Members<'_> {
        Members::open(self.member(name))
    }

    /// A list of whatever `each` writes of the items.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut String, T),
    ) {
        let text = self.member(name);
        text.push('[');
        for (n, item) in items.into_iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            each(text, item);
        }
        text.push(']');
    }

    /// A number rounded to `DIGITS` after the point, `null` where it is none.
    pub(crate) fn decimal<const DIGITS: usize>(&mut self, name: &str, value: f64) {
        decimal::<DIGITS>(self.member(name), value);
    }
}

/// A string with what JSON asks to be escaped.
pub(crate) fn quote(text: &mut String, value: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if value.bytes().all(plain) {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

fn integer(text: &mut String, value: i128) {
    match u64::try_from(value) {
        Ok(value) => digits(text, value),
        Err(_) => write!(text, "{value}").expect("a string takes all"),
    }
}

/// The decimal digits of a number. `write!` takes thrice as long.
fn digits(text: &mut String, mut value: u64) {
    let mut last = [b'0'; 20];
    let mut from = last.len();
    loop {
        from -= 1;
        last[from] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.extend(last[from..].iter().map(|&digit| char::from(digit)));
}

fn decimal<const DIGITS: usize>(text: &mut String, value: f64) {
    /// Up to here every whole number is a double.
    const EXACT: f64 = (1_u64 << 53) as f64;
    let steps = 10_u64.pow(DIGITS as u32);
    let scaled = (value * steps as f64).round();
    if scaled.abs() >= EXACT || scaled.is_nan() {
        // Rounded already, or no number at all.
        text.push_str(&serde_json::Value::from(value).to_string());
        return;
    }
    if scaled < 0.0 {
        text.push('-');
    }
    let scaled = scaled.abs() as u64;
    digits(text, scaled / steps);
    text.push('.');
    let mut rest = scaled % steps;
    let mut fraction = [b'0'; DIGITS];
    for digit in fraction.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    let told = fraction.iter().rposition(|&digit| digit != b'0');
    let told = &fraction[..=told.unwrap_or(0)];
    text.extend(told.iter().map(|&digit| char::from(digit)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn read(write: impl FnOnce(&mut String)) -> Value {
        let mut text = String::new();
        write(&mut text);
        serde_json::from_str(&text).unwrap_or_else(|err| panic!("{text}: {err}"))
    }

    proptest! {
        #[test]
        fn any_string_is_read_back(value: String, name: String) {
            let read = read(|text| {
                let mut object = Members::open(text);
                object.string(&name, &value);
                object.close();
            });
            prop_assert_eq!(&read[&name], &value);
        }

        #[test]
        fn any_integer_is_read_back(signed: i64, unsigned: u64) {
            prop_assert_eq!(read(|text| integer(text, signed.into())), Value::from(signed));
            prop_assert_eq!(read(|text| integer(text, unsigned.into())), Value::from(unsigned));
        }

        #[test]
        fn a_number_is_read_back_rounded(
            value in prop_oneof![any::<f64>(), -2.0..2.0_f64, (0..=1_000_000_u32).prop_map(|n| f64::from(n) / 1e6)],
        ) {
            let rounded = (value * 1e6).round() / 1e6;
            let many = (value * 1e6).round().abs() >= 2_f64.powi(53);
            let mut text = String::new();
            decimal::<6>(&mut text, value);
            // Not by serde_json, which is off by a bit where numbers are very large.
            prop_assert_eq!(text.parse(), Ok(if many { value } else { rounded }));
        }
    }

    #[test]
    fn what_is_no_number_is_null() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(read(|text| decimal::<4>(text, value)), Value::Null);
        }
    }

    #[test]
    fn numbers_are_told_as_short_as_they_are() {
        let told = |value| {
            let mut text = String::new();
            decimal::<4>(&mut text, value);
            text
        };
        let all = [0.0, -0.0, 1.0, 0.5, -0.25, 0.000_04, 0.999_96, 12.3456].map(told);
        assert_eq!(
            all,
            ["0.0", "0.0", "1.0", "0.5", "-0.25", "0.0", "1.0", "12.3456"]
        );
    }

    #[test]
    fn objects_and_lists_nest() {
        let mut text = String::new();
        let mut object = Members::open(&mut text);
        object.object("empty").close();
        object.list("list", [1, 2], integer);
        let mut inner = object.object("inner");
        inner.integer("n", -1_i64);
        inner.close();
        object.close();
        assert_eq!(text, r#"{"empty":{},"list":[1,2],"inner":{"n":-1}}"#);
    }
}
