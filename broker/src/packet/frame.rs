//! Where a packet ends, before anybody looks into it.

use bytes::BytesMut;

use super::Reason;

/// Kinds of packets that a client of ours may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    Unsubscribe,
    PingReq,
    Disconnect,
}

/// One whole packet.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// The lower half of the first byte.
    pub(crate) flags: u8,
    /// Where the part after the length starts.
    pub(crate) body_at: usize,
    /// All bytes of the packet.
    pub(crate) bytes: BytesMut,
}

impl Frame {
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }
}

/// Takes the next packet from the front of `buffer`; `None` when it is not all there yet. Nothing that is too long, of a
/// kind that only servers send, or with wrong flags is waited for.
pub(crate) fn take(buffer: &mut BytesMut, max_bytes: usize) -> Result<Option<Frame>, Reason> {
    let Some(&first) = buffer.first() else { return Ok(None) };
    let flags = first & 0x0F;
    let (kind, flags_valid) = match first >> 4 {
        1 => (Kind::Connect, flags == 0),
        3 => (Kind::Publish, flags & 0b0110 != 0b0110),
        4 => (Kind::PubAck, flags == 0),
        5 => (Kind::PubRec, flags == 0),
        6 => (Kind::PubRel, flags == 0b0010),
        7 => (Kind::PubComp, flags == 0),
        8 => (Kind::Subscribe, flags == 0b0010),
        10 => (Kind::Unsubscribe, flags == 0b0010),
        12 => (Kind::PingReq, flags == 0),
        14 => (Kind::Disconnect, flags == 0),
        // AUTH belongs to a method that CONNECT would have named.
        _ => return Err(Reason::ProtocolError),
    };
    if !flags_valid {
        return Err(Reason::MalformedPacket);
    }
    let Some((length, body_at)) = remaining_length(buffer)? else { return Ok(None) };
    if length > max_bytes {
        return Err(Reason::PacketTooLarge);
    }
    let end = body_at + length;
    if buffer.len() < end {
        return Ok(None);
    }
    Ok(Some(Frame { kind, flags, body_at, bytes: buffer.split_to(end) }))
}

/// The variable byte integer after the first byte (1.5.5), and where it ends.
fn remaining_length(buffer: &[u8]) -> Result<Option<(usize, usize)>, Reason> {
    let mut length = 0;
    for (at, byte) in buffer.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return Ok(Some((length, at + 1)));
        }
    }
    if buffer.len() > 4 { Err(Reason::MalformedPacket) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(bytes: &[u8]) -> Result<Option<(Kind, usize)>, Reason> {
        take(&mut BytesMut::from(bytes), 200).map(|frame| frame.map(|frame| (frame.kind, frame.body().len())))
    }

    #[test]
    fn a_packet_is_taken_when_it_is_whole() {
        assert_eq!(frame(&[]), Ok(None));
        assert_eq!(frame(&[0xC0]), Ok(None));
        assert_eq!(frame(&[0xC0, 0]), Ok(Some((Kind::PingReq, 0))));
        assert_eq!(frame(&[0x30, 3, 0, 1]), Ok(None));
        assert_eq!(frame(&[0x30, 3, 0, 1, b'a', 0xC0]), Ok(Some((Kind::Publish, 3))));
    }

    #[test]
    fn a_length_that_is_too_long_or_never_ends_is_refused_at_once() {
        assert_eq!(frame(&[0x30, 0x80, 0x80]), Ok(None));
        assert_eq!(frame(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]), Err(Reason::PacketTooLarge));
        assert_eq!(frame(&[0x30, 0x80, 0x80, 0x80, 0x80]), Err(Reason::MalformedPacket));
        assert_eq!(frame(&[0x30, 0xC9, 1]), Err(Reason::PacketTooLarge));
    }

    #[test]
    fn what_only_a_server_sends_and_what_has_wrong_flags_is_refused() {
        for first in [0x00, 0x20, 0x90, 0xB0, 0xD0, 0xF0] {
            assert_eq!(frame(&[first, 0]), Err(Reason::ProtocolError), "{first:#x}");
        }
        for first in [0x11, 0x36, 0x37, 0x41, 0x51, 0x60, 0x63, 0x72, 0x80, 0xA0, 0xC1, 0xE8] {
            assert_eq!(frame(&[first, 0]), Err(Reason::MalformedPacket), "{first:#x}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_take_more_than_there_is(bytes: Vec<u8>) {
            let mut buffer = BytesMut::from(&bytes[..]);
            if let Ok(Some(frame)) = take(&mut buffer, 64) {
                prop_assert!(frame.body().len() <= 64);
                prop_assert_eq!(frame.bytes.len() + buffer.len(), bytes.len());
            }
        }
    }
}
