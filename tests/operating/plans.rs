use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use anyhow::{Context, Result};
use bugbrother_kit::process::program;
use yaml_rust2::{Yaml, YamlLoader};

use crate::{root, said};

pub(crate) fn read(name: &str) -> Result<String> {
    fs::read_to_string(root().join("deploy").join(name)).with_context(|| name.to_owned())
}

/// What the program takes: options and environment variables of each command.
pub(crate) struct Taken {
    options: BTreeMap<&'static str, BTreeSet<String>>,
    variables: BTreeSet<String>,
}

impl Taken {
    /// By its help texts.
    pub(crate) fn find() -> Result<Self> {
        let (mut options, mut variables) = (BTreeMap::new(), BTreeSet::new());
        for command in ["up", "broker", "ingest", "notifier", "dashboard", "init", "doctor"] {
            let help = said(Command::new(program("bugbrother")?).args([command, "--help"]));
            let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
            let words: BTreeSet<String> = words.map(str::to_owned).collect();
            variables.extend(words.iter().filter(|word| word.starts_with("BUGBROTHER_")).cloned());
            options.insert(command, words.into_iter().filter(|word| word.starts_with("--")).collect());
        }
        assert!(variables.len() > 20, "{variables:?}");
        Ok(Taken { options, variables })
    }

    pub(crate) fn check_command(&self, place: &str, words: &[String]) {
        let (command, rest) = words.split_first().unwrap_or_else(|| panic!("{place}: no command"));
        let options = self.options.get(command.as_str()).unwrap_or_else(|| panic!("{place}: no command `{command}`"));
        for option in rest.iter().filter(|word| word.starts_with("--")) {
            assert!(options.contains(option), "{place}: `{command}` has no option {option}");
        }
    }

    pub(crate) fn check_variable(&self, place: &str, name: &str) {
        // What Compose itself and Grafana are told.
        let others = ["BUGBROTHER_NAME", "BUGBROTHER_PROMETHEUS", "BUGBROTHER_LOG"];
        let known = self.variables.contains(name) || others.contains(&name) || name.starts_with("BUGBROTHER_GRAFANA_");
        assert!(!name.starts_with("BUGBROTHER_") || known, "{place}: nothing reads {name}");
    }
}

fn texts(list: &Yaml) -> Vec<String> {
    list.as_vec().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// A mapping with what `<<` brings in; of two the first one counts, and what stands there before both.
fn merged(map: &Yaml) -> BTreeMap<String, Yaml> {
    let mut found = BTreeMap::new();
    let Some(hash) = map.as_hash() else { return found };
    let key = Yaml::String("<<".to_owned());
    let more = match hash.get(&key) {
        Some(Yaml::Array(maps)) => maps.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    for (name, value) in hash.iter().filter(|(name, _)| **name != key) {
        found.insert(name.as_str().unwrap_or_default().to_owned(), value.clone());
    }
    for one in more {
        for (name, value) in merged(&one) {
            found.entry(name).or_insert(value);
        }
    }
    found
}

#[test]
fn the_compose_file_says_nothing_that_the_program_does_not_take() -> Result<()> {
    let taken = Taken::find()?;
    let text = read("container/compose.yaml")?;
    let file = YamlLoader::load_from_str(&text)?.remove(0);
    let services = merged(&file["services"]);
    let volumes: BTreeSet<String> = merged(&file["volumes"]).into_keys().collect();
    let mut ours = 0;
    let mut profiles = BTreeSet::new();
    for (name, service) in &services {
        let service = merged(service);
        let of = |key: &str| service.get(key).cloned().unwrap_or(Yaml::Null);
        profiles.extend(texts(&of("profiles")));
        assert!(!texts(&of("profiles")).is_empty(), "{name} is in no profile");
        for variable in merged(&of("environment")).keys() {
            taken.check_variable(name, variable);
        }
        for volume in texts(&of("volumes")) {
            let from = volume.split(':').next().unwrap_or_default();
            let made_by_a_person = from == "./mosquitto";
            let there = match from.starts_with('.') {
                true => root().join("deploy/container").join(from).exists() || made_by_a_person,
                false => volumes.contains(from),
            };
            assert!(there, "{name}: there is no {from}");
        }
        let before: Vec<String> = match &of("depends_on") {
            Yaml::Hash(hash) => hash.keys().filter_map(|key| key.as_str().map(str::to_owned)).collect(),
            list => texts(list),
        };
        for other in before {
            assert!(services.contains_key(&other), "{name} waits for {other}, which is not there");
        }
        if of("image").as_str() == Some("bugbrother") {
            ours += 1;
            let words = texts(&of("command"));
            match words.first().filter(|_| name == "accounts") {
                Some(script) => {
                    let words = script.split("exec bugbrother ").nth(1).context("a command")?;
                    taken.check_command(name, &words.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
                }
                None => taken.check_command(name, &words),
            }
        }
    }
    assert!(ours >= 6, "{ours} services are ours");
    for profile in ["single", "postgresql", "influxdb", "minio", "mosquitto", "cluster", "observe", "tls"] {
        assert!(profiles.contains(profile), "no profile {profile}");
    }
    // Whoever scrapes and whoever proxies finds the ports that are listened on.
    for (variable, place) in
        [("BUGBROTHER_METRICS", "container/prometheus.yml"), ("BUGBROTHER_HTTP", "container/Caddyfile")]
    {
        let port = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(&format!("{variable}: \"0.0.0.0:")))
            .context(variable)?;
        assert!(read(place)?.contains(port.trim_end_matches('"')), "{place} has another port than {variable}");
    }
    let container = read("container/Containerfile")?;
    for word in container.split_whitespace().filter(|word| word.starts_with("BUGBROTHER_")) {
        taken.check_variable("Containerfile", word.split('=').next().unwrap_or_default());
    }
    Ok(())
}

/// Who may what, as sorted lines `user access filter`.
fn granted_here() -> Result<BTreeSet<String>> {
    let data = tempfile::tempdir()?;
    let folder = data.path().join("data");
    // The first command makes the access files.
    said(Command::new(program("bugbrother")?).arg("--data").arg(&folder).args(["access", "grant", "x", "y"]));
    let acl = fs::read_to_string(folder.join("access/acl"))?;
    let (mut user, mut found) = (String::new(), BTreeSet::new());
    for line in acl.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["user", name] => name.clone_into(&mut user),
            ["topic", access, filter] if user != "x" => {
                let each = if access == "readwrite" { vec!["read", "write"] } else { vec![access] };
                found.extend(each.iter().map(|access| format!("{user} {access} {filter}")));
            }
            ["pattern", access, filter] => {
                found.insert(format!("vehicle {access} {filter}"));
            }
            _ => {}
        }
    }
    Ok(found)
}

#[test]
fn emqx_grants_what_the_embedded_broker_grants_and_no_more() -> Result<()> {
    let text = read("emqx/acl.conf")?;
    let mut found = BTreeSet::new();
    let rules: Vec<_> = text.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(rules.last(), Some(&"{deny, all}."));
    for rule in &rules[..rules.len() - 1] {
        let quoted: Vec<_> = rule.split('"').skip(1).step_by(2).collect();
        let (user, filters) = match rule.contains("{user, ") {
            true => (quoted[0], &quoted[1..]),
            false => ("vehicle", &quoted[..]),
        };
        let accesses = [("publish", "write"), ("subscribe", "read")];
        let all = rule.contains("}, all, ");
        for (_, access) in accesses.iter().filter(|(word, _)| all || rule.contains(&format!(", {word}, "))) {
            for filter in filters.iter().filter(|filter| !filter.starts_with("$share/ingest/")) {
                found.insert(format!("{user} {access} {}", filter.replace("${username}", "%u")));
            }
        }
    }
    assert_eq!(found, granted_here()?);
    Ok(())
}
