//! Texts from outside, made fit for a terminal, a log line and a shell.

use std::borrow::Cow;

/// How many characters of a text from outside a message quotes.
const QUOTED: usize = 100;

/// How many characters of another program's message are passed on.
const REPORTED: usize = 500;

/// Returns the beginning of `text`, at most 100 characters of it, with `…` where more follows.
///
/// ```
/// assert_eq!(temporal::excerpt("12 Main Street"), "12 Main Street");
/// assert_eq!(temporal::excerpt(&"x".repeat(1000)).chars().count(), 101);
/// ```
pub fn excerpt(text: &str) -> Cow<'_, str> {
    beginning(text, QUOTED)
}

/// Returns what another program said, fit to be printed: [`printable`], and at most 500 characters.
pub fn reported(text: &str) -> String {
    printable(&beginning(text, REPORTED)).into_owned()
}

fn beginning(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// Returns `text` with an escape in place of each character that a terminal would act on: control
/// characters, and those that change the direction of writing.
///
/// ```
/// assert_eq!(temporal::printable("order-1"), "order-1");
/// assert_eq!(temporal::printable("\x1b[2Jorder-1"), r"\u{1b}[2Jorder-1");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(acts_on_terminal) {
        return text.into();
    }
    let escaped = text.chars().map(|c| {
        if acts_on_terminal(c) {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    });
    escaped.collect::<String>().into()
}

/// Returns a text of several lines with each line [`printable`].
pub fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n")
}

/// Returns whether a terminal does something other than show this character. Besides control
/// characters, these are the marks of [UAX #9](https://www.unicode.org/reports/tr9/) for the direction
/// of writing, and the separators of lines and paragraphs.
pub fn acts_on_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns `word` as a person types it in a shell, quoted where it must be.
///
/// ```
/// assert_eq!(temporal::shell_word("order-1"), "order-1");
/// assert_eq!(temporal::shell_word("a b; rm -rf ~"), "'a b; rm -rf ~'");
/// ```
pub fn shell_word(word: &str) -> String {
    // The one thing that cannot be quoted is a zero byte, which no argument holds.
    let quoted = shlex::try_quote(word).unwrap_or_else(|_| "''".into());
    printable(&quoted).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        for (text, shown) in [
            ("plain, ünïcode ✓", "plain, ünïcode ✓"),
            ("two\nlines", r"two\nlines"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("\u{202e}live", r"\u{202e}live"),
            ("title\u{7}", r"title\u{7}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(printable_lines("one\n\u{1b}[2Jtwo\n"), "one\n\\u{1b}[2Jtwo");
    }

    #[test]
    fn an_excerpt_ends_between_two_characters() {
        let long = "ü".repeat(QUOTED + 1);
        assert_eq!(excerpt(&long), format!("{}…", "ü".repeat(QUOTED)));
        assert_eq!(excerpt(&long[2..]), &long[2..]);
    }
}
