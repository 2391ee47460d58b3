//! Reads a line of the ledger as this program writes it, several times faster
//! than any JSON can be read.
//!
//! Whatever is not exactly so, an edited line or one with rare fields, is left
//! to the JSON parser, which reads the same from the lines that both can read.

use std::borrow::Cow;

use memchr::memchr;

use crate::entry::{Change, Line};

impl<'a> Line<'a> {
    /// Reads a line's text, whoever wrote it.
    pub fn read(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        read(text).map_or_else(|| serde_json::from_slice(text), Ok)
    }
}

/// The line, or `None` if it takes a JSON parser to tell.
pub(crate) fn read(text: &[u8]) -> Option<Line<'_>> {
    // Without these the next quote ends a string. Looked for by themselves, so
    // that the compiler takes many bytes at a time.
    let is_rare = |&byte: &u8| (byte < 0x20) | (byte == b'\\');
    if text.iter().fold(false, |rare, byte| rare | is_rare(byte)) {
        return None;
    }
    let mut rest = Rest(text);
    rest.skip(b"{\"seq\":")?;
    let seq = rest.number()?;
    rest.skip(b",\"at\":\"")?;
    rest.string()?;
    rest.skip(b",\"orderID\":\"")?;
    let order_id = rest.text()?;
    rest.skip(b",\"productID\":\"")?;
    let product_id = rest.text()?;
    rest.skip(b",\"change\":\"")?;
    let change = match rest.string()? {
        b"reserved" => Change::Reserved,
        b"charged" => Change::Charged,
        b"shipped" => Change::Shipped,
        b"restocked" => Change::Restocked,
        b"released" => Change::Released,
        b"refunded" => Change::Refunded,
        b"recalled" => Change::Recalled,
        _ => return None,
    };
    rest.skip(b",\"quantity\":")?;
    let quantity = i64::try_from(rest.number()?).ok()?;
    rest.skip(b",\"inStock\":")?;
    let in_stock = u32::try_from(rest.number()?).ok()?;
    rest.skip(b",\"key\":\"")?;
    let key = rest.text()?;
    if rest.skip(b",\"confirmation\":\"").is_some() {
        rest.string()?;
    }
    if rest.skip(b",\"payment\":\"").is_some() {
        rest.string()?;
    }
    if rest.skip(b",\"address\":\"").is_some() {
        rest.string()?;
    }
    let more = rest.skip(b",\"more\":true").is_some();
    (rest.0 == b"}").then_some(Line {
        seq,
        order_id: Cow::Borrowed(order_id),
        product_id: Cow::Borrowed(product_id),
        change,
        quantity,
        in_stock,
        key: Cow::Borrowed(key),
        more,
        removed: false,
    })
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// The length is known to the compiler, which makes a few instructions of
    /// the comparison.
    fn skip<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let (start, rest) = self.0.split_first_chunk::<N>()?;
        if start != expected {
            return None;
        }
        self.0 = rest;
        Some(())
    }

    /// Digits as JSON has them, up to a size that cannot overflow.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        let mut digits = 0;
        while let Some(byte) = self.0.get(digits).filter(|byte| byte.is_ascii_digit()) {
            if digits == 18 {
                return None;
            }
            number = 10 * number + u64::from(byte - b'0');
            digits += 1;
        }
        if digits == 0 || (digits > 1 && self.0[0] == b'0') {
            return None;
        }
        self.0 = &self.0[digits..];
        Some(number)
    }

    /// The rest of a string whose quote was skipped.
    fn string(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'"', self.0)?;
        let string = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(string)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = r#"{"seq":12,"at":"2026-11-22T07:00:00Z","orderID":"order-1","productID":"1","change":"charged","quantity":9,"inStock":1,"key":"order-1/run/charge","confirmation":"charge-000012","payment":"VISA"}"#;

    /// Whatever this reads, the JSON parser reads the same.
    fn agrees(text: &str) -> bool {
        match read(text.as_bytes()) {
            None => true,
            Some(line) => serde_json::from_str::<Line<'_>>(text)
                .is_ok_and(|other| format!("{line:?}") == format!("{other:?}")),
        }
    }

    #[test]
    fn reads_what_this_program_writes() {
        let of_several = LINE.replace('}', ",\"more\":true}");
        for line in [LINE, &of_several] {
            assert!(read(line.as_bytes()).is_some() && agrees(line), "{line}");
        }
        for other in [
            LINE.replace("VISA", "V\\\"ISA"),
            LINE.replace("12,", "012,"),
            LINE.replace('}', ",\"more\":false}"),
            LINE.replace("VISA", "VI\tSA"),
            LINE.replace("charged", "adjusted"),
            LINE[..LINE.len() - 1].to_owned(),
        ] {
            assert!(read(other.as_bytes()).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_json_parser(at in 0..LINE.len(), with in any::<char>(), cut in 0..3usize) {
            let end = (at + cut).min(LINE.len());
            let (before, after) = (&LINE[..at], &LINE[end..]);
            let replaced = format!("{before}{with}{after}");
            let shortened = format!("{before}{after}");
            prop_assert!(agrees(&replaced), "{}", replaced);
            prop_assert!(agrees(&shortened), "{}", shortened);
        }
    }
}
