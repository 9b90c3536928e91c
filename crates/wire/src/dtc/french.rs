//! Systems and families of trouble codes in French. A word that is missing is empty, and a test says so.

/// A part of the vehicle.
pub(super) fn system(english: &str) -> &'static str {
    match english {
        "Chassis" => "Châssis",
        "Body" => "Carrosserie",
        "Network" => "Réseau",
        "Powertrain" => "Groupe motopropulseur",
        "Cylinder deactivation" => "Désactivation de cylindres",
        "Fuel and air metering" => "Dosage air-carburant",
        "Ignition" => "Allumage",
        "Emission control" => "Dépollution",
        "Speed and idle control" => "Vitesse et ralenti",
        "Auxiliary inputs" => "Entrées auxiliaires",
        "Computer and outputs" => "Calculateur et sorties",
        "Transmission" => "Transmission",
        "Hybrid and electric drive" => "Propulsion hybride ou électrique",
        "Unknown" => "Inconnu",
        _ => "",
    }
}

/// What a family is about.
pub(super) fn family(english: &str) -> &'static str {
    match english {
        "Brakes, steering or suspension" => "Freins, direction ou suspension",
        "Airbags, seats, doors or air conditioning" => "Airbags, sièges, portes ou climatisation",
        "Bus between the control units" => "Bus entre les calculateurs",
        "No communication with a control unit" => "Pas de communication avec un calculateur",
        "Software of the control units does not match" => "Logiciels des calculateurs incompatibles",
        "Invalid data from a control unit" => "Données invalides d'un calculateur",
        "Communication between the control units" => "Communication entre les calculateurs",
        "Cylinder deactivation" => "Désactivation de cylindres",
        "Fuel and air metering, camshafts and their actuators" => "Dosage air-carburant, arbres à cames et actionneurs",
        "Fuel and air metering" => "Dosage air-carburant",
        "Fuel injection or boost" => "Injection ou suralimentation",
        "Exhaust treatment" => "Traitement des gaz d'échappement",
        "Throttle, pedal or mixture" => "Papillon, pédale ou mélange",
        "Oxygen and NOx sensors, fuel and air metering" => "Sondes à oxygène et NOx, dosage air-carburant",
        "Ignition or misfire" => "Allumage ou ratés",
        "Emission control" => "Dépollution",
        "Vehicle speed, idle speed or auxiliary inputs" => "Vitesse, ralenti ou entrées auxiliaires",
        "Auxiliary inputs and power supply" => "Entrées auxiliaires et alimentation",
        "Control unit or its outputs" => "Calculateur ou ses sorties",
        "Transmission" => "Transmission",
        "Hybrid or electric drive" => "Propulsion hybride ou électrique",
        "Powertrain" => "Groupe motopropulseur",
        _ => "",
    }
}
