//! TLS to the database, with the meaning that `sslmode` has for PostgreSQL's own clients.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Settings;
use crate::error::InventoryError;

/// What a connection is encrypted with.
pub(crate) fn connector(settings: &Settings) -> Result<MakeRustlsConnect, InventoryError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions of TLS");
    let config = if settings.verify {
        builder.with_root_certificates(roots(settings)?)
    } else {
        let anyone = Arc::new(Anyone(provider));
        builder.dangerous().with_custom_certificate_verifier(anyone)
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn roots(settings: &Settings) -> Result<RootCertStore, InventoryError> {
    let mut roots = RootCertStore::empty();
    match &settings.root_certificates {
        Some(file) => {
            let read = CertificateDer::pem_file_iter(file)
                .and_then(|found| found.collect::<Result<Vec<_>, _>>());
            let refuse = |problem: String| InventoryError::Location {
                location: "the database's address".to_owned(),
                problem: format!("sslrootcert={}: {problem}", file.display()),
            };
            let found = read.map_err(|error| refuse(error.to_string()))?;
            if roots.add_parsable_certificates(found).0 == 0 {
                return Err(refuse("the file has no certificate in PEM".to_owned()));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(found);
        }
    }
    Ok(roots)
}

/// Accepts any certificate, as `sslmode=prefer` and `require` do: the connection is encrypted, and the
/// server may be anyone.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
