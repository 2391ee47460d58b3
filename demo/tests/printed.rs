//! What the programs print is what the pages say.
//!
//! After an intended change, `TRYCMD=overwrite cargo test --workspace --test printed` writes the
//! console blocks of the pages anew.

use std::{collections::BTreeMap, process::Command};

use clap::CommandFactory;

/// The blocks marked as `console`: each command is run, and its output compared.
#[test]
fn the_pages_show_what_the_commands_print() {
    trycmd::TestCases::new()
        .register_bin("demo", trycmd::cargo::cargo_bin!("demo"))
        .case("../demos.md")
        .case("../setup.md");
}

/// A flag: its variable, and its default.
#[derive(Debug, Default, PartialEq)]
struct Setting {
    variable: Option<String>,
    default: Option<String>,
    /// Whether the table says that it is for `web`.
    is_for_web: bool,
}

/// A flag of a program whose arguments are known here.
fn of_argument(argument: &clap::Arg) -> Option<(String, Setting)> {
    let setting = Setting {
        variable: argument.get_env().map(|it| it.to_str().unwrap().to_owned()),
        ..Setting::default()
    };
    Some((format!("--{}", argument.get_long()?), setting))
}

/// The flags that a program's help lists.
fn help(arguments: &[&str]) -> BTreeMap<String, Setting> {
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(arguments)
        .arg("--help")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut settings = BTreeMap::<String, Setting>::new();
    let mut flag = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(at) = line
            .find("--")
            .filter(|at| *at == 0 || line.starts_with("-h, "))
        {
            flag = line[at..].split([' ', '=', '[']).next().unwrap().to_owned();
            settings.entry(flag.clone()).or_default();
        }
        let told = |what: &str| {
            let (_, rest) = line.split_once(&format!("[{what}: "))?;
            Some(rest.split(['=', ']']).next()?.to_owned())
        };
        if let Some(setting) = settings.get_mut(&flag) {
            setting.variable = setting.variable.take().or_else(|| told("env"));
            setting.default = setting.default.take().or_else(|| told("default"));
        }
    }
    settings.remove("--help");
    settings.remove("--version");
    settings
}

/// The flags of the table of settings in setup.md; a default is all that the table says of it.
fn table() -> BTreeMap<String, Setting> {
    let page = include_str!("../../setup.md");
    let (_, table) = page
        .split_once("| flag | variable | default | for |\n|---|---|---|---|\n")
        .unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let code = |cell: &str| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned());
        let setting = Setting {
            variable: code(cells[2]),
            default: Some(cells[3].to_owned()),
            is_for_web: cells[4].split(", ").any(|program| program == "web"),
        };
        Some((code(cells[1])?, setting))
    })
    .collect()
}

#[test]
fn the_table_of_settings_is_complete_and_true() {
    let table = table();
    let worker = help(&["worker"]);
    assert!(worker.len() > 20, "the help was not read: {worker:?}");
    for (flag, setting) in &worker {
        let row = table.get(flag);
        let row = row.unwrap_or_else(|| panic!("{flag} is missing in the table of setup.md"));
        assert_eq!(row.variable, setting.variable, "{flag}");
        if let (Some(default), Some(told)) = (&setting.default, &row.default)
            && default != "random"
        {
            // What follows a comma explains the default.
            let default = default.split(',').next().unwrap();
            let told = told.replace('`', "");
            assert!(told.contains(default), "{flag}: {told} for {default}");
        }
    }
    let web = web::Args::command();
    let web: BTreeMap<_, _> = web.get_arguments().filter_map(of_argument).collect();
    for (flag, setting) in &web {
        let row = table.get(flag);
        let row = row.unwrap_or_else(|| panic!("{flag} is missing in the table of setup.md"));
        assert_eq!(row.variable, setting.variable, "{flag}");
        assert!(row.is_for_web, "{flag} is not said to be for web");
    }
    let others = [help(&["starter"]), help(&["kill-worker"]), web];
    for flag in table.keys() {
        let known = worker.contains_key(flag) || others.iter().any(|it| it.contains_key(flag));
        assert!(
            known,
            "no program has the flag {flag} of the table in setup.md"
        );
    }
}
