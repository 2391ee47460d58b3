//! One line for each change.

use std::io::Write;

use temporal::printable;

use super::text;
use crate::{
    follow::{Followed, Watch},
    progress::OrderEvent,
};

/// Shows an order in a pipe or a log, where lines may be of any length.
pub struct Lines;

impl Watch for Lines {
    fn event(&mut self, event: &OrderEvent) {
        if let Some(line) = text::event(event, usize::MAX) {
            print(&line);
        }
    }

    fn say(&mut self, sentence: &str) {
        print(&printable(sentence));
    }

    fn ended(&mut self, followed: &Followed) {
        print(&text::ended(followed, usize::MAX));
    }
}

/// Prints a line. A pipe that nobody reads any more is no reason to fail: the order goes on.
fn print(line: &str) {
    let _ = writeln!(anstream::stdout(), "{line}");
}
