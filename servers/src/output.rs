//! Where a server's output goes, and the line of it that says what went wrong.

use std::{
    fs::File,
    io::{self, Read, Seek},
    process::Stdio,
};

/// How much of the output is searched, in bytes. A server that fails to start has said why by then.
const SEARCHED: u64 = 1_000_000;
/// The longest excerpt, in characters.
const LONGEST: usize = 500;

/// Where the output goes. To a file rather than a pipe: a pipe that nobody empties stops the
/// server.
#[derive(Debug)]
pub(crate) enum Output {
    Inherited,
    /// A file without a name, which is gone with this process and the server's.
    File(File),
}

impl Output {
    pub(crate) fn file() -> io::Result<Self> {
        Ok(Self::File(tempfile::tempfile()?))
    }

    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        match self {
            Self::Inherited => Ok(Stdio::inherit()),
            Self::File(file) => Ok(file.try_clone()?.into()),
        }
    }

    /// What a person needs to see of the output. Call it only after the server has ended: the
    /// position in the file is shared with it.
    pub(crate) fn excerpt(&self) -> String {
        let Self::File(file) = self else {
            return "see its output above".to_owned();
        };
        match read(file) {
            Ok(text) => telling_line(&text).unwrap_or_else(|| "it printed nothing".to_owned()),
            Err(error) => format!("its output cannot be read: {error}"),
        }
    }
}

fn read(mut file: &File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(SEARCHED).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first error, or else the last line before a stack trace. The first error is the cause, and
/// what follows are its consequences: a server that cannot have a port logs that and then panics,
/// with a stack trace of a thousand lines or more.
fn telling_line(output: &str) -> Option<String> {
    let lines = || {
        output
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with("goroutine "))
            .filter(|line| !line.is_empty())
    };
    let error = lines().find_map(|line| {
        // The time and the level at the start of a log line tell nothing new.
        let logged = line.split_once("level=ERROR ").map(|(_, rest)| rest);
        let logged = logged.or_else(|| {
            let printed = ["Error: ", "panic: ", "initdb: error: ", "postgres: "];
            let printed = printed.iter().any(|start| line.starts_with(start));
            printed.then_some(line)
        });
        logged.or_else(|| {
            // PostgreSQL's reason to end. It says the second to whoever connects too early.
            let (_, fatal) = line.split_once("FATAL:  ")?;
            (!fatal.starts_with("the database system is ")).then_some(fatal)
        })
    });
    let line = error.or_else(|| lines().last())?;
    Some(match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::telling_line;

    const TRACE: &str =
        "\ngoroutine 2410 [running]:\nmain.main()\n\t/go/main.go:1 +0x1\nError: no\n";

    #[test]
    fn the_first_error_is_shown_and_not_what_follows_from_it() {
        let log = "time=1 level=INFO msg=starting\n\
                   time=2 level=ERROR msg=\"Failed to listen\" error=\"address already in use\"\n\
                   panic: nil pointer dereference\n";
        assert_eq!(
            telling_line(&format!("{log}{TRACE}")).unwrap(),
            "msg=\"Failed to listen\" error=\"address already in use\""
        );
        let usage = "Error: unknown flag: --bogus\nUsage:\n  temporal server start-dev [flags]\n";
        assert_eq!(telling_line(usage).unwrap(), "Error: unknown flag: --bogus");
    }

    #[test]
    fn without_an_error_the_last_line_before_a_stack_trace_is_shown() {
        let output = format!("one\nfatal: all is lost\n{TRACE}");
        assert_eq!(telling_line(&output).unwrap(), "fatal: all is lost");
        assert_eq!(telling_line("\n \n"), None);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let shown = telling_line(&format!("Error: {}", "ü".repeat(5000))).unwrap();
        assert!(shown.chars().count() < 520, "{shown}");
        assert!(shown.ends_with("ü ..."), "{shown}");
    }
}
