//! What is behind an adapter: a diagnostic bus with control units.

/// A protocol, by the chip's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// SAE J1850 PWM.
    J1850Pwm,
    /// SAE J1850 VPW.
    J1850Vpw,
    /// ISO 9141-2.
    Iso9141,
    /// ISO 14230-4, woken up at 5 baud.
    KwpSlow,
    /// ISO 14230-4, woken up fast.
    KwpFast,
    /// ISO 15765-4, 11-bit identifiers, 500 kbit/s.
    Can11,
    /// ISO 15765-4, 29-bit identifiers, 500 kbit/s.
    Can29,
}

impl Protocol {
    /// The chip's number.
    pub fn digit(self) -> char {
        match self {
            Protocol::J1850Pwm => '1',
            Protocol::J1850Vpw => '2',
            Protocol::Iso9141 => '3',
            Protocol::KwpSlow => '4',
            Protocol::KwpFast => '5',
            Protocol::Can11 => '6',
            Protocol::Can29 => '7',
        }
    }

    /// Whether it is a CAN.
    pub fn is_can(self) -> bool {
        matches!(self, Protocol::Can11 | Protocol::Can29)
    }

    /// Whether a control unit must be woken up first, by a K-line.
    pub fn is_k_line(self) -> bool {
        matches!(self, Protocol::Iso9141 | Protocol::KwpSlow | Protocol::KwpFast)
    }
}

/// A control unit's answer: its CAN identifier or address, and the bytes from the response's mode on.
pub type Answer = (u32, Vec<u8>);

/// What an adapter is plugged into.
pub trait Bus {
    /// What it speaks.
    fn protocol(&self) -> Protocol;
    /// Whether anybody hears.
    fn is_awake(&self) -> bool;
    /// At the connector.
    fn voltage(&self) -> f64;
    /// Asks every control unit; silence is an empty list.
    fn ask(&mut self, request: &[u8]) -> Vec<Answer>;
}
