//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use bugbrother_export::{Format, TableFormat};
use bugbrother_store::ClientId;
use bugbrother_wire::{UnixMs, Vin, api::Tongue};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    export::{beginning, end},
    media::MediaPlace,
};

/// Watches a mixed fleet of cars live: where they are, how they drive, what is wrong with them.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    /// Settings in a file, as `bugbrother init` writes it: what is not said here is taken from there
    #[arg(long, global = true, env = "BUGBROTHER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the database, the access files and the secrets; made at the first start
    #[arg(long, global = true, env = "BUGBROTHER_DATA", default_value = "data")]
    pub data: PathBuf,
    /// The fleet's database, such as postgres://user:password@host/fleet [default: SQLite, fleet.db in the data folder]
    #[arg(long, global = true, env = "BUGBROTHER_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// The same as the first line of a file that others cannot read
    #[arg(long, global = true, env = "BUGBROTHER_DATABASE_FILE", value_name = "FILE", conflicts_with = "database")]
    pub database_file: Option<PathBuf>,
    /// Where samples are kept, such as influxdb://user:password@host:8086/fleet [default: in the fleet's database]
    #[arg(long, global = true, env = "BUGBROTHER_TELEMETRY_URL", value_name = "URL", hide_env_values = true)]
    pub telemetry_url: Option<String>,
    /// The same as the first line of a file that others cannot read
    #[arg(
        long,
        global = true,
        env = "BUGBROTHER_TELEMETRY_URL_FILE",
        value_name = "FILE",
        conflicts_with = "telemetry_url"
    )]
    pub telemetry_url_file: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// The whole system and eight simulated cars
    Demo {
        #[command(flatten)]
        net: Net,
        #[command(flatten)]
        doors: Doors,
        /// How much faster than the clock the simulated cars live
        #[arg(long, default_value_t = 1.0)]
        speed: f64,
    },
    /// The whole system: broker, ingest, notifier, dashboard
    Up {
        #[command(flatten)]
        net: Net,
        #[command(flatten)]
        doors: Doors,
    },
    /// The MQTT broker alone
    Broker {
        #[command(flatten)]
        net: Net,
        #[command(flatten)]
        doors: Doors,
    },
    /// Alone: what stores the vehicles' data
    Ingest {
        #[command(flatten)]
        net: Net,
        /// Share the work with other workers of this group, on a broker that has shared subscriptions
        #[arg(long, env = "BUGBROTHER_SHARED_GROUP", value_name = "GROUP")]
        shared_group: Option<String>,
    },
    /// Alone: what raises alerts
    Notifier {
        #[command(flatten)]
        net: Net,
    },
    /// The web server alone
    Dashboard {
        #[command(flatten)]
        net: Net,
    },
    /// Vehicles: enrolment, certificates, passwords
    #[command(subcommand)]
    Vehicle(VehicleCommand),
    /// Third parties: who else may read and write which topics
    #[command(subcommand)]
    Access(AccessCommand),
    /// Mosquitto in place of this broker, or this broker in place of a Mosquitto
    #[command(subcommand)]
    Mosquitto(MosquittoCommand),
    /// People who sign in
    #[command(subcommand)]
    User(UserCommand),
    /// Writes what vehicles measured, or a table of theirs, as a file
    #[command(subcommand)]
    Export(ExportCommand),
    /// Removes all that is known of a vehicle or a person, and prints a receipt
    #[command(subcommand)]
    Erase(EraseCommand),
    /// Writes settings for a new server into a folder, with comments, and the secrets that they need beside them
    Init(Init),
    /// Checks settings and surroundings, and says what is wrong and how to mend it
    Doctor {
        #[command(flatten)]
        net: Net,
        #[command(flatten)]
        doors: Doors,
        /// Say it for a program
        #[arg(long)]
        json: bool,
    },
    /// Plays vehicles against a server that was made for trials, and says how it does
    Load(Load),
    /// Writes database, access files and secrets to one file while everything runs
    Backup { file: PathBuf },
    /// Unpacks a backup into the data folder, which has no database yet
    Restore { file: PathBuf },
}

/// A new server.
#[derive(Args)]
pub struct Init {
    /// single: one machine and nothing else; single-postgresql: with a PostgreSQL; cluster: services on several machines, with
    /// a PostgreSQL and a broker of your own
    #[arg(value_enum)]
    pub shape: Shape,
    /// Where the settings go
    #[arg(long, value_name = "FOLDER", default_value = "/etc/bugbrother-server")]
    pub folder: PathBuf,
    /// Name of the server, as vehicles and people outside find it
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// Vehicles that are played.
#[derive(Args)]
pub struct Load {
    /// Where the broker is, without TLS
    #[arg(long, env = "BUGBROTHER_MQTT", default_value = "127.0.0.1:1883")]
    pub mqtt: SocketAddr,
    /// How many vehicles, each with a connection of its own
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub vehicles: u32,
    /// For how long they drive
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub seconds: u64,
    /// Samples of 20 signals in a message, one for each second of driving: a vehicle publishes so seldom
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub samples: u32,
    /// Each vehicle is cut off by itself after so many seconds on average, again and again
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub cut_after: Option<u64>,
    /// How long it is out of reach then
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub away: u64,
    /// All of them are out of reach for so many seconds, from a third of the time on, and come back at once
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub tunnel: Option<u64>,
    /// Leave the vehicles' accounts
    #[arg(long)]
    pub keep: bool,
    /// Say it for a program
    #[arg(long)]
    pub json: bool,
}

/// What a server is made of.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One machine, SQLite, the embedded broker.
    Single,
    /// The same with a PostgreSQL.
    SinglePostgresql,
    /// Services on several machines, a PostgreSQL, a broker of your own.
    Cluster,
}

#[derive(Subcommand)]
pub enum VehicleCommand {
    /// Makes a code with which a vehicle gets its certificate, once and within 24 hours, and prints it
    Add {
        vin: Vin,
        /// What people call it; its maker's name by default
        #[arg(long)]
        name: Option<String>,
        /// Registration plate
        #[arg(long)]
        plate: Option<String>,
        /// Make an MQTT password, or a new one, instead of a code: for a vehicle that comes without a certificate
        #[arg(long)]
        password: bool,
    },
    /// Takes certificates, codes and password of a vehicle back; what was stored of it stays
    Revoke { vin: Vin },
    /// Lists vehicles and what they can sign in with
    List,
}

#[derive(Subcommand)]
pub enum AccessCommand {
    /// Lets somebody read, or write, the topics of a filter; makes the account if there is none and prints its password
    Grant {
        name: String,
        /// A topic filter, such as 'fleet/v1/+/up/telemetry'
        filter: String,
        /// Let them publish there, not read
        #[arg(long)]
        write: bool,
        /// Let them publish there as well as read
        #[arg(long, conflicts_with = "write")]
        readwrite: bool,
    },
    /// Takes a right back, or with no filter the account and all its rights
    Withdraw { name: String, filter: Option<String> },
    /// Makes a new password for an account and prints it
    Password { name: String },
    /// Lists who may read and write what
    List,
}

#[derive(Subcommand)]
pub enum MosquittoCommand {
    /// Writes a folder with which a stock Mosquitto 2 serves this fleet
    Export {
        folder: PathBuf,
        /// Where the services find the broker without TLS, on this machine
        #[arg(long, default_value = "127.0.0.1:1883")]
        mqtt: SocketAddr,
        /// The folder may be another user's, Mosquitto's mostly, and so are the files then, the server's key among them
        #[arg(long)]
        keep_owner: bool,
        #[command(flatten)]
        doors: Box<Doors>,
    },
    /// Says of each line of a mosquitto.conf what it does here
    Check { file: PathBuf },
}

#[derive(Subcommand)]
pub enum ExportCommand {
    /// What a vehicle measured
    Vehicle {
        vin: Vin,
        #[command(flatten)]
        file: SampleFile,
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        output: Output,
    },
    /// What the vehicles of a client's contracts measured while they were in them
    Client {
        id: ClientId,
        #[command(flatten)]
        file: SampleFile,
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        output: Output,
    },
    /// Trips of a vehicle
    Trips {
        vin: Vin,
        /// csv, json or jsonl
        #[arg(long, default_value_t = TableFormat::Csv)]
        format: TableFormat,
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        output: Output,
    },
    /// What happened to a vehicle: ignition, harsh braking, crash…
    Events {
        vin: Vin,
        /// csv, json or jsonl
        #[arg(long, default_value_t = TableFormat::Csv)]
        format: TableFormat,
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        output: Output,
    },
    /// Alerts about a vehicle
    Alerts {
        vin: Vin,
        /// csv, json or jsonl
        #[arg(long, default_value_t = TableFormat::Csv)]
        format: TableFormat,
        /// Language of the words for trouble codes
        #[arg(long, value_enum, default_value_t)]
        lang: Lang,
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        output: Output,
    },
    /// Trouble codes that a vehicle has told, with the first and the last time
    Dtcs {
        vin: Vin,
        /// csv, json or jsonl
        #[arg(long, default_value_t = TableFormat::Csv)]
        format: TableFormat,
        /// Language of the words for trouble codes
        #[arg(long, value_enum, default_value_t)]
        lang: Lang,
        #[command(flatten)]
        output: Output,
    },
}

/// A language of what is exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English
    #[default]
    En,
    /// French
    Fr,
}

impl From<Lang> for Tongue {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::En => Tongue::En,
            Lang::Fr => Tongue::Fr,
        }
    }
}

/// A file of samples.
#[derive(Args)]
pub struct SampleFile {
    /// csv, gpx, geojson, json or parquet
    #[arg(long, default_value_t = Format::Csv)]
    pub format: Format,
    /// Only these signals, such as lat,lon,spd; with gpx always those of a track
    #[arg(long, value_delimiter = ',', value_name = "KEY")]
    pub signals: Vec<String>,
}

/// A time by the vehicle's clock.
#[derive(Args, Clone, Copy)]
pub struct Period {
    /// First day (UTC), such as 2026-01-31, or moment, such as 2026-01-31T14:30:00Z
    #[arg(long, value_parser = beginning, default_value = "1970-01-01", hide_default_value = true)]
    pub from: UnixMs,
    /// Last day, or moment
    #[arg(long, value_parser = end, default_value = "2099-12-31", hide_default_value = true)]
    pub to: UnixMs,
}

/// Where a file goes.
#[derive(Args)]
pub struct Output {
    /// The file to make; standard output by default
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum EraseCommand {
    /// A vehicle, which has been revoked: its samples, trips, events, alerts and everything else
    Vehicle { vin: Vin },
    /// A client with its contracts, areas and accounts; the vehicles stay
    Client {
        id: ClientId,
        #[command(flatten)]
        media: MediaPlace,
    },
    /// A user, and the name from what the user did
    User { name: String },
}

#[derive(Subcommand)]
pub enum UserCommand {
    /// Makes a new password for somebody and prints it
    Password { name: String },
}

/// Addresses. Without TLS only loopback ones are taken.
#[derive(Args, Clone, Default)]
pub struct Net {
    /// Where the services find a broker that is not this program's, such as mqtts://broker.example.org:8883; several in the
    /// order in which they are preferred. A service signs in by its name (ingest, notifier, dashboard) and the password in
    /// secrets/ of the data folder
    #[arg(long = "broker", env = "BUGBROTHER_BROKER", value_delimiter = ',', value_name = "URL")]
    pub brokers: Vec<String>,
    /// Brokers of other sites, such as mqtts://b.example.org:8884: notifier and dashboard hear what is there as well, and say there
    /// what they say here
    #[arg(long = "other-broker", env = "BUGBROTHER_OTHER_BROKER", value_delimiter = ',', value_name = "URL")]
    pub other_brokers: Vec<String>,
    /// Who may sign that broker's certificate, as PEM [default: whom this system trusts]
    #[arg(long, env = "BUGBROTHER_BROKER_CA", value_name = "FILE")]
    pub broker_ca: Option<PathBuf>,
    /// Let others reach --http, --metrics and a --broker with mqtt:// on another machine without TLS: for a container, or a
    /// network of servers alone, where a proxy has the TLS
    #[arg(long, env = "BUGBROTHER_ALLOW_PLAIN")]
    pub allow_plain: bool,
    /// Where the broker listens without TLS, and where the services find it [default: 127.0.0.1:1883, in the demo any free port if that is taken]
    #[arg(long, env = "BUGBROTHER_MQTT")]
    pub mqtt: Option<SocketAddr>,
    /// Where the dashboard listens [default: 127.0.0.1:8080, in the demo any free port if that is taken]
    #[arg(long, env = "BUGBROTHER_HTTP")]
    pub http: Option<SocketAddr>,
    /// Where browsers find the dashboard when a proxy with TLS stands before it, as an https origin; the proxy
    /// must append the client's address to X-Forwarded-For
    #[arg(long, env = "BUGBROTHER_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// The fleet's dashboards as browsers find them, this one too, the preferred one first; the app goes from one that does
    /// not answer to the next. They need one database and the same secrets/session.key
    #[arg(long = "server", env = "BUGBROTHER_SERVERS", value_delimiter = ',', value_name = "ORIGIN")]
    pub servers: Vec<String>,
    /// Networks of this server's own that notifications may go out to, such as 192.168.1.0/24 for a chat server there;
    /// without it what people give as a webhook or mail server cannot lead to this machine or its network
    #[arg(long, env = "BUGBROTHER_ALLOW_PRIVATE", value_delimiter = ',', value_name = "NETWORK")]
    pub allow_private: Vec<ipnet::IpNet>,
    /// Authorities that vouch for the mail server beside those that this system trusts, such as a company's own, as PEM
    #[arg(long, env = "BUGBROTHER_MAIL_CA", value_name = "FILE")]
    pub mail_ca: Option<PathBuf>,
    /// Where Telegram's Bot API is, if it is a server of one's own; Telegram's own without it
    #[arg(long, env = "BUGBROTHER_TELEGRAM_API", value_name = "URL")]
    pub telegram_api: Option<String>,
    /// Networks of this server's own in which it may reach cameras, such as 10.8.0.0/16 for a VPN of cameras, or 127.0.0.1/32 for
    /// a MediaMTX beside it; without it the URL of a camera cannot lead to this machine or its network
    #[arg(long, env = "BUGBROTHER_ALLOW_CAMERAS", value_delimiter = ',', value_name = "NETWORK")]
    pub allow_cameras: Vec<ipnet::IpNet>,
    /// Map tiles over the built-in map: a server's address with {z}, {x} and {y}, or a .pmtiles file of pictures
    #[arg(long, env = "BUGBROTHER_TILES", value_name = "URL|FILE")]
    pub tiles: Option<String>,
    /// Whom to thank for the tiles; it stands on the map
    #[arg(
        long,
        env = "BUGBROTHER_TILES_ATTRIBUTION",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub tiles_attribution: String,
    /// What vehicles are told at enrolment: where they find the broker, such as mqtts://fleet.example.org:8883
    #[arg(long, env = "BUGBROTHER_PUBLIC_BROKER")]
    pub public_broker: Option<String>,
    /// The fleet's own words for trouble codes, as a CSV with the columns code, severity, title_en, title_fr, advice_en and
    /// advice_fr; they extend the built-in ones or stand before them
    #[arg(long, env = "BUGBROTHER_DTC_CSV", value_name = "FILE")]
    pub dtc_csv: Option<PathBuf>,
    #[command(flatten)]
    pub media: MediaPlace,
    /// Publish each vehicle's state as JSON on `fleet/v1/{vin}/state` so often, in seconds, where it has changed
    #[arg(long, env = "BUGBROTHER_STATE", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub state: Option<u64>,
    /// Tell Home Assistant of each vehicle below the prefix where it looks for devices, usually homeassistant; states are
    /// published too, every ten seconds if --state says nothing else
    #[arg(long, env = "BUGBROTHER_HOME_ASSISTANT", value_name = "PREFIX")]
    pub home_assistant: Option<bugbrother_dashboard::Prefix>,
    /// Send the ways of some records through the services to a collector of OpenTelemetry's, such as http://127.0.0.1:4318 (OTLP
    /// over HTTP)
    #[arg(long, env = "BUGBROTHER_TRACES", value_name = "URL")]
    pub traces: Option<String>,
    /// Of how many records, from 0 to 1: the same ones in every process
    #[arg(long, env = "BUGBROTHER_TRACES_SHARE", value_name = "SHARE", default_value_t = 0.01)]
    pub traces_share: f64,
    /// Serve /metrics (Prometheus), /healthz and /readyz here as well, on a loopback address; the dashboard has them on its own
    #[arg(long, env = "BUGBROTHER_METRICS")]
    pub metrics: Option<SocketAddr>,
}

/// More places where the broker listens.
#[derive(Args, Clone, Default)]
pub struct Doors {
    /// Listen for vehicles: TLS, certificates of this fleet only, user name is the VIN in the certificate
    #[arg(long, env = "BUGBROTHER_VEHICLES", value_name = "ADDR")]
    pub vehicles: Option<SocketAddr>,
    /// Listen for others: TLS, user name and password
    #[arg(long, env = "BUGBROTHER_MQTTS", value_name = "ADDR")]
    pub mqtts: Option<SocketAddr>,
    /// Listen for WebSockets without TLS, on a loopback address
    #[arg(long, env = "BUGBROTHER_WS", value_name = "ADDR")]
    pub ws: Option<SocketAddr>,
    /// Listen for WebSockets with TLS, user name and password
    #[arg(long, env = "BUGBROTHER_WSS", value_name = "ADDR")]
    pub wss: Option<SocketAddr>,
    /// A name or address of this server, for its certificate; may be given several times
    #[arg(long = "host", env = "BUGBROTHER_HOST", value_delimiter = ',', value_name = "NAME")]
    pub hosts: Vec<String>,
    /// Listen, admit and bridge as this mosquitto.conf says, instead of all of the above
    #[arg(long, env = "BUGBROTHER_MOSQUITTO_CONF", value_name = "FILE",
          conflicts_with_all = ["vehicles", "mqtts", "ws", "wss", "hosts"])]
    pub mosquitto_conf: Option<PathBuf>,
    /// Exchange topics with other brokers as the `connection` blocks of this mosquitto.conf say
    #[arg(long, env = "BUGBROTHER_BRIDGE", value_name = "FILE", conflicts_with = "mosquitto_conf")]
    pub bridge: Option<PathBuf>,
    /// Take listeners of the mosquitto.conf that others can reach without TLS or without signing in
    #[arg(long, env = "BUGBROTHER_ALLOW_OPEN_LISTENERS", requires = "mosquitto_conf")]
    pub allow_open_listeners: bool,
}
