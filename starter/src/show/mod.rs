//! How an order is shown: line by line, or as JSON.

mod json;
mod lines;

use crate::{
    args::OutputArgs,
    follow::{Followed, Watch},
    progress::Change,
};

use json::Json;
use lines::Lines;

/// Shows an order in the way that was asked for.
pub enum Show {
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
        } else {
            Self::Lines(Lines)
        }
    }

    /// Says that the order goes on without this program.
    pub fn interrupted(&mut self, order_id: &str) {
        self.say(&format!(
            "{order_id} goes on. Follow it again: cargo run -p starter -- follow {order_id}"
        ));
    }

    /// Shows how the order ended.
    pub fn ended(&mut self, followed: &Followed) {
        match self {
            Self::Lines(lines) => lines.ended(followed),
            Self::Json(json) => json.ended(followed),
        }
    }
}

impl Watch for Show {
    fn change(&mut self, change: &Change) {
        match self {
            Self::Lines(lines) => lines.change(change),
            Self::Json(json) => json.change(change),
        }
    }

    fn say(&mut self, sentence: &str) {
        match self {
            Self::Lines(lines) => lines.say(sentence),
            Self::Json(json) => json.say(sentence),
        }
    }
}
