//! How an order is shown: live on a terminal, line by line in a pipe, or as JSON.

mod json;
mod lines;
mod live;
pub mod text;

use json::Json;
use lines::Lines;
use temporal::shell_word;

use crate::{
    args::OutputArgs,
    follow::{Followed, Watch},
    progress::OrderEvent,
};

pub use json::JsonLine;
pub use live::{Live, Screen};

/// How many columns a line of standard output may have: a terminal's width, or any number.
pub fn columns() -> usize {
    Screen::stdout().map_or(usize::MAX, |screen| screen.columns())
}

/// Shows an order in the way that was asked for.
pub enum Show {
    /// A line for each step, kept up to date.
    Live(Live),
    /// A line for each change.
    Lines(Lines),
    /// A JSON object for each change.
    Json(Json),
}

impl Show {
    /// The way of showing that `output` asks for.
    pub fn new(output: &OutputArgs) -> Self {
        if output.json {
            Self::Json(Json)
        } else if let Some(screen) = Screen::stdout() {
            Self::Live(Live::on(screen))
        } else {
            Self::Lines(Lines)
        }
    }

    /// Says that the order goes on without this program.
    pub fn interrupted(&mut self, order_id: &str) {
        if let Self::Live(live) = self {
            live.abandon();
        }
        self.say(&format!(
            "{order_id} goes on. Follow it again: cargo run -p starter -- follow {}",
            shell_word(order_id)
        ));
    }

    fn watch(&mut self) -> &mut dyn Watch {
        match self {
            Self::Live(live) => live,
            Self::Lines(lines) => lines,
            Self::Json(json) => json,
        }
    }
}

impl Watch for Show {
    fn event(&mut self, event: &OrderEvent) {
        self.watch().event(event);
    }

    fn say(&mut self, sentence: &str) {
        self.watch().say(sentence);
    }

    fn link(&mut self, url: &str) {
        self.watch().link(url);
    }

    fn ended(&mut self, followed: &Followed) {
        self.watch().ended(followed);
    }
}
