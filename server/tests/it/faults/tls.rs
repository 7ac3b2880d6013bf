//! A provider whose TLS has one thing wrong (E05), before the real binary: nothing of it is
//! used, the log names the fault, and there is no way back to plain http.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::strange_provider::metadata;
use crate::harness::World;
use crate::hostile_clients::Companion;

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for 127.0.0.1, changed by the test.
    fn certify(&self, change: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = for_loopback();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        config(certificate.der().clone(), &key)
    }
}

fn for_loopback() -> CertificateParams {
    CertificateParams::new(["127.0.0.1".to_owned()]).unwrap()
}

fn self_signed() -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = for_loopback().self_signed(&key).unwrap();
    config(certificate.der().clone(), &key)
}

fn config(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    Arc::new(config)
}

/// What listens at the provider's https address.
enum Listens {
    Tls(Arc<ServerConfig>),
    /// Answers whatever comes with these bytes.
    Says(Vec<u8>),
}

/// Answers its issuer.
async fn start(listens: Listens) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let issuer = format!("https://{}/", listener.local_addr().unwrap());
    let body = metadata(&issuer).to_string();
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            match &listens {
                Listens::Says(bytes) => {
                    let _ = stream.read(&mut [0; 4096]).await;
                    stream.write_all(bytes).await.ok();
                }
                Listens::Tls(config) => {
                    let acceptor = TlsAcceptor::from(Arc::clone(config));
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        continue;
                    };
                    let _ = stream.read(&mut [0; 4096]).await;
                    stream.write_all(answer.as_bytes()).await.ok();
                    stream.shutdown().await.ok();
                }
            }
        }
    });
    issuer
}

/// A `ServerHello` of TLS 1.0 that chooses `TLS_RSA_WITH_AES_128_CBC_SHA`.
fn hello_of_tls_1_0() -> Vec<u8> {
    let hello = [&[3, 1][..], &[7; 32], &[0], &[0, 0x2f], &[0]].concat();
    let length = u8::try_from(hello.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 2, 0, 0, length], &hello[..]].concat()
}

/// Begins a login at a companion that trusts this authority; the answer, and what the log says
/// of it.
async fn login(world: &World, roots: &Path, issuer: &str) -> (String, String) {
    let roots = roots.to_str().unwrap();
    let changes = [("AUTH0_ISSUER_BASE_URL", issuer), ("SSL_CERT_FILE", roots)];
    let mut companion = Companion::start(world, &changes);
    let answer = companion
        .exchange(
            b"GET /api/auth/login HTTP/1.1\r\nhost: localhost:3001\r\nconnection: close\r\n\r\n",
        )
        .await;
    let is_refused = !answer.starts_with("HTTP/1.1 303");
    let said = if is_refused {
        companion.started.said("request failed")
    } else {
        String::new()
    };
    (answer, said)
}

#[tokio::test]
async fn a_certificate_with_one_thing_wrong_is_refused_by_name() {
    let authority = Authority::new("known");
    let (stranger, namesake) = (Authority::new("stranger"), Authority::new("known"));
    let world = World::new().await;
    let roots = world.directory.path().join("roots.pem");
    std::fs::write(&roots, &authority.pem).unwrap();
    let good = start(Listens::Tls(authority.certify(|_| {}))).await;
    let (answer, _) = login(&world, &roots, &good).await;
    let to_provider = format!("location: {good}authorize?");
    assert!(
        answer.contains(&to_provider),
        "the test would see it: {answer}"
    );

    let expired = authority.certify(|params| params.not_after = date_time_ymd(2025, 1, 1));
    let to_come = authority.certify(|params| params.not_before = date_time_ymd(2099, 1, 1));
    let elsewhere = authority.certify(|params| {
        params.subject_alt_names = vec![SanType::DnsName("evil.test".try_into().unwrap())];
    });
    let no_name = authority.certify(|params| params.subject_alt_names.clear());
    let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    for (what, listens, named) in [
        ("expired", Listens::Tls(expired), "expired"),
        ("not valid yet", Listens::Tls(to_come), "not valid yet"),
        ("self-signed", Listens::Tls(self_signed()), "UnknownIssuer"),
        (
            "of a stranger",
            Listens::Tls(stranger.certify(|_| {})),
            "UnknownIssuer",
        ),
        (
            "of a namesake",
            Listens::Tls(namesake.certify(|_| {})),
            "BadSignature",
        ),
        (
            "for another host",
            Listens::Tls(elsewhere),
            "not valid for name",
        ),
        ("for no host", Listens::Tls(no_name), "not valid for name"),
        (
            "TLS 1.0",
            Listens::Says(hello_of_tls_1_0()),
            "peer is incompatible",
        ),
        ("plain http", Listens::Says(plain), "corrupt message"),
    ] {
        let issuer = start(listens).await;
        let (answer, said) = login(&world, &roots, &issuer).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{what}: {answer}");
        assert!(
            !answer.contains("set-cookie") && !answer.contains("\nlocation"),
            "{what}"
        );
        assert!(said.contains(named), "{what}: {said}");
    }
}
