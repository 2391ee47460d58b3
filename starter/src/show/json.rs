//! One JSON object a line.

use std::io::Write;

use serde::{Deserialize, Serialize};
use workflows::OrderResult;

use crate::{
    follow::{Followed, Watch},
    progress::{OrderEvent, StepChange},
};

/// Shows an order to a program: each line is one [`JsonLine`].
pub struct Json;

/// A line that tells a program what happened to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum JsonLine {
    /// A worker has taken the order up.
    PickedUp,
    /// A step changed.
    Step(StepChange),
    /// Somebody told the order something.
    Asked {
        /// The name of the signal or update.
        what: String,
    },
    /// The workflow's own code failed.
    CodeFailed {
        /// Its error.
        error: String,
    },
    /// The server did not take a worker's decision, and asks for another.
    DecidedAgain {
        /// Why.
        reason: String,
    },
    /// Something is worth a sentence.
    Note {
        /// The sentence.
        text: String,
    },
    /// Where the order can be looked at.
    Link {
        /// Its page in the Web UI.
        url: String,
    },
    /// The workflow completed.
    Completed {
        /// What came of the order.
        result: OrderResult,
    },
    /// The order was cancelled, and what was done is undone.
    Cancelled {
        /// Why, if the order says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The order failed, or was terminated.
    Failed {
        /// Why.
        reason: String,
    },
}

impl From<&OrderEvent> for JsonLine {
    fn from(event: &OrderEvent) -> Self {
        match event.clone() {
            OrderEvent::PickedUp => Self::PickedUp,
            OrderEvent::CodeFailed(error) => Self::CodeFailed { error },
            OrderEvent::DecidedAgain(reason) => Self::DecidedAgain { reason },
            OrderEvent::Asked(what) => Self::Asked { what },
            OrderEvent::Step(step) | OrderEvent::Taken(step) => Self::Step(step),
        }
    }
}

impl From<&Followed> for JsonLine {
    fn from(followed: &Followed) -> Self {
        match followed.clone() {
            Followed::Completed(result) => Self::Completed { result },
            Followed::Cancelled(reason) => Self::Cancelled { reason },
            Followed::NotCompleted(reason) => Self::Failed { reason },
        }
    }
}

impl JsonLine {
    /// Prints the line. A pipe that nobody reads any more is no reason to fail: the order goes on.
    fn print(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    /// Shows the line to a person.
    pub fn show(self, watch: &mut dyn Watch) {
        match self {
            Self::PickedUp => watch.event(&OrderEvent::PickedUp),
            Self::Step(step) => watch.event(&OrderEvent::Step(step)),
            Self::Asked { what } => watch.event(&OrderEvent::Asked(what)),
            Self::CodeFailed { error } => watch.event(&OrderEvent::CodeFailed(error)),
            Self::DecidedAgain { reason } => watch.event(&OrderEvent::DecidedAgain(reason)),
            Self::Note { text } => watch.say(&text),
            Self::Link { url } => watch.link(&url),
            Self::Completed { result } => watch.ended(&Followed::Completed(result)),
            Self::Cancelled { reason } => watch.ended(&Followed::Cancelled(reason)),
            Self::Failed { reason } => watch.ended(&Followed::NotCompleted(reason)),
        }
    }
}

impl Watch for Json {
    fn event(&mut self, event: &OrderEvent) {
        JsonLine::from(event).print();
    }

    fn say(&mut self, sentence: &str) {
        let text = sentence.to_owned();
        JsonLine::Note { text }.print();
    }

    fn link(&mut self, url: &str) {
        let url = url.to_owned();
        JsonLine::Link { url }.print();
    }

    fn ended(&mut self, followed: &Followed) {
        JsonLine::from(followed).print();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::progress::StepState;

    #[test]
    fn what_is_written_can_be_read() {
        let error = "overloaded".to_owned();
        let mut step = StepChange::new("Charge", 3, StepState::Retrying { error }, 2);
        step.took_ms = Some(Duration::from_millis(1_234));
        step.answer.confirmation = Some("charge-000002".to_owned());
        let mut pause = StepChange::new("Pause", 4, StepState::Running, 0);
        pause.ends_at = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        for line in [
            JsonLine::Step(step),
            JsonLine::Step(pause),
            JsonLine::PickedUp,
            JsonLine::Cancelled { reason: None },
        ] {
            let json = serde_json::to_string(&line).unwrap();
            assert_eq!(serde_json::from_str::<JsonLine>(&json).unwrap(), line);
        }
    }
}
