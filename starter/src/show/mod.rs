//! How an order is shown: live on a terminal, line by line in a pipe, or as JSON.

mod json;
mod lines;
mod live;

use std::io::IsTerminal;

use json::Json;
use lines::Lines;
use temporal::shell_word;

use crate::{
    args::OutputArgs,
    follow::{Followed, Watch},
    progress::OrderEvent,
};
pub(crate) use lines::{line, readable};
use live::Live;

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
        } else if std::io::stdout().is_terminal() {
            Self::Live(Live::new())
        } else {
            Self::Lines(Lines)
        }
    }

    /// Says that the order goes on without this program.
    pub fn interrupted(&mut self, order_id: &str) {
        let sentence = format!(
            "{order_id} goes on. Follow it again: cargo run -p starter -- follow {}",
            shell_word(order_id)
        );
        match self {
            Self::Live(live) => {
                live.abandon();
                // Below the steps, which move no more.
                Lines.say(&sentence);
            }
            _ => self.say(&sentence),
        }
    }

    /// Shows how the order ended.
    pub fn ended(&mut self, followed: &Followed) {
        match self {
            Self::Live(live) => live.ended(followed),
            Self::Lines(lines) => lines.ended(followed),
            Self::Json(json) => json.ended(followed),
        }
    }
}

impl Watch for Show {
    fn event(&mut self, event: &OrderEvent) {
        match self {
            Self::Live(live) => live.event(event),
            Self::Lines(lines) => lines.event(event),
            Self::Json(json) => json.event(event),
        }
    }

    fn say(&mut self, sentence: &str) {
        match self {
            Self::Live(live) => live.say(sentence),
            Self::Lines(lines) => lines.say(sentence),
            Self::Json(json) => json.say(sentence),
        }
    }
}
