use std::collections::BTreeMap;

use bugbrother_wire::message::{Argument, Command};

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
    /// `photo`, `clip`, `stream_start`, `stream_stop`
    Camera,
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

/// The order that a command is, or in words why it is none.
pub fn read(command: &Command) -> Result<Order, String> {
    let mut arguments = Arguments { left: command.arguments.clone() };
    let order = match &*command.name {
        "read_dtcs" => Order::ReadDtcs,
        "clear_dtcs" => Order::ClearDtcs { confirm: arguments.text("confirm")? },
        "resync" => Order::Resync,
        "photo" | "clip" | "stream_start" | "stream_stop" => return Ok(Order::Camera),
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
            ("photo", vec![("camera", Text("dash-1".to_owned()))], Order::Camera),
            ("stream_stop", vec![], Order::Camera),
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
        ] {
            let refused = read(&command(name, &arguments)).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
        assert!(read(&command(&"x".repeat(9_000), &[])).unwrap_err().len() < 200);
    }
}
