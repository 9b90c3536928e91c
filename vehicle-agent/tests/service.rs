//! The agent as systemd runs it: what it tells, and that it does nothing which its unit forbids.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixDatagram,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use bugbrother_kit::{port, process::Process, wait};

const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(60);

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("deploy/agent").join(name)
}

/// systemd, as far as services speak to it.
struct Systemd {
    socket: UnixDatagram,
    address: String,
    heard: Vec<String>,
}

impl Systemd {
    fn new(dir: &Path) -> Self {
        let address = dir.join("notify").display().to_string();
        let socket = UnixDatagram::bind(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Systemd { socket, address, heard: Vec::new() }
    }

    /// Listens until `done` with what was heard.
    fn listen(&mut self, what: &str, done: impl Fn(&[String]) -> bool) {
        let began = Instant::now();
        let mut bytes = [0; 4096];
        while !done(&self.heard) {
            assert!(began.elapsed() < LIMIT, "waited in vain for {what}: {:?}", self.heard);
            if let Ok(count) = self.socket.recv(&mut bytes) {
                let told = String::from_utf8_lossy(&bytes[..count]).trim().to_owned();
                self.heard.push(told);
            }
        }
    }

    fn count(heard: &[String], what: &str) -> usize {
        heard.iter().filter(|told| *told == what).count()
    }
}

/// Arguments for an agent in a car whose receiver says nothing, far from its broker; its outbox is in `dir`.
fn arguments(dir: &Path, receiver: &TcpListener) -> Vec<String> {
    let password = dir.join("password");
    fs::write(&password, "s3cret\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let gps = format!("tcp:{}", receiver.local_addr().unwrap());
    let broker = format!("127.0.0.1:{}", port::free().unwrap());
    let (password, outbox) = (password.display().to_string(), dir.join("outbox.db").display().to_string());
    let pairs = [
        ("--vin", VIN),
        ("--broker", &broker),
        ("--password-file", &password),
        ("--gps", &gps),
        ("--obd", "auto"),
        ("--outbox", &outbox),
    ];
    pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_when_the_agent_is_ready_that_it_is_alive_and_that_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut systemd = Systemd::new(dir.path());
    let environment = [("NOTIFY_SOCKET", &*systemd.address), ("WATCHDOG_USEC", "600000")];
    let arguments = arguments(dir.path(), &receiver);
    let mut agent = Process::start(dir.path(), "agent", Path::new(AGENT), &arguments, &environment).unwrap();
    systemd.listen("READY=1", |heard| Systemd::count(heard, "READY=1") == 1);
    assert!(dir.path().join("outbox.db").exists(), "ready is who can keep what is recorded");
    systemd.listen("WATCHDOG=1", |heard| Systemd::count(heard, "WATCHDOG=1") >= 5);
    // One that stands still is not alive.
    agent.signal("STOP").unwrap();
    let heard = loop {
        let before = systemd.heard.len();
        let began = Instant::now();
        let mut bytes = [0; 64];
        while began.elapsed() < Duration::from_secs(1) {
            if systemd.socket.recv(&mut bytes).is_ok() {
                systemd.heard.push(String::new());
            }
        }
        if systemd.heard.len() == before {
            break before;
        }
    };
    agent.signal("CONT").unwrap();
    systemd.listen("WATCHDOG=1", |told| told.len() > heard);
    let status = agent.terminate(LIMIT).await.unwrap();
    assert!(status.success(), "{}", agent.logged());
    systemd.listen("STOPPING=1", |heard| Systemd::count(heard, "STOPPING=1") == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_waits_for_its_car_is_ready_and_alive() {
    let dir = tempfile::tempdir().unwrap();
    // An adapter that takes the connection and never answers.
    let adapter = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut systemd = Systemd::new(dir.path());
    let environment = [("NOTIFY_SOCKET", &*systemd.address), ("WATCHDOG_USEC", "600000")];
    let mut arguments = arguments(dir.path(), &adapter);
    arguments.drain(..2);
    for (flag, value) in [("--obd", format!("tcp:{}", adapter.local_addr().unwrap())), ("--gps", "none".to_owned())] {
        let at = arguments.iter().position(|argument| argument == flag).unwrap();
        arguments[at + 1] = value;
    }
    let mut agent = Process::start(dir.path(), "agent", Path::new(AGENT), &arguments, &environment).unwrap();
    systemd.listen("WATCHDOG=1", |heard| Systemd::count(heard, "WATCHDOG=1") >= 5);
    assert_eq!(Systemd::count(&systemd.heard, "READY=1"), 1);
    assert!(!dir.path().join("outbox.db").exists(), "whose would it be?");
    assert!(agent.terminate(LIMIT).await.unwrap().success(), "{}", agent.logged());
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_for_the_journal_have_their_priority_and_no_time() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let arguments = arguments(dir.path(), &receiver);
    let log = |name: &str| {
        let path = dir.path().join(format!("{name}.log"));
        fs::write(&path, "").unwrap();
        let file = fs::metadata(path).unwrap();
        format!("{}:{}", file.dev(), file.ino())
    };
    // The second one's standard error is not what the journal listens to.
    for (name, stream, begins) in [("agent", log("agent"), "<6> INFO "), ("other", "1:2".to_owned(), "20")] {
        let environment = [("JOURNAL_STREAM", &*stream)];
        let mut agent = Process::start(dir.path(), name, Path::new(AGENT), &arguments, &environment).unwrap();
        let said = || std::future::ready(agent.logged().contains("no connection").then_some(()));
        wait::until("it has said something", LIMIT, said).await.unwrap();
        agent.terminate(LIMIT).await.unwrap();
        let logged = agent.logged();
        assert!(logged.starts_with(begins), "{logged}");
        assert_eq!(logged.lines().any(|line| line.starts_with("<4> WARN ")), name == "agent", "{logged}");
    }
}

fn printed(command: &mut Command, what: &str) -> String {
    let Output { stdout, stderr, status } = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(status.success(), "{what}: {text}");
    text
}

const SYSTEMD_ANALYZE: &str = "systemd-analyze (apt-get install systemd)";

#[test]
fn the_unit_is_well_formed_and_exposes_little() {
    // The unit names the program where the package puts it.
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(deploy("bugbrother-agent.service")).unwrap();
    let unit = dir.path().join("bugbrother-agent.service");
    fs::write(&unit, text.replace("/usr/bin/bugbrother-agent", AGENT)).unwrap();
    let mut verify = Command::new("systemd-analyze");
    let said = printed(verify.args(["verify", "--man=no"]).arg(&unit), SYSTEMD_ANALYZE);
    // What this version of systemd does not know would be said here.
    let only_newer = |line: &str| line.contains("RestartSteps") || line.contains("RestartMaxDelaySec");
    assert!(said.lines().filter(|line| line.contains("bugbrother-agent")).all(only_newer), "{said}");
    let mut security = Command::new("systemd-analyze");
    // Tenths: 0 for a service that can do nothing, 100 for one that can do all.
    printed(security.args(["security", "--offline=true", "--threshold=15"]).arg(&unit), SYSTEMD_ANALYZE);
}

/// The system calls of a filter's groups, as systemd knows them.
fn calls(groups: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for group in groups.split_whitespace() {
        let text = printed(Command::new("systemd-analyze").args(["syscall-filter", group]), SYSTEMD_ANALYZE);
        for line in text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.starts_with('@') {
                calls.append(&mut self::calls(line));
            } else {
                calls.insert(line.to_owned());
            }
        }
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_does_nothing_that_its_unit_forbids() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut systemd = Systemd::new(dir.path());
    let environment = [("NOTIFY_SOCKET", &*systemd.address), ("WATCHDOG_USEC", "600000"), ("BUGBROTHER_LOG", "info")];
    let trace = dir.path().join("trace");
    // -D: the agent is our child, as without strace.
    let mut words: Vec<String> = ["-D", "-f", "-o"].map(str::to_owned).to_vec();
    words.extend([trace.display().to_string(), AGENT.to_owned()]);
    words.extend(arguments(&state, &receiver));
    let strace = Path::new("/usr/bin/strace");
    let mut agent = Process::start(dir.path(), "agent", strace, &words, &environment).unwrap();
    systemd.listen("WATCHDOG=1", |heard| Systemd::count(heard, "WATCHDOG=1") >= 10);
    agent.terminate(LIMIT).await.unwrap();
    let id = agent.id().to_string();
    let whole = || {
        let text = fs::read_to_string(&trace).unwrap();
        let ended = |line: &str| line.split_whitespace().eq([&*id, "+++", "exited", "with", "0", "+++"]);
        std::future::ready(text.lines().any(ended).then_some(text))
    };
    let trace = wait::until("the trace is written", LIMIT, whole).await.unwrap();

    let unit = fs::read_to_string(deploy("bugbrother-agent.service")).unwrap();
    let filters: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")).collect();
    let (denied, allowed): (Vec<&str>, Vec<&str>) = filters.iter().partition(|filter| filter.starts_with('~'));
    let allowed: BTreeSet<String> = allowed.into_iter().flat_map(calls).collect();
    let denied: BTreeSet<String> = denied.iter().flat_map(|groups| calls(groups.trim_start_matches('~'))).collect();
    let mut made = BTreeSet::new();
    for line in trace.lines() {
        // 4711 openat(AT_FDCWD, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 9
        let line = line.split_once(' ').map_or("", |(_, line)| line.trim_start());
        let Some((call, rest)) = line.split_once('(') else { continue };
        if !call.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            continue;
        }
        made.insert(call.to_owned());
        let writes = call == "openat" && ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| rest.contains(flag));
        if let Some(path) = rest.split('"').nth(1).filter(|_| writes && !rest.contains("= -1")) {
            let may = Path::new(path).starts_with(&state) || Path::new(path).starts_with("/dev");
            assert!(may, "it writes outside of its folder: {line}");
        }
        assert!(!(call == "mmap" || call == "mprotect") || !rest.contains("PROT_WRITE|PROT_EXEC"), "{line}");
    }
    assert!(made.contains("fsync") && made.contains("sendto"), "{made:?}");
    // SQLite keeps the owner of its files, and does so as root only, which the unit does not have the agent run as.
    made.remove("fchown");
    let forbidden: Vec<_> = made.iter().filter(|call| !allowed.contains(*call) || denied.contains(*call)).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
}
