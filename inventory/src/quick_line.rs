//! Reads a line of the ledger as this program writes it, several times faster
//! than any JSON can be read.
//!
//! Whatever is not exactly so, an edited line or one with rare fields, is left
//! to the JSON parser, which reads the same from the lines that both can read.

use std::borrow::Cow;

use crate::entry::{Change, Line};

/// The line, or `None` if it takes a JSON parser to tell.
pub(crate) fn read(text: &[u8]) -> Option<Line<'_>> {
    let mut rest = Rest(std::str::from_utf8(text).ok()?);
    rest.skip("{\"seq\":")?;
    let seq = rest.number()?;
    rest.skip(",\"at\":")?;
    rest.string()?;
    rest.skip(",\"orderID\":")?;
    let order_id = rest.string()?;
    rest.skip(",\"productID\":")?;
    let product_id = rest.string()?;
    rest.skip(",\"change\":")?;
    let change = match rest.string()? {
        "reserved" => Change::Reserved,
        "charged" => Change::Charged,
        "shipped" => Change::Shipped,
        "restocked" => Change::Restocked,
        "released" => Change::Released,
        "refunded" => Change::Refunded,
        "recalled" => Change::Recalled,
        _ => return None,
    };
    rest.skip(",\"quantity\":")?;
    let quantity = i64::try_from(rest.number()?).ok()?;
    rest.skip(",\"inStock\":")?;
    let in_stock = u32::try_from(rest.number()?).ok()?;
    rest.skip(",\"key\":")?;
    let key = rest.string()?;
    for further in [",\"confirmation\":", ",\"payment\":", ",\"address\":"] {
        if rest.skip(further).is_some() {
            rest.string()?;
        }
    }
    (rest.0 == "}").then_some(Line {
        seq,
        order_id: Cow::Borrowed(order_id),
        product_id: Cow::Borrowed(product_id),
        change,
        quantity,
        in_stock,
        key: Cow::Borrowed(key),
        more: false,
        removed: false,
    })
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Digits as JSON has them, up to a size that cannot overflow.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at(digits);
        if digits > 18 || (digits > 1 && number.starts_with('0')) {
            return None;
        }
        self.0 = rest;
        number.parse().ok()
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        let body = self.0.strip_prefix('"')?;
        let end = body
            .bytes()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        let (string, rest) = body.split_at(end);
        self.0 = rest.strip_prefix('"')?;
        Some(string)
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
        assert!(read(LINE.as_bytes()).is_some() && agrees(LINE));
        for other in [
            LINE.replace("VISA", "V\\\"ISA"),
            LINE.replace("12,", "012,"),
            LINE.replace('}', ",\"more\":true}"),
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
