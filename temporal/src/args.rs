//! The flags every command takes to say which Temporal server it means.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::BoolishValueParser;
use temporalio_client::Client;
use temporalio_common::telemetry::metrics::TemporalMeter;

use crate::connect::connect;
use crate::connect_error::ConnectError;
use crate::encryption::args::EncryptionArgs;
use crate::renewals::Renewals;
use crate::settings::Settings;

/// On each flag, and not on all at once: what a command adds of its own would come under it too.
const HEADING: &str = "Temporal server";

/// Which Temporal server, and how to reach it.
///
/// To be taken into a command with `#[command(flatten)]`. A flag wins over its environment
/// variable, and that over the profile in `temporal.toml`; with none of them it is the dev server
/// on this machine.
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

    /// The API key, as Temporal Cloud gives out. Better set as the variable: others can read a
    /// command line. Turns TLS on
    #[arg(
        long,
        help_heading = HEADING,
        env = "TEMPORAL_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub api_key: Option<Secret>,

    /// File with the API key. It may be renewed while the program runs
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,

    /// Whether to encrypt the connection [default: yes with an API key or another --tls flag]
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

    /// The name to expect in the server's certificate [default: the address's host]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_TLS_SERVER_NAME", value_name = "NAME")]
    pub tls_server_name: Option<String>,

    /// PEM file with the root certificate the server's one is signed by [default: those this
    /// machine trusts]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_TLS_SERVER_CA_CERT_PATH", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// PEM file with your own certificate, for a server that asks for one (mTLS)
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_TLS_CLIENT_CERT_PATH", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with your own certificate's private key
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_TLS_CLIENT_KEY_PATH", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// The keys that orders are encrypted with.
    #[command(flatten)]
    pub encryption: EncryptionArgs,
}

impl ConnectArgs {
    /// These flags, the environment and the configuration file put together and checked.
    ///
    /// # Errors
    /// [`ConnectError::Settings`], which names the setting.
    pub fn settings(&self) -> Result<Settings, ConnectError> {
        Settings::load(self, None)
    }

    /// The environment in which another process means the same server.
    ///
    /// Variables, not flags: anyone on this machine can read a command line, and one of these is a
    /// secret.
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

    /// Connects, within 5 seconds, and makes sure that the namespace is there.
    ///
    /// `client_name` is what the server shows for this process, with its process ID and host.
    ///
    /// # Errors
    /// See [`connect`].
    pub async fn connect(&self, client_name: &str) -> Result<Client, ConnectError> {
        connect(&self.settings()?, client_name).await
    }

    /// Keeps trying to connect until it succeeds, or until `stop` resolves, which gives `None`. For a
    /// program that runs on for long: what it connects with may change while it tries, and later.
    /// `meter` counts its requests.
    ///
    /// # Errors
    /// See [`connect_patiently`](crate::connect_patiently).
    pub async fn connect_renewably(
        &self,
        client_name: &str,
        meter: Option<TemporalMeter>,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Renewals>, ConnectError> {
        Renewals::connect(self, client_name, meter, stop).await
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
