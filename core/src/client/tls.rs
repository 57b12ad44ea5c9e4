//! The TLS configuration: rustls with ring, and the certificates that are trusted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, ErrorKind};

/// The TLS configuration. Clients without CA files share one, built at the first use: reading the
/// machine's certificates takes milliseconds.
pub(crate) fn client_config(ca_files: &[PathBuf]) -> Result<ClientConfig, Error> {
    static SHARED: OnceLock<ClientConfig> = OnceLock::new();
    if ca_files.is_empty() {
        return Ok(SHARED.get_or_init(platform_or_built_in).clone());
    }
    let mut roots = built_in_roots();
    ca_files.iter().try_for_each(|path| add_roots(&mut roots, path))?;
    Ok(with_roots(roots))
}

fn built_in_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// The certificate verifier of the platform; where there is none, as in slim container images,
/// Mozilla's roots.
fn platform_or_built_in() -> ClientConfig {
    match rustls_platform_verifier::Verifier::new(provider()) {
        Ok(verifier) => {
            let builder =
                versions().dangerous().with_custom_certificate_verifier(Arc::new(verifier));
            with_alpn(builder.with_no_client_auth())
        }
        Err(_) => with_roots(built_in_roots()),
    }
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let invalid = |what: String| {
        Error::new(
            ErrorKind::Configuration,
            format!("the CA file {} {what}. Pass a PEM file of certificates.", path.display()),
        )
    };
    let pem =
        std::fs::read(path).map_err(|e| invalid(format!("cannot be read: {e}")).with_source(e))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|_| invalid("has an invalid certificate in it".to_owned()))?;
        roots
            .add(certificate)
            .map_err(|e| invalid("has an invalid certificate in it".to_owned()).with_source(e))?;
    }
    if roots.len() == before {
        return Err(invalid("has no certificate in it".to_owned()));
    }
    Ok(())
}

fn with_roots(roots: RootCertStore) -> ClientConfig {
    with_alpn(versions().with_root_certificates(roots).with_no_client_auth())
}

/// Offers HTTP/2. reqwest does so only in TLS configurations that it builds itself.
fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn versions() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
