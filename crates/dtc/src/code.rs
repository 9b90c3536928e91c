//! What the letters and digits of a code say, whether it is known by itself or not.

use bugbrother_wire::{api::Tongue, message::Severity};

/// A letter, a digit up to 3 and three hexadecimal digits, in upper case: `P0420`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code([u8; 5]);

/// English, French.
type Words = (&'static str, &'static str);

impl Code {
    /// Reads a code as people write it. What follows it (`P0301-00`, a kind of failure) is not looked at.
    pub fn parse(text: &str) -> Option<Self> {
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

    /// As it is written.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a code is made of ASCII")
    }

    /// Whether it means the same in every vehicle. Of powertrain codes those with 0 and 2 are the standard's, and P34 to
    /// P3F; of the network's those with 0 and 3; of the others those with 0.
    pub fn is_generic(&self) -> bool {
        match self.0 {
            [_, b'0', ..] | [b'P', b'2', ..] | [b'U', b'3', ..] => true,
            [b'P', b'3', third, ..] => third >= b'4',
            _ => false,
        }
    }

    /// The part of the vehicle that it is in.
    pub(crate) fn system(&self, tongue: Tongue) -> &'static str {
        choose(tongue, self.system_words())
    }

    /// What it is about, as far as its digits tell.
    pub(crate) fn family(&self, tongue: Tongue) -> &'static str {
        let words = if self.is_generic() { self.family_words() } else { MAKERS };
        choose(tongue, words)
    }

    /// How bad it is to drive on with a code of its kind: airbags, brakes and misfires are critical.
    pub(crate) fn severity(&self) -> Severity {
        match self.0 {
            [b'P', b'0', b'3', b'0', _] | [b'B', b'0', b'0', ..] | [b'C', b'0', b'0', ..] => Severity::Critical,
            _ => Severity::Warning,
        }
    }

    /// What to do about a code of its kind.
    pub(crate) fn advice(&self, tongue: Tongue) -> &'static str {
        choose(tongue, if self.is_generic() { self.advice_words() } else { MAKERS_ADVICE })
    }

    fn system_words(&self) -> Words {
        match self.0 {
            [b'C', ..] => ("Chassis", "Châssis"),
            [b'B', ..] => ("Body", "Carrosserie"),
            [b'U', ..] => ("Network", "Réseau"),
            // What a maker gives is not bound to families.
            _ if !self.is_generic() => POWERTRAIN,
            [_, b'3', ..] => ("Cylinder deactivation", "Désactivation de cylindres"),
            [_, b'2', b'A' | b'B', ..] => AIR_AND_FUEL,
            [_, _, b'0' | b'1' | b'2', ..] => AIR_AND_FUEL,
            [_, _, b'3', ..] => ("Ignition", "Allumage"),
            [_, _, b'4', ..] => EMISSIONS,
            [_, b'0', b'5', ..] => ("Speed and idle control", "Vitesse et ralenti"),
            [_, _, b'5', ..] => ("Auxiliary inputs", "Entrées auxiliaires"),
            [_, _, b'6', ..] => ("Computer and outputs", "Calculateur et sorties"),
            [_, _, b'7' | b'8', ..] | [_, b'0', b'9', ..] => TRANSMISSION,
            [_, b'0', b'A'..=b'F', ..] => ("Hybrid and electric drive", "Propulsion hybride ou électrique"),
            _ => POWERTRAIN,
        }
    }

    fn family_words(&self) -> Words {
        match self.0 {
            [b'C', ..] => ("Brakes, steering or suspension", "Freins, direction ou suspension"),
            [b'B', ..] => ("Airbags, seats, doors or air conditioning", "Airbags, sièges, portes ou climatisation"),
            [b'U', _, b'0', ..] => ("Bus between the control units", "Bus entre les calculateurs"),
            [b'U', _, b'1' | b'2', ..] => {
                ("No communication with a control unit", "Pas de communication avec un calculateur")
            }
            [b'U', _, b'3', ..] => {
                ("Software of the control units does not match", "Logiciels des calculateurs incompatibles")
            }
            [b'U', _, b'4' | b'5', ..] => ("Invalid data from a control unit", "Données invalides d'un calculateur"),
            [b'U', ..] => ("Communication between the control units", "Communication entre les calculateurs"),
            [_, b'3', ..] => ("Cylinder deactivation", "Désactivation de cylindres"),
            [_, b'0', b'0', ..] => (
                "Fuel and air metering, camshafts and their actuators",
                "Dosage air-carburant, arbres à cames et actionneurs",
            ),
            [_, b'0', b'1', ..] => AIR_AND_FUEL,
            [_, b'0', b'2', ..] => ("Fuel injection or boost", "Injection ou suralimentation"),
            [_, b'2', b'0', ..] => ("Exhaust treatment", "Traitement des gaz d'échappement"),
            [_, b'2', b'1', ..] => ("Throttle, pedal or mixture", "Papillon, pédale ou mélange"),
            [_, b'2', b'2' | b'A' | b'B', ..] => {
                ("Oxygen and NOx sensors, fuel and air metering", "Sondes à oxygène et NOx, dosage air-carburant")
            }
            [_, _, b'3', ..] => ("Ignition or misfire", "Allumage ou ratés"),
            [_, _, b'4', ..] => EMISSIONS,
            [_, b'0', b'5', ..] => {
                ("Vehicle speed, idle speed or auxiliary inputs", "Vitesse, ralenti ou entrées auxiliaires")
            }
            [_, _, b'5', ..] => ("Auxiliary inputs and power supply", "Entrées auxiliaires et alimentation"),
            [_, _, b'6', ..] => ("Control unit or its outputs", "Calculateur ou ses sorties"),
            [_, _, b'7' | b'8', ..] | [_, b'0', b'9', ..] => TRANSMISSION,
            [_, b'0', b'A'..=b'F', ..] => ("Hybrid or electric drive", "Propulsion hybride ou électrique"),
            _ => POWERTRAIN,
        }
    }

    fn advice_words(&self) -> Words {
        match self.0[0] {
            b'C' => (
                "Brakes or steering may be affected: drive carefully and have it read out within days.",
                "Freins ou direction peuvent être touchés : roulez prudemment et faites lire le défaut sous quelques jours.",
            ),
            b'B' => (
                "Have it read out at the next service, with an airbag lamp before the next long drive.",
                "Faites lire le défaut à la prochaine révision, ou avant le prochain long trajet si le témoin d'airbag est allumé.",
            ),
            b'U' => (
                "Measure the battery, take out what was plugged in last, and have it read out if it comes back.",
                "Mesurez la batterie, débranchez le dernier appareil ajouté et faites lire le défaut s'il revient.",
            ),
            _ => (
                "You may drive on while no lamp flashes and the vehicle drives as usual; have it read out within weeks.",
                "Vous pouvez rouler tant qu'aucun témoin ne clignote et que le véhicule roule normalement ; faites lire le défaut dans les semaines qui viennent.",
            ),
        }
    }
}

const POWERTRAIN: Words = ("Powertrain", "Groupe motopropulseur");
const AIR_AND_FUEL: Words = ("Fuel and air metering", "Dosage air-carburant");
const EMISSIONS: Words = ("Emission control", "Dépollution");
const TRANSMISSION: Words = ("Transmission", "Boîte de vitesses");
const MAKERS: Words = ("Specific to the maker", "Propre au constructeur");
const MAKERS_ADVICE: Words = (
    "Its maker alone says what it means: have it read out with the maker's tester, and write the answer into the fleet's own list of codes.",
    "Seul le constructeur en donne le sens : faites lire le défaut avec son outil, et notez la réponse dans la liste de codes de la flotte.",
);

pub(crate) fn choose(tongue: Tongue, (english, french): Words) -> &'static str {
    match tongue {
        Tongue::En => english,
        Tongue::Fr => french,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_write_them() {
        let code = Code::parse("P0301").unwrap();
        assert_eq!((code.as_str(), Code::parse(" p0301 "), Code::parse("P0301-00")), ("P0301", Some(code), Some(code)));
        for text in ["", "P", "P030", "P03011", "X0301", "P4301", "P03G1", "é0301", "P0301é"] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_standard_and_the_makers_share_the_numbers() {
        let makers = ["P1234", "P3000", "P33FF", "C1000", "C2000", "C3000", "B2ABC", "B3000", "U1000", "U2000"];
        for (texts, generic) in
            [(&makers[..], false), (&["P0000", "P2FFF", "P3400", "C0FFF", "B0000", "U0001", "U3FFF"], true)]
        {
            for text in texts {
                assert_eq!(Code::parse(text).unwrap().is_generic(), generic, "{text}");
            }
        }
    }

    #[test]
    fn what_is_not_known_by_itself_is_known_by_its_family() {
        for (text, family, system) in [
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
            ("P1234", "Specific to the maker", "Powertrain"),
            ("C1000", "Specific to the maker", "Chassis"),
            ("B2ABC", "Specific to the maker", "Body"),
            ("U1000", "Specific to the maker", "Network"),
        ] {
            let code = Code::parse(text).unwrap();
            assert_eq!((code.family(Tongue::En), code.system(Tongue::En)), (family, system), "{text}");
        }
    }
}
