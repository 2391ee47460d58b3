//! What happened to an order, in a line of text. The lines are colored; whoever prints them takes
//! the colors out where none are wanted.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use anstyle::{AnsiColor, Style};
use temporal::printable;
use workflows::OrderOutcome;

use crate::{
    follow::Followed,
    progress::{OrderEvent, StepChange, StepState},
};

const GOOD: Style = AnsiColor::Green.on_default();
const WAITING: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const PLAIN: Style = Style::new();

/// Where the second line of a long text begins, below the names of the steps.
const INDENT: usize = 4;

/// What a step says whose effect an earlier attempt had.
const FOUND: &str = "found: an earlier attempt did it";

/// What a worker without an order's key says.
const NO_KEY: &str = "it is encrypted with key";

/// What happened, in a line of at most `columns` columns; longer ones are wrapped.
pub fn event(event: &OrderEvent, columns: usize) -> Option<String> {
    Some(match event {
        OrderEvent::PickedUp | OrderEvent::Taken(_) => return None,
        OrderEvent::CodeFailed(error) => wrapped(&code_failed(error), columns),
        OrderEvent::DecidedAgain(reason) => {
            let reason = printable(reason);
            wrapped(
                &format!("    {reason}; a worker decides again what comes next"),
                columns,
            )
        }
        OrderEvent::Asked(what) => format!("    the order is told: {}", printable(what)),
        OrderEvent::Step(change) => step(change, columns),
    })
}

/// How an order ended.
pub fn ended(followed: &Followed, columns: usize) -> String {
    let text = match followed {
        Followed::Completed(result) => {
            let (style, word) = match result.outcome {
                OrderOutcome::Managed => (GOOD.bold(), "completed"),
                OrderOutcome::Duplicate => (WAITING.bold(), "duplicate"),
                OrderOutcome::Rejected => (WAITING.bold(), "rejected"),
            };
            format!("{style}{word}:{style:#} {}", printable(&result.message))
        }
        Followed::Cancelled(reason) => {
            let style = WAITING.bold();
            let reason = reason
                .iter()
                .map(|reason| format!("{}; ", printable(reason)));
            let reason: String = reason.collect();
            format!("{style}cancelled:{style:#} {reason}everything that it had done was undone")
        }
        Followed::NotCompleted(reason) => {
            format!("{BAD}failed:{BAD:#} {}", printable(reason))
        }
    };
    wrapped(&text, columns)
}

/// That the workflow's own code failed.
fn code_failed(error: &str) -> String {
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

/// A step's change, in columns. What does not fit beside them stands below them.
pub fn step(step: &StepChange, columns: usize) -> String {
    let took = step.took_ms.map(readable).unwrap_or_default();
    beside(&step_columns(step, &took), &detail(step), columns)
}

/// A step's first columns, in which `took` is the time that it took.
pub(super) fn step_columns(step: &StepChange, took: &str) -> String {
    let (style, word) = match &step.state {
        StepState::Running => (PLAIN, "running"),
        StepState::Retrying { .. } => (WAITING, "retrying"),
        StepState::Completed => (GOOD, "done"),
        StepState::Failed { .. } => (BAD, "failed"),
        StepState::Skipped => (PLAIN, "skipped"),
    };
    let attempt = match step.attempts {
        0 => String::new(),
        1 => "1 attempt".to_owned(),
        many => format!("{many} attempts"),
    };
    format!(
        "{:>2}  {:<15} {style}{word:<8}{style:#} {attempt:<11} {took:>8}",
        step.number,
        printable(&step.step)
    )
}

/// What there is to say of a step.
pub(super) fn detail(step: &StepChange) -> String {
    let detail = match &step.state {
        StepState::Running => None,
        StepState::Retrying { error } | StepState::Failed { error } => Some(error.clone()),
        StepState::Completed | StepState::Skipped => Some(said(step)),
    };
    let detail = detail.filter(|detail| !detail.is_empty());
    let parts: Vec<_> = [step.about.clone(), detail].into_iter().flatten().collect();
    printable(&parts.join(": ")).into_owned()
}

/// Puts a text beside the columns, or below them if it does not fit there.
pub(super) fn beside(columns_text: &str, text: &str, columns: usize) -> String {
    let line = format!("{columns_text}  {text}").trim_end().to_owned();
    if width(&line) <= columns {
        return line;
    }
    let below = wrapped(text, columns.saturating_sub(INDENT));
    let indent = " ".repeat(INDENT);
    let mut all = columns_text.trim_end().to_owned();
    for line in below.lines() {
        all += "\n";
        all += &indent;
        all += line;
    }
    all
}

/// What a finished step said, in a few words.
fn said(step: &StepChange) -> String {
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
    said.join(", ")
}

/// A time as a person reads it: 12 ms, 1.3 s, 4m 10s.
pub fn readable(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else if time < Duration::from_secs(100) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        whole_seconds(time)
    }
}

/// A time without what is less than a second: 4m 10s, 7 days.
pub fn whole_seconds(time: Duration) -> String {
    let text = humantime::format_duration(Duration::from_secs(time.as_secs())).to_string();
    let words = ["day", "month", "year"].into_iter();
    words.fold(text, |text, word| text.replace(word, &format!(" {word}")))
}

/// The time until `end`, counted in whole seconds: "14 s left".
pub(super) fn left(end: SystemTime) -> String {
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    let seconds = left.as_millis().div_ceil(1_000);
    if seconds < 100 {
        format!("{seconds} s left")
    } else {
        format!("{} left", whole_seconds(left))
    }
}

/// Breaks lines that are longer than `columns` between words. Shorter ones, such as those of a
/// table, keep their spaces. Colors take no room.
pub fn wrapped(text: &str, columns: usize) -> String {
    let mut wrapped = Vec::new();
    for line in text.split('\n') {
        if width(line) <= columns {
            wrapped.push(Cow::Borrowed(line));
            continue;
        }
        let mut broken = String::new();
        let mut column = 0;
        for word in line.split(' ') {
            let width = width(word);
            if column > 0 && column + 1 + width <= columns {
                broken.push(' ');
                column += 1;
            } else if column > 0 {
                broken.push('\n');
                column = 0;
            }
            broken += word;
            column += width;
        }
        wrapped.push(Cow::Owned(broken));
    }
    wrapped.join("\n")
}

fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .count()
}

#[cfg(test)]
mod tests {
    use temporal::encryption::codec::EncryptionError;

    use super::*;

    #[test]
    fn a_long_time_is_told_in_words() {
        for (seconds, told) in [(250, "4m 10s"), (7 * 24 * 60 * 60, "7 days")] {
            assert_eq!(whole_seconds(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn long_lines_are_broken_between_words_and_tables_are_left_alone() {
        let text = "word ".repeat(40);
        let broken = wrapped(text.trim_end(), 23);
        assert!(broken.lines().all(|line| line.len() <= 23), "{broken}");
        assert_eq!(broken.lines().next().map(str::len), Some(19));
        assert_eq!(wrapped("a   table\nof two", 80), "a   table\nof two");
        let colored = format!("{GOOD}{}{GOOD:#}", "x".repeat(80));
        assert_eq!(wrapped(&colored, 80), colored);
    }

    #[test]
    fn what_does_not_fit_beside_a_step_stands_below_it() {
        let error = "the warehouse's stock system is being restarted (simulated)".to_owned();
        let change = StepChange::new("PrepareShipment", 2, StepState::Retrying { error }, 2);
        let text = step(&change, 78);
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(
            text,
            " 2  PrepareShipment retrying 2 attempts\n    \
             the warehouse's stock system is being restarted (simulated)"
        );
        assert_eq!(step(&change, usize::MAX).lines().count(), 1);
    }

    #[test]
    fn what_comes_from_a_server_does_nothing_to_the_terminal() {
        let error = "\u{1b}]0;title\u{7}\u{1b}[2J".to_owned();
        let failed = StepState::Failed {
            error: error.clone(),
        };
        let mut change = StepChange::new(&error, 1, failed, 1);
        change.about = Some(error.clone());
        let events = [
            OrderEvent::Step(change),
            OrderEvent::Asked(error.clone()),
            OrderEvent::CodeFailed(error.clone()),
            OrderEvent::DecidedAgain(error.clone()),
        ];
        let events = events.iter().filter_map(|it| event(it, usize::MAX));
        let ends = [
            Followed::NotCompleted(error.clone()),
            Followed::Cancelled(Some(error)),
        ];
        let ends = ends.iter().map(|it| ended(it, usize::MAX));
        for text in events.chain(ends) {
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
