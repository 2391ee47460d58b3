//! A terminal with colors, and what a person sees on it.

use std::{
    ffi::OsString,
    io::{Read, Write},
    process::{Child, ExitStatus},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pty_process::{
    Size,
    blocking::{Command, Pty},
};
use vt100::Parser;

use super::PATIENCE;

/// A program that is asked to stop has done so long before.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// A program on a terminal. It is asked to stop when this is dropped, and killed if it does not.
pub struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    screen: Arc<Mutex<Parser>>,
    longest_silence: Arc<Mutex<Duration>>,
    reading: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Runs a program on a terminal of this many rows and columns.
    pub fn run(
        program: &str,
        arguments: &[&str],
        environment: Vec<(&'static str, OsString)>,
        (rows, columns): (u16, u16),
    ) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(environment)
            .spawn(pts)
            .unwrap();
        let pty = Arc::new(pty);
        let screen = Arc::new(Mutex::new(Parser::new(rows, columns, 100_000)));
        let (output, shown) = (pty.clone(), screen.clone());
        let longest_silence = Arc::new(Mutex::new(Duration::ZERO));
        let silence = longest_silence.clone();
        let reading = thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut last = Instant::now();
            // Reading fails when nobody has the terminal open any more.
            while let Ok(read @ 1..) = (&*output).read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..read]);
                let mut longest = silence.lock().unwrap();
                *longest = last.elapsed().max(*longest);
                last = Instant::now();
            }
        });
        Self {
            child,
            pty,
            screen,
            longest_silence,
            reading: Some(reading),
        }
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// Asks the program to stop, as the system does.
    pub fn terminate(&self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
    }

    /// Kills the program, as a crash would.
    pub fn kill(&self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
    }

    /// Waits until these words have been shown.
    pub fn until(&self, words: &str) {
        self.until_so(&format!("no {words:?}"), |text| text.contains(words));
    }

    /// Waits until these words have been taken away.
    pub fn until_gone(&self, words: &str) {
        self.until_so(&format!("{words:?} stays"), |text| !text.contains(words));
    }

    fn until_so(&self, otherwise: &str, is_so: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        loop {
            let has_ended = self.reading.as_ref().is_some_and(JoinHandle::is_finished);
            let text = joined(&self.rows());
            if is_so(&text) {
                return;
            }
            assert!(
                !has_ended,
                "{otherwise}, and the program has ended:\n{text}"
            );
            assert!(begun.elapsed() < PATIENCE, "{otherwise}:\n{text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The longest time in which nothing moved.
    pub fn longest_silence(&self) -> Arc<Mutex<Duration>> {
        self.longest_silence.clone()
    }

    /// Waits until the program has ended.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let text = joined(&self.rows());
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{text}");
            thread::sleep(Duration::from_millis(20));
        };
        if let Some(reading) = self.reading.take() {
            reading.join().unwrap();
        }
        (status, self.rows())
    }

    /// All rows from the first, with those that have left the screen.
    pub fn rows(&self) -> Vec<String> {
        let mut parser = self.screen.lock().unwrap();
        let screen = parser.screen_mut();
        let (height, width) = screen.size();
        screen.set_scrollback(usize::MAX);
        let above = screen.scrollback();
        let row = |screen: &vt100::Screen, row: u16| {
            let text = screen.rows(0, width).nth(row.into());
            text.unwrap_or_default().trim_end().to_owned()
        };
        let mut rows = Vec::new();
        for offset in (1..=above).rev() {
            screen.set_scrollback(offset);
            rows.push(row(screen, 0));
        }
        screen.set_scrollback(0);
        rows.extend((0..height).map(|index| row(screen, index)));
        while rows.last().is_some_and(|row| row.is_empty()) {
            rows.pop();
        }
        rows
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Asked first, so that also a test that fails leaves no process of the program's running.
        let begun = Instant::now();
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate();
        }
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < STOP_WITHIN {
            thread::sleep(Duration::from_millis(20));
        }
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows as one text, in which lines that were broken between words are whole again.
pub fn joined(rows: &[String]) -> String {
    let words: Vec<_> = rows.iter().flat_map(|row| row.split_whitespace()).collect();
    words.join(" ")
}

/// The rows as they are.
pub fn lines(rows: &[String]) -> String {
    rows.join("\n") + "\n"
}
