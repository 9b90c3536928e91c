use super::{Language, Phrases};
use crate::format::{Span, Unit};

pub const PHRASES: Phrases = Phrases {
    language: Language::English,
    skip_to_content: "Skip to content",
    main_navigation: "Main",

    sign_in: "Sign in",
    signing_in: "Signing in…",
    sign_in_lead: "Your fleet, live.",
    sign_out: "Sign out",
    user_name: "User name",
    password: "Password",
    show_password: "Show password",
    hide_password: "Hide password",
    user_name_missing: "Enter your user name.",
    password_missing: "Enter your password.",
    wrong_password: "User name or password is wrong.",
    too_many_attempts: |seconds| match seconds {
        Some(seconds) => format!("Too many attempts. Try again in {seconds} s."),
        None => "Too many attempts. Wait a minute and try again.".to_owned(),
    },
    server_unreachable: "The server does not answer. Check your connection and try again.",
    session_ended: "Your session has ended. Sign in again.",
    role_administrator: "Administrator",
    role_operator: "Operator",
    role_client: "Client",

    map: "Map",
    map_of_the_fleet: "Map of the fleet",
    vehicles: "Vehicles",
    alerts: "Alerts",
    open_alerts: |count| match count {
        0 => "No open alert".to_owned(),
        1 => "1 open alert".to_owned(),
        _ => format!("{count} open alerts"),
    },
    account: "Account",
    theme: |theme| format!("Theme: {theme}"),
    theme_system: "as the system",
    theme_dark: "dark",
    theme_light: "light",
    other_language: "Français",

    live: "Live",
    live_hint: "Connected: what you see is what the vehicles say now",
    reconnecting: "Reconnecting",
    reconnecting_hint: "The connection is lost; what you see is what was last known",
    offline: "Offline",
    offline_hint: "No connection for a while; what you see is what was last known",

    search_placeholder: "Name, plate or VIN",
    search_label: "Search vehicles",
    filter_label: "Filter by state",
    nothing_found: "No vehicle fits",
    nothing_found_hint: "Try another name, plate or filter.",
    clear_filters: "Show all vehicles",
    no_vehicles: "No vehicles yet",
    no_vehicles_hint: "Start an agent in a car: it appears here with its first message.",
    no_position: "No position yet",
    vehicle_list: "Vehicles",
    show_list: "Show list",
    hide_list: "Hide list",
    fit_fleet: "Show the whole fleet",

    moving: "Moving",
    idle: "Idle",
    parked: "Parked",
    silent: "Silent",
    all: "All",
    alert: "Alert",
    moving_for: |time| format!("Driving for {time}"),
    idle_for: |time| format!("Idle for {time}"),
    parked_for: |time| format!("Parked for {time}"),
    silent_for: |time| format!("Silent for {time}"),

    ago: |span| match span.unit {
        Unit::Seconds if span.count < 2 => "now".to_owned(),
        _ => format!("{} ago", lasting(span)),
    },
    lasting,
    never: "never",

    close: "Close",
    follow: "Follow",
    following: "Following",
    center: "Center",
    last_seen: "Last seen",
    all_values: "All values",
    not_told: "not told",
    vin: "VIN",
    plate: "Plate",
    maker: "Maker",
    name: "Name",
    state: "State",
    unknown_vehicle: "This vehicle is not in your fleet.",

    speed: "Speed",
    engine: "Engine",
    coolant: "Coolant",
    fuel: "Fuel",

    severity_info: "Info",
    severity_warning: "Warning",
    severity_critical: "Critical",
    severity: "Severity",
    what: "Alert",
    vehicle: "Vehicle",
    value: "Value",
    since: "Since",
    times: |count| format!("{count} times"),
    all_quiet: "All quiet",
    all_quiet_hint: "No alert is open. New ones appear here by themselves.",

    not_found: "There is nothing here",
    not_found_hint: "The address may be misspelt, or the page has moved.",
    back_to_map: "Back to the map",

    // The catalogue of signals is in English.
    signal: |_| None,
};

fn lasting(span: Span) -> String {
    let unit = match span.unit {
        Unit::Seconds => "s",
        Unit::Minutes => "min",
        Unit::Hours => "h",
        Unit::Days if span.count == 1 => "day",
        Unit::Days => "days",
    };
    format!("{} {unit}", span.count)
}
