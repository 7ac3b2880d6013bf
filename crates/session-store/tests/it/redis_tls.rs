//! `rediss://`: the certificate is checked against the system's roots.

use std::path::Path;
use std::process::Command;

use session_store::{RedisStore, SessionStore as _};
use tempfile::TempDir;
use test_redis::{Options, RedisServer};

use crate::support::{Failure, create, failure};

/// A server that speaks TLS, with a certificate that it made itself.
fn server(directory: &Path) -> RedisServer {
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "7300", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "apt install openssl");
    Options::new().tls(&certificate, &key).start()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_nobody_we_trust_is_refused() {
    let directory = TempDir::new().unwrap();
    let server = server(directory.path());
    let store = RedisStore::new(&server.tls_url()).unwrap();
    assert_eq!(failure(store.probe()).await, Failure::Unavailable);
}

#[test]
fn a_certificate_that_the_system_trusts_is_accepted() {
    let directory = TempDir::new().unwrap();
    let server = server(directory.path());
    std::fs::write(directory.path().join("url"), server.tls_url()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "redis_tls::child_speaks_tls"])
        .current_dir(directory.path())
        .env("SSL_CERT_FILE", directory.path().join("cert.pem"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
    assert_eq!(server.cli(&["ZCARD", "component-auth0:live"]), "1");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs roots of its own: `a_certificate_that_the_system_trusts_is_accepted` sets them"]
async fn child_speaks_tls() {
    let store = RedisStore::new(&std::fs::read_to_string("url").unwrap()).unwrap();
    store.probe().await.unwrap();
    let mut notices = store.subscribe();
    create(&store, 1).await.unwrap();
    let heard = async {
        loop {
            store.notify(session_store::Notice::Missed).await.unwrap();
            if notices.recv().await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, heard)
        .await
        .unwrap();
}
