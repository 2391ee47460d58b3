//! Checks the certificates and the private key that the settings name.

use std::fs;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use temporalio_common::envconfig::{ClientConfigTLS, DataSource};

use crate::connect_error::ConnectError;

/// Reads the certificates before the SDK does, because its errors do not name the file.
pub(super) fn check_tls(tls: &ClientConfigTLS) -> Result<(), ConnectError> {
    if tls.disable_host_verification {
        return Err(ConnectError::settings(
            "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION asks to trust any server, which the Rust SDK \
             does not support; name the server's root certificate with --tls-ca, and its name with \
             --tls-server-name",
        ));
    }
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        return Err(ConnectError::settings(
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
            let pem = fs::read(path)
                .map_err(|e| ConnectError::settings(format!("{what}: {path}: {e}")))?;
            (pem, path.as_str())
        }
        Some(DataSource::Data(pem)) => (pem.clone(), "the text given"),
        _ => return Ok(()),
    };
    if is_good(&pem) {
        Ok(())
    } else {
        Err(ConnectError::settings(format!(
            "{what}: {origin} holds none in PEM form"
        )))
    }
}
