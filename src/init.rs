//! `bugbrother init`: settings for a new server, and the secrets that they need. Nothing that is there is overwritten.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use rand::distr::{Alphanumeric, SampleString};

use crate::{
    accounts,
    arguments::{Init, Shape},
    authority,
    data::DataDir,
    keys,
};

/// All settings with what they mean.
const TEMPLATE: &str = include_str!("../deploy/server/server.toml");
const SETTINGS: &str = "server.toml";
/// What the package has, and an archive has not.
const PACKAGED: &str = "/usr/sbin/bugbrotherctl";
const DATABASE_URL: &str = "database.url";
const DATABASE_SQL: &str = "database.sql";
const ACCOUNTS: &str = "broker-accounts.csv";

/// What was written, and what is left to do.
pub struct Written {
    pub files: Vec<PathBuf>,
    pub next: Vec<String>,
}

/// Writes the settings; the data folder is that of the command line, made absolute.
pub fn write(new: &Init, data: &Path) -> Result<Written> {
    let folder = &new.folder;
    let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
    made.with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let folder = fs::canonicalize(folder).with_context(|| format!("cannot find `{}`", folder.display()))?;
    let place = |name: &str| folder.join(name);
    let path = place(SETTINGS);
    for name in [SETTINGS, DATABASE_URL, DATABASE_SQL, ACCOUNTS] {
        if place(name).exists() {
            bail!("`{}` is there already: remove it, or choose another --folder", place(name).display());
        }
    }
    let name = new.name.as_deref().unwrap_or("fleet.example.org");
    check_name(name)?;
    let data = DataDir::open(data)?;
    let mut files = Vec::new();
    let mut keep = |name: &str, text: &str| -> Result<()> {
        let path = place(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let write = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        write.with_context(|| format!("cannot write `{}`", path.display()))?;
        files.push(path);
        Ok(())
    };

    let mut text = set(TEMPLATE, "data", &quoted(data.path())?)?;
    let mut next = Vec::new();
    if new.shape != Shape::Cluster {
        text = set(&text, "vehicles", "\"0.0.0.0:8883\"")?;
        text = set(&text, "host", &format!("[\"{name}\"]"))?;
        text = set(&text, "public_broker", &format!("\"mqtts://{name}:8883\""))?;
    }
    text = set(&text, "public_url", &format!("\"https://{name}\""))?;
    text = set(&text, "metrics", "\"127.0.0.1:9464\"")?;
    if new.shape != Shape::Single {
        // Letters and digits alone need no escaping, in an address or in SQL.
        let password = Alphanumeric.sample_string(&mut rand::rng(), 32);
        let host = if new.shape == Shape::Cluster { "db.example.org" } else { "127.0.0.1" };
        keep(DATABASE_URL, &format!("postgres://bugbrother:{password}@{host}/fleet\n"))?;
        keep(
            DATABASE_SQL,
            &format!("CREATE USER bugbrother PASSWORD '{password}';\nCREATE DATABASE fleet OWNER bugbrother;\n"),
        )?;
        text = set(&text, "database_file", &quoted(&place(DATABASE_URL))?)?;
        // The file is its owner's alone.
        next.push(format!("sudo cat {} | sudo -u postgres psql", place(DATABASE_SQL).display()));
    }
    if new.shape == Shape::Cluster {
        // Whatever is to be the same on all machines is there before the folder is copied to them.
        accounts::ensure(&data)?;
        authority::ensure_server(&authority::ensure(&data)?, &data.access(), &[name.to_owned()])?;
        keys::session(&data)?;
        keys::push(&data, None)?;
        let mut list = "user_id,password,is_superuser\n".to_owned();
        for service in ["ingest", "notifier", "dashboard"] {
            list += &format!("{service},{},false\n", accounts::secret(&data, service)?);
        }
        keep(ACCOUNTS, &list)?;
        text = set(&text, "broker", &format!("[\"mqtts://{name}:8884\"]"))?;
        text = set(&text, "broker_ca", &quoted(&data.access().ca_certificate())?)?;
        text = set(&text, "public_broker", &format!("\"mqtts://{name}:8883\""))?;
        text = set(&text, "shared_group", "\"ingest\"")?;
        text = set(&text, "http", "\"127.0.0.1:8080\"")?;
        next.push(format!("give the broker the accounts in {}, and remove that file", place(ACCOUNTS).display()));
        let path = data.path().display();
        next.push(format!("copy {path}/access and {path}/secrets to every machine before anything is started there"));
    }
    keep(SETTINGS, &text)?;
    // On a server from the package everything belongs to the server's user.
    let is_packaged = path.starts_with("/etc/bugbrother-server") && Path::new(PACKAGED).exists();
    let call =
        if is_packaged { "sudo bugbrotherctl".to_owned() } else { format!("bugbrother --config {}", path.display()) };
    next.push(format!("look through {}", path.display()));
    next.push(format!("{call} doctor"));
    next.push(match (new.shape, is_packaged) {
        (Shape::Cluster, true) => {
            "sudo systemctl enable --now bugbrother-server@ingest    (or @notifier, or @dashboard)".to_owned()
        }
        (Shape::Cluster, false) => format!("{call} ingest    (or notifier, or dashboard)"),
        (_, true) => "sudo systemctl enable --now bugbrother-server".to_owned(),
        (_, false) => format!("{call} up"),
    });
    Ok(Written { files, next })
}

/// A line of the template, with a value.
fn set(text: &str, name: &str, value: &str) -> Result<String> {
    let is_its = |line: &str| line.trim_start_matches('#').split(" = ").next() == Some(name) && line.contains(" = ");
    let Some(old) = text.lines().find(|line| is_its(line)) else { bail!("there is no setting `{name}`") };
    Ok(text.replacen(&format!("\n{old}\n"), &format!("\n{name} = {value}\n"), 1))
}

/// A path as TOML has texts.
fn quoted(path: &Path) -> Result<String> {
    let path = path.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))?;
    Ok(toml::Value::from(path).to_string())
}

/// It gets into addresses.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if name.is_empty() || name.len() > 253 || !name.chars().all(plain) {
        bail!("--name {name}: a host name, such as fleet.example.org");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::CommandFactory;

    use super::*;
    use crate::{arguments::Arguments, settings};

    fn init(shape: Shape) -> (tempfile::TempDir, Written) {
        let dir = tempfile::tempdir().unwrap();
        let new = Init { shape, folder: dir.path().join("etc"), name: Some("fleet.test".to_owned()) };
        let written = write(&new, &dir.path().join("data")).unwrap();
        (dir, written)
    }

    #[test]
    fn the_template_has_every_setting_and_no_other() {
        let mut written: Vec<String> = TEMPLATE
            .lines()
            .filter_map(|line| line.trim_start_matches('#').split_once(" = "))
            .map(|(name, _)| name.to_owned())
            .filter(|name| !name.contains(' '))
            .collect();
        written.sort_unstable();
        assert_eq!(written, settings::names(&Arguments::command()));
    }

    #[test]
    fn each_shape_is_one_that_this_program_takes() {
        for shape in [Shape::Single, Shape::SinglePostgresql, Shape::Cluster] {
            let (dir, _) = init(shape);
            let path = dir.path().join("etc/server.toml");
            let found = settings::read(&path).unwrap();
            assert_eq!(found["public_url"], ["https://fleet.test"], "{shape:?}");
            assert_eq!(found.contains_key("database_file"), shape != Shape::Single, "{shape:?}");
            assert_eq!(found.contains_key("broker"), shape == Shape::Cluster, "{shape:?}");
            let line = ["bugbrother", "--config", path.to_str().unwrap(), "notifier"].map(Into::into);
            let arguments = settings::arguments(line.to_vec()).unwrap();
            let url = settings::databases(&arguments).unwrap().fleet;
            assert_eq!(url.is_some_and(|url| url.starts_with("postgres://bugbrother:")), shape != Shape::Single);
        }
    }

    #[test]
    fn secrets_are_their_owners_alone_and_no_line_that_is_printed_holds_one() {
        let (dir, written) = init(Shape::Cluster);
        for path in &written.files {
            let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
        let url = fs::read_to_string(dir.path().join("etc/database.url")).unwrap();
        let password = url.split([':', '@']).nth(2).unwrap();
        assert_eq!(password.len(), 32, "{url}");
        assert!(fs::read_to_string(dir.path().join("etc/database.sql")).unwrap().contains(password));
        let accounts = fs::read_to_string(dir.path().join("etc/broker-accounts.csv")).unwrap();
        let ingest = fs::read_to_string(dir.path().join("data/secrets/ingest")).unwrap();
        for name in ["secrets/ca", "secrets/session.key", "secrets/push.key", "access/ca.crt", "access/server.crt"] {
            assert!(dir.path().join("data").join(name).exists(), "machines would make another {name} each");
        }
        assert!(accounts.contains(&format!("ingest,{},", ingest.trim())), "{accounts}");
        assert!(!written.next.iter().any(|line| line.contains(password) || line.contains(ingest.trim())));
        let settings = fs::read_to_string(dir.path().join("etc/server.toml")).unwrap();
        assert!(!settings.contains(password));
    }

    #[test]
    fn nothing_is_overwritten() {
        let (dir, _) = init(Shape::Single);
        let before = fs::read(dir.path().join("etc/server.toml")).unwrap();
        let again = Init { shape: Shape::Cluster, folder: dir.path().join("etc"), name: None };
        let refused = write(&again, &dir.path().join("data")).err().unwrap().to_string();
        assert!(refused.contains("is there already"), "{refused}");
        assert_eq!(fs::read(dir.path().join("etc/server.toml")).unwrap(), before);
        let odd = Init { shape: Shape::Single, folder: dir.path().join("odd"), name: Some("a b\"".to_owned()) };
        assert!(write(&odd, &dir.path().join("data")).is_err());
    }
}
