//! Components and the browser.

mod account;
mod alerts;
mod api;
mod app;
mod browser;
mod feed;
mod fetch;
mod gauge;
mod glyph;
mod icon;
mod keys;
mod kit;
mod lost;
mod map;
mod pages;
mod route;
mod settings;
mod shell;
mod sign_in;
mod table;
mod vehicles;

/// Puts the app into the page.
pub fn start() {
    yew::Renderer::<app::App>::new().render();
}
