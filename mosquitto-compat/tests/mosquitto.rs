//! What we write a real Mosquitto reads, and what it writes we read.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bugbrother_mosquitto_compat::PasswordFile;

fn program(name: &str) -> PathBuf {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("`{name}` is not installed: run `make setup`, or apt-get install mosquitto"))
}

struct Mosquitto {
    child: Child,
    port: u16,
}

impl Mosquitto {
    fn start(folder: &Path, passwords: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = folder.join("mosquitto.conf");
        let user = if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            // Started by root it would become the user `mosquitto`, who cannot read our folder.
            "user root\n"
        } else {
            ""
        };
        let text =
            format!("{user}listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\n", passwords.display());
        fs::write(&settings, text).unwrap();
        let child = Command::new(program("mosquitto"))
            .arg("-c")
            .arg(&settings)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Mosquitto { child, port }
    }

    /// The return code of the CONNACK: 0 accepted, 4 bad user name or password, 5 not authorised.
    fn connect(&self, user: &str, password: &str) -> u8 {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "mosquitto does not listen: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut body = b"\x00\x04MQTT\x04\xc2\x00\x0a".to_vec();
        for text in ["probe", user, password] {
            body.extend((text.len() as u16).to_be_bytes());
            body.extend(text.as_bytes());
        }
        let mut packet = vec![0x10, body.len() as u8];
        packet.extend(body);
        stream.write_all(&packet).unwrap();
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).unwrap();
        assert_eq!(connack[..2], [0x20, 2]);
        connack[3]
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_file_of_mosquitto_passwd_is_read_and_its_passwords_verified() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    for (create, user, password) in [(true, "ingest", "first secret"), (false, "WVWZZZ1JZ3W386752", "žluťoučký 🚗")]
    {
        let mut command = Command::new(program("mosquitto_passwd"));
        command.arg("-b");
        if create {
            command.arg("-c");
        }
        let status =
            command.arg(&path).args([user, password]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success());
    }
    let file = PasswordFile::load(&path).unwrap();
    assert!(file.verify("ingest", "first secret"));
    assert!(file.verify("WVWZZZ1JZ3W386752", "žluťoučký 🚗"));
    assert!(!file.verify("ingest", "žluťoučký 🚗"));
}

#[test]
fn mosquitto_passwd_changes_a_file_that_we_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    let mut file = PasswordFile::default();
    file.set("kept", "one").unwrap();
    file.set("changed", "two").unwrap();
    file.save(&path).unwrap();
    let status = Command::new(program("mosquitto_passwd"))
        .arg("-b")
        .arg(&path)
        .args(["changed", "three"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let file = PasswordFile::load(&path).unwrap();
    assert!(file.verify("kept", "one") && file.verify("changed", "three") && !file.verify("changed", "two"));
}

#[test]
fn a_real_mosquitto_accepts_a_password_that_we_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    let mut file = PasswordFile::default();
    file.set("ingest", "first secret").unwrap();
    file.save(&path).unwrap();
    let mosquitto = Mosquitto::start(folder.path(), &path);
    assert_eq!(mosquitto.connect("ingest", "first secret"), 0);
    assert_ne!(mosquitto.connect("ingest", "another"), 0);
    assert_ne!(mosquitto.connect("nobody", "first secret"), 0);
}
