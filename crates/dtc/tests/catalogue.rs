//! What the catalogue says of codes, and how a fleet's own words change that.

use std::collections::HashSet;

use bugbrother_dtc::{BadLine, Catalogue, Explanation, MAX_BAD_LINES, MAX_BYTES, OpenError};
use bugbrother_wire::{
    api::Tongue::{En, Fr},
    message::Severity::{self, Critical, Info, Warning},
};
use proptest::prelude::*;

/// Every code that can be written.
fn codes() -> impl Iterator<Item = String> {
    ["P", "C", "B", "U"].into_iter().flat_map(|letter| (0..0x4000).map(move |number| format!("{letter}{number:04X}")))
}

#[test]
fn every_code_is_explained_in_both_languages_and_they_differ() {
    let catalogue = Catalogue::default();
    let mut known = HashSet::new();
    for code in codes() {
        let (english, french) = (catalogue.explain(&code, En), catalogue.explain(&code, Fr));
        for Explanation { title, advice, system, .. } in [&english, &french] {
            assert!((4..=110).contains(&title.chars().count()), "{code}: {title}");
            assert!(title.starts_with(char::is_uppercase) && !title.ends_with(['.', ' ']), "{code}: {title}");
            assert!(!title.contains(['{', '}']) && !system.is_empty(), "{code}: {title}");
            assert!((30..=400).contains(&advice.chars().count()) && advice.ends_with('.'), "{code}: {advice}");
        }
        assert!(!english.title.chars().any(|letter| "àâçéèêîôùû".contains(letter)), "{code}: {}", english.title);
        assert_ne!(english.title, french.title, "{code}");
        assert_ne!(english.advice, french.advice, "{code}");
        assert_ne!(english.system, french.system, "{code}");
        let rest = |told: &Explanation| (told.severity, told.generic, told.known);
        assert_eq!(rest(&english), rest(&french), "{code}");
        assert_eq!(catalogue.severity(&code), english.severity, "{code}");
        if english.known {
            assert!(english.generic && known.insert(english.title), "{code} says what another says");
        }
    }
    assert!(known.len() >= 1_000, "{} codes are known by themselves", known.len());
}

#[test]
fn forty_codes_say_what_they_mean() {
    let catalogue = Catalogue::default();
    for (code, severity, english, french) in FORTY {
        let told = catalogue.explain(code, En);
        assert_eq!((told.title.as_str(), told.severity), (english, severity), "{code}");
        assert_eq!(catalogue.explain(code, Fr).title, french, "{code}");
    }
}

const FORTY: [(&str, Severity, &str, &str); 40] = [
    (
        "P0016",
        Warning,
        "Crankshaft and intake camshaft do not match, bank 1",
        "Vilebrequin et arbre à cames d'admission ne concordent pas, rangée 1",
    ),
    (
        "P0030",
        Warning,
        "Oxygen sensor heater, bank 1, sensor 1: control circuit",
        "Chauffage de la sonde à oxygène, rangée 1, position 1 : circuit de commande",
    ),
    ("P0087", Warning, "Rail pressure too low", "Pression de rampe trop basse"),
    ("P0093", Critical, "Large leak in the fuel system", "Grande fuite dans le circuit de carburant"),
    ("P0101", Warning, "Air flow sensor: implausible signal", "Débitmètre d'air : signal incohérent"),
    (
        "P0113",
        Warning,
        "Intake air temperature sensor: signal too high",
        "Capteur de température d'air d'admission : signal trop haut",
    ),
    (
        "P0118",
        Warning,
        "Coolant temperature sensor: signal too high",
        "Capteur de température du liquide de refroidissement : signal trop haut",
    ),
    (
        "P0121",
        Warning,
        "Throttle or pedal sensor A: implausible signal",
        "Capteur de papillon ou de pédale A : signal incohérent",
    ),
    (
        "P0128",
        Warning,
        "Coolant stays below the thermostat temperature",
        "Liquide de refroidissement sous la température du thermostat",
    ),
    (
        "P0133",
        Warning,
        "Oxygen sensor, bank 1, sensor 1: reacts slowly",
        "Sonde à oxygène, rangée 1, position 1 : réagit lentement",
    ),
    (
        "P0141",
        Warning,
        "Oxygen sensor, bank 1, sensor 2: heater circuit",
        "Sonde à oxygène, rangée 1, position 2 : circuit de chauffage",
    ),
    ("P0171", Warning, "Mixture too lean, bank 1", "Mélange trop pauvre, rangée 1"),
    ("P0201", Warning, "Injector of cylinder 1: circuit", "Injecteur du cylindre 1 : circuit"),
    ("P0217", Critical, "Engine too hot", "Moteur trop chaud"),
    ("P0234", Warning, "Turbocharger boosts too much", "Suralimentation trop forte"),
    ("P0299", Warning, "Turbocharger boosts too little", "Suralimentation trop faible"),
    ("P0300", Critical, "Misfire in several cylinders", "Ratés dans plusieurs cylindres"),
    ("P0304", Critical, "Misfire in cylinder 4", "Ratés dans le cylindre 4"),
    ("P0325", Warning, "Knock sensor 1: circuit", "Capteur de cliquetis 1 : circuit"),
    ("P0335", Warning, "Crankshaft sensor A: circuit", "Capteur de vilebrequin A : circuit"),
    ("P0340", Warning, "Camshaft sensor A, bank 1: circuit", "Capteur d'arbre à cames A, rangée 1 : circuit"),
    (
        "P0351",
        Warning,
        "Ignition coil A: primary or secondary circuit",
        "Bobine d'allumage A : circuit primaire ou secondaire",
    ),
    (
        "P0401",
        Warning,
        "Exhaust gas recirculation: too little flow",
        "Recirculation des gaz d'échappement : débit insuffisant",
    ),
    ("P0420", Warning, "Catalyst works too little, bank 1", "Catalyseur peu efficace, rangée 1"),
    ("P0442", Warning, "Tank ventilation: small leak", "Vapeurs de carburant : petite fuite"),
    (
        "P0457",
        Warning,
        "Tank ventilation: leak, fuel cap loose or missing",
        "Vapeurs de carburant : fuite, bouchon desserré ou absent",
    ),
    ("P0463", Info, "Fuel level sensor: signal too high", "Jauge de carburant : signal trop haut"),
    ("P0524", Critical, "Oil pressure too low", "Pression d'huile trop basse"),
    ("P0562", Warning, "System voltage too low", "Tension du réseau de bord trop basse"),
    ("P0606", Warning, "Control unit: processor", "Calculateur : processeur"),
    (
        "P0700",
        Warning,
        "Transmission control unit has stored a fault",
        "Le calculateur de boîte a enregistré un défaut",
    ),
    ("P0741", Warning, "Converter clutch does not engage", "L'embrayage du convertisseur ne s'enclenche pas"),
    ("P0AA6", Critical, "High-voltage system is not isolated", "Défaut d'isolement du circuit haute tension"),
    ("P2002", Warning, "Particulate filter works too little, bank 1", "Filtre à particules peu efficace, rangée 1"),
    ("P203F", Warning, "Exhaust fluid level too low", "Niveau d'AdBlue trop bas"),
    ("P2463", Warning, "Particulate filter full of soot, bank 1", "Filtre à particules saturé de suie, rangée 1"),
    ("B0001", Critical, "Driver airbag, stage 1", "Airbag conducteur, étage 1"),
    ("C0034", Critical, "Wheel speed sensor, right front", "Capteur de vitesse de roue avant droite"),
    ("U0100", Warning, "No communication with the engine control unit", "Calculateur moteur : pas de communication"),
    ("U0415", Warning, "Invalid data from the anti-lock brakes", "Antiblocage des roues : données invalides"),
];

#[test]
fn the_advice_says_what_must_not_be_done() {
    let catalogue = Catalogue::default();
    for (code, english, french) in [
        (
            "P0302",
            "While the engine lamp flashes, do not drive on",
            "Tant que le témoin moteur clignote, ne roulez plus",
        ),
        ("P0217", "Stop at once", "Arrêtez-vous immédiatement"),
        ("P0524", "Stop at once, switch the engine off", "Arrêtez-vous immédiatement, coupez le moteur"),
        ("P0093", "Stop, switch off", "Arrêtez-vous, coupez le contact"),
        ("P0AA6", "Do not touch orange cables", "Ne touchez ni les câbles orange"),
        ("P0A7E", "away from buildings", "loin des bâtiments"),
        ("P0457", "Begin with the fuel cap", "Commencez par le bouchon"),
        ("P1234", "Its maker alone", "Seul le constructeur"),
    ] {
        for (tongue, part) in [(En, english), (Fr, french)] {
            let advice = catalogue.explain(code, tongue).advice;
            assert!(advice.contains(part), "{code}: {advice}");
        }
    }
}

#[test]
fn codes_of_makers_and_codes_without_a_row_are_not_known() {
    let catalogue = Catalogue::default();
    for (code, generic) in [("P1234", false), ("P0FFF", true), ("nonsense", false)] {
        let told = catalogue.explain(code, En);
        assert_eq!((told.known, told.generic), (false, generic), "{code}");
    }
    assert_eq!(catalogue.explain("nonsense", Fr).title, "Ce n'est pas un code défaut");
    assert_eq!(catalogue.severity("nonsense"), Info);
}

#[test]
fn own_words_extend_and_override_the_built_in_ones() {
    let csv = "\u{feff}code,title_fr,title_en,severity,advice_en\n\
               P1234,Pompe de la cuve,Pump of the vat,info,\"Call the builder, ask for Ana\"\n\
               p0420,,,critical,\n\
               P1235,Trémie ouverte\n";
    let (catalogue, bad) = Catalogue::parse(csv).unwrap();
    assert_eq!((catalogue.own_len(), bad), (3, vec![]));
    let own = catalogue.explain("P1234", Fr);
    assert_eq!((own.title.as_str(), own.severity, own.known, own.generic), ("Pompe de la cuve", Info, true, false));
    assert_eq!(own.advice, "Call the builder, ask for Ana", "better than none");
    assert_eq!(catalogue.explain("P1235", En).title, "Trémie ouverte");
    let built_in = Catalogue::default().explain("P0420", En);
    assert_eq!(catalogue.explain("P0420", En), Explanation { severity: Critical, ..built_in }, "the rest stays");
    assert_eq!(catalogue.severity("P0420"), Critical);
}

#[test]
fn a_process_has_one_catalogue() {
    let (own, _) = Catalogue::parse("code,title_en\nP1999,Ours\n").unwrap();
    bugbrother_dtc::install(own).unwrap();
    assert_eq!(bugbrother_dtc::catalogue().explain("P1999", En).title, "Ours");
    assert_eq!(bugbrother_dtc::install(Catalogue::default()).unwrap_err().own_len(), 0, "the first one counts");
}

#[test]
fn bad_lines_are_named_by_number_and_skipped() {
    let long = "x".repeat(201);
    let csv = format!(
        "code,severity,title_en\nP1000,info,Good\nnonsense,info,Bad\nP1001,dreadful,Bad\nP1002,info,{long}\n\
         P1000,info,Again\nP1003,info,Too,many\nP1004-00,info,Bad\nP1005,info,\"two\nlines\"\nP1006,,Good\n"
    );
    let (catalogue, bad) = Catalogue::parse(&csv).unwrap();
    let line = |line, problem: &str| BadLine { line, problem: problem.into() };
    assert_eq!(
        bad,
        [
            line(3, "`nonsense` is no trouble code"),
            line(4, "severity `dreadful` is none of info, warning and critical"),
            line(5, "title_en has more than 200 characters"),
            line(6, "`P1000` is there already"),
            line(7, "it has 4 cells, the first line has 3"),
            line(8, "`P1004-00` is no trouble code"),
            line(9, "title_en has characters that cannot be shown"),
        ]
    );
    assert_eq!(catalogue.own_len(), 2);
    assert_eq!(catalogue.explain("P1006", En).title, "Good");

    let (_, bad) = Catalogue::parse(&format!("code\n{}", "x\n".repeat(1_000))).unwrap();
    assert_eq!(bad.len(), MAX_BAD_LINES);
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.csv");
    assert!(matches!(Catalogue::open(&path), Err(OpenError::Read(..))));
    for heading in ["", "title_en\nx\n", "code,titel_en\nP1000,x\n"] {
        std::fs::write(&path, heading).unwrap();
        assert!(matches!(Catalogue::open(&path), Err(OpenError::Heading)), "{heading}");
    }
    std::fs::write(&path, b"code,title_en\nP1000,caf\xe9\nP1001,ok\n").unwrap();
    let (catalogue, bad) = Catalogue::open(&path).unwrap();
    assert_eq!((catalogue.own_len(), bad[0].line, bad[0].problem.as_str()), (1, 2, "title_en is not in UTF-8"));
    std::fs::write(&path, "code\n".repeat(MAX_BYTES as usize / 5 + 1)).unwrap();
    assert!(matches!(Catalogue::open(&path), Err(OpenError::Size(_))));
}

proptest! {
    #[test]
    fn any_text_is_explained(text in "\\PC{0,8}|[PCBUpcbu][0-4][0-9A-Fa-f]{3}") {
        for tongue in [En, Fr] {
            let told = Catalogue::default().explain(&text, tongue);
            prop_assert!(!told.title.is_empty() && !told.system.is_empty() && !told.advice.is_empty());
        }
    }

    #[test]
    fn any_file_is_read_or_refused(text in "(code|severity|title_en|,|\n|\"|P1000|\\PC){0,40}") {
        if let Ok((catalogue, bad)) = Catalogue::parse(&text) {
            prop_assert!(catalogue.own_len() + bad.len() <= text.lines().count());
        }
    }
}
