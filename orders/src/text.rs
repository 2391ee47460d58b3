//! Text from outside in answers, reasons, errors and logs: never at length, and never a payment info.

use std::borrow::Cow;

/// The longest quote of something that comes from outside, in characters.
pub const MAX_QUOTE: usize = 100;

/// The longest message that may contain such quotes, in characters.
pub const MAX_MESSAGE: usize = 400;

/// Characters of a payment info that [`masked`] shows.
const SHOWN: usize = 2;

/// Shortens `text` to about `most` characters, and leaves it alone where that would not make it
/// shorter. Its beginning and its end stay, because an error often quotes a value first and then
/// says what is wrong with it.
///
/// ```
/// use orders::shortened;
///
/// assert_eq!(shortened("12 Main Street", 20), "12 Main Street");
/// let long = format!("invalid type: string {:?}, expected u32", "x".repeat(1_000_000));
/// assert_eq!(
///     shortened(&long, 39),
///     "invalid type: string \"xxxx … (999998 characters left out) …  expected u32"
/// );
/// ```
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    let all = text.chars().count();
    if all <= most {
        return text.into();
    }
    let end: usize = most / 3;
    let begin = most - end;
    let first: String = text.chars().take(begin).collect();
    let last: String = text.chars().skip(all - end).collect();
    let left_out = all - most;
    let shortened = format!("{first} … ({left_out} characters left out) … {last}");
    // The remark takes room itself.
    if shortened.chars().count() < all {
        shortened.into()
    } else {
        text.into()
    }
}

/// Puts `text` in quotes, shortened to [`MAX_QUOTE`] characters and with its control characters
/// escaped.
///
/// ```
/// assert_eq!(orders::quoted("Main\tStreet"), r#""Main\tStreet""#);
/// ```
pub fn quoted(text: &str) -> String {
    shortened(&format!("{text:?}"), MAX_QUOTE).into_owned()
}

/// Hides all of a payment info but its end, and its length if it is short. A text of one or two
/// characters is hidden altogether.
///
/// ```
/// assert_eq!(orders::masked("VISA-123456"), "*********56");
/// ```
pub fn masked(payment_info: &str) -> String {
    let length = payment_info.chars().count();
    payment_info
        .chars()
        .enumerate()
        .map(|(i, c)| {
            if i + SHOWN < length || length <= SHOWN {
                '*'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_never_becomes_longer() {
        for length in 0..200 {
            let text = "x".repeat(length);
            assert!(shortened(&text, 100).chars().count() <= length);
        }
    }

    #[test]
    fn only_the_end_of_a_payment_info_is_shown() {
        for (payment_info, shown) in [
            ("VISA-123456", "*********56"),
            ("Überweisung", "*********ng"),
            ("567", "*67"),
            ("56", "**"),
            ("", ""),
        ] {
            assert_eq!(masked(payment_info), shown);
        }
    }
}
