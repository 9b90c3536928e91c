use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use bugbrother_wire::{
    CameraId, UnixMs,
    message::{Argument, Command},
};

use crate::camera::{LONGEST_AFTER_S, LONGEST_BEFORE_S};

/// What a command wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// `read_dtcs`: ask the car for its trouble codes now.
    ReadDtcs,
    /// `clear_dtcs`: have the car forget its trouble codes. The first one is answered with a word, the second has to say it
    /// as `confirm`.
    ClearDtcs {
        /// The word.
        confirm: Option<String>,
    },
    /// `resync`: say again who this is, and send everything again that the fleet has not acknowledged.
    Resync,
    /// `photo`: take a photo; `camera` may be left out where there is one.
    Photo {
        /// Which camera.
        camera: Option<CameraId>,
    },
    /// `clip`: film `before_s` seconds (30, which is the most) and `after_s` seconds (10; the most is 60), both of the moment `at`.
    Clip {
        /// Which camera.
        camera: Option<CameraId>,
        /// What it is about; now if absent.
        at: Option<UnixMs>,
        /// Film before that moment.
        before: Duration,
        /// Film after it.
        after: Duration,
    },
    /// `stream_start`: send live pictures for `seconds` (60; the most is 600) from now on, or for longer where they are sent
    /// already. `ticket` is what the server knows them by.
    StreamStart {
        /// Which camera.
        camera: Option<CameraId>,
        /// For how long.
        lasts: Duration,
        /// What the server knows them by.
        ticket: Option<String>,
    },
    /// `stream_stop`: no more live pictures, of any camera where none is named.
    StreamStop {
        /// Which camera.
        camera: Option<CameraId>,
    },
    /// `set_rates`: intervals in ms by signal key, until the fleet's settings say otherwise.
    SetRates(BTreeMap<String, u32>),
    /// `privacy`: position and pictures stay in the vehicle, or no longer do, until the fleet's settings say otherwise.
    Privacy {
        /// Whether they stay.
        on: bool,
    },
    /// `restart`: begin anew.
    Restart,
    /// `send_log`: the newest lines of the log.
    SendLog {
        /// How many.
        lines: usize,
    },
}

const LOG_LINES: usize = 200;
const MOST_LOG_LINES: i64 = 2_000;
const USUAL_AFTER_S: u32 = 10;
const USUAL_STREAM_S: u32 = 60;
const LONGEST_STREAM_S: u32 = 600;
const LONGEST_TICKET: usize = 128;

/// The order that a command is, or in words why it is none.
pub fn read(command: &Command) -> Result<Order, String> {
    let mut arguments = Arguments { left: command.arguments.clone() };
    let order = match &*command.name {
        "read_dtcs" => Order::ReadDtcs,
        "clear_dtcs" => Order::ClearDtcs { confirm: arguments.text("confirm")? },
        "resync" => Order::Resync,
        "photo" => Order::Photo { camera: arguments.camera()? },
        "clip" => Order::Clip {
            camera: arguments.camera()?,
            at: arguments.moment("at")?,
            before: arguments.seconds("before_s", LONGEST_BEFORE_S, 0..=LONGEST_BEFORE_S)?,
            after: arguments.seconds("after_s", USUAL_AFTER_S, 0..=LONGEST_AFTER_S)?,
        },
        "stream_start" => Order::StreamStart {
            camera: arguments.camera()?,
            lasts: arguments.seconds("seconds", USUAL_STREAM_S, 5..=LONGEST_STREAM_S)?,
            ticket: arguments.ticket()?,
        },
        "stream_stop" => Order::StreamStop { camera: arguments.camera()? },
        "set_rates" => Order::SetRates(arguments.rates()?),
        "privacy" => Order::Privacy { on: arguments.bool("on")?.ok_or("`on` is missing: true or false")? },
        "restart" => Order::Restart,
        "send_log" => Order::SendLog { lines: arguments.lines()? },
        unknown => return Err(format!("this agent knows no command `{}`", shown(unknown))),
    };
    match arguments.left.into_keys().next() {
        Some(unknown) => Err(format!("`{}` has no argument `{}`", command.name, shown(&unknown))),
        None => Ok(order),
    }
}

struct Arguments {
    left: BTreeMap<String, Argument>,
}

impl Arguments {
    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.left.remove(name) {
            Some(Argument::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` is no text")),
            None => Ok(None),
        }
    }

    fn bool(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.left.remove(name) {
            Some(Argument::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(format!("`{name}` is neither true nor false")),
            None => Ok(None),
        }
    }

    fn camera(&mut self) -> Result<Option<CameraId>, String> {
        let camera = self.text("camera")?.map(CameraId::try_from).transpose();
        camera.map_err(|error| format!("`camera` is none: {error}"))
    }

    /// It becomes a part of a URL.
    fn ticket(&mut self) -> Result<Option<String>, String> {
        let fits = |ticket: &String| {
            (1..=LONGEST_TICKET).contains(&ticket.len())
                && ticket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        match self.text("ticket")? {
            Some(ticket) if !fits(&ticket) => Err("`ticket` is 1 to 128 letters, digits, `-` and `_`".to_owned()),
            ticket => Ok(ticket),
        }
    }

    fn moment(&mut self, name: &str) -> Result<Option<UnixMs>, String> {
        match self.left.remove(name) {
            Some(Argument::Integer(ts @ 0..)) => Ok(Some(ts)),
            Some(_) => Err(format!("`{name}` is no whole number of milliseconds since 1970")),
            None => Ok(None),
        }
    }

    fn seconds(&mut self, name: &str, usual: u32, range: RangeInclusive<u32>) -> Result<Duration, String> {
        let seconds = match self.left.remove(name) {
            None => Some(usual),
            Some(Argument::Integer(seconds)) => u32::try_from(seconds).ok(),
            Some(_) => None,
        };
        let seconds = seconds.filter(|seconds| range.contains(seconds));
        let wrong = || format!("`{name}` is no whole number of seconds from {} to {}", range.start(), range.end());
        seconds.map(|seconds| Duration::from_secs(seconds.into())).ok_or_else(wrong)
    }

    fn lines(&mut self) -> Result<usize, String> {
        let wrong = || format!("`lines` is no whole number from 1 to {MOST_LOG_LINES}");
        match self.left.remove("lines") {
            Some(Argument::Integer(lines @ 1..=MOST_LOG_LINES)) => usize::try_from(lines).map_err(|_| wrong()),
            Some(_) => Err(wrong()),
            None => Ok(LOG_LINES),
        }
    }

    /// Every argument is a signal's.
    fn rates(&mut self) -> Result<BTreeMap<String, u32>, String> {
        let rates = std::mem::take(&mut self.left).into_iter().map(|(key, argument)| match argument {
            Argument::Integer(period) => match u32::try_from(period) {
                Ok(period) if period > 0 => Ok((key, period)),
                _ => Err(format!("`{}` is no interval in milliseconds", shown(&key))),
            },
            _ => Err(format!("`{}` is no whole number of milliseconds", shown(&key))),
        });
        let rates: BTreeMap<_, _> = rates.collect::<Result<_, _>>()?;
        if rates.is_empty() { Err("no signal is named, as in `rpm = 500`".to_owned()) } else { Ok(rates) }
    }
}

/// What came from outside may be long.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::CommandId;

    use super::*;

    fn command(name: &str, arguments: &[(&str, Argument)]) -> Command {
        Command {
            v: 1,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            id: CommandId(uuid::Uuid::nil()),
            name: name.to_owned(),
            arguments: arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            issued: 1_790_000_000_000,
            expires: 1_790_000_060_000,
            by: "ada".to_owned(),
        }
    }

    fn camera(name: &str) -> Option<CameraId> {
        Some(CameraId::try_from(name.to_owned()).unwrap())
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn every_command_is_read_with_its_arguments() {
        use Argument::{Bool, Integer, Text};
        let rates = Order::SetRates([("rpm".to_owned(), 500), ("spd".to_owned(), 1000)].into());
        for (name, arguments, order) in [
            ("read_dtcs", vec![], Order::ReadDtcs),
            ("clear_dtcs", vec![], Order::ClearDtcs { confirm: None }),
            (
                "clear_dtcs",
                vec![("confirm", Text("K7Q2".to_owned()))],
                Order::ClearDtcs { confirm: Some("K7Q2".to_owned()) },
            ),
            ("resync", vec![], Order::Resync),
            ("photo", vec![("camera", Text("dash-1".to_owned()))], Order::Photo { camera: camera("dash-1") }),
            ("clip", vec![], Order::Clip { camera: None, at: None, before: seconds(30), after: seconds(10) }),
            (
                "clip",
                vec![("before_s", Integer(0)), ("after_s", Integer(60)), ("at", Integer(1_790_000_000_000))],
                Order::Clip { camera: None, at: Some(1_790_000_000_000), before: seconds(0), after: seconds(60) },
            ),
            (
                "stream_start",
                vec![("seconds", Integer(300)), ("ticket", Text("a-B_3".to_owned()))],
                Order::StreamStart { camera: None, lasts: seconds(300), ticket: Some("a-B_3".to_owned()) },
            ),
            ("stream_stop", vec![], Order::StreamStop { camera: None }),
            ("set_rates", vec![("rpm", Integer(500)), ("spd", Integer(1000))], rates),
            ("privacy", vec![("on", Bool(true))], Order::Privacy { on: true }),
            ("restart", vec![], Order::Restart),
            ("send_log", vec![("lines", Integer(20))], Order::SendLog { lines: 20 }),
            ("send_log", vec![], Order::SendLog { lines: LOG_LINES }),
        ] {
            assert_eq!(read(&command(name, &arguments)), Ok(order), "{name}");
        }
    }

    #[test]
    fn what_is_no_order_is_refused_in_words_that_name_it() {
        use Argument::{Bool, Integer, Number, Text};
        for (name, arguments, part) in [
            ("selfdestruct", vec![], "knows no command `selfdestruct`"),
            ("restart", vec![("now", Bool(true))], "`restart` has no argument `now`"),
            ("clear_dtcs", vec![("confirm", Bool(true))], "`confirm` is no text"),
            ("privacy", vec![], "`on` is missing"),
            ("privacy", vec![("on", Text("yes".to_owned()))], "neither true nor false"),
            ("set_rates", vec![], "no signal is named"),
            ("set_rates", vec![("rpm", Number(0.5))], "`rpm` is no whole number"),
            ("set_rates", vec![("rpm", Integer(0))], "`rpm` is no interval"),
            ("set_rates", vec![("rpm", Integer(-1))], "`rpm` is no interval"),
            ("send_log", vec![("lines", Integer(0))], "from 1 to 2000"),
            ("photo", vec![("camera", Text("Dash 1".to_owned()))], "`camera` is none"),
            ("photo", vec![("camera", Integer(1))], "`camera` is no text"),
            ("clip", vec![("before_s", Integer(31))], "`before_s` is no whole number of seconds from 0 to 30"),
            ("clip", vec![("after_s", Integer(-1))], "from 0 to 60"),
            ("clip", vec![("at", Integer(-1))], "`at` is no whole number of milliseconds since 1970"),
            ("clip", vec![("at", Text("now".to_owned()))], "`at` is no whole number"),
            ("stream_start", vec![("seconds", Number(7.5))], "from 5 to 600"),
            ("stream_start", vec![("ticket", Text("a/../b".to_owned()))], "`ticket` is 1 to 128"),
            ("stream_stop", vec![("now", Bool(true))], "`stream_stop` has no argument `now`"),
        ] {
            let refused = read(&command(name, &arguments)).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
        assert!(read(&command(&"x".repeat(9_000), &[])).unwrap_err().len() < 200);
    }
}
