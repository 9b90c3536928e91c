use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bugbrother_agent::{
    Config,
    enrol::{EnrolError, Folder},
};
use clap::{Parser, Subcommand};
use toml::{Table, Value};

/// The program in the car: sensors, outbox on disk, MQTT.
///
/// Every setting can stand in the file of `--config`; flags and variables go before it. Without a file, `--broker`,
/// `--outbox`, `--gps` or `--obd`, and a password or a certificate with its key are enough. The password itself is no flag, since others can see
/// those: it comes from `--password-file` or the variable BUGBROTHER_PASSWORD.
#[derive(Debug, Parser)]
#[command(name = "bugbrother-agent", version, args_conflicts_with_subcommands = true)]
pub struct Flags {
    /// Something else than to run.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// File with settings, in TOML.
    #[arg(long, env = "BUGBROTHER_CONFIG")]
    config: Option<PathBuf>,
    /// The vehicle; may be left out when OBD-II tells it.
    #[arg(long, env = "BUGBROTHER_VIN")]
    vin: Option<String>,
    /// The MQTT broker, mqtts://host:port; without TLS, host:port, it must be on this machine. Several, in the order in
    /// which they are preferred, with commas.
    #[arg(long, env = "BUGBROTHER_BROKER")]
    broker: Option<String>,
    /// File with the certificates of those who may sign the broker's; those that this system trusts if left out.
    #[arg(long, env = "BUGBROTHER_CA")]
    ca: Option<String>,
    /// File with this vehicle's certificate, which stands for a password.
    #[arg(long, env = "BUGBROTHER_CERTIFICATE")]
    certificate: Option<String>,
    /// File with the certificate's private key; readable by its owner alone.
    #[arg(long, env = "BUGBROTHER_KEY")]
    key: Option<String>,
    /// Speak to a broker on another machine without TLS, where anybody in between can read and change all of it.
    #[arg(long, env = "BUGBROTHER_INSECURE")]
    insecure: bool,
    /// Folder with this vehicle's identity, as `bugbrother-agent enroll` makes it: nothing else has to be said then.
    #[arg(long, env = "BUGBROTHER_IDENTITY")]
    identity: Option<String>,
    /// MQTT user name; the VIN if left out.
    #[arg(long, env = "BUGBROTHER_USERNAME")]
    username: Option<String>,
    /// File whose first line is the MQTT password; readable by its owner alone.
    #[arg(long, env = "BUGBROTHER_PASSWORD_FILE")]
    password_file: Option<String>,
    /// auto, serial:/dev/ttyUSB0[@9600], tcp:host:port, gpsd[:host[:port]], file:PATH[@SPEED] (a factor or `max`), or none.
    #[arg(long, env = "BUGBROTHER_GPS")]
    gps: Option<String>,
    /// auto, serial:/dev/rfcomm0[@38400], tcp:host:port, or none.
    #[arg(long, env = "BUGBROTHER_OBD")]
    obd: Option<String>,
    /// The folder of the device files in which `auto` looks; /dev if left out.
    #[arg(long, env = "BUGBROTHER_DEVICES")]
    devices: Option<String>,
    /// auto, serial:/dev/ttyACM0@115200, tcp:host:port, or none.
    #[arg(long, env = "BUGBROTHER_MICROCONTROLLER")]
    microcontroller: Option<String>,
    /// The outbox file.
    #[arg(long, env = "BUGBROTHER_OUTBOX")]
    outbox: Option<String>,
    /// Most bytes of records that the outbox holds.
    #[arg(long, env = "BUGBROTHER_OUTBOX_MAX_BYTES")]
    outbox_max_bytes: Option<i64>,
    /// Print what would be sent, a line of JSON for each message, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// End when the recording has been replayed and the database has all of it.
    #[arg(long, env = "BUGBROTHER_EXIT_WHEN_DONE")]
    exit_when_done: bool,
}

/// What the program does besides running.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Get this vehicle's certificate from the fleet's server, for the code that `bugbrother vehicle add` printed.
    Enroll {
        /// The fleet's server, https://…
        server: String,
        /// The code.
        code: String,
        /// Folder for the identity; it is made if it is not there.
        #[arg(long, default_value = DEFAULT_FOLDER)]
        dir: PathBuf,
        /// File with the certificates of those who may sign the server's own; those that this system trusts if left out.
        #[arg(long)]
        ca: Option<PathBuf>,
        /// Replace an identity that is there.
        #[arg(long)]
        again: bool,
    },
    /// Say in plain words what there is in the car, and what to do about what there is not. The agent must not run meanwhile.
    Doctor {
        /// File with settings, in TOML.
        #[arg(long, env = "BUGBROTHER_CONFIG")]
        config: Option<PathBuf>,
        /// Folder with the identity.
        #[arg(long, env = "BUGBROTHER_IDENTITY")]
        identity: Option<PathBuf>,
    },
    /// Renew the certificate now; a running agent does so by itself, after two thirds of its life.
    Renew {
        /// Folder with the identity.
        #[arg(long, default_value = DEFAULT_FOLDER)]
        dir: PathBuf,
    },
}

/// The one folder that the agent writes to.
pub const DEFAULT_FOLDER: &str = "/var/lib/bugbrother-agent";

impl Flags {
    /// The settings of the file, with the flags' and variables' in their place.
    pub fn read(self) -> Result<Config> {
        let mut table = match &self.config {
            Some(path) => read_table(path)?,
            None => Table::new(),
        };
        let dry_run = self.dry_run;
        self.override_in(&mut table, std::env::var("BUGBROTHER_PASSWORD").ok());
        if dry_run {
            keep_dry(&mut table);
        }
        Ok(Config { dry_run, ..to_config(table)? })
    }

    fn override_in(self, table: &mut Table, password: Option<String>) {
        // One of the two is given anew: the other's old value must not contradict it.
        if self.password_file.is_some() {
            table.remove("password");
        } else if password.is_some() {
            table.remove("password_file");
        }
        let texts = [
            ("vin", self.vin),
            ("broker", self.broker),
            ("ca", self.ca),
            ("certificate", self.certificate),
            ("key", self.key),
            ("identity", self.identity),
            ("username", self.username),
            ("password", password.filter(|_| self.password_file.is_none())),
            ("password_file", self.password_file),
            ("gps", self.gps),
            ("obd", self.obd),
            ("devices", self.devices),
            ("microcontroller", self.microcontroller),
            ("outbox", self.outbox),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                table.insert(key.to_owned(), Value::String(text));
            }
        }
        if let Some(bytes) = self.outbox_max_bytes {
            table.insert("outbox_max_bytes".to_owned(), Value::Integer(bytes));
        }
        for (key, set) in [("insecure", self.insecure), ("exit_when_done", self.exit_when_done)] {
            if set {
                table.insert(key.to_owned(), Value::Boolean(true));
            }
        }
    }
}

/// Nobody is spoken to, and the outbox that is in use is left alone.
fn keep_dry(table: &mut Table) {
    let outbox = dry_folder().join("outbox.db").display().to_string();
    table.insert("outbox".to_owned(), Value::String(outbox));
    // Nor are the cameras touched.
    for unused in ["password", "password_file", "certificate", "key", "ca", "camera", "media"] {
        table.remove(unused);
    }
    table.insert("broker".to_owned(), Value::String("localhost:1883".to_owned()));
    table.insert("password".to_owned(), Value::String("unused".to_owned()));
    if let Some(identity) = table.remove("identity")
        && let Some(folder) = identity.as_str()
        && let Ok(Some(identity)) = Folder::new(folder).identity()
    {
        table.entry("vin").or_insert(Value::String(identity.vin.to_string()));
        for device in ["gps", "obd"] {
            table.entry(device).or_insert(Value::String("auto".to_owned()));
        }
    }
}

/// Where a dry run keeps its outbox; it is removed at the end.
pub fn dry_folder() -> PathBuf {
    std::env::temp_dir().join(format!("bugbrother-dry-run-{}", std::process::id()))
}

/// The settings of a file, with those of an identity.
pub fn read_file(config: Option<&Path>, identity: Option<&Path>) -> Result<Config> {
    let mut table = match config {
        Some(path) => read_table(path)?,
        None => Table::new(),
    };
    if let Some(identity) = identity {
        table.insert("identity".to_owned(), Value::String(identity.display().to_string()));
    }
    if config.is_none() && identity.is_none() {
        table.insert("identity".to_owned(), Value::String(DEFAULT_FOLDER.to_owned()));
    }
    add_identity(&mut table)?;
    table.try_into().context("settings")
}

fn read_table(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("settings {} cannot be read", path.display()))?;
    text.parse::<Table>().with_context(|| format!("settings {}", path.display()))
}

/// What an identity stands for, where it is not said otherwise.
fn add_identity(table: &mut Table) -> Result<()> {
    let Some(folder) = table.get("identity").and_then(Value::as_str) else { return Ok(()) };
    let folder = Folder::new(folder);
    let identity = folder.identity().context("`identity`")?;
    let identity = identity.with_context(|| EnrolError::NotEnrolled(folder.path().to_owned()).to_string())?;
    let file = |path: PathBuf| path.display().to_string();
    let own = [
        ("vin", Some(identity.vin.to_string())),
        ("broker", identity.broker),
        ("ca", Some(file(folder.ca_file()))),
        ("certificate", Some(file(folder.identity_file()))),
        ("key", Some(file(folder.identity_file()))),
        ("outbox", Some(file(folder.path().join("outbox.db")))),
        ("server", folder.server().context("`identity`")?),
        ("server_ca", folder.server_ca().map(file)),
        ("gps", Some("auto".to_owned())),
        ("obd", cfg!(feature = "obd").then(|| "auto".to_owned())),
    ];
    for (key, value) in own {
        if let Some(value) = value {
            table.entry(key).or_insert(Value::String(value));
        }
    }
    Ok(())
}

/// Refuses each wrong setting by its name.
fn to_config(mut table: Table) -> Result<Config> {
    add_identity(&mut table)?;
    let config: Config = table.try_into().context("settings")?;
    config.check().context("settings")?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, flags: &[&str], password: Option<&str>) -> Result<Config> {
        let mut table: Table = file.parse()?;
        let flags = Flags::parse_from(["bugbrother-agent"].iter().chain(flags));
        flags.override_in(&mut table, password.map(str::to_owned));
        to_config(table)
    }

    const ENOUGH: [&str; 8] =
        ["--vin", "WVWZZZ1JZ3W386752", "--broker", "localhost:1883", "--gps", "tcp:gps:2947", "--outbox", "outbox.db"];

    #[test]
    fn flags_are_enough_without_a_file_and_go_before_it() {
        read("", &ENOUGH, Some("s3cret")).unwrap();
        let file = "vin = 'WP0ZZZ99ZTS390000'\npassword_file = '/nowhere'\noutbox_max_bytes = 2000000";
        let config = read(file, &ENOUGH, Some("s3cret")).unwrap();
        assert_eq!(config.vin.unwrap().as_str(), "WVWZZZ1JZ3W386752");
        assert_eq!(config.outbox_max_bytes, 2_000_000);
    }

    #[test]
    fn a_wrong_flag_is_refused_by_its_name() {
        for (flag, wrong) in [
            ("--vin", "short"),
            ("--broker", "nowhere"),
            ("--gps", "usb"),
            ("--obd", "bluetooth"),
            ("--microcontroller", "usb"),
            ("--outbox-max-bytes", "7"),
        ] {
            let flags = [&ENOUGH[..], &[flag, wrong]].concat();
            let flags: Vec<_> = match ENOUGH.iter().position(|known| *known == flag) {
                Some(at) => [&ENOUGH[..at], &ENOUGH[at + 2..], &[flag, wrong]].concat(),
                None => flags,
            };
            let error = format!("{:#}", read("", &flags, Some("s3cret")).unwrap_err());
            let key = flag.trim_start_matches('-').replace('-', "_");
            assert!(error.contains(&key), "{error}");
        }
        let error = format!("{:#}", read("speed = 3", &ENOUGH, Some("x")).unwrap_err());
        assert!(error.contains("`speed`"), "{error}");
        let error = format!("{:#}", read("", &ENOUGH, None).unwrap_err());
        assert!(error.contains("password_file"), "{error}");
    }
}
