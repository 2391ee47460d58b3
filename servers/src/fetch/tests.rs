//! The real pip, with wheels made here, and with settings that try to bring in another one.

use std::process::Command as StdCommand;

use tempfile::TempDir;

use super::*;

/// Makes a wheel with the program `servers-test-tool` that prints `argv[2]`, in the folder
/// `argv[1]`, and prints its path and its SHA-256.
const WHEEL: &str = r##"
import hashlib, os, sys, zipfile
folder, says, name = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
snake = name.replace("-", "_")
path = f"{folder}/{snake}-1.0-py3-none-any.whl"
info = f"{snake}-1.0.dist-info"
with zipfile.ZipFile(path, "w") as wheel:
    tool = zipfile.ZipInfo(f"{snake}-1.0.data/scripts/servers-test-tool")
    tool.external_attr = 0o100755 << 16
    wheel.writestr(tool, f"#!/bin/sh\necho '{says}'\n")
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
print(path, hashlib.sha256(open(path, "rb").read()).hexdigest())
"##;

fn python(script: &str, arguments: &[&str]) -> String {
    let output = StdCommand::new("python3")
        .args(["-c", script])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder `good` with the wheel that is pinned, and a folder `evil` with one of the same name.
struct Bench {
    root: TempDir,
    package: Package,
    evil_hash: String,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let wheel = |folder: &str, says: &str| {
            let folder = root.path().join(folder);
            let arguments = [folder.to_str().unwrap(), says, "servers-test-tool"];
            let made = python(WHEEL, &arguments);
            made.split_whitespace().last().unwrap().to_owned()
        };
        let good_hash: &'static str = wheel("good", "tool 1.0").leak();
        let evil_hash = wheel("evil", "tool 6.6.6");
        let package = Package {
            title: "a tool",
            name: "servers-test-tool",
            version: "1.0",
            size: "1 kB",
            hashes: vec![good_hash].leak(),
            place: "tool-1.0",
            program: "bin/servers-test-tool",
            says: "tool ",
        };
        Self {
            root,
            package,
            evil_hash,
        }
    }

    fn path(&self, name: &str) -> String {
        self.root.path().join(name).to_str().unwrap().to_owned()
    }

    /// Fetches with a Python that has these settings, lines of a shell script, and returns the
    /// version of what it brought.
    async fn fetch(&self, settings: &str) -> Result<String, String> {
        let python = self.root.path().join("python");
        let script = format!(
            "#!/bin/sh\nunset PIP_FIND_LINKS PIP_CONFIG_FILE\nexport PIP_NO_INDEX=1\n{settings}\n\
             exec python3 \"$@\"\n"
        );
        // Written by another process, because a program that this process has just written cannot
        // always be run at once.
        let written = StdCommand::new("sh")
            .args(["-c", r#"printf %s "$1" > "$2"; chmod +x "$2""#, "sh"])
            .args([&script, python.to_str().unwrap()])
            .status();
        assert!(written.unwrap().success());

        let folder = self.root.path().join("fetched");
        let fetched = self.package.fetch(&folder, &[python], &|_| {}).await;
        let entries = fs::read_dir(&folder).unwrap().flatten();
        let leftovers: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| !matches!(name.as_str(), "fetching.lock" | "tool-1.0"))
            .collect();
        assert_eq!(leftovers, Vec::<String>::new());
        match fetched {
            Ok(program) => Ok(version(&program, "tool ").await.unwrap()),
            Err(failures) => {
                assert!(!self.package.installed_in(&folder).exists());
                Err(failures.join("\n"))
            }
        }
    }
}

#[tokio::test]
async fn a_wheel_from_a_place_of_the_users_own_is_taken() {
    let bench = Bench::new();
    let settings = format!("export PIP_FIND_LINKS='{}'", bench.path("good"));
    assert_eq!(bench.fetch(&settings).await.unwrap(), "1.0");
}

#[tokio::test]
async fn a_wheel_of_the_same_name_with_other_content_is_refused() {
    let bench = Bench::new();
    let configuration = bench.path("pip.conf");
    let evil = bench.path("evil");
    fs::write(&configuration, format!("[global]\nfind-links = {evil}\n")).unwrap();

    for settings in [
        format!("export PIP_FIND_LINKS='{evil}'"),
        format!("export PIP_CONFIG_FILE='{configuration}'"),
    ] {
        let error = bench.fetch(&settings).await.unwrap_err();
        assert!(error.contains("another SHA-256"), "{settings}: {error}");
    }
}

#[tokio::test]
async fn no_setting_of_pip_brings_another_program_in() {
    let bench = Bench::new();
    let evil = bench.path("evil");
    // A package of another name whose program has the same name, and what would pin it.
    let arguments = [&bench.path("more"), "tool 6.6.6", "servers-test-other"];
    let made = python(WHEEL, &arguments);
    let (other, hash) = made.trim().split_once(' ').unwrap();
    fs::write(
        bench.path("more.txt"),
        format!("{other} --hash=sha256:{hash}\n"),
    )
    .unwrap();
    // A constraint that says where the wheel is, and which hash it has.
    let wheel = format!("{evil}/servers_test_tool-1.0-py3-none-any.whl");
    fs::write(
        bench.path("constraint.txt"),
        format!(
            "servers-test-tool @ file://{wheel} --hash=sha256:{}\n",
            bench.evil_hash
        ),
    )
    .unwrap();
    // A module in the place of pip, which installs another program.
    fs::create_dir(bench.path("modules")).unwrap();
    fs::write(
        bench.path("modules/pip.py"),
        "import sys, os\nif '--target' in sys.argv:\n    bin = sys.argv[sys.argv.index('--target') + \
         1] + '/bin'\n    os.makedirs(bin)\n    os.system(f\"printf '#!/bin/sh\\\\necho tool \
         6.6.6\\\\n' > {bin}/servers-test-tool; chmod +x {bin}/*\")\n",
    )
    .unwrap();

    let good = format!("export PIP_FIND_LINKS='{}'", bench.path("good"));
    let elsewhere = bench.path("elsewhere");
    for (setting, refused) in [
        (
            format!("PIP_FIND_LINKS='{evil} {}'", bench.path("good")),
            true,
        ),
        (
            format!("PIP_CONSTRAINT='{}'", bench.path("constraint.txt")),
            true,
        ),
        (
            format!("PIP_REQUIREMENT='{}'", bench.path("more.txt")),
            false,
        ),
        (format!("PIP_TARGET='{elsewhere}'"), false),
        (format!("PIP_PREFIX='{elsewhere}'"), false),
        (format!("PIP_ROOT='{elsewhere}'"), false),
        ("PIP_USER=1".to_owned(), false),
        ("PIP_NO_BINARY=:all:".to_owned(), false),
        (format!("PYTHONPATH='{}'", bench.path("modules")), false),
    ] {
        let came = bench.fetch(&format!("{good}\nexport {setting}")).await;
        match came {
            Ok(version) => assert!(version == "1.0" && !refused, "{setting}: {version}"),
            Err(error) => assert!(refused && error.contains("SHA-256"), "{setting}: {error}"),
        }
        let _ = fs::remove_dir_all(bench.path("fetched"));
    }
    assert!(!Path::new(&elsewhere).exists());
}
