//! One line for each change.

use std::time::Duration;

use workflows::OrderOutcome;

use crate::{
    follow::{Followed, Watch},
    progress::{Change, StepChange, StepState},
};

/// Shows an order in a pipe or a log.
pub struct Lines;

impl Lines {
    pub(super) fn ended(&mut self, followed: &Followed) {
        match followed {
            Followed::Completed(result) => {
                let word = match result.outcome {
                    OrderOutcome::Managed => "managed",
                    OrderOutcome::Duplicate => "duplicate",
                };
                println!("{word}: {}", result.message);
            }
            Followed::NotCompleted(reason) => println!("failed: {reason}"),
        }
    }
}

impl Watch for Lines {
    fn change(&mut self, change: &Change) {
        match change {
            Change::PickedUp => {}
            Change::CodeFailed(error) => {
                println!(
                    "the workflow's code failed; the order waits for a worker with better code: {error}"
                );
            }
            Change::Step(step) => println!("{}", line(step)),
        }
    }

    fn say(&mut self, sentence: &str) {
        println!("{sentence}");
    }
}

/// A step's change in one line, in columns.
pub(super) fn line(step: &StepChange) -> String {
    let (word, detail) = match &step.state {
        StepState::Running => ("running", String::new()),
        StepState::Retrying { error } => ("retrying", error.clone()),
        StepState::Completed => ("done", said(step)),
        StepState::Failed { error } => ("failed", error.clone()),
    };
    let attempt = match step.attempts {
        0 => String::new(),
        1 => "1 attempt".to_owned(),
        many => format!("{many} attempts"),
    };
    let took = step.took_ms.map(readable).unwrap_or_default();
    format!(
        "{:>2}  {:<16} {word:<9} {attempt:<11} {took:>8}  {detail}",
        step.number, step.step
    )
    .trim_end()
    .to_owned()
}

/// What a finished step said, in a few words.
pub(super) fn said(step: &StepChange) -> String {
    let answer = &step.answer;
    let stock = answer
        .stock
        .map(|stock| format!("stock {} -> {}", stock.before, stock.after));
    [answer.confirmation.clone(), stock, answer.remark.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// A time as a person reads it: 12 ms, 1.3 s.
pub(super) fn readable(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
