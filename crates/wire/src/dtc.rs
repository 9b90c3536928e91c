//! Trouble codes in words: SAE J2012, ISO 15031-6.

mod french;
mod titles;

use crate::message::Severity;
use titles::TITLES;

/// What a trouble code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What is wrong; of a code that is not known by itself, what its family is about.
    pub title: &'static str,
    /// Part of the vehicle that it is in.
    pub system: &'static str,
    /// Whether the code means the same in every vehicle; else its maker knows more.
    pub generic: bool,
}

/// Says in words what a code such as `P0301` means. What follows the code (`P0301-00`, a kind of failure) is not looked at.
pub fn explain(code: &str) -> Explanation {
    let Some(code) = Code::parse(code) else {
        return Explanation { title: "Not a trouble code", system: "Unknown", generic: false };
    };
    let system = code.system();
    if !code.is_generic() {
        return Explanation { title: "Specific to the maker", system, generic: false };
    }
    let known = TITLES.binary_search_by(|(known, _)| known.as_bytes().cmp(&code.0)).ok().map(|at| TITLES[at].1);
    Explanation { title: known.unwrap_or_else(|| code.family()), system, generic: true }
}

/// The same in French, as far as there are words: what the code's family is about, and the part of the vehicle.
pub fn explain_in_french(code: &str) -> Explanation {
    let Explanation { title: _, system, generic } = explain(code);
    let title = match Code::parse(code) {
        None => "Ce n'est pas un code défaut",
        Some(_) if !generic => "Propre au constructeur",
        Some(code) => french::family(code.family()),
    };
    Explanation { title, system: french::system(system), generic }
}

/// How bad it is to drive on with a confirmed code: what may ruin the engine or hurt somebody is critical.
pub fn severity(code: &str) -> Severity {
    let Some(code) = Code::parse(code) else { return Severity::Info };
    match code.0 {
        // Misfires, which ruin the catalyst; coolant and oil too hot; oil pressure.
        [b'P', b'0', b'3', b'0', _]
        | [b'P', b'0', b'2', b'1', b'7' | b'8']
        | [b'P', b'0', b'5', b'2', b'0'..=b'4']
        | [b'P', b'0', b'2', b'9', b'8'] => Severity::Critical,
        // Airbags; wheel speeds, brake pressure and steering angle.
        [b'B', b'0', b'0', ..] | [b'C', b'0', b'0', ..] => Severity::Critical,
        _ => Severity::Warning,
    }
}

/// A letter, a digit up to 3 and three hexadecimal digits, in upper case.
struct Code([u8; 5]);

impl Code {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().as_bytes();
        let (first, rest) = text.split_first_chunk::<5>()?;
        let code = first.map(|byte| byte.to_ascii_uppercase());
        let [letter, range, digits @ ..] = code;
        let is_code = matches!(letter, b'P' | b'C' | b'B' | b'U')
            && (b'0'..=b'3').contains(&range)
            && digits.iter().all(u8::is_ascii_hexdigit)
            && rest.first().is_none_or(|byte| *byte == b'-');
        is_code.then_some(Code(code))
    }

    /// Of powertrain codes those with 0 and 2 are the standard's, and P34 to P3F; of the network's those with 0 and 3; of
    /// the others those with 0.
    fn is_generic(&self) -> bool {
        match self.0 {
            [_, b'0', ..] | [b'P', b'2', ..] | [b'U', b'3', ..] => true,
            [b'P', b'3', third, ..] => third >= b'4',
            _ => false,
        }
    }

    fn system(&self) -> &'static str {
        match self.0 {
            [b'C', ..] => "Chassis",
            [b'B', ..] => "Body",
            [b'U', ..] => "Network",
            // What a maker gives is not bound to families.
            _ if !self.is_generic() => "Powertrain",
            [_, b'3', ..] => "Cylinder deactivation",
            [_, b'2', b'A' | b'B', ..] => "Fuel and air metering",
            [_, _, b'0' | b'1' | b'2', ..] => "Fuel and air metering",
            [_, _, b'3', ..] => "Ignition",
            [_, _, b'4', ..] => "Emission control",
            [_, b'0', b'5', ..] => "Speed and idle control",
            [_, _, b'5', ..] => "Auxiliary inputs",
            [_, _, b'6', ..] => "Computer and outputs",
            [_, _, b'7' | b'8', ..] | [_, b'0', b'9', ..] => "Transmission",
            [_, b'0', b'A'..=b'F', ..] => "Hybrid and electric drive",
            _ => "Powertrain",
        }
    }

    fn family(&self) -> &'static str {
        match self.0 {
            [b'C', ..] => "Brakes, steering or suspension",
            [b'B', ..] => "Airbags, seats, doors or air conditioning",
            [b'U', _, b'0', ..] => "Bus between the control units",
            [b'U', _, b'1' | b'2', ..] => "No communication with a control unit",
            [b'U', _, b'3', ..] => "Software of the control units does not match",
            [b'U', _, b'4' | b'5', ..] => "Invalid data from a control unit",
            [b'U', ..] => "Communication between the control units",
            [_, b'3', ..] => "Cylinder deactivation",
            [_, b'0', b'0', ..] => "Fuel and air metering, camshafts and their actuators",
            [_, b'0', b'1', ..] => "Fuel and air metering",
            [_, b'0', b'2', ..] => "Fuel injection or boost",
            [_, b'2', b'0', ..] => "Exhaust treatment",
            [_, b'2', b'1', ..] => "Throttle, pedal or mixture",
            [_, b'2', b'2' | b'A' | b'B', ..] => "Oxygen and NOx sensors, fuel and air metering",
            [_, _, b'3', ..] => "Ignition or misfire",
            [_, _, b'4', ..] => "Emission control",
            [_, b'0', b'5', ..] => "Vehicle speed, idle speed or auxiliary inputs",
            [_, _, b'5', ..] => "Auxiliary inputs and power supply",
            [_, _, b'6', ..] => "Control unit or its outputs",
            [_, _, b'7' | b'8', ..] | [_, b'0', b'9', ..] => "Transmission",
            [_, b'0', b'A'..=b'F', ..] => "Hybrid or electric drive",
            _ => "Powertrain",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(code: &str) -> (&'static str, &'static str, bool) {
        let Explanation { title, system, generic } = explain(code);
        (title, system, generic)
    }

    #[test]
    fn french_has_words_for_every_family_and_system() {
        for letter in ["P", "C", "B", "U"] {
            for number in 0..0x4000 {
                let code = format!("{letter}{number:04X}");
                let (english, french) = (explain(&code), explain_in_french(&code));
                assert_ne!(french.title, "", "{code}: {}", Code::parse(&code).unwrap().family());
                assert_ne!(french.system, "", "{code}: {}", english.system);
                assert_eq!(english.generic, french.generic);
            }
        }
        assert_eq!(explain_in_french("P0420").title, "Dépollution");
        assert!(!explain_in_french("nonsense").generic);
    }

    #[test]
    fn what_ruins_the_engine_or_hurts_somebody_is_critical() {
        for (code, expected) in [
            ("P0302", Severity::Critical),
            ("P0217", Severity::Critical),
            ("B0001", Severity::Critical),
            ("P0420", Severity::Warning),
            ("P1234", Severity::Warning),
            ("x", Severity::Info),
        ] {
            assert_eq!(severity(code), expected, "{code}");
        }
    }

    #[test]
    fn titles_are_sorted_well_formed_and_of_generic_codes() {
        assert!(TITLES.is_sorted_by(|(one, _), (other, _)| one < other), "sorted, each code once");
        assert!(TITLES.len() >= 300, "{}", TITLES.len());
        for (text, title) in TITLES {
            let code = Code::parse(text).unwrap();
            assert_eq!(code.0, text.as_bytes(), "{text}");
            assert!(code.is_generic(), "{text}");
            assert!((5..=72).contains(&title.len()), "{text} {title}");
            assert!(
                title.starts_with(|c: char| c.is_ascii_uppercase()) && !title.ends_with(['.', ' ']),
                "{text} {title}"
            );
            assert_eq!(explain(text).title, *title);
        }
    }

    #[test]
    fn codes_that_are_seen_most_are_known_by_themselves() {
        assert_eq!(told("P0301"), ("Misfire in cylinder 1", "Ignition", true));
        assert_eq!(told("P0312"), ("Misfire in cylinder 12", "Ignition", true));
        assert_eq!(told("P0420"), ("Catalyst works too little, bank 1", "Emission control", true));
        assert_eq!(told("P0171"), ("Mixture too lean, bank 1", "Fuel and air metering", true));
        assert_eq!(told("P0141"), ("Oxygen sensor, bank 1, sensor 2: heater circuit", "Fuel and air metering", true));
        assert_eq!(told("P0242"), ("Boost pressure sensor B: signal too high", "Fuel and air metering", true));
        assert_eq!(told("P0500").0, "Vehicle speed sensor A: circuit");
        assert_eq!(told("P0A80"), ("Traction battery is to be replaced", "Hybrid and electric drive", true));
        assert_eq!(told("P2002").0, "Particulate filter works too little, bank 1");
        assert_eq!(told("U0100"), ("No communication with the engine control unit", "Network", true));
        assert_eq!(told("C0034"), ("Wheel speed sensor, right front", "Chassis", true));
        assert_eq!(told("B0001"), ("Driver airbag, stage 1", "Body", true));
    }

    #[test]
    fn other_codes_are_known_by_their_family() {
        for (code, title, system) in [
            ("P001F", "Fuel and air metering, camshafts and their actuators", "Fuel and air metering"),
            ("P01FF", "Fuel and air metering", "Fuel and air metering"),
            ("P02FF", "Fuel injection or boost", "Fuel and air metering"),
            ("P03FF", "Ignition or misfire", "Ignition"),
            ("P04FF", "Emission control", "Emission control"),
            ("P05FF", "Vehicle speed, idle speed or auxiliary inputs", "Speed and idle control"),
            ("P06FF", "Control unit or its outputs", "Computer and outputs"),
            ("P07FF", "Transmission", "Transmission"),
            ("P09FF", "Transmission", "Transmission"),
            ("P0EFF", "Hybrid or electric drive", "Hybrid and electric drive"),
            ("P20FF", "Exhaust treatment", "Fuel and air metering"),
            ("P25FF", "Auxiliary inputs and power supply", "Auxiliary inputs"),
            ("P29FF", "Powertrain", "Powertrain"),
            ("P2AFF", "Oxygen and NOx sensors, fuel and air metering", "Fuel and air metering"),
            ("P34FF", "Cylinder deactivation", "Cylinder deactivation"),
            ("C0FFF", "Brakes, steering or suspension", "Chassis"),
            ("B0FFF", "Airbags, seats, doors or air conditioning", "Body"),
            ("U00FF", "Bus between the control units", "Network"),
            ("U02FF", "No communication with a control unit", "Network"),
            ("U05FF", "Invalid data from a control unit", "Network"),
            ("U3001", "Bus between the control units", "Network"),
        ] {
            assert_eq!(told(code), (title, system, true), "{code}");
        }
    }

    #[test]
    fn what_a_maker_has_given_is_the_makers() {
        for (code, system) in [
            ("P1234", "Powertrain"),
            ("P3000", "Powertrain"),
            ("C1000", "Chassis"),
            ("B2ABC", "Body"),
            ("U1000", "Network"),
        ] {
            assert_eq!(told(code), ("Specific to the maker", system, false), "{code}");
        }
    }

    #[test]
    fn codes_are_read_as_people_write_them() {
        assert_eq!(told(" p0301 "), told("P0301"));
        assert_eq!(told("P0301-00"), told("P0301"));
        for text in ["", "P", "P030", "P03011", "X0301", "P4301", "P03G1", "é0301", "P0301é"] {
            assert_eq!(told(text), ("Not a trouble code", "Unknown", false), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_explained(text in "\\PC{0,8}|[PCBUpcbu][0-4][0-9A-Fa-f]{3}") {
            let told = explain(&text);
            prop_assert!(!told.title.is_empty() && !told.system.is_empty());
        }
    }
}
