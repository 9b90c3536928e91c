//! Components and the browser.

mod account;
mod alerts;
mod api;
mod app;
mod browser;
mod developers;
mod edits;
mod feed;
mod fetch;
mod gauge;
mod glyph;
mod icon;
mod keys;
mod kit;
mod lost;
mod map;
mod offline;
mod pages;
mod palette;
mod route;
mod running;
mod settings;
mod shell;
mod sign_in;
mod system;
mod table;
mod vehicles;

/// Puts the app into the page.
pub fn start() {
    yew::Renderer::<app::App>::new().render();
}
