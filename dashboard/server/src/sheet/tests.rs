use super::*;

const GOLF: &str = "WVWZZZ1JZ3W386752";

fn read(text: &str) -> Sheet {
    Sheet::read(text.as_bytes()).unwrap()
}

fn faults(row: &Row) -> Vec<(&str, FaultKind)> {
    row.faults.iter().map(|fault| (fault.column.as_str(), fault.fault)).collect()
}

#[test]
fn english_and_french_headers_and_all_separators_say_the_same() {
    let golf = |line| Row {
        line,
        vin_text: GOLF.into(),
        vin: GOLF.parse().ok(),
        name: Some("Van, big".into()),
        plate: Some("VD 1".into()),
        class: Some("van".into()),
        fuel: Some(FuelKind::Diesel),
        tank_l: Some(62.5),
        battery_kwh: None,
        note: Some("a \"dent\"".into()),
        faults: Vec::new(),
    };
    let english = format!(
        "VIN,Name,Licence plate,Class,Fuel,Tank (l),Note\n{GOLF},\"Van, big\",VD 1,van,diesel,62.5,\"a \"\"dent\"\"\"\n"
    );
    let french = format!(
        "N° de châssis;Nom;Immatriculation;Catégorie;Carburant;Réservoir;Remarque\r\n{GOLF};Van, big;VD 1;van;Gazole;62,5;\"a \"\"dent\"\"\"\r\n"
    );
    let tabs = format!(
        "\u{feff}vin\tname\tplate\tclass\tfuel\ttank\tnote\r{GOLF}\tVan, big\tVD 1\tvan\tDIESEL\t62.5\ta \"dent\""
    );
    for text in [english, french, tabs] {
        let sheet = read(&text);
        assert_eq!(sheet.rows, [golf(2)], "{text}");
        assert_eq!(sheet.unknown_columns, [""; 0]);
    }
}

#[test]
fn what_windows_writes_is_read_too() {
    let text = format!("vin;nom;énergie\n{GOLF};Boulangerie Müller;électrique\n");
    let western: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert!(std::str::from_utf8(&western).is_err());
    let sheet = Sheet::read(&western).unwrap();
    assert_eq!(sheet.rows[0].name.as_deref(), Some("Boulangerie Müller"));
    assert_eq!(sheet.rows[0].fuel, Some(FuelKind::Electric));
}

#[test]
fn a_vin_is_taken_as_people_write_it_and_refused_when_it_is_none() {
    let sheet =
        read("vin\n wvwzzz1jz 3w386752 \nWVWZZZ1JZ3W38675\nWVWZZZ1JZ3W38675O\n1M8GDM9AXKP042788\n1M8GDM9A0KP042788\n");
    let all: Vec<_> = sheet.rows.iter().map(faults).collect();
    assert_eq!(
        all,
        [
            vec![],
            vec![("vin", FaultKind::VinLength)],
            vec![("vin", FaultKind::VinCharacter)],
            vec![],
            vec![("vin", FaultKind::CheckDigit)],
        ]
    );
    assert_eq!(sheet.rows[0].vin, GOLF.parse().ok());
    assert_eq!(sheet.rows[2].faults[0].value, "WVWZZZ1JZ3W38675O");
}

#[test]
fn every_fault_of_a_line_is_told_with_what_stands_there() {
    let long = "x".repeat(81);
    let sheet =
        read(&format!("vin,name,fuel,tank,battery\n,{long},steam,-3,many,more\n{GOLF}\n\n , , \n{GOLF},again\n"));
    assert_eq!(
        faults(&sheet.rows[0]),
        [
            ("vin", FaultKind::Missing),
            ("name", FaultKind::Text),
            ("fuel", FaultKind::Fuel),
            ("tank_l", FaultKind::Number),
            ("battery_kwh", FaultKind::Number),
            ("line", FaultKind::Fields),
        ]
    );
    assert_eq!(sheet.rows[0].faults[2].value, "steam");
    assert_eq!(faults(&sheet.rows[1]), []);
    assert_eq!((sheet.rows.len(), sheet.rows[2].line), (3, 6), "empty lines count and say nothing");
    assert_eq!(faults(&sheet.rows[2]), [("vin", FaultKind::Twice)]);
}

#[test]
fn a_quoted_field_may_have_lines_and_an_open_one_is_no_end_of_a_file() {
    let sheet = read(&format!("vin,note\n{GOLF},\"two\nlines, and a comma\"\n"));
    assert_eq!(sheet.rows[0].note.as_deref(), Some("two\nlines, and a comma"));
    let open = format!("vin,note\n{GOLF},\"never closed\nWVWZZZ1JZ3W386753,\n");
    assert!(matches!(Sheet::read(open.as_bytes()), Err(SheetError::Broken(_))));
    assert!(matches!(Sheet::read(b"vin\n\0\0\0"), Err(SheetError::Broken(_))));
}

#[test]
fn what_is_no_list_of_vehicles_says_why() {
    let error = |text: &str| Sheet::read(text.as_bytes()).unwrap_err();
    assert_eq!(error(""), SheetError::Empty);
    assert_eq!(error("\u{feff}"), SheetError::Empty);
    assert_eq!(error("name,plate\nVan,VD 1\n"), SheetError::NoVin);
    assert_eq!(error("vin,name,Nom\n"), SheetError::Twice("Nom".into()));
    assert_eq!(read("vin;owner;name\n").unknown_columns, ["owner"]);
    assert_eq!(read("vin\n").rows, []);
}

#[test]
fn ten_thousand_lines_are_taken_and_one_more_is_not() {
    let lines = |count: usize| {
        let rows: String = (0..count).map(|n| format!("WVWZZZ1JZ3W{n:06},Car {n}\n")).collect();
        format!("vin,name\n{rows}\n\n")
    };
    let sheet = read(&lines(MAX_LINES));
    assert_eq!((sheet.rows.len(), sheet.rows[MAX_LINES - 1].line), (MAX_LINES, 10_001));
    assert!(sheet.rows.iter().all(|row| row.faults.is_empty()));
    assert_eq!(Sheet::read(lines(MAX_LINES + 1).as_bytes()), Err(SheetError::TooLong));
}

proptest::proptest! {
    #[test]
    fn no_bytes_stop_the_reader(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        drop(Sheet::read(&bytes));
        drop(Sheet::read(&[b"vin,name\n".as_slice(), &bytes].concat()));
    }
}
