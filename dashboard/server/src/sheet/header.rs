//! What columns are called.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A column that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Vin,
    Name,
    Plate,
    Class,
    Fuel,
    Tank,
    Battery,
    Note,
}

impl Column {
    /// By its header, in English or French; case, accents, units and what stands between words do not count.
    pub fn of(header: &str) -> Option<Self> {
        Some(match word(header).as_str() {
            "vin" | "chassis" | "chassisnumber" | "numerodechassis" | "ndechassis" | "nochassis" | "numerodeserie" => {
                Column::Vin
            }
            "name" | "vehicle" | "nom" | "vehicule" | "designation" => Column::Name,
            "plate" | "licenceplate" | "licenseplate" | "registration" | "plaque" | "immatriculation" => Column::Plate,
            "class" | "type" | "category" | "classe" | "categorie" | "genre" => Column::Class,
            "fuel" | "fueltype" | "fuelkind" | "carburant" | "energie" => Column::Fuel,
            "tank" | "tankl" | "tanksize" | "reservoir" | "reservoirl" => Column::Tank,
            "battery" | "batterykwh" | "batterie" | "batteriekwh" => Column::Battery,
            "note" | "notes" | "remark" | "remarks" | "comment" | "remarque" | "remarques" | "commentaire" => {
                Column::Note
            }
            _ => return None,
        })
    }

    /// Its word in faults.
    pub fn word(self) -> &'static str {
        match self {
            Column::Vin => "vin",
            Column::Name => "name",
            Column::Plate => "plate",
            Column::Class => "class",
            Column::Fuel => "fuel",
            Column::Tank => "tank_l",
            Column::Battery => "battery_kwh",
            Column::Note => "note",
        }
    }
}

/// Letters and digits alone, in lower case and without accents.
pub fn word(text: &str) -> String {
    let folded = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    folded.filter(|c| c.is_alphanumeric()).collect()
}
