//! A line for each step, kept up to date while it runs.

use std::{collections::HashMap, time::Duration};

use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use temporal::printable;

use super::lines::{self, Lines};
use crate::{
    follow::{Followed, Watch},
    progress::{OrderEvent, StepState},
};

/// How often a running step's line moves.
const TICK: Duration = Duration::from_millis(100);

/// Shows an order on a terminal.
pub struct Live {
    all: MultiProgress,
    steps: HashMap<usize, ProgressBar>,
}

impl Live {
    pub(super) fn new() -> Self {
        Self {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stdout()),
            steps: HashMap::new(),
        }
    }

    pub(super) fn ended(&mut self, followed: &Followed) {
        for step in self.steps.values() {
            step.abandon();
        }
        Lines.ended(followed);
    }

    fn print(&self, line: &str) {
        // A terminal that cannot be written to has nobody before it.
        let _ = self.all.println(coloured(line));
    }

    /// Prints a line below the steps so far, for it came after them.
    fn below(&self, text: &str) {
        let line = self.all.add(ProgressBar::new_spinner());
        line.set_style(ProgressStyle::with_template("{msg}").expect("a valid template"));
        line.finish_with_message(coloured(text));
    }

    /// Leaves what is shown as it is.
    pub(super) fn abandon(&mut self) {
        for step in self.steps.values() {
            step.abandon();
        }
    }
}

impl Watch for Live {
    fn event(&mut self, event: &OrderEvent) {
        let OrderEvent::Step(step) = event else {
            match event {
                OrderEvent::CodeFailed(error) => self.print(&lines::code_failed(error)),
                OrderEvent::DecidedAgain(reason) => self.below(&lines::decided_again(reason)),
                OrderEvent::Asked(what) => self.below(&lines::asked(what)),
                _ => {}
            }
            return;
        };
        let bar = self.steps.entry(step.number).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("a valid template");
            bar.set_style(style.tick_chars("|/-\\ "));
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_message(coloured(&lines::line(step)));
        if matches!(step.state, StepState::Completed | StepState::Failed { .. }) {
            bar.finish();
        }
    }

    fn say(&mut self, sentence: &str) {
        self.print(&printable(sentence));
    }
}

/// The text with its colours, where colours are wanted.
fn coloured(text: &str) -> String {
    match AutoStream::choice(&std::io::stdout()) {
        ColorChoice::Never => strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}
