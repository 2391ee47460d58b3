//! What the audience sees.

use std::{
    io::{BufRead, IsTerminal, Write},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use nix::{
    sys::termios::{FlushArg, LocalFlags, SetArg, Termios, tcflush, tcgetattr, tcsetattr},
    unistd::{getpgrp, tcgetpgrp},
};
use starter::{
    follow::{Followed, Watch},
    progress::OrderEvent,
    show::{Live, Screen, text},
};

const TITLE: Style = AnsiColor::Cyan.on_default().bold();
const SCENE: Style = Style::new().bold();
const QUOTED: Style = AnsiColor::BrightBlack.on_default();
const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Lines longer than this are hard to read, however wide the terminal is.
const COLUMNS: usize = 79;

/// What takes longer than this is shown to be under way.
const NOTICED_AFTER: Duration = Duration::from_millis(400);

/// What turns while something is under way, and how often.
const TURNING: &str = "|/-\\ ";
const TICK: Duration = Duration::from_millis(100);

/// Tells a demo's story, at the presenter's pace: a *scene* says what comes next, and what is
/// *checked* has happened. Colors show on a terminal only, and where `NO_COLOR` is not set.
#[derive(Clone, Debug)]
pub struct Voice {
    step: bool,
    slow: Option<Duration>,
    /// None in a pipe, and on a terminal on which nothing can move.
    screen: Option<Screen>,
    scenes: Arc<AtomicU32>,
    linked: Arc<AtomicBool>,
}

impl Voice {
    /// A voice that waits for Enter before each scene if `step`, and for as long as `slow`.
    pub fn new(step: bool, slow: Option<Duration>) -> Self {
        Self {
            step,
            slow,
            screen: Screen::stdout(),
            scenes: Arc::default(),
            linked: Arc::default(),
        }
    }

    /// A demo's name and what it shows. Its scenes are counted from 1.
    pub fn title(&self, name: &str, about: &str) {
        self.scenes.store(0, Ordering::Relaxed);
        self.linked.store(false, Ordering::Relaxed);
        self.wrapped(&format!("{TITLE}{name}{TITLE:#}: {about}"));
    }

    /// What comes next, when the presenter is ready for it. Nothing of it has happened yet, so it
    /// is told as a plan.
    pub async fn scene(&self, plan: &str) {
        if let Some(pause) = self.slow {
            tokio::time::sleep(pause).await;
        }
        let number = 1 + self.scenes.fetch_add(1, Ordering::Relaxed);
        let plan = text::wrapped(&format!("{number}. {plan}"), self.columns());
        self.print(&format!("\n{SCENE}{plan}{SCENE:#}"));
        if self.step {
            self.enter().await;
        }
    }

    async fn enter(&self) {
        // Keys that were pressed before the question are no answer to it.
        if std::io::stdin().is_terminal() {
            let _ = tcflush(std::io::stdin().as_fd(), FlushArg::TCIFLUSH);
        }
        let question = self.moving("(Enter)", "{prefix}");
        if question.is_none() {
            self.print("(Enter)");
        }
        // Reading a terminal cannot be cut short: on a thread that nobody waits for, it does not
        // hold up the end of the program. An input that has ended lets the demo go on.
        let (entered, enter) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::stdin().lock().read_line(&mut String::new());
            let _ = entered.send(());
        });
        let _ = enter.await;
    }

    /// A remark within a scene.
    pub fn say(&self, text: &str) {
        self.wrapped(text);
    }

    /// What has happened, and was checked.
    pub fn checked(&self, fact: &str) {
        let fact = text::wrapped(fact, self.columns() - 2).replace('\n', "\n  ");
        self.print(&format!("{GOOD}✓{GOOD:#} {fact}"));
    }

    /// A line of one of the processes.
    pub fn quote(&self, line: &str) {
        match &self.screen {
            Some(_) => {
                let line = text::wrapped(line, self.columns() - 2).replace('\n', "\n  ");
                self.print(&format!("  {line}"));
            }
            None => self.print(&format!("  {QUOTED}|{QUOTED:#} {line}")),
        }
    }

    /// Where a demo's first order can be looked at; the others are listed beside it.
    pub fn link(&self, url: &str) {
        if !self.linked.swap(true, Ordering::Relaxed) {
            self.quote(&format!("Web UI: {url}"));
        }
    }

    /// A table, whose first line has the names of its columns.
    pub fn table(&self, lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            match index {
                0 => self.print(&format!("  {QUOTED}{line}{QUOTED:#}")),
                _ => self.print(&format!("  {line}")),
            }
        }
    }

    /// The last word: what was shown.
    pub fn shown(&self, what: &str) {
        self.print("");
        self.wrapped(&format!("{GOOD}Shown:{GOOD:#} {what}"));
    }

    /// Does what takes a while, and shows that it is under way: "waiting for the worker".
    pub async fn during<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(NOTICED_AFTER, &mut work).await {
            return done;
        }
        let _moving = self.moving(what, "{spinner} {prefix} {elapsed}");
        work.await
    }

    /// A line that stands last until it is dropped; none where nothing can move.
    fn moving(&self, what: &str, template: &str) -> Option<Moving> {
        let screen = self.screen.as_ref()?;
        let style = ProgressStyle::with_template(template).expect("a valid template");
        let line = screen.add(ProgressBar::new_spinner());
        line.set_style(style.tick_chars(TURNING));
        let room = self.columns().saturating_sub(6);
        line.set_prefix(what.chars().take(room).collect::<String>());
        line.enable_steady_tick(TICK);
        Some(Moving(line))
    }

    /// A bar that grows up to `length`; invisible where nothing can move.
    pub fn bar(&self, length: u64, what: &str) -> ProgressBar {
        let Some(screen) = &self.screen else {
            return ProgressBar::hidden();
        };
        let bar = screen.add(ProgressBar::new(length));
        let style = ProgressStyle::with_template("{spinner} {bar:40} {pos} of {len} {prefix}");
        bar.set_style(style.expect("a valid template").tick_chars(TURNING));
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(TICK);
        bar
    }

    /// Whoever shows an order to the audience.
    pub fn watch(&self) -> Box<dyn Watch + Send> {
        match &self.screen {
            Some(screen) => Box::new(Live::on(screen.clone())),
            None => Box::new(Piped(self.clone())),
        }
    }

    fn columns(&self) -> usize {
        let columns = self.screen.as_ref().map(Screen::columns);
        columns.map_or(COLUMNS, |columns| columns.clamp(10, COLUMNS))
    }

    fn wrapped(&self, text: &str) {
        self.print(&text::wrapped(text, self.columns()));
    }

    fn print(&self, text: &str) {
        match &self.screen {
            Some(screen) => screen.print(text),
            // A pipe that nobody reads any more is no reason to leave a demo half done.
            None => drop(writeln!(anstream::stdout(), "{text}")),
        }
    }
}

/// A line that stands last, until it is dropped.
struct Moving(ProgressBar);

impl Drop for Moving {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Shows an order where nothing can move: one line for each change.
struct Piped(Voice);

impl Watch for Piped {
    fn event(&mut self, event: &OrderEvent) {
        if let Some(line) = text::event(event, usize::MAX) {
            self.0.quote(&line);
        }
    }

    fn say(&mut self, sentence: &str) {
        self.0.quote(sentence);
    }

    fn ended(&mut self, followed: &Followed) {
        self.0.quote(&text::ended(followed, usize::MAX));
    }
}

/// A terminal that does not show the keys that are pressed: they would stand in the middle of what
/// moves. Dropping this makes it show them again.
pub struct Silenced(Option<Termios>);

impl Silenced {
    /// Silences standard input, if it is a terminal and this program is in its foreground.
    pub fn stdin() -> Self {
        let stdin = std::io::stdin();
        // A program in the background would be stopped for it.
        let in_foreground = tcgetpgrp(stdin.as_fd()).is_ok_and(|group| group == getpgrp());
        let before = in_foreground
            .then(|| tcgetattr(stdin.as_fd()).ok())
            .flatten();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_flags.remove(LocalFlags::ECHO);
            let _ = tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &silent);
        }
        Self(before)
    }
}

impl Drop for Silenced {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin().as_fd(), SetArg::TCSANOW, before);
        }
    }
}
