//! A real Mosquitto on files that this crate wrote.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use bugbrother_kit::{mosquitto, port, wait};
use bugbrother_pki::{Authority, Revoked, new_key_and_request};
use bugbrother_wire::Vin;

const LIMIT: Duration = Duration::from_secs(30);

/// Whether the broker lets somebody with these files publish on that vehicle's topic; what the client says.
fn publish(dir: &Path, port: u16, name: &str, vin: Vin) -> Result<(bool, String)> {
    let output = Command::new(mosquitto::program("mosquitto_pub")?)
        .current_dir(dir)
        .args(["-h", "localhost", "-p", &port.to_string(), "--cafile", "ca/ca.crt"])
        .args(["--cert", &format!("{name}.crt"), "--key", &format!("{name}.key")])
        .args(["-q", "1", "-t", &format!("fleet/v1/{vin}/up/event"), "-m", "hello"])
        .output()?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn enrol(authority: &Authority, dir: &Path, name: &str, vin: Vin) -> Result<String> {
    let (key, request) = new_key_and_request("x")?;
    let issued = authority.sign_vehicle(&request, vin, SystemTime::now())?;
    fs::write(dir.join(format!("{name}.key")), key)?;
    fs::write(dir.join(format!("{name}.crt")), issued.pem)?;
    Ok(issued.serial)
}

#[tokio::test]
async fn mosquitto_lets_a_vehicle_in_until_it_is_revoked() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let now = SystemTime::now();
    let authority = Authority::open_or_create(&dir.join("ca"), now)?;
    authority.ensure_server(dir, &["localhost".to_owned()], now)?;
    let crl = dir.join("crl.pem");
    authority.write_crl(&crl, &[], now)?;
    let (golf, fiesta): (Vin, Vin) = ("WVWZZZ1JZ3W386752".parse()?, "WF0DXXGAKDHA12345".parse()?);
    let serial = enrol(&authority, dir, "golf", golf)?;
    enrol(&authority, dir, "fiesta", fiesta)?;
    let other = Authority::open_or_create(&dir.join("other"), now)?;
    enrol(&other, dir, "stranger", golf)?;

    let port = port::free()?;
    let path = |name: &str| dir.join(name).display().to_string();
    let config = format!(
        "user root\nlistener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\ncrlfile {}\n\
         require_certificate true\nuse_identity_as_username true\nacl_file {}\n",
        path("ca/ca.crt"),
        path("server.crt"),
        path("server.key"),
        path("crl.pem"),
        path("acl"),
    );
    fs::write(dir.join("acl"), "pattern readwrite fleet/v1/%u/up/#\n")?;
    fs::write(dir.join("mosquitto.conf"), config)?;
    let broker = mosquitto::serve(dir, "mosquitto", &dir.join("mosquitto.conf"))?;
    wait::until("the vehicle is let in", LIMIT, || async {
        publish(dir, port, "golf", golf).is_ok_and(|(let_in, _)| let_in).then_some(())
    })
    .await
    .with_context(|| broker.logged())?;
    assert!(publish(dir, port, "fiesta", fiesta)?.0);
    let (let_in, said) = publish(dir, port, "stranger", golf)?;
    assert!(!let_in, "{said}");

    authority.write_crl(&crl, &[Revoked { serial, at: SystemTime::now() }], SystemTime::now())?;
    broker.signal("HUP")?;
    wait::until("the vehicle is refused", LIMIT, || async {
        publish(dir, port, "golf", golf).is_ok_and(|(let_in, _)| !let_in).then_some(())
    })
    .await
    .with_context(|| broker.logged())?;
    let (let_in, said) = publish(dir, port, "fiesta", fiesta)?;
    assert!(let_in, "{said}\n{}", broker.logged());
    Ok(())
}
