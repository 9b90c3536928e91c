//! Cameras, live: a WebSocket brings pieces of an MP4, and the browser's media source plays them.
//!
//! - [`Shot`]: a photo or clip; [`Reel`]: some of them; [`Player`]: a camera as people see it; `stream`: its socket; `screen`: the media source
//! - [`Tile`]: a camera on the wall; `still`: its last picture, where there is no live one; `asking`: photos and films on demand

mod asking;
mod player;
mod reel;
mod screen;
mod shot;
mod still;
mod stream;
mod tile;

pub use self::{
    player::Player,
    reel::{Frame, Reel},
    shot::Shot,
    tile::Tile,
};
