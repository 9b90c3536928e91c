//! Enrolment through TLS: whom the agent trusts with its code.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use parts::certificates;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const REFUSAL: &str =
    r#"{"title":"Forbidden","status":403,"error":"wrong_code","detail":"the code is wrong, used or expired"}"#;

/// A server with the certificate in `dir` that answers every request like that, and how many it has read.
fn serve(dir: &Path, answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let certificate = CertificateDer::from_pem_file(dir.join("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let read = Arc::new(AtomicUsize::new(0));
    let count = read.clone();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            // The body of these requests is JSON of one level.
            while !request.ends_with(b"}") {
                match stream.read(&mut bytes) {
                    Ok(count @ 1..) => request.extend_from_slice(&bytes[..count]),
                    _ => break,
                }
            }
            if request.ends_with(b"}") {
                count.fetch_add(1, SeqCst);
                drop(stream.write_all(answer.as_bytes()));
            }
        }
    });
    (port, read)
}

fn enroll(dir: &Path, port: u16, more: &[&str]) -> String {
    let server = format!("https://127.0.0.1:{port}/");
    let identity = dir.join("identity").display().to_string();
    let arguments = [&["enroll", &server, "AAAA", "--dir", &identity], more].concat();
    let Output { stdout, stderr, status } = Command::new(AGENT).args(arguments).output().unwrap();
    assert!(!status.success());
    [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

#[test]
fn the_code_is_told_only_to_a_server_whose_certificate_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    certificates::write(dir.path(), &["server"]);
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{REFUSAL}",
        REFUSAL.len()
    );
    let (port, read) = serve(dir.path(), answer.leak());
    let said = enroll(dir.path(), port, &[]);
    assert!(said.contains("--ca"), "{said}");
    assert_eq!(read.load(SeqCst), 0, "nobody has heard the code");
    let ca = dir.path().join("ca.crt").display().to_string();
    let said = enroll(dir.path(), port, &["--ca", &ca]);
    assert!(said.contains("the fleet's server refuses: the code is wrong, used or expired"), "{said}");
    assert_eq!(read.load(SeqCst), 1);
    assert!(!said.contains("AAAA"), "no code in a log: {said}");
}

#[test]
fn an_answer_of_something_else_is_said_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    certificates::write(dir.path(), &["server"]);
    let ca = dir.path().join("ca.crt").display().to_string();
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ] {
        let (port, _) = serve(dir.path(), answer);
        let said = enroll(dir.path(), port, &["--ca", &ca]);
        assert!(said.contains("is not one of a fleet's server"), "{said}");
    }
    // The key that was made is kept for the next try, and nobody else can read it.
    let key = fs::metadata(dir.path().join("identity/pending.key")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
}
