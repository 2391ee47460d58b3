//! What the audience sees.

use std::{io::BufRead, path::Path, time::Duration};

use anstream::println;
use anstyle::{AnsiColor, Style};

const TITLE: Style = AnsiColor::Cyan.on_default().bold();
const NARRATION: Style = Style::new().bold();
const QUOTED: Style = AnsiColor::BrightBlack.on_default();
const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Tells a demo's story, at the presenter's pace. Colours show on a terminal only, and where
/// `NO_COLOR` is not set.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    step: bool,
    slow: Option<Duration>,
}

impl Voice {
    /// A voice that waits for Enter before each scene if `step`, and for as long as `slow`.
    pub fn new(step: bool, slow: Option<Duration>) -> Self {
        Self { step, slow }
    }

    /// Whether colours show.
    pub fn is_coloured(&self) -> bool {
        anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
    }

    /// A demo's name and what it shows.
    pub fn title(&self, name: &str, about: &str) {
        println!("{TITLE}{name}{TITLE:#}: {about}");
    }

    /// The next scene, when the presenter is ready for it.
    pub async fn scene(&self, text: &str) {
        if let Some(pause) = self.slow {
            tokio::time::sleep(pause).await;
        }
        println!();
        println!("{NARRATION}{}{NARRATION:#}", wrapped(text, 0));
        if self.step {
            println!("{QUOTED}(Enter){QUOTED:#}");
            // Reading a terminal cannot be cut short: on a thread that nobody waits for, it does
            // not hold up the end of the program. An input that has ended lets the demo go on.
            let (entered, enter) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let _ = std::io::stdin().lock().read_line(&mut String::new());
                let _ = entered.send(());
            });
            let _ = enter.await;
        }
    }

    /// A remark within a scene.
    pub fn say(&self, text: &str) {
        println!("{}", wrapped(text, 0));
    }

    /// A line of one of the processes.
    pub fn quote(&self, line: &str) {
        println!("  {QUOTED}|{QUOTED:#} {line}");
    }

    /// A file's content.
    pub fn file(&self, path: &Path, content: &str) {
        println!("{QUOTED}{}:{QUOTED:#}", path.display());
        for line in content.lines() {
            self.quote(line);
        }
    }

    /// The last word: what was shown.
    pub fn shown(&self, text: &str) {
        println!();
        println!("{GOOD}Shown:{GOOD:#} {}", wrapped(text, "Shown: ".len()));
    }
}

/// Breaks lines that are longer than a terminal of 80 columns shows; `indent` columns of the first
/// are taken. Shorter lines, such as those of a table, keep their spaces.
fn wrapped(text: &str, indent: usize) -> String {
    const COLUMNS: usize = 80;
    let mut column = indent;
    let mut wrapped = String::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            wrapped.push('\n');
            column = 0;
        }
        if column + line.chars().count() <= COLUMNS {
            wrapped += line;
            continue;
        }
        for (index, word) in line.split(' ').enumerate() {
            let width = word.chars().count();
            if index > 0 {
                let fits = column + 1 + width <= COLUMNS;
                wrapped.push(if fits { ' ' } else { '\n' });
                column = if fits { column + 1 } else { 0 };
            }
            wrapped += word;
            column += width;
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_at_80_columns() {
        let text = "word ".repeat(40);
        let lines = wrapped(&text, 7);
        assert_eq!(lines.lines().next().map(str::len), Some(69));
        assert!(lines.lines().all(|line| line.len() <= 80), "{lines}");
        assert_eq!(lines.replace('\n', " "), text);
        assert_eq!(wrapped("a   table\nof two", 0), "a   table\nof two");
    }
}
