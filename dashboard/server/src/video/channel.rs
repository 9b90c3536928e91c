//! A stream on its way from one source to any number of viewers.

use std::sync::{Arc, Mutex, MutexGuard};

use bugbrother_wire::video::{Fragment, Piece};
use bytes::Bytes;
use tokio::sync::broadcast::{self, Receiver, Sender};

/// Messages that wait for a viewer: it is long before that told to skip.
const WAITING: usize = 256;
/// Of the pictures since the last one where a decoder can start, so much is kept for those who come.
const KEPT_BYTES: usize = 12 << 20;
const KEPT_PICTURES: usize = 900;

/// Something of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// What a decoder must know, as the vehicle said it.
    Beginning(Bytes),
    /// A picture, as the vehicle said it.
    Picture {
        /// Whether a decoder can start here.
        is_key: bool,
        /// Counts the pictures of the channel.
        number: u64,
        /// The piece.
        piece: Bytes,
    },
    /// How things stand.
    Standing(Standing),
}

/// How a stream stands, for those who look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is asked for.
    Waiting,
    /// Pictures come.
    Live,
    /// None come, and why.
    Gone(Arc<str>),
}

/// One stream.
pub(crate) struct Channel {
    state: Mutex<State>,
    said: Sender<Said>,
}

#[derive(Debug)]
struct State {
    standing: Standing,
    beginning: Option<Bytes>,
    /// Since the last picture where a decoder can start; empty when they are too many to keep.
    pictures: Vec<Said>,
    bytes: usize,
    next: u64,
}

impl Default for Channel {
    fn default() -> Self {
        let (said, _) = broadcast::channel(WAITING);
        let state = State { standing: Standing::Waiting, beginning: None, pictures: Vec::new(), bytes: 0, next: 0 };
        Channel { state: Mutex::new(state), said }
    }
}

impl Channel {
    /// Hands on a piece, which is also given as its bytes.
    pub fn take(&self, piece: &Piece<'_>, bytes: Bytes) {
        let mut state = self.lock();
        let said = match piece {
            Piece::Beginning(_) => state.begin(bytes),
            Piece::Fragment(fragment) => state.keep(fragment, bytes),
            Piece::Notice(why) => state.stand(Standing::Gone((*why).into())),
        };
        // Said while the lock is held: who joins has either kept it or receives it.
        said.into_iter().for_each(|said| drop(self.said.send(said)));
    }

    /// Nothing comes any more, or it is asked for again.
    pub fn stand(&self, standing: Standing) {
        let mut state = self.lock();
        let said = state.stand(standing);
        said.into_iter().for_each(|said| drop(self.said.send(said)));
    }

    /// What a viewer needs to begin, and what follows.
    pub fn join(&self) -> (Vec<Said>, Receiver<Said>) {
        let state = self.lock();
        let mut first = vec![Said::Standing(state.standing.clone())];
        if !state.pictures.is_empty() {
            first.extend(state.beginning.clone().map(Said::Beginning));
            first.extend(state.pictures.iter().cloned());
        }
        (first, self.said.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds a stream")
    }
}

impl State {
    fn begin(&mut self, bytes: Bytes) -> Vec<Said> {
        self.beginning = Some(bytes.clone());
        self.forget();
        vec![Said::Beginning(bytes)]
    }

    fn keep(&mut self, fragment: &Fragment<'_>, piece: Bytes) -> Vec<Said> {
        if self.beginning.is_none() {
            return Vec::new();
        }
        let picture = Said::Picture { is_key: fragment.is_key, number: self.next, piece: piece.clone() };
        self.next += 1;
        if fragment.is_key || fragment.is_after_gap {
            self.forget();
        }
        let has_start = fragment.is_key || !self.pictures.is_empty();
        if has_start && self.pictures.len() < KEPT_PICTURES && self.bytes + piece.len() <= KEPT_BYTES {
            self.pictures.push(picture.clone());
            self.bytes += piece.len();
        } else {
            // A stream with so few key frames is joined at the next one.
            self.forget();
        }
        let mut said = self.stand(Standing::Live);
        said.push(picture);
        said
    }

    fn stand(&mut self, standing: Standing) -> Vec<Said> {
        if self.standing == standing {
            return Vec::new();
        }
        self.standing = standing.clone();
        vec![Said::Standing(standing)]
    }

    fn forget(&mut self) {
        self.pictures.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::video::Beginning;

    use super::*;

    fn begin(channel: &Channel, number: u16) {
        let piece = Piece::Beginning(Beginning {
            number,
            is_sub: false,
            plays_in_browsers: true,
            width: 1280,
            height: 720,
            codec: "avc1.42C01E",
            data: b"moov",
        });
        channel.take(&piece, piece.to_bytes().into());
    }

    fn show(channel: &Channel, is_key: bool, is_after_gap: bool, data: &[u8]) {
        let fragment = Fragment { beginning: 0, is_key, is_after_gap, picture: 0, captured: 0, data };
        let piece = Piece::Fragment(fragment);
        channel.take(&piece, piece.to_bytes().into());
    }

    fn keys(said: &[Said]) -> Vec<bool> {
        let pictures = said.iter().filter_map(|said| match said {
            Said::Picture { is_key, .. } => Some(*is_key),
            _ => None,
        });
        pictures.collect()
    }

    #[test]
    fn who_joins_begins_at_the_last_picture_where_a_decoder_can_start() {
        let channel = Channel::default();
        show(&channel, true, false, b"before a beginning nobody can decode it");
        assert_eq!(channel.join().0, [Said::Standing(Standing::Waiting)]);
        begin(&channel, 0);
        for is_key in [true, false, false, true, false] {
            show(&channel, is_key, false, b"x");
        }
        let (first, mut rest) = channel.join();
        assert_eq!(first[0], Said::Standing(Standing::Live));
        assert!(matches!(first[1], Said::Beginning(_)));
        assert_eq!(keys(&first), [true, false]);
        show(&channel, false, false, b"y");
        let next = rest.try_recv().unwrap();
        assert!(matches!(next, Said::Picture { number: 5, is_key: false, .. }), "{next:?}");
    }

    #[test]
    fn pictures_after_a_hole_are_no_place_to_begin() {
        let channel = Channel::default();
        begin(&channel, 0);
        show(&channel, true, false, b"x");
        show(&channel, false, true, b"x");
        assert!(keys(&channel.join().0).is_empty());
        show(&channel, true, true, b"x");
        assert_eq!(keys(&channel.join().0), [true]);
        begin(&channel, 1);
        assert!(keys(&channel.join().0).is_empty(), "they are of another beginning");
    }

    #[test]
    fn what_is_kept_for_those_who_come_is_bounded() {
        let channel = Channel::default();
        begin(&channel, 0);
        let large = vec![0; 1 << 20];
        show(&channel, true, false, &large);
        for _ in 0..100 {
            show(&channel, false, false, &large);
            let kept: usize = channel
                .join()
                .0
                .iter()
                .map(|said| match said {
                    Said::Picture { piece, .. } => piece.len(),
                    _ => 0,
                })
                .sum();
            assert!(kept <= KEPT_BYTES, "{kept}");
        }
        assert!(keys(&channel.join().0).is_empty(), "part of a group is no use");
    }

    #[test]
    fn how_it_stands_is_said_when_it_changes() {
        let channel = Channel::default();
        let (_, mut rest) = channel.join();
        channel.stand(Standing::Waiting);
        assert!(rest.try_recv().is_err());
        let notice = Piece::Notice("the camera is gone");
        channel.take(&notice, notice.to_bytes().into());
        channel.take(&notice, notice.to_bytes().into());
        assert_eq!(rest.try_recv(), Ok(Said::Standing(Standing::Gone("the camera is gone".into()))));
        assert!(rest.try_recv().is_err());
    }
}
