//! Settings in a file: what neither the command line nor the environment says.
//!
//! A setting is an option that has an environment variable as well, by its long name with `_` for `-`. An unknown one is
//! refused. What is said on the command line counts before the environment, and that before the file.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use crate::{arguments::Arguments, data::Databases};

/// Longest file that is looked at.
const MAX_BYTES: u64 = 1 << 20;
/// Longest address of a database.
const MAX_URL: u64 = 4096;
/// An address may hold a password: no help shows it.
const SECRET: [&str; 2] = ["database", "telemetry_url"];

/// Setting → its values.
pub type Settings = BTreeMap<String, Vec<String>>;

/// What this program was called with, and what the file of settings adds to it.
pub fn arguments(line: Vec<OsString>) -> Result<Arguments> {
    let mut command = Arguments::command();
    if let Some(path) = path(&line) {
        let settings = read(&path)?;
        check(&command, &settings).with_context(|| format!("in `{}`", path.display()))?;
        command = with(command, &settings);
    }
    // What is wrong on the command line, and what a person asked to see, clap says and ends by itself.
    let matches = command.get_matches_from(line);
    Ok(Arguments::from_arg_matches(&matches)?)
}

/// The file that was named.
fn path(line: &[OsString]) -> Option<PathBuf> {
    let mut words = line.iter().skip(1);
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--config") => return words.next().map(PathBuf::from),
            Some("--") => break,
            Some(word) => {
                if let Some(path) = word.strip_prefix("--config=") {
                    return Some(path.into());
                }
            }
            None => {}
        }
    }
    std::env::var_os("BUGBROTHER_CONFIG").map(PathBuf::from)
}

/// The settings in a file. One that holds a password and that everybody may read is refused.
pub fn read(path: &Path) -> Result<Settings> {
    let problem = || format!("cannot read the settings `{}`", path.display());
    let mut text = String::new();
    let file = File::open(path).with_context(problem)?;
    let mode = file.metadata().with_context(problem)?.permissions().mode();
    file.take(MAX_BYTES).read_to_string(&mut text).with_context(problem)?;
    let table: toml::Table = text.parse().with_context(problem)?;
    let mut settings = Settings::new();
    for (name, value) in table {
        let values = values(&value).with_context(|| {
            format!("in `{}`: `{name}` is to be a text, a number, true, false or a list of texts", path.display())
        })?;
        if SECRET.contains(&name.as_str()) && mode & 0o007 != 0 {
            bail!("`{0}` has `{name}` in it and everybody may read it: chmod o= {0}", path.display());
        }
        settings.insert(name, values);
    }
    Ok(settings)
}

fn values(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(truth) => Some(vec![truth.to_string()]),
        toml::Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Names of all settings.
pub fn names(command: &Command) -> Vec<String> {
    let mut names: Vec<_> = command.get_arguments().filter_map(name).collect();
    for sub in command.get_subcommands() {
        names.extend(self::names(sub));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The name of an option as a setting, if it is one.
fn name(option: &Arg) -> Option<String> {
    let name = option.get_long().filter(|name| *name != "config" && option.get_env().is_some())?;
    Some(name.replace('-', "_"))
}

/// Refuses what is unknown, and what excludes each other: clap compares only what is on the command line.
fn check(command: &Command, settings: &Settings) -> Result<()> {
    let known = names(command);
    if let Some(stranger) = settings.keys().find(|name| !known.contains(name)) {
        bail!("there is no setting `{stranger}`; there are: {}", known.join(", "));
    }
    let has = |name: &str| settings.contains_key(name);
    for (one, others) in [
        ("mosquitto_conf", &["vehicles", "mqtts", "ws", "wss", "host", "bridge"][..]),
        ("database", &["database_file"]),
        ("telemetry_url", &["telemetry_url_file"]),
    ] {
        if let Some(other) = others.iter().find(|other| has(one) && has(other)) {
            bail!("`{one}` and `{other}` exclude each other");
        }
    }
    Ok(())
}

/// The command with the settings as what its options are when nothing is said.
fn with(command: Command, settings: &Settings) -> Command {
    let command = command.mut_args(|option| {
        let Some((name, values)) = name(&option).and_then(|name| settings.get_key_value(&name)) else { return option };
        let hidden = SECRET.contains(&name.as_str());
        // It lives as long as the program: once for each setting.
        let values: Vec<&'static str> = values.iter().map(|value| &*value.clone().leak()).collect();
        option.default_values(values).hide_default_value(hidden)
    });
    command.mut_subcommands(|sub| with(sub, settings))
}

/// Where the databases are; their addresses may stand in files of their own.
pub fn databases(arguments: &Arguments) -> Result<Databases> {
    let of = |given: &Option<String>, file: &Option<PathBuf>| match (given, file) {
        (Some(url), _) => Ok(Some(url.clone())),
        (None, Some(path)) => first_line(path).map(Some),
        (None, None) => Ok(None),
    };
    Ok(Databases {
        fleet: of(&arguments.database, &arguments.database_file)?,
        telemetry: of(&arguments.telemetry_url, &arguments.telemetry_url_file)?,
    })
}

/// The first line of a file that not everybody may read.
fn first_line(path: &Path) -> Result<String> {
    let problem = || format!("cannot read `{}`", path.display());
    let mode = fs::metadata(path).with_context(problem)?.permissions().mode();
    if mode & 0o007 != 0 {
        bail!("everybody may read `{0}`: chmod o= {0}", path.display());
    }
    let mut line = String::new();
    BufReader::new(File::open(path).with_context(problem)?.take(MAX_URL)).read_line(&mut line).with_context(problem)?;
    match line.trim() {
        "" => bail!("the first line of `{}` is empty", path.display()),
        url => Ok(url.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Command as Task;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn called(path: &Path, words: &[&str]) -> Result<Arguments> {
        let mut line = vec!["bugbrother".into(), "--config".into(), path.into()];
        line.extend(words.iter().map(OsString::from));
        arguments(line)
    }

    #[test]
    fn what_the_command_line_does_not_say_is_taken_from_the_file() {
        let (_dir, path) = file(
            "data = \"/srv/fleet\"\nhttp = \"127.0.0.1:9000\"\nmqtt = \"127.0.0.1:2883\"\nhost = [\"a.example\", \"b.example\"]\n\
             allow_plain = true\n",
            0o644,
        );
        let found = called(&path, &["up", "--mqtt", "127.0.0.1:3883"]).unwrap();
        assert_eq!(found.data, Path::new("/srv/fleet"));
        let Task::Up { net, doors } = found.command else { panic!("it was `up`") };
        assert_eq!(net.http.map(|http| http.port()), Some(9000));
        assert_eq!(net.mqtt.map(|mqtt| mqtt.port()), Some(3883));
        assert_eq!(doors.hosts, ["a.example", "b.example"]);
        assert!(net.allow_plain);
    }

    #[test]
    fn an_unknown_setting_is_refused_by_its_name() {
        let (_dir, path) = file("htpp = \"127.0.0.1:9000\"\n", 0o644);
        let told = format!("{:#}", called(&path, &["up"]).err().unwrap());
        assert!(told.contains("no setting `htpp`") && told.contains("http, "), "{told}");
    }

    #[test]
    fn a_password_that_everybody_may_read_is_refused() {
        let text = "database = \"postgres://bugbrother:s3cret@127.0.0.1/fleet\"\n";
        let (_dir, path) = file(text, 0o644);
        let told = format!("{:#}", called(&path, &["up"]).err().unwrap());
        assert!(told.contains("chmod o=") && !told.contains("s3cret"), "{told}");
        let (_dir, path) = file(text, 0o640);
        assert!(databases(&called(&path, &["up"]).unwrap()).unwrap().fleet.unwrap().contains("s3cret"));
        let (_dir, path) = file("postgres://bugbrother:s3cret@127.0.0.1/fleet\nmore", 0o604);
        assert!(first_line(&path).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(first_line(&path).unwrap(), "postgres://bugbrother:s3cret@127.0.0.1/fleet");
    }

    #[test]
    fn settings_that_exclude_each_other_are_refused() {
        let (_dir, path) = file("mosquitto_conf = \"/etc/mosquitto.conf\"\nvehicles = \"0.0.0.0:8883\"\n", 0o644);
        let told = format!("{:#}", called(&path, &["up"]).err().unwrap());
        assert!(told.contains("`mosquitto_conf` and `vehicles` exclude each other"), "{told}");
    }

    #[test]
    fn no_help_shows_a_password() {
        let (_dir, path) = file("database = \"postgres://bugbrother:s3cret@127.0.0.1/fleet\"\n", 0o600);
        let help = with(Arguments::command(), &read(&path).unwrap()).render_long_help().to_string();
        assert!(help.contains("--database") && !help.contains("s3cret"), "{help}");
    }
}
