//! Letters, by a mail server in Python (aiosmtpd).

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::port;
use bugbrother_notifier::post::{
    carrier::{MailAuthorities, try_mail_server},
    gate::Gate,
};
use bugbrother_pki::Authority;
use bugbrother_store::MailServer;
use bugbrother_wire::api::{ChannelKind, DeliveryState, MailSecurity, Role};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::rig::{LIMIT, Rig, now, settings};

/// A letter as the server took it.
#[derive(Debug, Deserialize)]
struct Letter {
    sender: String,
    recipients: Vec<String>,
    subject: String,
    message_id: String,
    text: String,
    html: String,
}

struct Server {
    port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

fn python() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    ensure!(path.exists(), "`{}` is not there; run scripts/python (make setup-test does)", path.display());
    Ok(path)
}

impl Server {
    /// A server that wants this account, and TLS if it has a certificate. It refuses letters to `nobody`, and puts off the first
    /// one to `later`.
    async fn start(certificate: Option<(&Path, &Path)>) -> Result<Self> {
        Self::start_with(certificate, false).await
    }

    /// The same, encrypted from the beginning of a connection if that is wanted.
    async fn start_with(certificate: Option<(&Path, &Path)>, implicit: bool) -> Result<Self> {
        let port = port::free()?;
        let mut command = Command::new(python()?);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/post/mail_server.py")).arg(port.to_string());
        if let Some((certificate, key)) = certificate {
            command.arg(certificate).arg(key).args(implicit.then_some("tls"));
        }
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("it prints")?).lines();
        let ready = timeout(LIMIT, lines.next_line()).await??;
        ensure!(ready.as_deref() == Some("ready"), "{ready:?}");
        Ok(Server { port, lines, _child: child })
    }

    async fn letter(&mut self) -> Result<Letter> {
        let line = timeout(LIMIT, self.lines.next_line()).await??.context("it goes on")?;
        Ok(serde_json::from_str(&line)?)
    }
}

async fn mail_by(rig: &Rig, port: u16, security: MailSecurity) -> Result<()> {
    let server = MailServer {
        host: "localhost".into(),
        port: Some(port),
        security,
        user: "fleet".into(),
        password: "swordfish".into(),
        from: "The fleet <alerts@example.org>".into(),
    };
    rig.store.save_setting(&server, None, now()).await?;
    Ok(())
}

#[tokio::test]
async fn a_letter_arrives_as_text_and_as_a_page() -> Result<()> {
    let (rig, mut server) = (Rig::new().await?, Server::start(None).await?);
    mail_by(&rig, server.port, MailSecurity::Plain).await?;
    rig.person("ada", Role::Operator).await?;
    let own = rig.channel(Some("ada"), ChannelKind::Email, "", None).await?;
    rig.store.name_vehicle(crate::rig::vin(1), "<b>Van & Co</b>", None, now()).await?;
    let alert = rig.alert();
    rig.store.save_alert(&alert).await?;
    let mut settings = settings();
    settings.gate = Gate::new(["127.0.0.0/8".parse()?, "::1/128".parse()?]);
    let post = rig.post(settings)?;
    let letter = server.letter().await?;
    assert_eq!((letter.sender.as_str(), letter.recipients), ("alerts@example.org", vec!["ada@example.org".to_owned()]));
    assert_eq!(letter.subject, "Warning: Coolant above 115 °C – <b>Van & Co</b>");
    assert!(letter.message_id.ends_with("@example.org>"), "{}", letter.message_id);
    assert!(letter.text.contains("118.5 °C (limit 115 °C)") && letter.text.contains("Lausanne, CH"), "{}", letter.text);
    assert!(letter.text.contains(&format!("https://fleet.example.org/alerts?alert={}", alert.id)), "{}", letter.text);
    assert!(letter.html.contains("&lt;b&gt;Van &amp; Co&lt;/b&gt;") && !letter.html.contains("<b>"), "{}", letter.html);
    assert_eq!(rig.outcome(own).await?.state, DeliveryState::Sent);

    // An address that is refused is given up at once; what is put off comes later, as the same letter.
    let refused = rig.channel(None, ChannelKind::Email, "nobody@example.org", None).await?;
    rig.store.test_channel(refused, now()).await?;
    post.look();
    let record = rig.outcome(refused).await?;
    assert_eq!((record.state, record.tries), (DeliveryState::Dead, 1));
    assert!(record.error.as_deref().is_some_and(|error| error.contains("550")), "{:?}", record.error);
    rig.store.delete_channel(None, refused).await?;
    let later = rig.channel(None, ChannelKind::Email, "later@example.org", None).await?;
    rig.store.save_alert(&bugbrother_wire::message::Alert { rule: "other".into(), ..rig.alert() }).await?;
    post.look();
    let first = server.letter().await?;
    let second = server.letter().await?;
    let to = [&first.recipients[0], &second.recipients[0]];
    assert!(to.contains(&&"later@example.org".to_owned()), "{to:?}");
    assert_eq!(rig.outcome(later).await?.tries, 2);
    post.stop().await
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_is_given_no_password() -> Result<()> {
    let rig = Rig::new().await?;
    let folder = tempfile::tempdir()?;
    let (certificate, key) = (folder.path().join("server.crt"), folder.path().join("server.key"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()?;
    ensure!(made.status.success(), "{made:?}");
    let mut server = Server::start(Some((&certificate, &key))).await?;
    mail_by(&rig, server.port, MailSecurity::Starttls).await?;
    let channel = rig.channel(None, ChannelKind::Email, "ada@example.org", None).await?;
    rig.store.test_channel(channel, now()).await?;
    let mut settings = settings();
    settings.gate = Gate::new(["127.0.0.0/8".parse()?, "::1/128".parse()?]);
    let post = rig.post(settings)?;
    let found = rig.deliveries(channel, |found| found[0].error.is_some()).await?;
    assert!(found[0].error.as_deref().is_some_and(|error| error.contains("certificate")), "{found:?}");
    post.stop().await?;
    let nothing = timeout(std::time::Duration::from_millis(200), server.lines.next_line()).await;
    ensure!(nothing.is_err(), "{nothing:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_with_a_certificate_of_the_fleets_own_authority_is_spoken_to_by_starttls_and_by_tls() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let now_time = std::time::SystemTime::now();
    let authority = Authority::open_or_create(&folder.path().join("ca"), now_time)?;
    authority.ensure_server(folder.path(), &["localhost".to_owned()], now_time)?;
    let (certificate, key) = (folder.path().join("server.crt"), folder.path().join("server.key"));
    for (security, implicit) in [(MailSecurity::Starttls, false), (MailSecurity::Tls, true)] {
        let (rig, mut server) = (Rig::new().await?, Server::start_with(Some((&certificate, &key)), implicit).await?);
        mail_by(&rig, server.port, security).await?;
        let channel = rig.channel(None, ChannelKind::Email, "ada@example.org", None).await?;
        rig.store.save_alert(&rig.alert()).await?;
        let mut settings = settings();
        settings.gate = Gate::new(["127.0.0.0/8".parse()?, "::1/128".parse()?]);
        settings.mail_authorities = MailAuthorities::read(authority.certificate_pem())?;
        let post = rig.post(settings)?;
        let letter = server.letter().await?;
        assert_eq!((letter.sender.as_str(), letter.recipients[0].as_str()), ("alerts@example.org", "ada@example.org"));
        assert_eq!(rig.outcome(channel).await?.state, DeliveryState::Sent, "{security:?}");
        post.stop().await?;
    }
    Ok(())
}

#[test]
fn a_file_without_a_certificate_is_no_file_of_authorities() {
    for bad in ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
        assert!(MailAuthorities::read(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_mail_server_is_tried_without_a_letter() -> Result<()> {
    let mut server = Server::start(None).await?;
    let gate = Gate::new(["127.0.0.0/8".parse()?, "::1/128".parse()?]);
    let mut account = MailServer {
        host: "localhost".into(),
        port: Some(server.port),
        security: MailSecurity::Plain,
        user: "fleet".into(),
        password: "swordfish".into(),
        from: "alerts@example.org".into(),
    };
    let nobody_else = MailAuthorities::default();
    assert_eq!(try_mail_server(&gate, &account, &nobody_else).await, Ok(()));
    account.password = "herring".into();
    let refused = try_mail_server(&gate, &account, &nobody_else).await.unwrap_err();
    ensure!(refused.contains("535") || refused.to_lowercase().contains("auth"), "{refused}");
    let closed = try_mail_server(&Gate::default(), &account, &nobody_else).await.unwrap_err();
    ensure!(closed.contains("own network"), "{closed}");
    account.port = Some(port::free()?);
    ensure!(try_mail_server(&gate, &account, &nobody_else).await.is_err(), "nobody is there");
    ensure!(
        timeout(std::time::Duration::from_millis(1), server.lines.next_line()).await.is_err(),
        "no letter was sent"
    );
    Ok(())
}
