//! A microcontroller on a serial line: what it says in order, damaged, too fast and not at all; and the example's sketch.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

use std::{
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use bugbrother_agent::{
    link::{Address, Link},
    microcontroller::{self, Heard, Outputs, Press, Reader, Source, message::checksum},
    outbox::Happening,
    ports::Ports,
    recorder::Reading,
};
use bugbrother_wire::message::{EventKind, SignalDeclaration};
use serialport::{SerialPort, TTYPort};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);

fn signed(body: &str) -> String {
    format!("{body}*{:04X}\r\n", checksum(body))
}

fn heard(bytes: &[u8]) -> (Vec<Heard>, u64) {
    let mut reader = Reader::new();
    let heard = bytes.iter().filter_map(|byte| reader.push(*byte, 1_000)).collect();
    (heard, reader.refused())
}

fn values(heard: &[Heard]) -> Vec<(&str, f64)> {
    heard.iter().flat_map(|heard| heard.values.iter().map(|(key, value)| (&**key, *value))).collect()
}

// ---- Without a port ----

#[test]
fn what_is_wrong_in_a_line_costs_no_more_than_itself() {
    let lines = [
        signed("ax=0.5 ay=0 az=9.8"),
        signed("ax=0.6 lat=47.0 spd=200 az=900"),
        signed("x.temp=21.5").replace("21.5", "91.5"),
        "{\"x.temp\":21.5,\"rpm\":3000}\n".to_owned(),
        "{\"x.temp\":21.5\n".to_owned(),
        "\0\u{7f}ax=1\n".to_owned(),
        signed("x.temp=22.5").split_off(4),
        signed("x.temp=23.5"),
    ];
    let (heard, refused) = heard(lines.concat().as_bytes());
    let expected = [("ax", 0.5), ("ay", 0.0), ("az", 9.8), ("ax", 0.6), ("x.temp", 21.5), ("x.temp", 23.5)];
    assert_eq!(values(&heard), expected);
    assert_eq!(refused, 8);
}

#[test]
fn a_press_is_told_once_and_a_door_when_it_changes() {
    let lines: Vec<String> = ["contact.door1=closed", "button=panic n=1", "button=panic n=1", "contact.door1=open"]
        .iter()
        .map(|body| signed(body))
        .collect();
    let (heard, refused) = heard(lines.concat().as_bytes());
    let happened: Vec<_> = heard.iter().flat_map(|heard| &heard.happenings).collect();
    assert_eq!(
        happened.iter().map(|happening| happening.kind).collect::<Vec<_>>(),
        [EventKind::PanicButton, EventKind::Contact]
    );
    assert_eq!(happened[1].text.as_deref(), Some("door1 open"));
    assert_eq!(happened[1].values["x.door1"], 1.0);
    assert_eq!(heard.iter().filter_map(|heard| heard.press).collect::<Vec<_>>(), [Press::Panic]);
    assert_eq!(values(&heard), [("x.door1", 0.0), ("x.door1", 1.0)]);
    assert_eq!(refused, 0);
}

#[test]
fn a_flood_of_values_is_cut_and_a_button_in_it_is_heard() {
    let mut flood = String::new();
    for i in 0..5_000 {
        flood += &signed(&format!("ax={}.5 ay=1 az=9", i % 10));
    }
    flood += &signed("button=panic n=7");
    let (heard, refused) = heard(flood.as_bytes());
    assert_eq!(values(&heard).len(), 1_000, "in one second");
    assert_eq!(refused, 14_000);
    assert_eq!(heard.last().and_then(|heard| heard.press), Some(Press::Panic));
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

#[test]
fn of_a_million_damaged_bytes_nothing_is_taken_that_was_not_said() {
    let mut dice = Dice(88_172_645_463_325_252);
    let mut reader = Reader::new();
    let (mut lines, mut told) = (0, 0);
    let mut at_ms = 0;
    while lines < 20_000 {
        let mut line =
            signed(&format!("ax={}.25 x.temp=21.5 contact.door1=open ms={at_ms}", dice.roll(9))).into_bytes();
        for _ in 0..dice.roll(3) {
            let at = dice.roll(line.len());
            match dice.roll(3) {
                0 => line[at] ^= 1 << dice.roll(8),
                1 => drop(line.remove(at)),
                _ => line.insert(at, u8::try_from(dice.roll(256)).unwrap()),
            }
        }
        lines += 1;
        at_ms += 20;
        for byte in line {
            let Some(heard) = reader.push(byte, at_ms) else { continue };
            told += 1;
            for (key, value) in &heard.values {
                let said = match &**key {
                    "ax" => (0.25..9.0).contains(value) && value.fract() == 0.25,
                    "x.temp" => *value == 21.5,
                    "x.door1" => *value == 1.0,
                    _ => false,
                };
                assert!(said, "{key}={value}");
            }
        }
    }
    println!("{told} of {lines} lines taken");
    assert!((5_000..15_000).contains(&told), "{told}");
}

#[test]
fn every_line_of_the_document_is_understood() {
    let document = include_str!("../../docs/microcontroller.md");
    let json = |line: &str| line.starts_with('{');
    let signed = |line: &str| line.rsplit_once('*').is_some_and(|(_, sum)| sum.len() == 4);
    let lines: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| json(line) || signed(line)).collect();
    assert_eq!(lines.len(), 6);
    let (heard, refused) = heard((lines.join("\n") + "\n").as_bytes());
    assert_eq!((heard.len(), refused), (6, 0));
    let with_sum = document.split("`\"crc\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let body = lines[1].strip_suffix('}').unwrap();
    assert_eq!(with_sum, format!("{:04X}", checksum(body)));
}

// ---- The sketch ----

/// What the example's sketch says in 20 s of its own time, compiled for this computer.
fn sketch() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sketch = root.join("../docs/examples/microcontroller/microcontroller.ino").canonicalize().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("sketch");
    let compiled = Command::new("g++")
        .args([
            "-std=gnu++17",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsanitize=undefined",
            "-fno-sanitize-recover",
            "-x",
            "c++",
        ])
        .arg(format!("-DSKETCH=\"{}\"", sketch.display()))
        .arg("-I")
        .arg(root.join("tests/arduino"))
        .arg(root.join("tests/arduino/run.cpp"))
        .arg("-o")
        .arg(&program)
        .output()
        .expect("g++ is there: scripts/setup test installs it");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let ran = Command::new(program).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn the_sketch_of_the_example_says_what_is_understood() {
    let said = sketch();
    let mut reader = Reader::new();
    let mut heard = Vec::new();
    for (at, byte) in said.bytes().enumerate() {
        heard.extend(reader.push(byte, at as u64 * 20_000 / said.len() as u64));
    }
    assert_eq!(reader.refused(), 0);
    // 115200 bits a second are 11,520 bytes.
    assert!(said.len() < 20 * 11_520 / 2, "{} bytes in 20 s: half of what the port carries", said.len());
    let told = |key: &str| {
        values(&heard).into_iter().filter(|(known, _)| *known == key).map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert!(
        (940..=960).contains(&told("ax").len()),
        "50 a second, but for the one without a sensor: {}",
        told("ax").len()
    );
    for (key, value) in
        [("ax", 4.9), ("ay", -2.45), ("az", 9.81), ("gx", 10.0), ("gy", -20.0), ("gz", 0.0), ("itemp", 21.28)]
    {
        assert!(told(key).iter().all(|found| (found - value).abs() < 0.02), "{key}: {:?}", told(key).first());
        assert!(told(key).len() >= 19, "{key}");
    }
    let presses: Vec<_> = heard.iter().filter_map(|heard| heard.press).collect();
    assert_eq!(presses, [Press::Panic, Press::Privacy]);
    assert_eq!(said.matches("button=panic n=1").count(), 3);
    let happened: Vec<_> =
        heard.iter().flat_map(|heard| &heard.happenings).map(|h| (h.kind, h.text.as_deref())).collect();
    assert_eq!(
        happened,
        [
            (EventKind::PanicButton, None),
            (EventKind::Contact, Some("door1 open")),
            (EventKind::Contact, Some("door1 closed"))
        ]
    );
    let declared = heard.iter().filter_map(|heard| heard.signals.as_ref()).next_back().unwrap();
    let units: Vec<_> = declared.iter().map(|signal| (signal.key.as_str(), signal.unit.as_str())).collect();
    let six = [
        ("ax", "m/s^2"),
        ("ay", "m/s^2"),
        ("az", "m/s^2"),
        ("gx", "degrees/s"),
        ("gy", "degrees/s"),
        ("gz", "degrees/s"),
    ];
    assert_eq!(units, [&six[..], &[("itemp", "celsius"), ("x.door1", "")]].concat());
}

// ---- On a port ----

struct Listening {
    readings: mpsc::Receiver<Reading>,
    happenings: mpsc::Receiver<Happening>,
    presses: mpsc::Receiver<Press>,
    signals: watch::Receiver<Vec<SignalDeclaration>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listening {
    fn start(source: Source, ports: Ports) -> Self {
        let (readings, readings_in) = mpsc::channel(64);
        let (happenings, happenings_in) = mpsc::channel(64);
        let (presses, presses_in) = mpsc::channel(4);
        let (signals, signals_in) = watch::channel(Vec::new());
        let stop = CancellationToken::new();
        let ending = stop.clone();
        let task = tokio::spawn(async move {
            microcontroller::run(&source, &ports, Outputs { readings, happenings, presses, signals }, &ending).await;
        });
        Listening {
            readings: readings_in,
            happenings: happenings_in,
            presses: presses_in,
            signals: signals_in,
            stop,
            task,
        }
    }

    async fn value(&mut self, key: &str) -> f64 {
        let next = async {
            loop {
                let reading = self.readings.recv().await.expect("the task runs");
                if let Some((_, value)) = reading.values.iter().find(|(known, _)| *known == key) {
                    return *value;
                }
            }
        };
        timeout(LIMIT, next).await.unwrap_or_else(|_| panic!("no {key}"))
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(Duration::from_secs(5), self.task).await.expect("it ends soon").expect("it did not panic");
    }
}

/// A folder as `/dev` with a terminal in it, and its other end.
fn plugged(dir: &Path, name: &str) -> (TTYPort, TTYPort, PathBuf) {
    let (master, slave) = TTYPort::pair().unwrap();
    let path = dir.join(name);
    symlink(slave.name().expect("a terminal has a name"), &path).unwrap();
    (master, slave, path)
}

/// Says the line again and again until the terminal is gone.
fn say(mut port: TTYPort, line: String) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while port.write_all(line.as_bytes()).and_then(|()| port.flush()).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_found_among_ports_that_are_silent_or_anothers() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, _slave0, _) = plugged(dir.path(), "ttyACM0");
    let (silent, _slave1, silent_path) = plugged(dir.path(), "ttyACM1");
    let (ours, _slave2, ours_path) = plugged(dir.path(), "ttyUSB0");
    say(receiver, "$GPRMC,112225.844,A,4719.9737,N,00749.2639,E,0.00,,030410,,,A*7C\r\n".to_owned());
    let line = signed("hello name=cabin version=1 x.temp1:celsius") + &signed("x.temp1=21.5");
    say(ours, line);
    let ports = Ports::new(dir.path());
    let mut listening = Listening::start(Source::Auto, ports.clone());
    assert_eq!(listening.value("x.temp1").await, 21.5);
    assert!(ports.claim(&ours_path).is_none() && ports.claim(&silent_path).is_some());
    assert_eq!(listening.signals.borrow_and_update()[0].unit, "celsius");
    listening.end().await;
    assert!(ports.claim(&ours_path).is_some(), "it is given back");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_unplugged_is_opened_again_and_a_button_is_heard_through_garbage() {
    let dir = tempfile::tempdir().unwrap();
    let (mut port, slave, path) = plugged(dir.path(), "ttyUSB0");
    let source = Source::Link(Link::Serial { path: path.clone(), baud: 115_200 });
    let ports = Ports::new(dir.path());
    let mut listening = Listening::start(source, ports);
    let garbage = [&[0, 255, b'*', b'x'][..], signed("ax=1.5 ay=0 az=9.8").as_bytes()].concat();
    // What is said before the port is open may be lost.
    let opened = tokio::task::spawn_blocking(move || {
        for _ in 0..20 {
            port.write_all(&garbage).unwrap();
            port.write_all(b"\n").unwrap();
            port.write_all(signed("ax=1.5 ay=0 az=9.8").as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(100));
        }
        port.write_all(signed("button=panic n=1").as_bytes()).unwrap();
        port.write_all(signed("button=privacy n=1").as_bytes()).unwrap();
        port
    });
    assert_eq!(listening.value("ax").await, 1.5);
    let press = timeout(LIMIT, listening.happenings.recv()).await.unwrap().unwrap();
    assert_eq!(press.kind, EventKind::PanicButton);
    let presses = [listening.presses.recv().await, listening.presses.recv().await];
    assert_eq!(presses, [Some(Press::Panic), Some(Press::Privacy)]);
    drop((opened.await.unwrap(), slave));
    std::fs::remove_file(&path).unwrap();
    while listening.readings.try_recv().is_ok() {}
    let (again, _slave, _) = plugged(dir.path(), "ttyUSB0");
    say(again, signed("x.again=1"));
    assert_eq!(listening.value("x.again").await, 1.0);
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_more_than_is_taken_does_not_fill_memory_and_is_heard_over_tcp_too() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let flood =
            signed("ax=1 ay=1 az=9").repeat(20_000) + &signed("contact.door1=closed") + &signed("contact.door1=open");
        stream.write_all(flood.as_bytes()).unwrap();
        // It stays connected until the test is over.
        thread::park();
    });
    let source = Source::Link(Link::Tcp(Address { host: "127.0.0.1".to_owned(), port }));
    let mut listening = Listening::start(source, Ports::new("/nowhere"));
    // Nobody takes the readings: the door is told all the same.
    let door = timeout(LIMIT, listening.happenings.recv()).await.unwrap().unwrap();
    assert_eq!((door.kind, door.text.as_deref()), (EventKind::Contact, Some("door1 open")));
    let mut waiting = 0;
    while listening.readings.try_recv().is_ok() {
        waiting += 1;
    }
    assert_eq!(waiting, 64);
    listening.end().await;
}
