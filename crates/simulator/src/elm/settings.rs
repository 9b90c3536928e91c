//! The AT commands and what they set.

use super::bus::Bus;

/// What a request finds.
pub(super) enum Link {
    /// The protocol is known and the bus is there.
    Found,
    /// It was found just now, and this is said before the answer.
    Made(&'static str),
    /// It was not; this is said instead of an answer.
    Failed(&'static [&'static str]),
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub echo: bool,
    pub line_feeds: bool,
    pub spaces: bool,
    pub headers: bool,
    /// The protocol that was chosen; `0` is a search.
    protocol: char,
    /// Whether the protocol may be searched for when the chosen one fails.
    automatic: bool,
    connected: bool,
    /// The ECU that requests go to; all of them when absent.
    address: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            echo: true,
            line_feeds: false,
            spaces: true,
            headers: false,
            protocol: '0',
            automatic: true,
            connected: false,
            address: None,
        }
    }
}

impl Settings {
    /// Obeys an AT command, given without its `AT`.
    pub fn execute(&mut self, command: &str, version: &str, car: &impl Bus) -> Vec<String> {
        let text = match command {
            "Z" | "WS" => {
                *self = Settings::default();
                return vec![String::new(), version.to_owned()];
            }
            "I" => version.to_owned(),
            "@1" => "OBDII to RS232 Interpreter".to_owned(),
            "RV" => format!("{:.1}V", car.voltage()),
            "IGN" => if car.is_awake() { "ON" } else { "OFF" }.to_owned(),
            "DP" => self.protocol_name(),
            "DPN" => self.protocol_number(),
            _ if self.set(command) => "OK".to_owned(),
            _ => "?".to_owned(),
        };
        vec![text]
    }

    /// Whether `command` is a setting that the chip knows.
    fn set(&mut self, command: &str) -> bool {
        match command {
            "D" => *self = Settings { connected: self.connected, ..Settings::default() },
            "E0" | "E1" => self.echo = command == "E1",
            "L0" | "L1" => self.line_feeds = command == "L1",
            "S0" | "S1" => self.spaces = command == "S1",
            "H0" | "H1" => self.headers = command == "H1",
            "PC" => self.connected = false,
            "SH7DF" => self.address = None,
            "SH7E0" => self.address = Some(0x7E8),
            "SH7E1" => self.address = Some(0x7E9),
            // Memory, timing, lengths and formatting: as they are, they already fit these cars.
            "M0" | "M1" | "AT0" | "AT1" | "AT2" | "AL" | "NL" | "CAF1" | "CFC1" | "D0" | "R1" | "BI" => {}
            _ => return self.set_number(command),
        }
        true
    }

    /// Settings that end in a number.
    fn set_number(&mut self, command: &str) -> bool {
        let protocol = command.strip_prefix("SP").or_else(|| command.strip_prefix("TP"));
        if let Some(number) = protocol {
            let (automatic, digit) = match number.strip_prefix('A') {
                Some(digit) if !digit.is_empty() => (true, digit),
                _ => (false, number),
            };
            let mut digits = digit.chars();
            return match (digits.next(), digits.next()) {
                (Some(digit @ ('0'..='9' | 'A'..='C')), None) => {
                    self.protocol = digit;
                    self.automatic = automatic || digit == '0';
                    self.connected = false;
                    true
                }
                _ => false,
            };
        }
        // Time-out in units of 4 ms: these cars answer at once.
        command.strip_prefix("ST").is_some_and(|hex| hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok())
    }

    /// Makes the connection to the bus before a request, as the chip does.
    pub fn connect(&mut self, car: &impl Bus) -> Link {
        let (spoken, awake) = (car.protocol(), car.is_awake());
        if self.connected && (awake || !spoken.is_k_line()) {
            // A CAN that has fallen asleep gives no data; the protocol stays known.
            return Link::Found;
        }
        self.connected = false;
        if awake && self.protocol == spoken.digit() {
            self.connected = true;
            return if spoken.is_k_line() { Link::Made("BUS INIT: ...OK") } else { Link::Found };
        }
        match self.protocol {
            _ if self.automatic && awake => {
                self.connected = true;
                self.protocol = spoken.digit();
                Link::Made("SEARCHING...")
            }
            _ if self.automatic => Link::Failed(&["SEARCHING...", "UNABLE TO CONNECT"]),
            '3'..='5' => Link::Failed(&["BUS INIT: ...ERROR"]),
            '6'..='9' => Link::Failed(&["CAN ERROR"]),
            _ => Link::Failed(&["NO DATA"]),
        }
    }

    pub fn hears(&self, ecu: u32) -> bool {
        self.address.is_none_or(|address| address == ecu)
    }

    fn protocol_name(&self) -> String {
        let name = match self.protocol {
            '0' => "",
            '1' => "SAE J1850 PWM",
            '2' => "SAE J1850 VPW",
            '3' => "ISO 9141-2",
            '4' => "ISO 14230-4 (KWP 5BAUD)",
            '5' => "ISO 14230-4 (KWP FAST)",
            '6' => "ISO 15765-4 (CAN 11/500)",
            '7' => "ISO 15765-4 (CAN 29/500)",
            '8' => "ISO 15765-4 (CAN 11/250)",
            '9' => "ISO 15765-4 (CAN 29/250)",
            'A' => "SAE J1939 (CAN 29/250)",
            _ => "USER (CAN)",
        };
        match (self.automatic, name) {
            (true, "") => "AUTO".to_owned(),
            (true, name) => format!("AUTO, {name}"),
            (false, name) => name.to_owned(),
        }
    }

    fn protocol_number(&self) -> String {
        if self.automatic { format!("A{}", self.protocol) } else { self.protocol.to_string() }
    }
}
