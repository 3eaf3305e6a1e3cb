//! Files of TLS: checked before a connection, so that a fault is told with the file's name.

use std::path::Path;
use std::sync::Arc;

use async_nats::ConnectOptions;
use async_nats::rustls::client::WebPkiServerVerifier;
use async_nats::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use async_nats::rustls::pki_types::pem::{self, PemObject as _};
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use async_nats::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::super::options::{Identity, Tls};
use super::error::ConnectError;

/// Sets what the options ask for.
pub(super) fn configured(
    mut options: ConnectOptions,
    tls: &Tls,
) -> Result<ConnectOptions, ConnectError> {
    options = options.require_tls(tls.required);
    if tls.first {
        options = options.tls_first();
    }
    let authorities = match &tls.ca {
        Some(path) => {
            let authorities = certificates("the CA file", path)?;
            options = options.add_root_certificates(path.clone());
            Some(authorities)
        }
        None => None,
    };
    let identity = match &tls.identity {
        Some(Identity { cert, key }) => {
            options = options.add_client_certificate(cert.clone(), key.clone());
            let chain = certificates("the certificate", cert)?;
            let what = "the key";
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(what, key, error))?;
            Some((chain, key))
        }
        None => None,
    };
    let (Some(name), Some(authorities)) = (&tls.server_name, authorities) else {
        return Ok(options);
    };
    let invalid = |why: &dyn ToString| ConnectError::Invalid {
        what: format!("the server name `{name}`"),
        why: why.to_string(),
    };
    let name = ServerName::try_from(name.clone()).map_err(|error| invalid(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    let verifier = WebPkiServerVerifier::builder(Arc::new(roots))
        .build()
        .map_err(|error| invalid(&error))?;
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ForName { verifier, name }));
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((chain, key)) => config
            .with_client_auth_cert(chain, key)
            .map_err(|error| invalid(&error))?,
    };
    Ok(options.tls_client_config(config))
}

/// The certificates of a file, at least one.
fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let fault = |error| fault(what, path, error);
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(fault)?
        .collect();
    let certificates = certificates.map_err(fault)?;
    if certificates.is_empty() {
        return Err(fault(pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn fault(what: &'static str, path: &Path, error: pem::Error) -> ConnectError {
    let what = format!("{what} `{}`", path.display());
    match error {
        pem::Error::Io(source) => ConnectError::Unreadable { what, source },
        pem::Error::NoItemsFound => ConnectError::Invalid {
            what,
            why: "expected a part between a line `-----BEGIN …` and a line `-----END …`".to_owned(),
        },
        // The parser's own words may show a line of a key.
        _ => ConnectError::Invalid {
            what,
            why: "it is no PEM file".to_owned(),
        },
    }
}

/// Judges certificates as ever, but for the name that was configured instead of the host's.
#[derive(Debug)]
struct ForName {
    verifier: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for ForName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier
            .verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
