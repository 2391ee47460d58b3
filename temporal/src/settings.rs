//! Flags, environment and configuration file put together, and checked before anything is sent.

mod credentials;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;

use temporalio_client::{ConnectionOptions, Url};
use temporalio_common::envconfig::{
    ClientConfigProfile, DataSource, LoadClientConfigProfileOptions, load_client_config_profile,
};

use crate::args::ConnectArgs;
use crate::connect_error::ConnectError;
use crate::encryption::keys::Keys;
use credentials::{api_key, check_tls};

const DEFAULT_ADDRESS: &str = "localhost:7233";
const DEFAULT_NAMESPACE: &str = "default";

/// Which server, which namespace, and how to get there.
#[derive(Clone)]
pub struct Settings {
    /// For the SDK. Holds the API key and the private key: never print it.
    pub options: ConnectionOptions,
    /// The namespace's name.
    pub namespace: String,
    /// The keys that orders are encrypted with; none, and they are not.
    pub encryption: Keys,
}

impl Settings {
    /// A server at `address` (HOST:PORT) without encryption or credentials, whatever environment
    /// and configuration file say: for a dev server this process knows of.
    ///
    /// # Errors
    /// [`ConnectError::Settings`] where `address` is none.
    pub fn plain(address: &str, namespace: &str) -> Result<Self, ConnectError> {
        let profile = ClientConfigProfile::builder()
            .address(address)
            .namespace(namespace)
            .build();
        Self::from_profile(profile)
    }

    /// `environment` is the process's own where it is `None`.
    pub(crate) fn load(
        args: &ConnectArgs,
        environment: Option<&HashMap<String, String>>,
    ) -> Result<Self, ConnectError> {
        let file = args.config_file.as_deref();
        if let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) {
            // The SDK takes a file that is not there for an empty one, which sends an order to
            // another server than the one meant.
            fs::metadata(file).map_err(|error| {
                wrong(format!(
                    "the configuration file {} (--config-file, TEMPORAL_CONFIG_FILE): {error}",
                    file.display()
                ))
            })?;
        }
        let options = LoadClientConfigProfileOptions::builder()
            .maybe_config_source(
                file.filter(|file| !file.as_os_str().is_empty())
                    .map(|file| DataSource::Path(file.to_string_lossy().into_owned())),
            )
            .maybe_config_file_profile(args.profile.clone().filter(|name| !name.is_empty()))
            .build();
        let mut profile =
            load_client_config_profile(options, environment).map_err(|e| wrong(e.to_string()))?;
        override_by_flags(&mut profile, args);
        if let Some(key) = api_key(args)? {
            profile.api_key = Some(key);
        }
        let mut settings = Self::from_profile(profile)?;
        settings.encryption = args.encryption.keys()?;
        Ok(settings)
    }

    fn from_profile(mut profile: ClientConfigProfile) -> Result<Self, ConnectError> {
        let namespace = profile
            .namespace
            .clone()
            .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        if namespace.is_empty() {
            return Err(wrong(
                "the namespace (--namespace, TEMPORAL_NAMESPACE) is empty",
            ));
        }
        if let Some(key) = &profile.api_key
            && (key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            // The SDK would leave such a key out without a word.
            return Err(wrong(
                "the API key (TEMPORAL_API_KEY, TEMPORAL_API_KEY_FILE) is empty, or holds a space, \
                 a line break or another character that no key has",
            ));
        }
        let address = profile
            .address
            .get_or_insert_with(|| DEFAULT_ADDRESS.to_owned());
        if address.starts_with("https://") {
            profile.tls.get_or_insert_default();
        }
        if let Some(tls) = &profile.tls
            && tls.disabled != Some(true)
        {
            check_tls(tls)?;
        }

        let address = profile.address.clone().unwrap_or_default();
        // Its certificates were checked above, so what is left to complain about is the address.
        let options = ConnectionOptions::try_from(profile).map_err(|error| {
            let about = about_address(&address);
            wrong(format!("{about} is not HOST:PORT: {error}"))
        })?;
        let settings = Self {
            options,
            namespace,
            encryption: Keys::default(),
        };
        settings.check_address(&address)?;
        Ok(settings)
    }

    fn check_address(&self, given: &str) -> Result<(), ConnectError> {
        let about = about_address(given);
        let target = &self.options.target;
        if !matches!(target.scheme(), "http" | "https")
            || !target.has_host()
            || !matches!(target.path(), "" | "/")
        {
            return Err(wrong(format!("{about} is not HOST:PORT")));
        }
        // A URL drops the port that is its scheme's own.
        if target.port().is_none() && !given.ends_with(":80") && !given.ends_with(":443") {
            return Err(wrong(format!(
                "{about} has no port; Temporal's usual one is 7233"
            )));
        }
        if self.uses_tls() && target.scheme() == "http" {
            // The SDK would go by the scheme, and send the API key in the clear.
            return Err(wrong(format!(
                "{about} says http://, and an API key or a --tls flag asks for encryption; leave \
                 http:// out, or say --tls=false"
            )));
        }
        Ok(())
    }

    /// What is connected to, with its scheme: `http://localhost:7233`.
    pub fn address(&self) -> String {
        format!("{}://{}", self.options.target.scheme(), self.host_port())
    }

    /// What is connected to, as flags have it: `localhost:7233`.
    pub fn host_port(&self) -> String {
        let host = self.options.target.host_str().unwrap_or_default();
        format!("{host}:{}", self.port())
    }

    /// Whether the connection is encrypted.
    pub fn uses_tls(&self) -> bool {
        self.options.tls_options.is_some()
    }

    pub(crate) fn host(&self) -> &str {
        let host = self.options.target.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        self.options.target.port_or_known_default().unwrap_or(7233)
    }

    /// What is shown to the server to prove who is asking, named as a person can check it.
    pub(crate) fn credentials(&self) -> &'static str {
        let tls = self.options.tls_options.as_ref();
        if self.options.api_key.is_some() {
            "the API key (TEMPORAL_API_KEY, TEMPORAL_API_KEY_FILE)"
        } else if tls.is_some_and(|tls| tls.client_tls_options.is_some()) {
            "your certificate (--tls-cert, TEMPORAL_TLS_CLIENT_CERT_PATH)"
        } else {
            "whether it asks for an API key (TEMPORAL_API_KEY) or a certificate (--tls-cert)"
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("address", &self.address())
            .field("namespace", &self.namespace)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

fn wrong(what: impl Into<String>) -> ConnectError {
    ConnectError::Settings(what.into())
}

fn about_address(given: &str) -> String {
    format!("the address \"{given}\" (--address, TEMPORAL_ADDRESS)")
}

fn override_by_flags(profile: &mut ClientConfigProfile, args: &ConnectArgs) {
    let path = |path: &Path| DataSource::Path(path.to_string_lossy().into_owned());

    if let Some(address) = &args.address {
        profile.address = Some(address.clone());
    }
    if let Some(namespace) = &args.namespace {
        profile.namespace = Some(namespace.clone());
    }
    if let Some(on) = args.tls {
        profile.tls.get_or_insert_default().disabled = Some(!on);
    }
    if let Some(name) = &args.tls_server_name {
        profile.tls.get_or_insert_default().server_name = Some(name.clone());
    }
    if let Some(file) = &args.tls_ca {
        profile.tls.get_or_insert_default().server_ca_cert = Some(path(file));
    }
    if let Some(file) = &args.tls_cert {
        profile.tls.get_or_insert_default().client_cert = Some(path(file));
    }
    if let Some(file) = &args.tls_key {
        profile.tls.get_or_insert_default().client_key = Some(path(file));
    }
}

/// For the Web UI's addresses, which are URLs too.
pub(crate) fn parse_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(Url::has_host)
}

#[cfg(test)]
mod tests;
