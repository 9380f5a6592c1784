//! `https://` against real servers with certificates of an authority of their own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use daemon_lifecycle::{HealthPoll, PollError, Probe, ProbeError, ProbeFailure, Tls, TlsError, poll_until_healthy};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

use crate::{
    folder::Folder,
    server::{Refusing, Server, status},
};

/// Answers every request with 200, under a certificate of its own authority.
struct TlsServer {
    address: SocketAddr,
    authority: String,
    _task: JoinSet<()>,
}

impl TlsServer {
    async fn named(names: &[&str]) -> Self {
        Self::started(certified(names)).await
    }

    async fn with(certificate: &CertificateParams) -> Self {
        Self::started(signed(certificate)).await
    }

    async fn started((authority, config): (String, ServerConfig)) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not trust us hangs up.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = [0; 4096];
                if stream.read(&mut request).await.is_ok() {
                    stream.write_all(&status("200 OK", "ok")).await.ok();
                    stream.shutdown().await.ok();
                }
            }
        });
        Self { address, authority, _task: task }
    }

    async fn ask(&self, host: &str, tls: Tls) -> Result<Option<u16>, ProbeError> {
        let url = format!("https://{host}:{}/readyz", self.address.port());
        let probe = Probe::new(&url).expect("a URL").tls(tls).timeout(Duration::from_secs(30));
        probe.ask().await.map(|answer| answer.status)
    }

    fn trusted(&self) -> Tls {
        Tls::trusting(self.authority.as_bytes()).expect("a certificate")
    }
}

/// An authority in PEM, and a server with a certificate of it for these names.
pub(crate) fn certified(names: &[&str]) -> (String, ServerConfig) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    signed(&CertificateParams::new(names).expect("names"))
}

/// A server that shows what `openssl req -x509` makes: its own certificate, which is an authority's.
fn self_signed(mut certificate: CertificateParams) -> (String, ServerConfig) {
    certificate.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = certificate.self_signed(&key).expect("a certificate");
    (certificate.pem(), showing(&certificate, &key))
}

fn signed(certificate: &CertificateParams) -> (String, ServerConfig) {
    let mut authority = CertificateParams::new([]).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = format!("authority of {:?}", certificate.subject_alt_names);
    authority.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let pem = authority.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(authority, key);

    let key = KeyPair::generate().expect("a key");
    let certificate = certificate.signed_by(&key, &issuer).expect("a certificate");
    (pem, showing(&certificate, &key))
}

fn showing(certificate: &Certificate, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a key for the certificate")
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_by_its_file() {
    let server = TlsServer::named(&["localhost", "127.0.0.1"]).await;
    let folder = Folder::new("ca");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &server.authority).expect("a file");
    for host in ["localhost", "127.0.0.1"] {
        let tls = Tls::trusting_file(&file).expect("a certificate");
        assert_eq!(server.ask(host, tls).await.expect("a trusted server"), Some(200), "{host}");
    }
}

#[tokio::test]
async fn a_server_that_has_signed_its_own_certificate_is_trusted_by_it_under_its_name_and_in_its_time() {
    let named = || CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
    let server = TlsServer::started(self_signed(named())).await;
    assert_eq!(server.ask("localhost", server.trusted()).await.expect("a trusted server"), Some(200));
    let error = server.ask("127.0.0.1", server.trusted()).await.expect_err("another name");
    assert_eq!(error.kind(), ProbeFailure::TlsName);

    let other = TlsServer::started(self_signed(named())).await;
    let error = server.ask("localhost", other.trusted()).await.expect_err("another certificate");
    assert_eq!(error.kind(), ProbeFailure::Tls);

    let mut past = named();
    past.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = TlsServer::started(self_signed(past)).await;
    let error = expired.ask("localhost", expired.trusted()).await.expect_err("its time is over");
    assert_eq!(error.detail(), Some("the certificate has expired"));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_a_failure_of_tls_that_says_so() {
    let server = TlsServer::named(&["localhost"]).await;
    let stranger = TlsServer::named(&["elsewhere"]).await;
    let error = server.ask("localhost", stranger.trusted()).await.expect_err("another authority");
    assert_eq!(error.kind(), ProbeFailure::Tls);
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(cause.contains("invalid peer certificate: UnknownIssuer"), "{cause}");
    assert_eq!(
        error.detail(),
        Some("no trusted authority has signed the certificate: trust it, or its authority, by its file")
    );

    let url = format!("https://localhost:{}", server.address.port());
    let error = Probe::new(&url).expect("a URL").ask().await.expect_err("the system does not know it either");
    assert_eq!(error.kind(), ProbeFailure::Tls, "{error:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_in_words() {
    let year = |year| rcgen::date_time_ymd(year, 1, 1);
    type Change = fn(&mut CertificateParams);
    let authority: Change = |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for (change, words) in [
        ((|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)) as Change, "the certificate has expired"),
        (|params| params.not_before = rcgen::date_time_ymd(4000, 1, 1), "the certificate is not valid yet"),
        (authority, "the certificate is that of an authority, not of a server"),
    ] {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (year(1990), year(4010));
        change(&mut params);
        let server = TlsServer::with(&params).await;
        let error = server.ask("localhost", server.trusted()).await.expect_err("a certificate that will not do");
        assert_eq!((error.kind(), error.detail()), (ProbeFailure::Tls, Some(words)));
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_apart_and_names_the_names() {
    let server = TlsServer::named(&["daemon.internal", "10.1.2.3"]).await;
    let error = server.ask("localhost", server.trusted()).await.expect_err("another name");
    assert_eq!((error.kind(), error.detail()), (ProbeFailure::TlsName, Some("it is for daemon.internal, 10.1.2.3")));
    assert!(error.kind().hint().expect("a hint").contains("name"));
}

#[tokio::test]
async fn a_certificate_that_stays_for_another_name_ends_the_wait() {
    let server = TlsServer::named(&["ingress.local"]).await;
    let probe = Probe::new(&format!("https://localhost:{}", server.address.port())).expect("a URL");
    let poll = HealthPoll::from(probe.tls(server.trusted()).timeout(Duration::from_secs(30)));
    let poll =
        poll.backoff(Duration::from_millis(1), 1.0).max_attempts(u32::MAX).wrong_endpoint_timeout(Duration::ZERO);
    let error = poll_until_healthy(poll).await.expect_err("another name");
    let PollError::Fatal(report) = &error else { panic!("{error}") };
    assert_eq!(report.outcomes(), [(ProbeFailure::TlsName, 3)]);
    assert!(error.to_string().contains("(it is for ingress.local)"), "{error}");
}

#[tokio::test]
async fn the_expected_name_can_be_another_than_the_host_in_the_url() {
    let server = TlsServer::named(&["daemon.internal"]).await;
    let tls = server.trusted().server_name("daemon.internal").expect("a name");
    assert_eq!(server.ask("127.0.0.1", tls).await.expect("the expected name"), Some(200));
    let error = Tls::insecure().server_name("not a name").expect_err("a space");
    assert!(matches!(error, TlsError::ServerName { .. }), "{error}");
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_let_pass() {
    let server = TlsServer::named(&["daemon.internal"]).await;
    assert_eq!(server.ask("localhost", Tls::insecure()).await.expect("anybody will do"), Some(200));
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_by_name() {
    let folder = Folder::new("no-ca");
    let file = folder.path().join("empty.pem");
    std::fs::write(&file, "no certificate").expect("a file");
    for path in [file, folder.path().join("missing.pem")] {
        let error = Tls::trusting_file(&path).expect_err("nobody to trust");
        assert!(error.to_string().contains(path.to_str().expect("a readable path")), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_and_no_server_at_all_are_told_apart_over_https() {
    let ask = async |address: SocketAddr| {
        let probe = Probe::new(&format!("https://{address}")).expect("a URL").timeout(Duration::from_secs(30));
        probe.ask().await.expect_err("no TLS there")
    };
    let plain = Server::of_raw_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = ask(plain.address).await;
    assert_eq!(error.kind(), ProbeFailure::Tls);
    assert!(error.detail().expect("words").contains("does not speak tls"), "{error}");
    assert_eq!(ask(Refusing::new().address).await.kind(), ProbeFailure::Refused);
}

#[tokio::test]
async fn a_server_that_takes_the_connection_and_never_agrees_on_tls_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let probe = Probe::new(&url).expect("a URL").tls(Tls::insecure()).timeout(Duration::from_secs(1));
    assert_eq!(probe.ask().await.expect_err("nobody answers").kind(), ProbeFailure::Timeout);
}

#[cfg(all(feature = "cli", feature = "daemon", unix))]
#[tokio::test]
async fn a_supervised_daemon_is_asked_under_its_own_authority() {
    use crate::{process::line, run};
    let server = TlsServer::named(&["localhost"]).await;
    let folder = Folder::new("tls-run");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &server.authority).expect("a file");
    let url = format!("https://localhost:{}/readyz", server.address.port());
    let options = ["--ready-url", &url, "--ca-file", file.to_str().expect("a name")];
    let mut daemon = run::start(&options, "exec sleep 600");
    line(&mut daemon, "run 1: ready").await;
    daemon.signal(daemon_lifecycle::Signal::Terminate).expect("a child");
    assert_eq!(run::code(&mut daemon).await, Some(143));
    let mut refused = run::start(&["--ready-url", &url, "--ca-file", "/dev/null"], "exec sleep 600");
    assert_eq!(run::code(&mut refused).await, Some(2));
}
