//! Cameras, live: a WebSocket brings pieces of an MP4, and the browser's media source plays them.
//!
//! - [`Shot`]: a photo or clip; [`Reel`]: some of them; [`Player`]: a camera as people see it; `stream`: its socket; `screen`: the media source

mod player;
mod reel;
mod screen;
mod shot;
mod stream;

pub use self::{
    player::Player,
    reel::{Frame, Reel},
    shot::Shot,
};
