//! Reads `temporal.toml`, and checks it before the SDK does.
//!
//! The SDK ignores what it does not know, and its errors quote the file, which may hold an API key or a
//! private key. So the errors here name the file, the line and the column, and never quote the text.

use std::{fmt::Display, fs, io, path::Path};

use temporalio_common::envconfig::DataSource;
use toml::de::{DeTable, DeValue};

use crate::{connect_error::ConnectError, secret::exposed, text::printable};

/// What a key may hold.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bool,
    /// A table with these keys.
    Table(&'static [(&'static str, Kind)]),
    /// A table with any keys, each of which holds this.
    Any(&'static Kind),
}

/// The keys of Temporal's configuration file, by
/// <https://docs.temporal.io/develop/environment-configuration>.
const FILE: Kind = Kind::Table(&[("profile", Kind::Any(&PROFILE))]);

const PROFILE: Kind = Kind::Table(&[
    ("address", Kind::Text),
    ("namespace", Kind::Text),
    ("api_key", Kind::Text),
    ("tls", TLS),
    ("codec", CODEC),
    ("grpc_meta", Kind::Any(&Kind::Text)),
]);

const TLS: Kind = Kind::Table(&[
    ("disabled", Kind::Bool),
    ("client_cert_path", Kind::Text),
    ("client_cert_data", Kind::Text),
    ("client_key_path", Kind::Text),
    ("client_key_data", Kind::Text),
    ("server_ca_cert_path", Kind::Text),
    ("server_ca_cert_data", Kind::Text),
    ("server_name", Kind::Text),
    ("disable_host_verification", Kind::Bool),
]);

const CODEC: Kind = Kind::Table(&[("endpoint", Kind::Text), ("auth", Kind::Text)]);

/// Reads and checks the file, for the SDK to take the profile from. There is nothing in a file that
/// does not exist. Returns a warning, too, if every user of this machine can read a secret in it.
///
/// # Errors
/// Returns [`ConnectError::Settings`], which names the file and the place in it.
pub(crate) fn read(file: &Path) -> Result<(DataSource, Option<String>), ConnectError> {
    let wrong = |what: &dyn Display| {
        let file = file.to_string_lossy();
        ConnectError::settings(format!(
            "the configuration file {} (--config-file, TEMPORAL_CONFIG_FILE): {what}",
            printable(&file)
        ))
    };
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(wrong(&error)),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong(&"it is not UTF-8 text"))?;
    match problem(text) {
        None => {
            let mut secrets = ["api_key", "client_key_data"].into_iter();
            let warning = secrets
                .any(|key| text.contains(key))
                .then(|| exposed(file, "a key"))
                .flatten();
            Ok((DataSource::Data(bytes), warning))
        }
        Some((what, at)) => {
            let (line, column) = place(text, at);
            Err(wrong(&format!("line {line}, column {column}: {what}")))
        }
    }
}

/// What is wrong, and at which byte.
type Problem = (String, usize);

fn problem(text: &str) -> Option<Problem> {
    match DeTable::parse(text) {
        // The parser's own message may quote what it found.
        Err(error) => {
            let at = error.span().unwrap_or_default().start;
            Some(("this is not TOML".to_owned(), at))
        }
        Ok(table) => check(&FILE, &DeValue::Table(table.into_inner()), 0).err(),
    }
}

fn check(kind: &Kind, value: &DeValue<'_>, at: usize) -> Result<(), Problem> {
    match (kind, value) {
        (Kind::Text, DeValue::String(_)) | (Kind::Bool, DeValue::Boolean(_)) => Ok(()),
        (Kind::Table(known), DeValue::Table(table)) => table.iter().try_for_each(|(key, value)| {
            let name = key.get_ref().as_ref();
            let Some((_, kind)) = known.iter().find(|(known, _)| *known == name) else {
                let nearest = nearest(name, known);
                let what = format!("unknown key; did you mean \"{nearest}\"?");
                return Err((what, key.span().start));
            };
            check(kind, value.get_ref(), value.span().start)
        }),
        (Kind::Any(kind), DeValue::Table(table)) => {
            let mut values = table.values();
            values.try_for_each(|value| check(kind, value.get_ref(), value.span().start))
        }
        (Kind::Text, _) => Err(("expected text in quotes".to_owned(), at)),
        (Kind::Bool, _) => Err(("expected true or false".to_owned(), at)),
        (Kind::Table(_) | Kind::Any(_), _) => Err(("expected a section".to_owned(), at)),
    }
}

fn nearest<'a>(name: &str, known: &[(&'a str, Kind)]) -> &'a str {
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let names = known.iter().map(|(known, _)| *known);
    // The last of equal ones counts.
    names
        .rev()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
        .unwrap_or_default()
}

/// The line and the column of a byte, counted from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SECRET: &str = "hush-hush";

    /// Whole files, with a secret somewhere in each.
    const WRONG: [(&str, &str); 15] = [
        ("[profile", "line 1, column 9: this is not TOML"),
        ("\n\n  hush-hush", "line 3, column 12: this is not TOML"),
        (
            "[profile.default]\napi_key = hush-hush",
            "line 2, column 11: this is not TOML",
        ),
        (
            "[profile.default]\napi_key = \"hush-hush",
            "line 2, column 21: this is not TOML",
        ),
        (
            "[profile.default]\napi_key = \"hush-hush\"\napi_key = \"hush-hush\"",
            "line 3, column 1: this is not TOML",
        ),
        (
            "[profile.default]\napi_key = [\"hush-hush\"]",
            "line 2, column 11: expected text in quotes",
        ),
        (
            "[profile.default]\ntls = \"hush-hush\"",
            "line 2, column 7: expected a section",
        ),
        (
            "[profile.default.tls]\ndisabled = \"hush-hush\"",
            "line 2, column 12: expected true or false",
        ),
        (
            "[profile.default.grpc_meta]\nkey = { hush-hush = 1 }",
            "line 2, column 7: expected text in quotes",
        ),
        (
            "[profile.default]\nadress = \"hush-hush\"",
            "line 2, column 1: unknown key; did you mean \"address\"?",
        ),
        (
            "[profile.default]\napi-key = \"hush-hush\"",
            "line 2, column 1: unknown key; did you mean \"api_key\"?",
        ),
        (
            "[profiles.default]\napi_key = \"hush-hush\"",
            "line 1, column 2: unknown key; did you mean \"profile\"?",
        ),
        (
            "[profile.default.tsl]\nclient_key_data = \"hush-hush\"",
            "line 1, column 18: unknown key; did you mean \"tls\"?",
        ),
        (
            "[profile.default.tls]\nclient_key = \"hush-hush\"",
            "line 2, column 1: unknown key; did you mean \"client_key_path\"?",
        ),
        (
            "[profile.default.codec]\nhush-hush = \"x\"",
            "line 2, column 1: unknown key; did you mean \"auth\"?",
        ),
    ];

    #[test]
    fn an_error_names_the_place_and_quotes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("temporal.toml");
        for (text, expected) in WRONG {
            fs::write(&file, text).unwrap();
            let error = read(&file).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{text}: {error}");
            assert!(error.contains("temporal.toml"), "{error}");
            assert!(!error.contains(SECRET), "{error}");
        }
        fs::write(&file, b"[profile.default]\napi_key = \"hush-hush\xff\"").unwrap();
        let error = read(&file).unwrap_err().to_string();
        assert!(error.ends_with("it is not UTF-8 text"), "{error}");
    }

    #[test]
    fn a_file_with_a_secret_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("temporal.toml");
        let warning = |text: &str| {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            read(&file).unwrap().1
        };
        assert_eq!(warning("[profile.default]\naddress = \"a:1\""), None);
        assert!(warning("[profile.default]\napi_key = \"a\"").is_some());
    }

    #[test]
    fn every_key_of_the_sdk_is_known() {
        let text = r#"
            [profile.default]
            address = "localhost:7233"
            namespace = "default"
            api_key = "key"
            [profile.default.tls]
            disabled = false
            client_cert_path = "a"
            client_cert_data = "a"
            client_key_path = "a"
            client_key_data = "a"
            server_ca_cert_path = "a"
            server_ca_cert_data = "a"
            server_name = "a"
            disable_host_verification = true
            [profile."any name".codec]
            endpoint = "a"
            auth = "a"
            [profile."any name".grpc_meta]
            any-header = "a"
        "#;
        assert_eq!(problem(text), None);
        assert_eq!(problem(""), None);
    }
}
