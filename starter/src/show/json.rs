//! One JSON object a line.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    follow::{Followed, Watch},
    progress::OrderEvent,
};

/// Shows an order to a program. Each line has an `event`: `step`, `asked`, `codeFailed`,
/// `decidedAgain`, `pickedUp`, `note`, and at the end `completed`, `cancelled` or `failed`.
pub struct Json;

/// Prints a line. A pipe that nobody reads any more is no reason to fail: the order goes on.
fn line(value: &Value) {
    let _ = writeln!(std::io::stdout(), "{value}");
}

impl Json {
    pub(super) fn ended(&mut self, followed: &Followed) {
        match followed {
            Followed::Completed(result) => line(&json!({"event": "completed", "result": result})),
            Followed::Cancelled => line(&json!({"event": "cancelled"})),
            Followed::NotCompleted(reason) => line(&json!({"event": "failed", "reason": reason})),
        }
    }
}

impl Watch for Json {
    fn event(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::PickedUp => line(&json!({"event": "pickedUp"})),
            OrderEvent::CodeFailed(error) => line(&json!({"event": "codeFailed", "error": error})),
            OrderEvent::DecidedAgain(reason) => {
                line(&json!({"event": "decidedAgain", "reason": reason}));
            }
            OrderEvent::Asked(what) => line(&json!({"event": "asked", "what": what})),
            OrderEvent::Step(step) => {
                let mut value = json!(step);
                value["event"] = "step".into();
                line(&value);
            }
        }
    }

    fn say(&mut self, sentence: &str) {
        line(&json!({"event": "note", "text": sentence}));
    }
}
