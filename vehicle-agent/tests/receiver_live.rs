//! Receivers on serial lines, on sockets and behind a real gpsd: found, lost, and found again.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[path = "parts/decoding.rs"]
mod decoding;

use std::{
    collections::HashMap,
    fs,
    io::{ErrorKind, Read, Write},
    net::Ipv4Addr,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bugbrother_agent::{
    clock::{ClockSettings, Time},
    gps::{self, Fix, GpsSource, Outputs, Plan, fix::Mode, probe},
    outbox::Draft,
    ports::Ports,
};
use bugbrother_kit::{port, wait};
use bugbrother_simulator::Drive;
use bugbrother_wire::message::EventKind;
use decoding::decode;
use serialport::{SerialPort, TTYPort};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(40);
/// Shorter than on the road, so that tests do not take minutes.
const DEAD_AFTER: Duration = Duration::from_millis(1500);
const BEAT: Duration = Duration::from_millis(100);
const VOID: &str = "$GPRMC,112228.037,V,,,,,,,210926,,,N*4D\r\n";

/// A drive, in the pieces that a receiver says at once.
fn epochs() -> Vec<String> {
    let drive =
        Drive { seed: 21, duration: Duration::from_secs(120), start: 1_790_000_000_000, rate_hz: 5, damaged: false };
    let text = String::from_utf8(drive.log().bytes).unwrap();
    let mut epochs: Vec<String> = Vec::new();
    for line in text.split_inclusive("\r\n") {
        match epochs.last_mut() {
            Some(epoch) if !line.starts_with("$GPRMC") => epoch.push_str(line),
            _ => epochs.push(line.to_owned()),
        }
        if line.starts_with("$GPGSA") {
            let used: Vec<&str> = line.split(',').skip(3).take(12).filter(|satellite| !satellite.is_empty()).collect();
            epochs.last_mut().unwrap().push_str(&in_view(&used));
        }
    }
    epochs
}

/// GSV, without which gpsd tells of no satellites.
fn in_view(satellites: &[&str]) -> String {
    let chunks = satellites.chunks(4);
    let count = chunks.len();
    let sentence = |(index, chunk): (usize, &[&str])| {
        let seen: String = chunk.iter().map(|satellite| format!(",{satellite},40,083,41")).collect();
        seal(&format!("GPGSV,{count},{},{:02}{seen}", index + 1, satellites.len()))
    };
    chunks.enumerate().map(sentence).collect()
}

fn seal(body: &str) -> String {
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n")
}

/// The agent's part that is tested.
struct Listener {
    fixes: mpsc::Receiver<Fix>,
    drafts: mpsc::Receiver<Draft>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    fn start(source: &str, devices: &Path) -> Self {
        let plan = Plan { dead_after: DEAD_AFTER, ..Plan::new(source.parse().unwrap(), Ports::new(devices)) };
        let ((fixes, fixes_in), (drafts, drafts_in)) = (mpsc::channel(256), mpsc::channel(256));
        let outputs = Outputs { fixes, drafts, time: Time::new(ClockSettings::of_this_system()) };
        let stop = CancellationToken::new();
        let ending = stop.clone();
        let task = tokio::spawn(async move { gps::run(&plan, 0, outputs, &ending).await.unwrap() });
        Listener { fixes: fixes_in, drafts: drafts_in, stop, task }
    }

    async fn fix(&mut self) -> Fix {
        timeout(LIMIT, self.fixes.recv()).await.expect("a fix in time").expect("it listens")
    }

    async fn event(&mut self) -> (EventKind, String) {
        loop {
            tokio::select! {
                // What nobody takes would hold it up.
                Some(_) = self.fixes.recv() => {}
                draft = timeout(LIMIT, self.drafts.recv()) => match draft.expect("an event in time") {
                    Some(Draft::Event(happening)) => return (happening.kind, happening.text.unwrap_or_default()),
                    other => panic!("{other:?}"),
                },
            }
        }
    }

    /// Ends it; no event is left.
    async fn end(mut self) {
        self.stop.cancel();
        let drain = async { while self.fixes.recv().await.is_some() {} };
        timeout(LIMIT, drain).await.expect("it ends");
        self.task.await.unwrap();
        assert_eq!(self.drafts.recv().await, None);
    }
}

/// A receiver on a serial line. At any other speed than its own it is heard as noise.
struct OnLine {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<u8>>>,
}

impl OnLine {
    /// At 0 baud it says nothing at all.
    fn plug(baud: u32) -> Self {
        let (mut master, slave) = TTYPort::pair().unwrap();
        let path = slave.name().unwrap().into();
        let stop = Arc::new(AtomicBool::new(false));
        master.set_timeout(Duration::from_millis(1)).unwrap();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            // As long as this is open the line has two ends.
            let _slave = slave;
            let (mut written, mut bytes) = (Vec::new(), [0; 64]);
            for epoch in epochs().iter().cycle() {
                if stopped.load(Relaxed) {
                    break;
                }
                match master.read(&mut bytes) {
                    Ok(count) => written.extend_from_slice(&bytes[..count]),
                    Err(error) => assert!(matches!(error.kind(), ErrorKind::TimedOut), "{error}"),
                }
                let right = master.baud_rate().unwrap() == baud;
                let noise: Vec<u8> = epoch.bytes().map(|byte| byte.rotate_left(3) | 0x80).collect();
                let said = if right { epoch.as_bytes() } else { &noise };
                // A line that nobody reads is full one day; a receiver does not care.
                if baud > 0
                    && let Err(error) = master.write_all(said)
                {
                    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{error}");
                }
                thread::sleep(BEAT);
            }
            written
        });
        OnLine { path, stop, thread: Some(thread) }
    }

    /// Pulls the plug; answers what was ever written to it.
    fn unplug(mut self) -> Vec<u8> {
        self.stop.store(true, Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }

    fn as_device(&self, folder: &Path, name: &str) -> PathBuf {
        let device = folder.join(name);
        symlink(&self.path, &device).unwrap();
        device
    }
}

impl Drop for OnLine {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usb_receiver_is_found_by_itself_lost_and_found_elsewhere_and_no_port_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let (adapter, receiver) = (OnLine::plug(0), OnLine::plug(38_400));
    adapter.as_device(folder.path(), "ttyACM0");
    let device = receiver.as_device(folder.path(), "ttyUSB0");
    let mut listener = Listener::start("auto", folder.path());
    let fix = listener.fix().await;
    assert!((1_790_000_000_000..1_790_000_120_000).contains(&fix.ts), "{fix:?}");
    assert_eq!(fix.quality.mode, Some(Mode::Gnss));
    for _ in 0..5 {
        listener.fix().await;
    }
    fs::remove_file(&device).unwrap();
    assert!(receiver.unplug().is_empty(), "nothing was ever written to the receiver");
    let (kind, text) = listener.event().await;
    assert_eq!(kind, EventKind::ReceiverLost);
    assert!(text.contains("ttyUSB0@38400"), "{text}");
    let receiver = OnLine::plug(115_200);
    receiver.as_device(folder.path(), "ttyUSB1");
    let (kind, text) = listener.event().await;
    assert_eq!(kind, EventKind::ReceiverFound);
    assert!(text.contains("ttyUSB1@115200"), "{text}");
    listener.fix().await;
    listener.end().await;
    assert!(adapter.unplug().is_empty(), "nothing was ever written to the adapter");
    assert!(receiver.unplug().is_empty(), "nothing was ever written to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_named_is_heard_at_its_own_speed_or_at_the_one_that_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = OnLine::plug(4800);
    for source in [format!("serial:{}", receiver.path.display()), format!("serial:{}@4800", receiver.path.display())] {
        let mut listener = Listener::start(&source, folder.path());
        listener.fix().await;
        listener.end().await;
    }
    assert!(receiver.unplug().is_empty(), "nothing was ever written to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_of_another_part_is_left_alone_until_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = OnLine::plug(9600);
    let device = receiver.as_device(folder.path(), "ttyUSB0");
    let ports = Ports::new(folder.path());
    let claim = ports.claim(&device).unwrap();
    let refused = probe(&GpsSource::Serial(device), &ports, LIMIT).await;
    assert!(refused.trouble.unwrap().contains("another part"));
    let refused = probe(&GpsSource::Auto, &ports, LIMIT).await;
    assert_eq!(refused.trouble.as_deref(), Some("no serial port has a receiver"));
    drop(claim);
    let found = probe(&GpsSource::Auto, &ports, LIMIT).await;
    assert_eq!(found.place.unwrap().to_string(), format!("serial:{}/ttyUSB0@9600", folder.path().display()));
    assert_eq!((found.talkers, found.trouble), (vec!["GP".to_owned()], None));
    assert!(found.sentences >= 5 && found.satellites.is_some_and(|satellites| satellites >= 6));
    let best = found.best.unwrap();
    assert!((45.0..48.0).contains(&best.lat) && best.quality.hdop.is_some(), "{best:?}");
    assert_eq!(ports.free().len(), 1, "it is given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::new(folder.path());
    let patience = Duration::from_secs(3);
    let silent = OnLine::plug(0);
    let link = format!("serial:{}@9600", silent.path.display()).parse().unwrap();
    let found = probe(&link, &ports, patience).await;
    assert_eq!((found.place, found.sentences, found.best), (Some(link), 0, None), "{:?}", found.trouble);
    let noisy = OnLine::plug(4800);
    let link = format!("serial:{}@115200", noisy.path.display()).parse().unwrap();
    let found = probe(&link, &ports, patience).await;
    assert_eq!((found.sentences, found.best), (0, None));
    let missing = probe(&"serial:/nowhere@9600".parse().unwrap(), &ports, patience).await;
    assert!(missing.trouble.is_some() && missing.place.is_none(), "{missing:?}");
    let (server, source) = listen().await;
    let saying = tokio::spawn(async move {
        let mut stream = server.accept().await.unwrap().0;
        loop {
            if stream.write_all(VOID.as_bytes()).await.is_err() {
                return;
            }
            tokio::time::sleep(BEAT).await;
        }
    });
    let found = probe(&source.parse().unwrap(), &ports, patience).await;
    assert!(found.sentences > 3 && found.refused["void"] == found.sentences, "{found:?}");
    assert_eq!((found.best, found.trouble), (None, None));
    saying.await.unwrap();
}

async fn listen() -> (TcpListener, String) {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let source = format!("tcp:127.0.0.1:{}", server.local_addr().unwrap().port());
    (server, source)
}

async fn accept(server: &TcpListener) -> TcpStream {
    timeout(LIMIT, server.accept()).await.expect("it connects").unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_told_once_and_only_of_a_receiver_that_was_there() {
    let (server, source) = listen().await;
    let mut listener = Listener::start(&source, Path::new("/nowhere"));
    let epochs = epochs();
    drop(accept(&server).await);
    let mut stream = accept(&server).await;
    stream.write_all(epochs[0].as_bytes()).await.unwrap();
    listener.fix().await;
    drop(stream);
    assert_eq!(listener.event().await.0, EventKind::ReceiverLost);
    for _ in 0..2 {
        drop(accept(&server).await);
    }
    let mut stream = accept(&server).await;
    stream.write_all(VOID.as_bytes()).await.unwrap();
    assert_eq!(listener.event().await.0, EventKind::ReceiverFound, "a fix is not needed for that");
    listener.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_noise_are_death_and_a_receiver_without_a_fix_lives() {
    let (server, source) = listen().await;
    let mut listener = Listener::start(&source, Path::new("/nowhere"));
    // Silence: it comes again by itself.
    let _silent = accept(&server).await;
    let mut noisy = accept(&server).await;
    let connections = Arc::new(AtomicUsize::new(0));
    let noise = tokio::spawn(async move {
        // Until it hangs up.
        while noisy.write_all(b"$GPRMC,torn$\xff\xfe*00\r\n").await.is_ok() {
            tokio::time::sleep(BEAT).await;
        }
    });
    let mut stream = accept(&server).await;
    noise.await.unwrap();
    let counting = tokio::spawn({
        let connections = connections.clone();
        async move {
            let _more = server.accept().await;
            connections.fetch_add(1, Relaxed);
        }
    });
    // Three times as long as silence would be borne.
    let beats = 3 * DEAD_AFTER.as_millis() / BEAT.as_millis();
    for _ in 0..beats {
        stream.write_all(VOID.as_bytes()).await.unwrap();
        tokio::time::sleep(BEAT).await;
    }
    stream.write_all(epochs()[0].as_bytes()).await.unwrap();
    listener.fix().await;
    assert_eq!(connections.load(Relaxed), 0, "it was not opened again");
    listener.end().await;
    counting.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_a_rollover_behind_tells_todays_date() {
    let (server, source) = listen().await;
    let mut listener = Listener::start(&source, Path::new("/nowhere"));
    let mut stream = accept(&server).await;
    let body = "GNRMC,112228.25,A,4719.9584,N,00749.2468,E,10.00,180.50,050207,,,A";
    stream.write_all(seal(body).as_bytes()).await.unwrap();
    // 2007-02-05 and 1024 weeks are 2026-09-21.
    assert_eq!(listener.fix().await.ts, 1_789_989_748_250);
    listener.end().await;
}

/// A gpsd of Debian's, with a receiver that is a terminal.
struct Gpsd {
    child: Child,
    port: u16,
}

impl Gpsd {
    fn start(device: &Path) -> Self {
        let program = Path::new("/usr/sbin/gpsd");
        assert!(program.exists(), "gpsd is missing; run scripts/setup test");
        // It gives up its privileges, and must still be able to use the terminal.
        fs::set_permissions(device, fs::Permissions::from_mode(0o666)).unwrap();
        let port = port::free().unwrap();
        let mut command = Command::new(program);
        command.args(["-N", "-n", "-S", &port.to_string()]).arg(device);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Gpsd { child: command.spawn().unwrap(), port }
    }

    fn source(&self) -> String {
        format!("gpsd:127.0.0.1:{}", self.port)
    }
}

impl Drop for Gpsd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gpsd_tells_the_same_positions_as_the_receiver_behind_it() {
    let direct: HashMap<_, _> =
        decode(epochs().concat().as_bytes()).fixes.into_iter().map(|fix| (fix.ts, fix)).collect();
    // What a terminal is set to when gpsd opens it, and tries first.
    let receiver = OnLine::plug(38_400);
    let mut gpsd = Gpsd::start(&receiver.path);
    let port = gpsd.port;
    let up = || std::future::ready(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
    drop(wait::until("gpsd listens", LIMIT, up).await.unwrap());
    let mut listener = Listener::start(&gpsd.source(), Path::new("/nowhere"));
    let (mut compared, mut high, mut with_sky) = (0, 0, 0);
    while compared < 60 {
        let fix = listener.fix().await;
        let same = direct.get(&fix.ts).unwrap_or_else(|| panic!("{fix:?} was never said"));
        assert!((fix.lat - same.lat).abs() < 1e-8 && (fix.lon - same.lon).abs() < 1e-8, "{fix:?} {same:?}");
        // gpsd rounds to mm/s, 0.0001 degrees and mm.
        let near = |ours: Option<f64>, theirs: Option<f64>, by: f64| match (ours, theirs) {
            (Some(ours), Some(theirs)) => (ours - theirs).abs() <= by,
            _ => true,
        };
        assert!(near(fix.gspd, same.gspd, 0.004), "{fix:?} {same:?}");
        assert!(near(fix.hdg, same.hdg, 0.01), "{fix:?} {same:?}");
        assert!(near(fix.quality.alt, same.quality.alt, 0.002), "{fix:?} {same:?}");
        assert_eq!(fix.quality.mode, Some(Mode::Gnss));
        compared += 1;
        high += usize::from(fix.quality.alt.is_some());
        with_sky += usize::from(fix.quality.hdop.is_some() && fix.quality.sats.is_some());
    }
    println!("{compared} fixes, {high} with an altitude, {with_sky} with the sky");
    assert!(high > 40 && with_sky > 40, "{high} {with_sky} of {compared}");
    let found = probe(&gpsd.source().parse().unwrap(), &Ports::new("/nowhere"), LIMIT).await;
    assert_eq!(found.talkers, [receiver.path.display().to_string()]);
    assert!(found.best.is_some() && found.satellites >= Some(6), "{found:?}");
    gpsd.child.kill().unwrap();
    assert_eq!(listener.event().await.0, EventKind::ReceiverLost);
    listener.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gpsd_without_a_receiver_is_no_receiver() {
    let silent = OnLine::plug(0);
    let gpsd = Gpsd::start(&silent.path);
    let port = gpsd.port;
    let up = || std::future::ready(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
    drop(wait::until("gpsd listens", LIMIT, up).await.unwrap());
    let found = probe(&gpsd.source().parse().unwrap(), &Ports::new("/nowhere"), Duration::from_secs(3)).await;
    assert_eq!((found.sentences, found.best), (0, None), "{:?}", found.trouble);
}
