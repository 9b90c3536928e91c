//! What a viewer of a stream is told. One that is slow skips to where a decoder can start, and is told how much it missed.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::channel::{Channel, Said, Standing};

/// Pictures that may wait for a viewer: some two seconds.
const PATIENCE: usize = 60;

/// What to tell a viewer next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// A piece, to be handed on.
    Piece(Bytes),
    /// How the stream stands.
    Standing(Standing),
    /// So many pictures were left out.
    Missed(u64),
}

/// Where a viewer is in its stream.
pub(crate) struct Place {
    channel: Arc<Channel>,
    waiting: VecDeque<Said>,
    rest: Receiver<Said>,
    /// The number of the next picture that a viewer who misses nothing gets; none before the first.
    expects: Option<u64>,
    /// It cannot decode what is before the next key frame.
    is_lost: bool,
    missed: u64,
}

impl Place {
    /// At the beginning of what the channel keeps.
    pub fn new(channel: Arc<Channel>) -> Self {
        let (first, rest) = channel.join();
        Place { channel, waiting: first.into(), rest, expects: None, is_lost: false, missed: 0 }
    }

    /// What to tell next; `None` when the stream has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Next> {
        loop {
            if self.rest.len() > PATIENCE {
                self.skip();
            }
            let said = match self.waiting.pop_front() {
                Some(said) => said,
                None => match self.rest.recv().await {
                    Ok(said) => said,
                    Err(RecvError::Lagged(_)) => {
                        self.skip();
                        continue;
                    }
                    Err(RecvError::Closed) => return None,
                },
            };
            if let Some(next) = self.tell(said) {
                return Some(next);
            }
        }
    }

    /// Joins anew. Who is not past the last key frame goes on there; who is, waits for the next one.
    fn skip(&mut self) {
        let (mut first, rest) = self.channel.join();
        let kept = first.iter().find_map(|said| match said {
            Said::Picture { number, .. } => Some(*number),
            _ => None,
        });
        let goes_on = kept.is_some_and(|kept| self.expects.is_none_or(|expected| kept >= expected));
        if !goes_on {
            first.retain(|said| !matches!(said, Said::Picture { .. }));
            self.is_lost = true;
        }
        (self.waiting, self.rest) = (first.into(), rest);
    }

    fn tell(&mut self, said: Said) -> Option<Next> {
        let (is_key, number, piece) = match said {
            Said::Beginning(piece) => return Some(Next::Piece(piece)),
            Said::Standing(standing) => return Some(Next::Standing(standing)),
            Said::Picture { is_key, number, piece } => (is_key, number, piece),
        };
        let skipped = self.expects.map_or(0, |expected| number.saturating_sub(expected));
        self.expects = Some(number + 1);
        self.missed += skipped;
        self.is_lost = (self.is_lost || skipped > 0) && !is_key;
        if self.is_lost {
            self.missed += 1;
            return None;
        }
        if self.missed == 0 {
            return Some(Next::Piece(piece));
        }
        // Told first, then shown.
        self.expects = Some(number);
        self.waiting.push_front(Said::Picture { is_key, number, piece });
        Some(Next::Missed(std::mem::take(&mut self.missed)))
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::video::{Beginning, Fragment, Piece};
    use futures_util::FutureExt;

    use super::*;

    fn begin(channel: &Channel) {
        let piece = Piece::Beginning(Beginning {
            number: 0,
            is_sub: false,
            plays_in_browsers: true,
            width: 640,
            height: 480,
            codec: "avc1.42C01E",
            data: b"moov",
        });
        channel.take(&piece, piece.to_bytes().into());
    }

    fn show(channel: &Channel, pictures: std::ops::Range<u32>, keys_every: u32) {
        for picture in pictures {
            let is_key = picture.is_multiple_of(keys_every);
            let fragment = Fragment { beginning: 0, is_key, is_after_gap: false, picture, captured: 0, data: b"moof" };
            let piece = Piece::Fragment(fragment);
            channel.take(&piece, piece.to_bytes().into());
        }
    }

    /// The pictures that are there to be told, and how many were said to be missed.
    fn told(place: &mut Place) -> (Vec<u32>, u64) {
        let (mut pictures, mut missed) = (Vec::new(), 0);
        while let Some(Some(next)) = place.next().now_or_never() {
            match next {
                Next::Piece(piece) => {
                    if let Ok(Some(Piece::Fragment(fragment))) = Piece::read(&piece) {
                        pictures.push(fragment.picture);
                    }
                }
                Next::Missed(count) => missed += count,
                Next::Standing(_) => {}
            }
        }
        (pictures, missed)
    }

    #[test]
    fn who_keeps_up_misses_nothing() {
        let channel = Arc::new(Channel::default());
        begin(&channel);
        show(&channel, 0..5, 10);
        let mut place = Place::new(channel.clone());
        assert_eq!(told(&mut place), ((0..5).collect(), 0));
        for second in 0..20 {
            let pictures = 5 + second * 30..5 + (second + 1) * 30;
            show(&channel, pictures.clone(), 10);
            assert_eq!(told(&mut place), (pictures.collect(), 0));
        }
    }

    #[test]
    fn a_viewer_that_falls_behind_resumes_at_a_key_frame_and_is_told() {
        for count in [70, 95, 250, 1_000, 10_000] {
            let channel = Arc::new(Channel::default());
            begin(&channel);
            show(&channel, 0..3, 25);
            let mut place = Place::new(channel.clone());
            assert_eq!(told(&mut place).0, [0, 1, 2]);
            show(&channel, 3..count, 25);
            let (pictures, missed) = told(&mut place);
            assert_eq!(pictures[0] % 25, 0, "{count}: a decoder can start there");
            assert_eq!(pictures, (pictures[0]..count).collect::<Vec<_>>(), "{count}: and all that follow");
            assert!(pictures.len() <= 25, "{count}: it is at the present again");
            assert_eq!(missed, u64::from(pictures[0] - 3), "{count}");
        }
    }

    #[test]
    fn without_a_key_frame_to_go_on_from_it_waits_for_the_next() {
        let channel = Arc::new(Channel::default());
        begin(&channel);
        show(&channel, 0..1, 1_000);
        let mut place = Place::new(channel.clone());
        assert_eq!(told(&mut place).0, [0]);
        show(&channel, 1..500, 1_000);
        assert_eq!(told(&mut place), (vec![], 0));
        show(&channel, 500..1_002, 1_000);
        assert_eq!(told(&mut place), (vec![1_000, 1_001], 999));
    }

    #[test]
    fn what_a_decoder_must_know_is_never_skipped() {
        let channel = Arc::new(Channel::default());
        let mut place = Place::new(channel.clone());
        begin(&channel);
        show(&channel, 0..250, 50);
        let mut said = Vec::new();
        while let Some(Some(next)) = place.next().now_or_never() {
            said.push(next);
        }
        let first = said.iter().find_map(|next| match next {
            Next::Piece(piece) => Some(Piece::read(piece)),
            _ => None,
        });
        assert!(matches!(first, Some(Ok(Some(Piece::Beginning(_))))), "{first:?}");
    }
}
