//! One line for each change.

use std::{io::Write, time::Duration};

use anstyle::{AnsiColor, Style};
use temporal::printable;
use workflows::OrderOutcome;

use crate::{
    follow::{Followed, Watch},
    progress::{OrderEvent, StepChange, StepState},
};

const GOOD: Style = AnsiColor::Green.on_default();
const WAITING: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const PLAIN: Style = Style::new();

/// Shows an order in a pipe or a log. Colours show on a terminal only, and where `NO_COLOR` is not
/// set.
pub struct Lines;

impl Lines {
    pub(super) fn ended(&mut self, followed: &Followed) {
        match followed {
            Followed::Completed(result) => {
                let (style, word) = match result.outcome {
                    OrderOutcome::Managed => (GOOD.bold(), "managed"),
                    OrderOutcome::Duplicate => (WAITING.bold(), "duplicate"),
                    OrderOutcome::Rejected => (WAITING.bold(), "rejected"),
                };
                print(&format!(
                    "{style}{word}:{style:#} {}",
                    printable(&result.message)
                ));
            }
            Followed::Cancelled => print(&format!(
                "{style}cancelled:{style:#} what was done is undone",
                style = WAITING.bold()
            )),
            Followed::NotCompleted(reason) => {
                print(&format!("{BAD}failed:{BAD:#} {}", printable(reason)));
            }
        }
    }
}

impl Watch for Lines {
    fn event(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::PickedUp => {}
            OrderEvent::CodeFailed(error) => print(&code_failed(error)),
            OrderEvent::DecidedAgain(reason) => print(&decided_again(reason)),
            OrderEvent::Asked(what) => print(&asked(what)),
            OrderEvent::Step(step) => print(&line(step)),
        }
    }

    fn say(&mut self, sentence: &str) {
        print(&printable(sentence));
    }
}

/// Prints a line. A pipe that nobody reads any more is no reason to fail: the order goes on.
fn print(line: &str) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// What a step says whose effect an earlier attempt had.
const FOUND: &str = "found: an earlier attempt did it";

/// What a worker without an order's key says.
const NO_KEY: &str = "it is encrypted with key";

/// That the workflow's own code failed.
pub(super) fn code_failed(error: &str) -> String {
    let error = printable(error);
    if error.contains(NO_KEY) {
        return format!(
            "{BAD}the worker cannot read the order{BAD:#}, which waits for one with the right key: \
             {error}"
        );
    }
    format!(
        "{BAD}the workflow's code failed{BAD:#}, and the order waits for a worker with the fix: \
         {error}"
    )
}

/// That a worker decides once more what comes next.
pub(super) fn decided_again(reason: &str) -> String {
    format!(
        "    {}; a worker decides again what comes next",
        printable(reason)
    )
}

/// That somebody told the order something.
pub(super) fn asked(what: &str) -> String {
    format!("    the order is told: {}", printable(what))
}

/// A step's change in one line, in columns.
pub(crate) fn line(step: &StepChange) -> String {
    let (style, word, detail) = match &step.state {
        StepState::Running => (PLAIN, "running", None),
        StepState::Retrying { error } => (WAITING, "retrying", Some(error.clone())),
        StepState::Completed => (GOOD, "done", said(step)),
        StepState::Failed { error } => (BAD, "failed", Some(error.clone())),
    };
    let detail = [
        step.about.clone(),
        detail.filter(|detail| !detail.is_empty()),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(": ");
    let attempt = match step.attempts {
        0 => String::new(),
        1 => "1 attempt".to_owned(),
        many => format!("{many} attempts"),
    };
    let took = step.took_ms.map(readable).unwrap_or_default();
    format!(
        "{:>2}  {:<16} {style}{word:<9}{style:#} {attempt:<11} {took:>8}  {}",
        step.number,
        printable(&step.step),
        printable(&detail)
    )
    .trim_end()
    .to_owned()
}

/// What a finished step said, in a few words.
fn said(step: &StepChange) -> Option<String> {
    let answer = &step.answer;
    let stock = answer
        .stock
        .map(|stock| format!("stock {} -> {}", stock.before, stock.after));
    let found = answer.found.then(|| FOUND.to_owned());
    let said: Vec<_> = [
        answer.confirmation.clone(),
        stock,
        answer.remark.clone(),
        found,
    ]
    .into_iter()
    .flatten()
    .collect();
    Some(said.join(", "))
}

/// A time as a person reads it: 12 ms, 1.3 s.
pub(crate) fn readable(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use temporal::encryption::codec::EncryptionError;

    use super::*;

    #[test]
    fn what_comes_from_a_server_does_nothing_to_the_terminal() {
        let error = "\u{1b}]0;title\u{7}\u{1b}[2J".to_owned();
        let failed = StepState::Failed {
            error: error.clone(),
        };
        let mut change = StepChange::new(&error, 1, failed, 1);
        change.about = Some(error.clone());
        for text in [line(&change), asked(&error), code_failed(&error)] {
            assert!(
                !text.contains('\u{7}') && !text.contains("\u{1b}[2J"),
                "{text:?}"
            );
            assert!(text.contains(r"\u{1b}[2J"), "{text:?}");
        }
    }

    #[test]
    fn a_worker_without_the_key_is_not_called_bad_code() {
        let id = "key-1".to_owned();
        let given = "key-2".to_owned();
        for refusal in [
            EncryptionError::NoKeys { id: id.clone() },
            EncryptionError::UnknownKey {
                id: id.clone(),
                given,
            },
            EncryptionError::DoesNotOpen { id },
        ] {
            let failure = format!("Encoding error: {refusal}");
            assert!(code_failed(&failure).contains("the worker cannot read the order"));
        }
        assert!(code_failed("index out of bounds").contains("the fix"));
    }
}
