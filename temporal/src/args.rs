//! The flags that every command takes to choose a Temporal server.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fmt::Display,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args, Parser, builder::BoolishValueParser, error::ErrorKind};
use temporalio_common::envconfig::{
    ClientConfigProfile, ConfigError, DataSource, LoadClientConfigProfileOptions,
    load_client_config_profile,
};

use crate::{
    config_file,
    connect_error::ConnectError,
    encryption::args::EncryptionArgs,
    go_names,
    secret::{Secret, exposed},
    settings::Settings,
    text::{excerpt, printable},
};

/// Set on each flag, because a heading for all of them would also cover the command's own flags.
const HEADING: &str = "Temporal server";

/// Which Temporal server to use, and how to reach it. Add it to a command with
/// `#[command(flatten)]`.
///
/// A flag takes precedence over its environment variable, and the variable over the profile in
/// `temporal.toml`. Without any of them the server is the dev server on this machine.
#[derive(Args, Clone, Debug, Default)]
pub struct ConnectArgs {
    /// The server's address, as HOST:PORT [default: localhost:7233, a dev server on this machine]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_ADDRESS", value_name = "HOST:PORT")]
    pub address: Option<String>,

    /// The namespace on that server [default: default]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,

    /// The profile of the configuration file to take the settings from [default: default]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,

    /// The configuration file [default: temporalio/temporal.toml in your user configuration folder]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_CONFIG_FILE", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// An API key of Temporal Cloud. Turns TLS on. Prefer the variable: other users of this machine
    /// can read a command line
    #[arg(
        long,
        help_heading = HEADING,
        env = "TEMPORAL_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub api_key: Option<Secret>,

    /// A file with the API key. You can replace the key while the program runs
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,

    /// Whether to encrypt the connection [default: true with an API key or another --tls flag]
    #[arg(
        long,
        help_heading = HEADING,
        env = "TEMPORAL_TLS",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub tls: Option<bool>,

    /// The name to expect in the server's certificate [default: the host of the address]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_TLS_SERVER_NAME", value_name = "NAME")]
    pub tls_server_name: Option<String>,

    /// A PEM file with the root certificate that signs the server's certificate [default: the roots
    /// that this machine trusts]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_TLS_SERVER_CA_CERT_PATH", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// A PEM file with your own certificate, for a server that asks for one (mTLS)
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_TLS_CLIENT_CERT_PATH", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// A PEM file with the private key of your own certificate
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_TLS_CLIENT_KEY_PATH", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// The keys that orders are encrypted with.
    #[command(flatten)]
    pub encryption: EncryptionArgs,

    /// Whether to register the namespace if the server has none of this name. It is no flag: a program
    /// decides for itself whether a name that was mistyped may become a namespace.
    #[arg(skip)]
    pub create_namespace: bool,
}

impl ConnectArgs {
    /// Combines these flags, the environment and the configuration file, and checks the result.
    ///
    /// # Errors
    /// Returns [`ConnectError::Settings`], which names the wrong setting.
    pub fn settings(&self) -> Result<Settings, ConnectError> {
        self.settings_in(&environment(env::vars_os())?)
    }

    fn settings_in(&self, environment: &HashMap<String, String>) -> Result<Settings, ConnectError> {
        go_names::check(environment, &self.environment())?;
        let file = self.config_file.clone();
        let file = file.filter(|file| !file.as_os_str().is_empty());
        if let Some(file) = &file {
            // A missing file would count as an empty one, and the order would go to another server
            // than the one meant.
            fs::metadata(file).map_err(|error| {
                ConnectError::settings(format!(
                    "the configuration file {} (--config-file, TEMPORAL_CONFIG_FILE): {error}",
                    printable(&file.to_string_lossy())
                ))
            })?;
        }
        let file = file.or_else(default_config_file);
        let (source, warning) = match file {
            Some(file) => config_file::read(&file)?,
            None => (DataSource::Data(Vec::new()), None),
        };
        let options = LoadClientConfigProfileOptions::builder()
            .config_source(source)
            .maybe_config_file_profile(self.profile.clone().filter(|name| !name.is_empty()))
            .build();
        let profile = load_client_config_profile(options, Some(environment));
        let mut profile = profile.map_err(|error| {
            ConnectError::settings(match error {
                ConfigError::ProfileNotFound(name) => format!(
                    "the configuration file (--config-file, TEMPORAL_CONFIG_FILE) has no profile \
                     \"{}\" (--profile, TEMPORAL_PROFILE)",
                    printable(&excerpt(&name))
                ),
                // The SDK says it in names of keys and variables only.
                ConfigError::InvalidConfig(what) => what,
                ConfigError::LoadError(_) => "the configuration file cannot be read".to_owned(),
            })
        })?;
        self.override_by_flags(&mut profile)?;
        let mut settings = Settings::from_profile(profile)?;
        settings.encryption = self.encryption.keys()?;
        settings.create_namespace = self.create_namespace;
        let key = self.api_key_file.as_deref();
        let key = key.and_then(|file| exposed(file, "the API key"));
        let warnings = [warning, key, self.encryption.warning()];
        settings.warnings.extend(warnings.into_iter().flatten());
        Ok(settings)
    }

    fn override_by_flags(&self, profile: &mut ClientConfigProfile) -> Result<(), ConnectError> {
        fn set<T>(field: &mut Option<T>, flag: Option<T>) {
            if flag.is_some() {
                *field = flag;
            }
        }
        set(&mut profile.address, self.address.clone());
        set(&mut profile.namespace, self.namespace.clone());
        set(&mut profile.api_key, self.given_api_key()?);
        let has_tls_flag = self.tls.is_some()
            || self.tls_server_name.is_some()
            || [&self.tls_ca, &self.tls_cert, &self.tls_key]
                .iter()
                .any(|file| file.is_some());
        if has_tls_flag {
            let tls = profile.tls.get_or_insert_default();
            set(&mut tls.disabled, self.tls.map(|on| !on));
            set(&mut tls.server_name, self.tls_server_name.clone());
            set(&mut tls.server_ca_cert, self.tls_ca.as_deref().map(source));
            set(&mut tls.client_cert, self.tls_cert.as_deref().map(source));
            set(&mut tls.client_key, self.tls_key.as_deref().map(source));
        }
        Ok(())
    }

    fn given_api_key(&self) -> Result<Option<String>, ConnectError> {
        match (&self.api_key_file, &self.api_key) {
            (None, key) => Ok(key.as_ref().map(|key| key.reveal().to_owned())),
            (Some(file), None) => match fs::read_to_string(file) {
                // An editor ends the line.
                Ok(text) => Ok(Some(text.trim().to_owned())),
                Err(error) => Err(ConnectError::settings(format!(
                    "the API key in {} (--api-key-file, TEMPORAL_API_KEY_FILE): {error}",
                    file.display()
                ))),
            },
            (Some(_), Some(_)) => Err(ConnectError::settings(
                "the API key is given twice, by --api-key-file (TEMPORAL_API_KEY_FILE) and by \
                 TEMPORAL_API_KEY; unset one of them",
            )),
        }
    }

    /// Returns the environment variables that make another process use the same server.
    ///
    /// They are variables and not flags because other users of this machine can read a command
    /// line, and some of them are secret.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let text = |value: &Option<String>| value.as_ref().map(OsString::from);
        let path = |value: &Option<PathBuf>| value.as_ref().map(OsString::from);
        [
            ("TEMPORAL_ADDRESS", text(&self.address)),
            ("TEMPORAL_NAMESPACE", text(&self.namespace)),
            ("TEMPORAL_PROFILE", text(&self.profile)),
            ("TEMPORAL_CONFIG_FILE", path(&self.config_file)),
            (
                "TEMPORAL_API_KEY",
                self.api_key.as_ref().map(|key| key.reveal().into()),
            ),
            ("TEMPORAL_API_KEY_FILE", path(&self.api_key_file)),
            ("TEMPORAL_TLS", self.tls.map(|tls| tls.to_string().into())),
            ("TEMPORAL_TLS_SERVER_NAME", text(&self.tls_server_name)),
            ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", path(&self.tls_ca)),
            ("TEMPORAL_TLS_CLIENT_CERT_PATH", path(&self.tls_cert)),
            ("TEMPORAL_TLS_CLIENT_KEY_PATH", path(&self.tls_key)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .chain(self.encryption.environment())
        .collect()
    }
}

/// Temporal's variables among `all`, for the SDK to read. It would read them by itself, but panics at
/// any variable that is not UTF-8, even one that is none of its own.
fn environment(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, ConnectError> {
    let temporals = all.filter(|(name, _)| {
        let name = name.as_encoded_bytes();
        name.starts_with(b"TEMPORAL_") || go_names::is_one(name)
    });
    temporals
        .map(|(name, value)| {
            let text = (name.into_string(), value.into_string());
            match text {
                (Ok(name), Ok(value)) => Ok((name, value)),
                (Ok(name), Err(_)) => Err(ConnectError::settings(format!(
                    "the variable {} is not UTF-8 text",
                    printable(&excerpt(&name))
                ))),
                (Err(name), _) => Err(ConnectError::settings(format!(
                    "the name of the variable {} is not UTF-8 text",
                    printable(&excerpt(&name.to_string_lossy()))
                ))),
            }
        })
        .collect()
}

/// Says which variables of this process are not UTF-8, without their values: `clap` refuses those that
/// it reads, and names none. Returns `None` if there are none.
pub fn variables_not_text() -> Option<String> {
    let names: Vec<_> = env::vars_os()
        .filter(|(_, value)| value.to_str().is_none())
        .map(|(name, _)| printable(&excerpt(&name.to_string_lossy())).into_owned())
        .collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("these environment variables are not UTF-8 text: {names}")
    })
}

/// Reads this program's command line, and ends the program if it makes no sense.
pub fn parse<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|error| {
        if error.kind() == ErrorKind::InvalidUtf8
            && let Some(hint) = variables_not_text()
        {
            eprintln!("hint: {hint}");
        }
        error.exit()
    })
}

/// Returns a parser of whole numbers, for a flag's `value_parser`. Clap's own does not name the range if a
/// text is not a number at all.
pub fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        number.ok_or_else(|| format!("expected a whole number from {least} to {most}"))
    }
}

/// Where Temporal's own programs look, too.
fn default_config_file() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("temporalio").join("temporal.toml"))
}

fn source(file: &Path) -> DataSource {
    DataSource::Path(file.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
