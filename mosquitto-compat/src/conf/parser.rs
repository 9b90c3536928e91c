//! From lines to a [`Conf`], with a finding for each of them. One bad line does not hide the next.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    rc::Rc,
};

use super::{
    Access, Conf, ConfError, Domain, Finding, Listener, Verdict,
    bridge::BridgeDraft,
    listener::{AccessDraft, ListenerDraft, host, once},
    options::{self, Fate, Part},
    statement::{Place, Statement, files_of, statements},
    values::{self, MAX_BYTES, Problem},
};

/// Largest file in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Most lines of all files together.
const MAX_LINES: usize = 100_000;
/// Most characters of an unknown option that are shown.
const MAX_NAME: usize = 64;
const MAX_LISTENERS: usize = 256;
const MAX_BRIDGES: usize = 64;

impl Conf {
    /// Reads the file at `path`, and what it includes.
    pub fn load(path: &Path) -> Result<Self, ConfError> {
        let text = read_file(path).map_err(|source| ConfError::Read { path: path.into(), source })?;
        Conf::parse(&text, path)
    }

    /// Reads `text`; `path` is for the errors. An `include_dir` is followed.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfError> {
        let (conf, findings) = read(text, path);
        let refused = |finding: &&Finding| matches!(finding.verdict, Verdict::Unsupported | Verdict::Invalid);
        match findings.iter().find(refused) {
            Some(finding) => {
                Err(ConfError::Line { path: finding.path.clone(), line: finding.line, reason: finding.text.clone() })
            }
            None => Ok(conf),
        }
    }
}

/// Reads all, however bad: the configuration is worth something when no finding refuses it.
pub(super) fn read(text: &str, path: &Path) -> (Conf, Vec<Finding>) {
    let mut reading = Reading::default();
    reading.file(text, &Rc::from(path), true);
    reading.finish()
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than a mebibyte"));
    }
    Ok(text)
}

#[derive(Default)]
struct Reading {
    conf: Conf,
    findings: Vec<Finding>,
    /// The first one is the default listener.
    listeners: Vec<ListenerDraft>,
    bridges: Vec<BridgeDraft>,
    access: AccessDraft,
    per_listener: bool,
    /// Whether something was said that `per_listener_settings` must precede.
    access_said: bool,
}

/// What the lines of one file belong to: Mosquitto begins each file with neither a listener nor a bridge.
#[derive(Default)]
struct Scope {
    listener: usize,
    bridge: Option<usize>,
}

impl Reading {
    fn file(&mut self, text: &str, path: &Rc<Path>, main: bool) {
        if self.listeners.is_empty() {
            self.listeners.push(ListenerDraft::default());
        }
        let mut scope = Scope::default();
        for statement in statements(text, path) {
            let Statement { place, name, value } = statement;
            if self.findings.len() >= MAX_LINES {
                return self.note(
                    &place,
                    name,
                    Err(Problem::invalid(format!("is one of more than {MAX_LINES} lines"))),
                );
            }
            let heard = match self.hear(&mut scope, name, value, &place) {
                Ok(None) if name == "include_dir" && !main => Ok(Some("Mosquitto follows it in the main file only")),
                heard => heard,
            };
            let including = main && heard.is_ok() && name == "include_dir";
            self.note(&place, name, heard);
            if !including {
                continue;
            }
            if let Err(problem) = self.include(value) {
                self.refuse(&place, problem);
            }
        }
    }

    fn include(&mut self, value: &str) -> Result<(), Problem> {
        for path in files_of(Path::new(&values::text(value)?))? {
            let text = read_file(&path)
                .map_err(|error| Problem::invalid(format!("file `{}` cannot be read: {error}", path.display())))?;
            self.file(&text, &Rc::from(path), false);
        }
        Ok(())
    }

    fn note(&mut self, place: &Place, name: &str, heard: Result<Option<&'static str>, Problem>) {
        let name: String = name.chars().take(MAX_NAME).collect();
        let name = name.escape_debug().to_string();
        let (verdict, text) = match heard {
            Err(problem) => (problem.verdict, format!("`{name}`: {}", problem.reason)),
            Ok(Some(reason)) => (Verdict::WithoutEffect, format!("`{name}`: {reason}")),
            Ok(None) => {
                (Verdict::Supported, format!("`{name}`: {}", options::find(&name).map_or("", |option| option.note)))
            }
        };
        self.findings.push(Finding { path: place.path.to_path_buf(), line: place.line, verdict, text });
    }

    /// Takes in one line; what of it has no effect.
    fn hear(
        &mut self,
        scope: &mut Scope,
        name: &str,
        value: &str,
        place: &Place,
    ) -> Result<Option<&'static str>, Problem> {
        let Some(option) = options::find(name) else {
            return Err(Problem::invalid(
                "is no option of Mosquitto; a comment has `#` as the first character of its line",
            ));
        };
        if value.len() > MAX_BYTES {
            return Err(Problem::invalid(format!("is longer than {MAX_BYTES} bytes")));
        }
        if value.chars().any(char::is_control) {
            return Err(Problem::invalid("has a control character"));
        }
        if option.part == Part::Bridge && name != "connection" && scope.bridge.is_none() {
            return Err(Problem::invalid("belongs to a bridge: put it after a `connection` line"));
        }
        self.access_said |= option.part == Part::Access;
        match option.fate {
            Fate::Read => {}
            Fate::Always(verdict) | Fate::Except(_, verdict) => {
                values::text(value)?;
                let same = matches!(option.fate, Fate::Except(values, _) if values.contains(&value));
                return match verdict {
                    _ if same => Ok(None),
                    Verdict::Unsupported => Err(Problem::unsupported(option.note)),
                    _ => Ok(Some(option.note)),
                };
            }
        }
        match option.part {
            Part::General => self.general(name, value),
            Part::Access => self.access(scope, name, value, place).map(|()| None),
            Part::Listener => self.listener(scope, name, value, place).map(|()| None),
            Part::Bridge => self.bridge(scope, name, value, place),
        }
    }

    fn general(&mut self, name: &str, value: &str) -> Result<Option<&'static str>, Problem> {
        let conf = &mut self.conf;
        match name {
            // Followed where the file is known.
            "include_dir" => drop(values::text(value)?),
            "sys_interval" => conf.sys_interval_s = values::number(value, 0..=65_535)?,
            "max_keepalive" => {
                // Mosquitto 2.1 has 0 for no limit, and none allows less than 10 seconds.
                let seconds: u16 = values::number(value, 0..=65_535)?;
                conf.max_keepalive_s = match seconds {
                    0 => u16::MAX,
                    1..10 => return Err(Problem::invalid("must be at least 10")),
                    seconds => seconds,
                }
            }
            "max_packet_size" => conf.max_packet_size = Some(values::number(value, 20..=i32::MAX.into())?),
            "message_size_limit" => {
                let bytes: u32 = values::number(value, 0..=268_435_455)?;
                conf.message_size_limit = Some(bytes).filter(|&bytes| bytes > 0);
            }
            "max_inflight_messages" => {
                let messages: u16 = values::number(value, 0..=65_535)?;
                conf.max_inflight_messages = Some(if messages == 0 { u16::MAX } else { messages });
            }
            "max_queued_messages" => conf.max_queued_messages = values::limit(value)?,
            "max_queued_bytes" => conf.max_queued_bytes = values::limit(value)?,
            "persistent_client_expiration" => conf.persistent_client_expiration_s = values::lifetime(value)?,
            "global_max_connections" => conf.global_max_connections = values::limit(value)?,
            "persistence" => conf.persistence = Some(values::boolean(value)?),
            "persistence_location" => conf.persistence_location = Some(values::text(value)?.into()),
            "per_listener_settings" => match (self.per_listener, values::boolean(value)?) {
                (true, false) => return Err(Problem::invalid("cannot be taken back")),
                (false, true) if self.access_said => {
                    return Err(Problem::invalid("must stand before all that is about access"));
                }
                (_, wanted) => self.per_listener = wanted,
            },
            _ => unreachable!("the table of options has `{name}` for the broker, which does not read it"),
        }
        Ok(None)
    }

    fn access(&mut self, scope: &Scope, name: &str, value: &str, place: &Place) -> Result<(), Problem> {
        let access = if self.per_listener {
            let listener = &mut self.listeners[scope.listener];
            listener.place.get_or_insert_with(|| place.clone());
            &mut listener.access
        } else {
            &mut self.access
        };
        match name {
            "password_file" => once(&mut access.password_file, values::text(value)?.into()),
            "acl_file" => once(&mut access.acl_file, values::text(value)?.into()),
            "allow_anonymous" => {
                access.allow_anonymous = Some(values::boolean(value)?);
                Ok(())
            }
            _ => unreachable!("the table of options has `{name}` for access, which does not read it"),
        }
    }

    fn listener(&mut self, scope: &mut Scope, name: &str, value: &str, place: &Place) -> Result<(), Problem> {
        match name {
            "listener" => {
                if self.listeners.len() > MAX_LISTENERS {
                    return Err(Problem::invalid(format!("is one of more than {MAX_LISTENERS}")));
                }
                let mut listener = ListenerDraft::default();
                let begun = listener.begin(value, place);
                listener.broken = begun.is_err();
                self.listeners.push(listener);
                scope.listener = self.listeners.len() - 1;
                begun
            }
            "port" => {
                self.listeners[0].port = Some(values::number(value, 1..=u16::MAX.into())?);
                self.listeners[0].place = Some(place.clone());
                Ok(())
            }
            "bind_address" => {
                let bind = host(values::word(value)?)?;
                self.listeners[0].place.get_or_insert_with(|| place.clone());
                once(&mut self.listeners[0].bind, bind)
            }
            _ => {
                let listener = &mut self.listeners[scope.listener];
                listener.place.get_or_insert_with(|| place.clone());
                let heard = listener.set(name, value, place);
                listener.broken |= heard.is_err();
                heard
            }
        }
    }

    fn bridge(
        &mut self,
        scope: &mut Scope,
        name: &str,
        value: &str,
        place: &Place,
    ) -> Result<Option<&'static str>, Problem> {
        if name == "connection" {
            scope.bridge = None;
            if self.bridges.len() == MAX_BRIDGES {
                return Err(Problem::invalid(format!("is one of more than {MAX_BRIDGES}")));
            }
            let bridge = BridgeDraft::begin(value, place.clone())?;
            if self.bridges.iter().any(|other| other.name == bridge.name) {
                return Err(Problem::invalid("is there twice"));
            }
            self.bridges.push(bridge);
            scope.bridge = Some(self.bridges.len() - 1);
            return Ok(None);
        }
        let bridge = scope.bridge.expect("an option of a bridge is heard after its `connection` line");
        let bridge = &mut self.bridges[bridge];
        let heard = bridge.set(name, value, place);
        bridge.broken |= heard.is_err();
        heard
    }

    fn finish(mut self) -> (Conf, Vec<Finding>) {
        let mut refused = Vec::new();
        for bridge in std::mem::take(&mut self.bridges).into_iter().filter(|bridge| !bridge.broken) {
            match bridge.finish() {
                Ok(bridge) => self.conf.bridges.push(bridge),
                Err(problem) => refused.push(problem),
            }
        }
        for draft in std::mem::take(&mut self.listeners).into_iter().filter(|draft| !draft.broken) {
            let Some(place) = draft.place.clone() else { continue };
            if draft.port.is_none() && draft.bind.is_none() {
                let reason = "belongs to the default listener: put it after a `listener` line, or say its `port`";
                refused.push((place, Problem::invalid(reason)));
                continue;
            }
            let access = if self.per_listener { draft.access.finish(false) } else { self.access.finish(false) };
            match draft.finish(access) {
                Ok(listener) if self.conf.listeners.iter().any(|other| collide(other, &listener)) => {
                    let reason = "another listener has this port at this address";
                    refused.push((place, Problem::invalid(reason)));
                }
                Ok(listener) => self.conf.listeners.push(listener),
                Err(problem) => refused.push(problem),
            }
        }
        if self.conf.listeners.is_empty() {
            self.conf.listeners.push(local_only(self.access.finish(true)));
        }
        for (place, problem) in refused {
            self.refuse(&place, problem);
        }
        self.conf.warnings =
            self.findings.iter().filter(|finding| finding.verdict == Verdict::WithoutEffect).cloned().collect();
        (self.conf, self.findings)
    }

    /// Turns what was said of a line into its refusal, now that the whole is known.
    fn refuse(&mut self, place: &Place, problem: Problem) {
        let said = self.findings.iter_mut().find(|finding| finding.line == place.line && finding.path == *place.path);
        let finding = said.expect("a line that is part of a draft has a finding");
        if !matches!(finding.verdict, Verdict::Unsupported | Verdict::Invalid) {
            let name = finding.text.split(':').next().unwrap_or_default();
            finding.text = format!("{name}: {}", problem.reason);
            finding.verdict = problem.verdict;
        }
    }
}

/// Whether the second of both could not be bound.
fn collide(one: &Listener, other: &Listener) -> bool {
    let domains = one.domain == other.domain || [one.domain, other.domain].contains(&Domain::Both);
    let addresses = one.bind == other.bind || one.bind.is_none() || other.bind.is_none();
    one.port == other.port && domains && addresses
}

/// What Mosquitto does when it is told of no listener.
fn local_only(access: Access) -> Listener {
    Listener {
        port: 1883,
        bind: Some("localhost".to_owned()),
        domain: Domain::Both,
        protocol: super::Protocol::Mqtt,
        tls: None,
        max_connections: None,
        proxy_protocol: false,
        username_as_client_id: false,
        access,
    }
}
