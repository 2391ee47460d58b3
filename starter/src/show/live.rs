//! A line for each step, kept up to date while it runs.

use std::{collections::HashMap, fmt::Write, time::Duration};

use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use temporal::printable;

use super::text;
use crate::{
    follow::{Followed, Watch},
    progress::{OrderEvent, StepChange, StepState},
};

/// How often a running step's line moves.
const TICK: Duration = Duration::from_millis(100);

/// How wide a terminal is that does not say it.
const COLUMNS: u16 = 80;

/// A terminal on which the lines of what is under way stand last, and move. All that is over is
/// printed above them and stays.
#[derive(Clone, Debug)]
pub struct Screen(MultiProgress);

impl Screen {
    /// Standard output; `None` where that is no terminal, or one on which nothing can move
    /// (`TERM=dumb`).
    pub fn stdout() -> Option<Self> {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        (!screen.is_hidden()).then_some(Self(screen))
    }

    /// How many columns a line may have. The terminal's last one is left free, because terminals
    /// differ in where a line goes on that fills it.
    pub fn columns(&self) -> usize {
        let size = console::Term::stdout().size_checked();
        usize::from(size.map_or(COLUMNS, |(_, columns)| columns)).saturating_sub(1)
    }

    /// Prints a text, which may be colored, above the lines that move.
    pub fn print(&self, text: &str) {
        // A terminal that cannot be written to has nobody before it.
        let _ = self.0.println(colored(text));
    }

    /// Adds a line that moves.
    pub fn add(&self, line: ProgressBar) -> ProgressBar {
        self.0.add(line)
    }
}

/// Shows an order on a terminal.
pub struct Live {
    screen: Screen,
    running: HashMap<usize, ProgressBar>,
}

impl Live {
    /// Shows an order on this screen, on which others may be shown too.
    pub fn on(screen: Screen) -> Self {
        Self {
            screen,
            running: HashMap::new(),
        }
    }

    /// Columns for what stands behind the mark that turns while a step runs.
    fn columns(&self) -> usize {
        self.screen.columns().saturating_sub(MARGIN.len())
    }

    /// Takes away the lines that move.
    pub(super) fn abandon(&mut self) {
        for (_, line) in self.running.drain() {
            line.finish_and_clear();
        }
    }

    fn print(&self, text: &str) {
        let lines: Vec<_> = text.lines().map(|line| format!("{MARGIN}{line}")).collect();
        self.screen.print(&lines.join("\n"));
    }
}

/// What stands before the lines that do not move any more.
const MARGIN: &str = "  ";

impl Watch for Live {
    fn event(&mut self, event: &OrderEvent) {
        let columns = self.columns();
        let OrderEvent::Step(step) = event else {
            if let Some(line) = text::event(event, columns) {
                self.print(&line);
            }
            return;
        };
        if !matches!(step.state, StepState::Running | StepState::Retrying { .. }) {
            if let Some(line) = self.running.remove(&step.number) {
                line.finish_and_clear();
            }
            self.print(&text::step(step, columns));
            return;
        }
        let line = self.running.entry(step.number).or_insert_with(|| {
            let line = self.screen.add(ProgressBar::new_spinner());
            line.enable_steady_tick(TICK);
            line
        });
        line.set_style(moving(step, columns));
    }

    fn say(&mut self, sentence: &str) {
        self.print(&text::wrapped(&printable(sentence), self.columns()));
    }

    fn ended(&mut self, followed: &Followed) {
        self.abandon();
        self.print(&text::ended(followed, self.columns()));
    }
}

/// The line of a step that is under way, with the time that it takes, or that is left.
fn moving(step: &StepChange, columns: usize) -> ProgressStyle {
    let step = step.clone();
    let line = move |state: &ProgressState, out: &mut dyn Write| {
        let (took, detail) = match step.ends_at {
            Some(end) => (String::new(), text::left(end)),
            None => (text::readable(state.elapsed()), text::detail(&step)),
        };
        let line = text::beside(&text::step_columns(&step, &took), &detail, columns);
        let _ = out.write_str(&colored(&line));
    };
    ProgressStyle::with_template("{spinner} {step}")
        .expect("a valid template")
        .tick_chars("|/-\\ ")
        .with_key("step", line)
}

/// The text with its colors, where colors are wanted.
fn colored(text: &str) -> String {
    match AutoStream::choice(&std::io::stdout()) {
        ColorChoice::Never => strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}
