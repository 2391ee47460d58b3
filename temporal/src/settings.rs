//! The checked settings of a connection: which server and namespace, and how to reach them.

mod certificates;

use std::{fmt, path::Path};

use certificates::check_tls;
use temporalio_client::ConnectionOptions;
use temporalio_common::envconfig::{ClientConfigProfile, DataSource};

use crate::{
    connect_error::{ConnectError, Target},
    encryption::keys::Keys,
    names::check_name,
    secret::exposed,
    text::{excerpt, printable},
};

const DEFAULT_ADDRESS: &str = "localhost:7233";
const DEFAULT_NAMESPACE: &str = "default";

/// Which server and namespace to connect to, and how.
///
/// Made by [`ConnectArgs::settings`](crate::ConnectArgs::settings) from flags, environment and
/// configuration file, or by [`Settings::plain`].
#[derive(Clone)]
pub struct Settings {
    /// The SDK's options. They hold the API key and the private key: never print them.
    pub options: ConnectionOptions,
    /// The namespace's name.
    pub namespace: String,
    /// The keys that orders are encrypted with. Without any, orders are not encrypted.
    pub encryption: Keys,
    /// Whether to register the namespace if the server has none of this name, and lets this client do so.
    pub create_namespace: bool,
    /// What a person should change, though it works: each a sentence.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Settings for a server at `address` (HOST:PORT) without TLS, credentials or encryption, such
    /// as a dev server. Ignores environment and configuration file.
    ///
    /// # Errors
    /// Returns [`ConnectError::Settings`] if `address` is not HOST:PORT or `namespace` is empty.
    pub fn plain(address: &str, namespace: &str) -> Result<Self, ConnectError> {
        let profile = ClientConfigProfile::builder()
            .address(address)
            .namespace(namespace)
            .build();
        Self::from_profile(profile)
    }

    pub(crate) fn from_profile(mut profile: ClientConfigProfile) -> Result<Self, ConnectError> {
        let namespace = profile
            .namespace
            .clone()
            .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        check_name(&namespace).map_err(|problem| {
            ConnectError::settings(format!(
                "the namespace (--namespace, TEMPORAL_NAMESPACE) {problem}"
            ))
        })?;
        if let Some(key) = &profile.api_key
            && (key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            // The SDK would silently send no key at all.
            return Err(ConnectError::settings(
                "the API key (TEMPORAL_API_KEY, TEMPORAL_API_KEY_FILE) is empty or contains a space, \
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

        let key = profile.tls.as_ref().and_then(|tls| tls.client_key.as_ref());
        let warnings = match key {
            Some(DataSource::Path(file)) => exposed(Path::new(file), "your private key"),
            _ => None,
        };
        let warnings = warnings.into_iter().collect();

        let address = profile.address.clone().unwrap_or_default();
        // The certificates were checked above, so any error left is about the address.
        let options = ConnectionOptions::try_from(profile).map_err(|error| {
            let about = about_address(&address);
            ConnectError::settings(format!("{about} is not HOST:PORT: {error}"))
        })?;
        let settings = Self {
            options,
            namespace,
            encryption: Keys::default(),
            create_namespace: false,
            warnings,
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
            return Err(ConnectError::settings(format!("{about} is not HOST:PORT")));
        }
        // A URL omits its scheme's default port.
        if target.port().is_none() && !given.ends_with(":80") && !given.ends_with(":443") {
            return Err(ConnectError::settings(format!(
                "{about} has no port; Temporal's usual one is 7233"
            )));
        }
        if self.uses_tls() && target.scheme() == "http" {
            // The SDK would follow the scheme, and send the API key unencrypted.
            return Err(ConnectError::settings(format!(
                "{about} begins with http://, but an API key or a --tls flag asks for encryption; \
                 leave out http://, or pass --tls=false"
            )));
        }
        Ok(())
    }

    /// Returns the server's address with its scheme: `http://localhost:7233`.
    pub fn address(&self) -> String {
        format!("{}://{}", self.options.target.scheme(), self.host_port())
    }

    /// Returns the server's address as flags take it: `localhost:7233`.
    pub fn host_port(&self) -> String {
        let host = self.options.target.host_str().unwrap_or_default();
        format!("{host}:{}", self.port())
    }

    /// Returns whether the connection is encrypted.
    pub fn uses_tls(&self) -> bool {
        self.options.tls_options.is_some()
    }

    pub(crate) fn host(&self) -> &str {
        let host = self.options.target.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Returns the server's port.
    pub fn port(&self) -> u16 {
        self.options.target.port_or_known_default().unwrap_or(7233)
    }

    /// Whether both name the same server and namespace.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        self.options.target == other.options.target && self.namespace == other.namespace
    }

    /// Whether both have the same API key.
    pub(crate) fn is_same_api_key(&self, other: &Self) -> bool {
        self.options.api_key == other.options.api_key
    }

    /// Whether both have the same certificates and encryption keys.
    pub(crate) fn is_same_material(&self, other: &Self) -> bool {
        let tls = |settings: &Self| {
            let tls = settings.options.tls_options.as_ref()?;
            let own = tls.client_tls_options.as_ref();
            Some((
                tls.server_root_ca_cert.clone(),
                tls.domain.clone(),
                own.map(|own| (own.client_cert.clone(), own.client_private_key.clone())),
            ))
        };
        tls(self) == tls(other) && self.encryption == other.encryption
    }

    /// What an error about this connection names.
    pub(crate) fn target(&self) -> Target {
        let tls = self.options.tls_options.as_ref();
        let credentials = if self.options.api_key.is_some() {
            "the API key (TEMPORAL_API_KEY, TEMPORAL_API_KEY_FILE)"
        } else if tls.is_some_and(|tls| tls.client_tls_options.is_some()) {
            "your certificate (--tls-cert, TEMPORAL_TLS_CLIENT_CERT_PATH)"
        } else {
            "whether it asks for an API key (TEMPORAL_API_KEY) or a certificate (--tls-cert)"
        };
        Target {
            address: self.address(),
            namespace: self.namespace.clone(),
            uses_tls: self.uses_tls(),
            credentials,
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

fn about_address(given: &str) -> String {
    let given = excerpt(given);
    format!(
        "the address \"{}\" (--address, TEMPORAL_ADDRESS)",
        printable(&given)
    )
}
