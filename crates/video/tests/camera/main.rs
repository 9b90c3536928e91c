//! The source, and what is made of it, against GStreamer's RTSP server and against a camera that does as it is told.

mod clip;
mod feed;
mod hostile;
mod photo;
mod puppet;
mod reel;
mod stream;

use std::time::Duration;

use bugbrother_kit::camera::Camera as Server;
use bugbrother_video::{Camera, Credentials, Item, RtspSession, Scene, SourceError};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

async fn start(arguments: &[&str]) -> Server {
    Server::start(arguments).await.expect("the RTSP server starts")
}

fn camera(port: u16, path: &str, credentials: Option<Credentials>) -> Camera {
    Camera::new(&format!("rtsp://127.0.0.1:{port}{path}"), credentials).expect("the URL is right")
}

fn of(server: &Server, path: &str) -> Camera {
    camera(server.port(), path, None)
}

fn user(password: &str) -> Option<Credentials> {
    Some(Credentials { username: "viewer".to_owned(), password: password.to_owned() })
}

async fn next(session: &mut RtspSession) -> Result<Item, SourceError> {
    timeout(PATIENCE, session.next()).await.expect("the session has deadlines of its own")
}

/// What a session yields, from the first key frame, until there are so many pictures or it ends.
async fn record(session: &mut RtspSession, pictures: usize) -> (Vec<Scene>, Option<SourceError>) {
    let mut scenes: Vec<Scene> = Vec::new();
    let mut parameters = None;
    let mut count = 0;
    while count < pictures {
        match next(session).await {
            Ok(Item::Parameters(new)) => parameters = Some(new),
            Ok(Item::Unit(unit)) => {
                let parameters = parameters.clone().expect("parameters come first");
                match scenes.last_mut().filter(|_| !unit.is_key) {
                    Some(scene) => scene.units.push(unit),
                    None if unit.is_key => scenes.push(Scene { parameters, units: vec![unit], sound: None }),
                    None => continue,
                }
                count += 1;
            }
            Ok(Item::Sound(frame)) => {
                let heard = session.sound().expect("sound has parameters").clone();
                if let Some(scene) = scenes.last_mut() {
                    let sound = scene
                        .sound
                        .get_or_insert_with(|| bugbrother_video::Sound { parameters: heard, frames: Vec::new() });
                    sound.frames.push(frame);
                }
            }
            Err(error) => return (scenes, Some(error)),
        }
    }
    (scenes, None)
}
