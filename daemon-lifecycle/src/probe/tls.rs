//! `https://`: whom to trust, and by which name.

use std::{
    error::Error,
    fmt, io,
    path::Path,
    sync::{Arc, OnceLock},
};

use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
            verify_server_name,
        },
        crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
        server::ParsedCertificate,
    },
};

use super::{answer::excerpt, error::ProbeError, failure::ProbeFailure, target::Target};
use crate::clock::TimeLimit;

/// Whom an `https://` probe trusts, and which name it expects. Made once and cheap to clone.
///
/// ```no_run
/// use daemon_lifecycle::{Probe, Tls};
///
/// # fn probe() -> Result<Probe, Box<dyn std::error::Error>> {
/// let tls = Tls::trusting_file("/etc/daemon/ca.pem")?.server_name("daemon.internal")?;
/// # Ok(
/// Probe::new("https://127.0.0.1:8443/readyz")?.tls(tls)
/// # )
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

/// Why TLS settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificates could not be read.
    #[error("cannot read certificates from `{path}`")]
    #[non_exhaustive]
    Unreadable {
        /// The file as given.
        path: String,
        /// What the operating system or the parser said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is nobody to trust: no certificate in the file, or none that can be used.
    #[error("no usable certificate of an authority")]
    NoCertificate,
    /// The expected name is neither a host name nor an address.
    #[error("`{name}` is no name of a server")]
    #[non_exhaustive]
    ServerName {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The certificates that the operating system trusts could not be loaded.
    #[error("cannot load the trusted certificates of this system")]
    System(#[source] Box<dyn Error + Send + Sync>),
}

impl Tls {
    /// Trusts whom the operating system trusts: what a probe does where nothing else is said.
    ///
    /// # Errors
    /// [`TlsError::System`].
    pub fn system() -> Result<Self, TlsError> {
        let verifier = Verifier::new(provider()).map_err(|error| TlsError::System(error.into()))?;
        Ok(Self::verified_by(Arc::new(verifier)))
    }

    /// Trusts the authorities in a file of PEM certificates, and nobody else.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no certificate that can be used.
    pub fn trusting_file(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let path = path.as_ref();
        let unreadable =
            |source: Box<dyn Error + Send + Sync>| TlsError::Unreadable { path: path.display().to_string(), source };
        let pem = std::fs::read(path).map_err(|error: io::Error| unreadable(error.into()))?;
        Self::trusting(&pem).map_err(|error| match error {
            TlsError::NoCertificate => unreadable(TlsError::NoCertificate.into()),
            other => other,
        })
    }

    /// Trusts the authorities in PEM, and nobody else. A certificate that a server has signed itself is its own authority.
    ///
    /// # Errors
    /// [`TlsError::NoCertificate`].
    pub fn trusting(pem: &[u8]) -> Result<Self, TlsError> {
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem).flatten().collect();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        let signed = verifier.build().map_err(|_| TlsError::NoCertificate)?;
        Ok(Self::trusting_whom(Whom::Known { signed, certificates }))
    }

    /// Trusts anybody, which is as safe as `http://`: for self-signed certificates of which nothing is known.
    #[must_use]
    pub fn insecure() -> Self {
        Self::trusting_whom(Whom::Anybody)
    }

    /// Expects a certificate for `name` instead of the host in the URL, and asks for it (SNI).
    ///
    /// # Errors
    /// [`TlsError::ServerName`].
    pub fn server_name(self, name: &str) -> Result<Self, TlsError> {
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|error| TlsError::ServerName { name: name.to_owned(), source: error.into() })?;
        Ok(Self { server_name: Some(server_name), ..self })
    }

    fn trusting_whom(whom: Whom) -> Self {
        Self::verified_by(Arc::new(Verifying { whom, provider: provider() }))
    }

    fn verified_by(verifier: Arc<dyn ServerCertVerifier>) -> Self {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Self { config: Arc::new(config), server_name: None }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Read once: there may be hundreds of files.
fn system() -> Result<&'static Tls, TlsError> {
    static SYSTEM: OnceLock<Tls> = OnceLock::new();
    if let Some(tls) = SYSTEM.get() {
        return Ok(tls);
    }
    let tls = Tls::system()?;
    Ok(SYSTEM.get_or_init(|| tls))
}

/// Agrees on TLS over a connection that stands.
pub(super) async fn agree(
    target: &Target,
    host: &str,
    stream: TcpStream,
    limit: TimeLimit,
    tls: Option<&Tls>,
) -> Result<TlsStream<TcpStream>, ProbeError> {
    let failed = |source: Box<dyn Error + Send + Sync>| ProbeError::new(target, ProbeFailure::Tls).with_source(source);
    let tls = match tls {
        Some(tls) => tls,
        None => system().map_err(|error| failed(error.into()))?,
    };
    let name = match &tls.server_name {
        Some(name) => name.clone(),
        None => ServerName::try_from(host.to_owned()).map_err(|error| failed(error.into()))?,
    };
    match limit.bound(TlsConnector::from(Arc::clone(&tls.config)).connect(name, stream)).await {
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) => Err(refused(target, error)),
        None => Err(ProbeError::new(target, ProbeFailure::Timeout)),
    }
}

fn refused(target: &Target, error: io::Error) -> ProbeError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
            let names: Vec<&str> = presented.iter().map(|name| plain(name)).collect();
            let names = excerpt(names.join(", ").as_bytes());
            let told = if names.is_empty() { "it is for no name".to_owned() } else { format!("it is for {names}") };
            ProbeError::new(target, ProbeFailure::TlsName).with_detail(told)
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)) => {
            ProbeError::new(target, ProbeFailure::TlsName)
        }
        Some(rustls::Error::InvalidMessage(_)) => ProbeError::new(target, ProbeFailure::Tls)
            .with_detail("the server does not speak tls on this port".to_owned()),
        Some(rustls::Error::InvalidCertificate(objection)) => {
            ProbeError::new(target, ProbeFailure::Tls).with_detail(in_words(objection))
        }
        _ => ProbeError::new(target, ProbeFailure::Tls),
    }
    .with_source(error)
}

/// What is wrong with a certificate, for those whose daemon shows it.
fn in_words(objection: &CertificateError) -> String {
    match objection {
        CertificateError::UnknownIssuer => {
            "no trusted authority has signed the certificate: trust it, or its authority, by its file".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        objection if is_an_authoritys(objection) => {
            "the certificate is that of an authority, not of a server".to_owned()
        }
        other => other.to_string(),
    }
}

/// As that of many a server is which it has signed itself, by what `openssl req -x509` makes where nothing else is said.
fn is_an_authoritys(objection: &CertificateError) -> bool {
    matches!(objection, CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity"))
}

/// The name in what rustls makes of it, such as `DnsName("daemon.internal")`.
fn plain(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.map_or(presented, |inner| inner.trim_matches('"'))
}

/// Checks signatures, so that the handshake is one, and what a certificate says as far as somebody is to be trusted.
#[derive(Debug)]
struct Verifying {
    whom: Whom,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Whom {
    /// Whatever it says.
    Anybody,
    /// Those whom a known authority has signed, and those who are known themselves, though they are authorities.
    Known { signed: Arc<WebPkiServerVerifier>, certificates: Vec<CertificateDer<'static>> },
}

impl ServerCertVerifier for Verifying {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Whom::Known { signed, certificates } = &self.whom else {
            return Ok(ServerCertVerified::assertion());
        };
        match signed.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // This comes after the times have been looked at, so that only the name is left.
            Err(rustls::Error::InvalidCertificate(objection))
                if is_an_authoritys(&objection) && certificates.contains(end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
