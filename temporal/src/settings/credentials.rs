//! What proves who is asking: certificates and API keys, read and compared.

use std::fs;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use temporalio_common::envconfig::{ClientConfigTLS, DataSource};

use super::{Settings, wrong};
use crate::args::ConnectArgs;
use crate::connect_error::ConnectError;

impl Settings {
    /// Whether both mean the same server and namespace.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        self.options.target == other.options.target && self.namespace == other.namespace
    }

    /// Whether both bring the same API key.
    pub(crate) fn is_same_api_key(&self, other: &Self) -> bool {
        self.options.api_key == other.options.api_key
    }

    /// Whether both bring the same certificates and encryption keys.
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
}

/// The API key that the flags name; `None` where they do not.
pub(super) fn api_key(args: &ConnectArgs) -> Result<Option<String>, ConnectError> {
    match (&args.api_key_file, &args.api_key) {
        (None, None) => Ok(None),
        (None, Some(key)) => Ok(Some(key.reveal().to_owned())),
        (Some(file), None) => {
            let text = fs::read_to_string(file).map_err(|error| {
                wrong(format!(
                    "the API key in {} (--api-key-file, TEMPORAL_API_KEY_FILE): {error}",
                    file.display()
                ))
            })?;
            // An editor ends the line.
            Ok(Some(text.trim().to_owned()))
        }
        (Some(_), Some(_)) => Err(wrong(
            "the API key is given twice, by --api-key-file (TEMPORAL_API_KEY_FILE) and by \
             TEMPORAL_API_KEY; unset one of them",
        )),
    }
}

/// Reads the certificates once before the SDK does, whose errors name no file.
pub(super) fn check_tls(tls: &ClientConfigTLS) -> Result<(), ConnectError> {
    if tls.disable_host_verification {
        return Err(wrong(
            "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION asks to trust any server, which the Rust SDK \
             does not do; name the server's root certificate with --tls-ca, and its name with \
             --tls-server-name",
        ));
    }
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        return Err(wrong(
            "a certificate and its private key go together: set both --tls-cert and --tls-key \
             (TEMPORAL_TLS_CLIENT_CERT_PATH and ..._KEY_PATH), or neither",
        ));
    }
    let is_certificate =
        |pem: &[u8]| matches!(CertificateDer::pem_slice_iter(pem).next(), Some(Ok(_)));
    let is_key = |pem: &[u8]| PrivateKeyDer::from_pem_slice(pem).is_ok();
    check_pem(
        tls.server_ca_cert.as_ref(),
        "the server's root certificate (--tls-ca, TEMPORAL_TLS_SERVER_CA_CERT_PATH)",
        is_certificate,
    )?;
    check_pem(
        tls.client_cert.as_ref(),
        "your certificate (--tls-cert, TEMPORAL_TLS_CLIENT_CERT_PATH)",
        is_certificate,
    )?;
    check_pem(
        tls.client_key.as_ref(),
        "your private key (--tls-key, TEMPORAL_TLS_CLIENT_KEY_PATH)",
        is_key,
    )
}

fn check_pem(
    source: Option<&DataSource>,
    what: &str,
    is_good: impl Fn(&[u8]) -> bool,
) -> Result<(), ConnectError> {
    let (pem, origin) = match source {
        Some(DataSource::Path(path)) => {
            let pem = fs::read(path).map_err(|e| wrong(format!("{what}: {path}: {e}")))?;
            (pem, path.as_str())
        }
        Some(DataSource::Data(pem)) => (pem.clone(), "the text given"),
        _ => return Ok(()),
    };
    if is_good(&pem) {
        Ok(())
    } else {
        Err(wrong(format!("{what}: {origin} holds none in PEM form")))
    }
}
