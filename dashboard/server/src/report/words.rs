//! Words, numbers and days of a report, in English and French.

use bugbrother_wire::api::{By, StatisticsLine};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;

/// A language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// French.
    #[serde(rename = "fr")]
    French,
}

/// The words.
pub struct Words {
    pub title: &'static str,
    pub period: &'static str,
    pub client: &'static str,
    pub vehicle: &'static str,
    pub whole_fleet: &'static str,
    pub made: &'static str,
    pub page: &'static str,
    pub total: &'static str,
    pub nobody: &'static str,
    pub left_out: &'static str,
    pub nothing: &'static str,
    pub by: fn(By) -> &'static str,
    pub distance_chart: &'static str,
    pub trips: &'static str,
    pub distance: &'static str,
    pub driving: &'static str,
    pub idle: &'static str,
    pub utilisation: &'static str,
    pub fuel: &'static str,
    pub consumption: &'static str,
    pub energy: &'static str,
    pub cost: &'static str,
    pub score: &'static str,
    pub harsh: &'static str,
    pub plate: &'static str,
}

const ENGLISH: Words = Words {
    title: "Fleet report",
    period: "Period",
    client: "Client",
    vehicle: "Vehicle",
    whole_fleet: "Whole fleet",
    made: "Made on",
    page: "Page",
    total: "Total",
    nobody: "Without a contract",
    left_out: "There are more lines than a report holds: narrow it down, or take the table.",
    nothing: "Nothing was driven in this period.",
    by: |by| match by {
        By::Vehicle => "Vehicle",
        By::Client => "Client",
        By::Day => "Day",
        By::Week => "Week",
        By::Month => "Month",
    },
    distance_chart: "Distance, km",
    trips: "Trips",
    distance: "Distance",
    driving: "Driving",
    idle: "Idling",
    utilisation: "Use",
    fuel: "Fuel",
    consumption: "Fuel/100 km",
    energy: "Energy",
    cost: "Cost",
    score: "Score",
    harsh: "Harsh/100 km",
    plate: "Plate",
};

const FRENCH: Words = Words {
    title: "Rapport de flotte",
    period: "Période",
    client: "Client",
    vehicle: "Véhicule",
    whole_fleet: "Toute la flotte",
    made: "Établi le",
    page: "Page",
    total: "Total",
    nobody: "Sans contrat",
    left_out: "Il y a plus de lignes qu’un rapport n’en tient : restreignez-le ou prenez le tableau.",
    nothing: "Rien n’a été parcouru pendant cette période.",
    by: |by| match by {
        By::Vehicle => "Véhicule",
        By::Client => "Client",
        By::Day => "Jour",
        By::Week => "Semaine",
        By::Month => "Mois",
    },
    distance_chart: "Distance, km",
    trips: "Trajets",
    distance: "Distance",
    driving: "Conduite",
    idle: "Ralenti",
    utilisation: "Usage",
    fuel: "Carburant",
    consumption: "Carb./100 km",
    energy: "Énergie",
    cost: "Coût",
    score: "Score",
    harsh: "À-coups/100 km",
    plate: "Plaque",
};

const MONTHS: [[&str; 12]; 2] = [
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
];
const DAYS: [[&str; 7]; 2] =
    [["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], ["lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."]];

impl Language {
    /// Its words.
    pub fn words(self) -> &'static Words {
        match self {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
        }
    }

    fn index(self) -> usize {
        match self {
            Language::English => 0,
            Language::French => 1,
        }
    }

    /// A number with so many decimals, thousands set apart.
    pub fn number(self, value: f64, decimals: usize) -> String {
        let text = format!("{:.decimals$}", value.abs());
        let (whole, part) = text.split_once('.').map_or((text.as_str(), None), |(whole, part)| (whole, Some(part)));
        let mut grouped = String::new();
        if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
            grouped.push('-');
        }
        for (n, digit) in whole.chars().enumerate() {
            if n > 0 && (whole.len() - n).is_multiple_of(3) {
                grouped.push(match self {
                    Language::English => ',',
                    Language::French => '\u{a0}',
                });
            }
            grouped.push(digit);
        }
        if let Some(part) = part {
            grouped.push(self.decimal());
            grouped.push_str(part);
        }
        grouped
    }

    /// What stands before the decimals.
    pub fn decimal(self) -> char {
        match self {
            Language::English => '.',
            Language::French => ',',
        }
    }

    /// Such as `29 March 2026`.
    pub fn date(self, date: Date) -> String {
        let first = if self == Language::French && date.day() == 1 { "1er".to_owned() } else { date.day().to_string() };
        format!("{first} {} {}", self.month(date), date.year())
    }

    fn month(self, date: Date) -> &'static str {
        usize::try_from(date.month() - 1).ok().and_then(|n| MONTHS[self.index()].get(n)).copied().unwrap_or_default()
    }

    /// Hours and minutes of a time.
    pub fn hours(self, ms: i64) -> String {
        let minutes = (ms.max(0) + 30_000) / 60_000;
        format!("{}:{:02}", self.number((minutes / 60) as f64, 0), minutes % 60)
    }

    /// What a line is of.
    pub fn name(self, by: By, line: &StatisticsLine) -> String {
        let words = self.words();
        if !by.is_time() {
            return match (by, line.name.is_empty()) {
                (By::Client, true) if line.key.is_empty() => words.nobody.to_owned(),
                (_, true) => line.key.clone(),
                _ => line.name.clone(),
            };
        }
        let Ok(date) = line.key.parse::<Date>() else { return line.key.clone() };
        let day = DAYS[self.index()][usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0) % 7];
        match (by, self) {
            (By::Month, _) => format!("{} {}", self.month(date), date.year()),
            (By::Week, Language::English) => format!("Week of {}", self.date(date)),
            (By::Week, Language::French) => format!("Semaine du {}", self.date(date)),
            _ => format!("{day} {}", self.date(date)),
        }
    }
}
