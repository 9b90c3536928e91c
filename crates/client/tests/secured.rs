//! TLS, against Debian's Mosquitto.

mod parts;

use std::{fs, path::Path};

use anyhow::Result;
use bugbrother_client::{Event, Options, Qos, Tls, connect};
use bugbrother_kit::mosquitto::Mosquitto;
use parts::{certificates::Authority, next_message, options, until_down, until_up};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A folder with an authority `ca`, and a Mosquitto that it signed.
fn start(lines: &str) -> Result<(TempDir, Authority, Mosquitto)> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "ca")?;
    let (certificate, key) = authority.sign("server")?;
    let ca = folder.path().join("ca.crt");
    let config = format!(
        "certfile {}\nkeyfile {}\ncafile {}\nallow_anonymous true\n{lines}",
        certificate.display(),
        key.display(),
        ca.display()
    );
    let broker = Mosquitto::start(&config)?;
    Ok((folder, authority, broker))
}

fn secured(port: u16, folder: &Path, name: &str, identity: bool) -> Options {
    let mut options = options(port, name, &["fleet/#"]);
    let identity = identity.then(|| (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key"))));
    options.tls = Some(Tls { ca: Some(folder.join("ca.crt")), identity });
    options
}

#[tokio::test]
async fn a_broker_whose_certificate_our_authority_signed_is_spoken_to() -> Result<()> {
    let (folder, _, broker) = start("")?;
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(secured(broker.port(), folder.path(), "car", false), stop.clone());
    until_up(&mut events).await?;
    publisher.publish("fleet/x", vec![7; 300_000], Qos::AtLeastOnce, false).await?.await?;
    assert_eq!(next_message(&mut events).await?.payload.len(), 300_000);
    stop.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn a_strangers_certificate_and_that_of_another_name_are_refused() -> Result<()> {
    let (folder, _, broker) = start("")?;
    let stop = CancellationToken::new();
    Authority::new(folder.path(), "stranger")?;
    let mut distrustful = secured(broker.port(), folder.path(), "car", false);
    distrustful.tls = Some(Tls { ca: Some(folder.path().join("stranger.crt")), identity: None });
    let (_, mut events) = connect(distrustful, stop.clone());
    let reason = until_down(&mut events).await?;
    assert!(reason.contains("UnknownIssuer"), "{reason}");
    let mut misled = secured(broker.port(), folder.path(), "car", false);
    misled.host = "localhost".to_owned();
    let (_, mut events) = connect(misled, stop.clone());
    let reason = until_down(&mut events).await?;
    assert!(reason.contains("not valid for name"), "{reason}");
    // Without a CA of ours the system's are asked, which do not know this one (or there are none).
    let mut without = secured(broker.port(), folder.path(), "car", false);
    without.tls = Some(Tls::default());
    let (_, mut events) = connect(without, stop.clone());
    let reason = until_down(&mut events).await?;
    assert!(reason.contains("UnknownIssuer") || reason.contains("trusts no"), "{reason}");
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn a_certificate_stands_for_user_name_and_password_and_is_read_again_when_it_is_renewed() -> Result<()> {
    let acl = tempfile::NamedTempFile::new()?;
    fs::write(acl.path(), "pattern readwrite fleet/%u\n")?;
    let lines = format!("require_certificate true\nuse_identity_as_username true\nacl_file {}\n", acl.path().display());
    let (folder, authority, broker) = start(&lines)?;
    let stop = CancellationToken::new();
    let mut car = secured(broker.port(), folder.path(), "car", true);
    car.password = String::new();
    let (publisher, mut events) = connect(car, stop.clone());
    // No file is there yet.
    let reason = until_down(&mut events).await?;
    assert!(reason.contains("car.crt` cannot be read: No such file"), "{reason}");
    let (certificate, key) = authority.sign("car")?;
    // Half written, and then the certificate of one and the key of another.
    let whole = fs::read(&certificate)?;
    fs::write(&certificate, &whole[..whole.len() / 2])?;
    while !until_down(&mut events).await?.contains("car.crt` holds no certificate in PEM") {}
    fs::write(&certificate, &whole)?;
    let right = fs::read(&key)?;
    fs::write(&key, "hello\n")?;
    while !until_down(&mut events).await?.contains("car.key` holds no private key in PEM") {}
    let (_, other) = authority.sign("other")?;
    fs::copy(&other, &key)?;
    while !until_down(&mut events).await?.contains("car.key` are no identity: ") {}
    fs::write(&key, right)?;
    until_up(&mut events).await?;
    publisher.publish("fleet/car", "mine", Qos::AtLeastOnce, false).await?.await?;
    let own = next_message(&mut events).await?;
    assert_eq!(own.topic, "fleet/car");
    let refused = publisher.publish("fleet/other", "not mine", Qos::AtLeastOnce, false).await?.await;
    assert!(refused.is_err(), "{refused:?}");
    stop.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn without_a_certificate_that_is_asked_for_nothing_is_up() -> Result<()> {
    let (folder, _, broker) = start("require_certificate true\n")?;
    let stop = CancellationToken::new();
    let (_, mut events) = connect(secured(broker.port(), folder.path(), "car", false), stop.clone());
    for _ in 0..2 {
        assert!(matches!(parts::next(&mut events).await?, Event::Down { .. }));
    }
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn a_tls_handshake_that_nobody_answers_has_an_end() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Authority::new(folder.path(), "ca")?;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let stop = CancellationToken::new();
    let (_, mut events) = connect(secured(silent.local_addr()?.port(), folder.path(), "car", false), stop.clone());
    let reason = until_down(&mut events).await?;
    assert!(reason.contains("within 10 s"), "{reason}");
    stop.cancel();
    Ok(())
}
