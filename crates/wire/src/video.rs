//! What a vehicle pushes over the WebSocket `/api/embedded/live/{camera}`, and the server hands on: binary messages, each a
//! [`Piece`].
//!
//! All numbers are big-endian. A piece that is of another kind than these is to be skipped.
//!
//! | piece | bytes |
//! |---|---|
//! | beginning | `1`, flags (1: sub-stream, 2: browsers play it), number (2), width (2), height (2), length of the codec's name (1), that name, `ftyp` and `moov` |
//! | fragment | `2`, flags (1: key frame, 2: some before it were left out), number of its beginning (2), picture (4), time (8), `moof` and `mdat` |
//! | notice | `3`, `0`, a text in UTF-8 |

use crate::UnixMs;

/// Largest message.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// Most bytes of a notice.
pub const MAX_NOTICE_BYTES: usize = 512;

/// Why a socket of a live stream is closed, as its close code (RFC 6455, 7.4.2).
pub mod closing {
    /// The server: nobody looks.
    pub const NOBODY_LOOKS: u16 = 4000;
    /// The vehicle: neither position nor pictures leave it.
    pub const PRIVACY: u16 = 4001;
    /// The vehicle: the time is over for which it was asked to.
    pub const OVER: u16 = 4002;
    /// The vehicle: it was told to stop, or its agent ends.
    pub const STOPPED: u16 = 4003;
    /// The server: it has another stream of that camera, or never asked for this one.
    pub const NOT_WANTED: u16 = 4004;
    /// The server: the vehicle sent what is no piece, or too much.
    pub const NOT_UNDERSTOOD: u16 = 4005;
}

/// A message of a live stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// What a decoder must know; first of all, and again when it changes.
    Beginning(Beginning<'a>),
    /// A picture.
    Fragment(Fragment<'a>),
    /// Something for people, such as that the camera is gone.
    Notice(&'a str),
}

/// What holds for the fragments with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning<'a> {
    /// Rises from 0 with each beginning of a socket.
    pub number: u16,
    /// Whether it is the camera's smaller stream.
    pub is_sub: bool,
    /// Whether browsers play it.
    pub plays_in_browsers: bool,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// Name by RFC 6381, such as `avc1.42C01E`.
    pub codec: &'a str,
    /// `ftyp` and `moov` of a fragmented MP4.
    pub data: &'a [u8],
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The beginning that it belongs to.
    pub beginning: u16,
    /// Whether a decoder can start here.
    pub is_key: bool,
    /// Whether pictures before it were left out, because the network was slower than the camera.
    pub is_after_gap: bool,
    /// Counts the pictures of the socket, also those that were left out.
    pub picture: u32,
    /// When it was received from the camera, by the vehicle's clock; 0 where that is not known.
    pub captured: UnixMs,
    /// `moof` and `mdat`.
    pub data: &'a [u8],
}

/// The bytes are no piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a piece of a live stream")]
pub struct NoPiece;

const BEGINNING: u8 = 1;
const FRAGMENT: u8 = 2;
const NOTICE: u8 = 3;
const SUB: u8 = 1;
const PLAYS: u8 = 2;
const KEY: u8 = 1;
const AFTER_GAP: u8 = 2;

impl<'a> Piece<'a> {
    /// Its bytes. A codec's name is cut after 255 bytes, and a notice after [`MAX_NOTICE_BYTES`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        match self {
            Piece::Beginning(beginning) => {
                let Beginning { number, is_sub, plays_in_browsers, width, height, codec, data } = beginning;
                let codec = &codec.as_bytes()[..codec.floor_char_boundary(usize::from(u8::MAX))];
                let mut bytes = vec![BEGINNING, flag(*is_sub, SUB) | flag(*plays_in_browsers, PLAYS)];
                for number in [number, width, height] {
                    bytes.extend(number.to_be_bytes());
                }
                bytes.push(u8::try_from(codec.len()).unwrap_or(u8::MAX));
                [&bytes, codec, data].concat()
            }
            Piece::Fragment(fragment) => {
                let Fragment { beginning, is_key, is_after_gap, picture, captured, data } = fragment;
                let mut bytes = Vec::with_capacity(16 + data.len());
                bytes.extend([FRAGMENT, flag(*is_key, KEY) | flag(*is_after_gap, AFTER_GAP)]);
                bytes.extend(beginning.to_be_bytes());
                bytes.extend(picture.to_be_bytes());
                bytes.extend(captured.to_be_bytes());
                bytes.extend(*data);
                bytes
            }
            Piece::Notice(text) => {
                let text = &text.as_bytes()[..text.floor_char_boundary(MAX_NOTICE_BYTES)];
                [&[NOTICE, 0], text].concat()
            }
        }
    }

    /// The piece that a message is; `None` of a kind that this version does not know.
    pub fn read(message: &'a [u8]) -> Result<Option<Self>, NoPiece> {
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(NoPiece);
        }
        let ([kind, flags], rest) = message.split_first_chunk().ok_or(NoPiece)?;
        Ok(Some(match *kind {
            BEGINNING => {
                let (number, rest) = number(rest)?;
                let (width, rest) = self::number(rest)?;
                let (height, rest) = self::number(rest)?;
                let (length, rest) = rest.split_first().ok_or(NoPiece)?;
                let (codec, data) = rest.split_at_checked((*length).into()).ok_or(NoPiece)?;
                let codec = std::str::from_utf8(codec).ok().filter(|codec| is_codec(codec)).ok_or(NoPiece)?;
                let (is_sub, plays_in_browsers) = (flags & SUB != 0, flags & PLAYS != 0);
                Piece::Beginning(Beginning { number, is_sub, plays_in_browsers, width, height, codec, data })
            }
            FRAGMENT => {
                let (beginning, rest) = number(rest)?;
                let (picture, rest) = rest.split_first_chunk().ok_or(NoPiece)?;
                let (captured, data) = rest.split_first_chunk().ok_or(NoPiece)?;
                Piece::Fragment(Fragment {
                    beginning,
                    is_key: flags & KEY != 0,
                    is_after_gap: flags & AFTER_GAP != 0,
                    picture: u32::from_be_bytes(*picture),
                    captured: UnixMs::from_be_bytes(*captured),
                    data,
                })
            }
            NOTICE if rest.len() <= MAX_NOTICE_BYTES => Piece::Notice(std::str::from_utf8(rest).map_err(|_| NoPiece)?),
            NOTICE => return Err(NoPiece),
            _ => return Ok(None),
        }))
    }
}

fn number(bytes: &[u8]) -> Result<(u16, &[u8]), NoPiece> {
    let (number, rest) = bytes.split_first_chunk().ok_or(NoPiece)?;
    Ok((u16::from_be_bytes(*number), rest))
}

/// It goes into a media type between quotes.
fn is_codec(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_piece_is_refused_and_what_is_unknown_is_skipped() {
        for wrong in
            [&b""[..], b"\x01", b"\x02\x00\x00\x00", b"\x01\0\0\0\0\0\0\0\x05abc", b"\x01\0\0\0\0\0\0\0\x02a\"x"]
        {
            assert_eq!(Piece::read(wrong), Err(NoPiece), "{wrong:?}");
        }
        assert_eq!(Piece::read(&vec![2; MAX_MESSAGE_BYTES + 1]), Err(NoPiece));
        assert_eq!(Piece::read(&[&[NOTICE, 0][..], &[b'x'; MAX_NOTICE_BYTES + 1]].concat()), Err(NoPiece));
        assert_eq!(Piece::read(b"\x09\0anything"), Ok(None));
        let long = "é".repeat(MAX_NOTICE_BYTES);
        let bytes = Piece::Notice(&long).to_bytes();
        assert_eq!(Piece::read(&bytes), Ok(Some(Piece::Notice(&long[..MAX_NOTICE_BYTES]))));
    }

    proptest! {
        #[test]
        fn every_fragment_reads_back_as_itself(
            beginning: u16, is_key: bool, is_after_gap: bool, picture: u32, captured: i64, data: Vec<u8>,
        ) {
            let piece = Piece::Fragment(Fragment { beginning, is_key, is_after_gap, picture, captured, data: &data });
            prop_assert_eq!(Piece::read(&piece.to_bytes()), Ok(Some(piece)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Ok(Some(piece)) = Piece::read(&bytes) {
                prop_assert_eq!(Piece::read(&piece.to_bytes()), Ok(Some(piece)));
            }
        }
    }
}
