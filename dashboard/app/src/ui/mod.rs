//! Components and the browser.

mod account;
mod alerts;
mod api;
mod app;
mod audit;
mod books;
mod browser;
mod chart;
mod clients;
mod contracts;
mod day;
mod developers;
mod edits;
mod elsewhere;
mod feed;
mod fetch;
mod gauge;
mod geofences;
mod glyph;
mod icon;
mod keys;
mod kit;
mod lost;
mod maintenance;
mod map;
mod moment;
mod news;
mod notifications;
mod offline;
mod overview;
mod pages;
mod palette;
mod preferences;
mod route;
mod rules;
mod running;
mod saving;
mod security;
mod settings;
mod shell;
mod sign_in;
mod statistics;
mod system;
mod table;
mod users;
mod vehicle;
mod vehicles;
mod video;
mod wall;
mod zone;

/// Puts the app into the page.
pub fn start() {
    yew::Renderer::<app::App>::new().render();
}
