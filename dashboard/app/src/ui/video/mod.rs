//! Cameras, live: a WebSocket brings pieces of an MP4, and the browser's media source plays them.
//!
//! - [`Player`]: a camera as people see it; `stream`: its socket; `screen`: the media source

mod player;
mod screen;
mod stream;

pub use self::player::Player;
