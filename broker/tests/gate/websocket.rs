use bugbrother_broker::Limits;
use bugbrother_mosquitto_compat::conf::{self, Protocol};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};

use crate::{
    authority::{Authority, tls},
    kit::{Broker, CAR, Connect, PATIENCE, Raw, listener, of, packet, publish},
    wires::{request, secure, trusting, upgrade, websocket},
};

async fn broker() -> Broker {
    broker_with(Limits::default()).await
}

async fn broker_with(limits: Limits) -> Broker {
    Broker::with_doors(limits, |_, access| vec![conf::Listener { protocol: Protocol::WebSockets, ..listener(access) }])
        .await
}

async fn tcp(broker: &Broker) -> TcpStream {
    TcpStream::connect(broker.doors[0]).await.unwrap()
}

type Socket = WebSocketStream<TcpStream>;

/// A WebSocket whose client has been let in.
async fn welcomed(broker: &Broker, version: u8) -> Socket {
    let mut socket = upgrade(tcp(broker).await).await.unwrap();
    send(&mut socket, Connect::new(version, "web", "free").bytes()).await;
    assert_eq!(bytes(&mut socket).await[..4], [0x20, if version == 5 { 0x0E } else { 2 }, 0, 0][..]);
    socket
}

async fn send(socket: &mut Socket, bytes: Vec<u8>) {
    socket.send(Message::Binary(bytes.into())).await.unwrap();
}

async fn next(socket: &mut Socket) -> Message {
    timeout(PATIENCE, socket.next()).await.expect("a message").expect("before the end").expect("and no error")
}

async fn bytes(socket: &mut Socket) -> Bytes {
    match next(socket).await {
        Message::Binary(bytes) => bytes,
        other => panic!("not a binary message: {other:?}"),
    }
}

/// The code of the close frame; DISCONNECT may come before.
async fn close_code(socket: &mut Socket) -> CloseCode {
    loop {
        match next(socket).await {
            Message::Close(Some(CloseFrame { code, .. })) => return code,
            Message::Close(None) => return CloseCode::Status,
            _ => {}
        }
    }
}

#[tokio::test]
async fn packets_may_be_split_and_joined_in_any_way() {
    let mut broker = broker().await;
    for version in [4, 5] {
        for most in [1, 2, 7, 1000, 60_000] {
            let mut client =
                websocket(tcp(&broker).await, most).await.welcomed(Connect::new(version, "web", "free")).await;
            client.subscribe("there/#", 1).await;
            for length in [0, 1, 125, 126, 5_000] {
                client.publish("there/and/back", &vec![9; length], 1).await;
                assert_eq!(client.message().await.payload, vec![9; length]);
            }
            client
                .send(
                    &[publish(version, b"there", b"1", 0, 0, &[]), publish(version, b"there", b"2", 0, 0, &[])]
                        .concat(),
                )
                .await;
            assert_eq!([client.message().await.payload, client.message().await.payload], [b"1", b"2"]);
        }
        let mut client =
            websocket(tcp(&broker).await, 60_000).await.welcomed(Connect::new(version, "web", "free")).await;
        client.subscribe("there/#", 0).await;
        client.publish("there/large", &vec![7; 250_000], 1).await;
        assert_eq!(client.message().await.payload, vec![7; 250_000]);
    }
    broker.sings().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_vehicle_is_bound_to_its_topics_over_secure_websocket_too() {
    let authority = Authority::new("ours");
    let server = authority.server("one");
    let mut broker = Broker::with_doors(Limits::default(), |folder, access| {
        let tls = Some(tls(folder, &server));
        vec![conf::Listener { tls, protocol: Protocol::WebSockets, bind: Some("::1".into()), ..listener(access) }]
    })
    .await;
    assert!(broker.doors[0].is_ipv6());
    let mut config = std::sync::Arc::unwrap_or_clone(trusting(&authority, None));
    // As a browser does.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = secure(broker.doors[0], &config.into()).await.unwrap();
    let mut car = websocket(stream, 100).await.welcomed(Connect::new(5, CAR, CAR)).await;
    assert_eq!(car.publish(&of(CAR, "up/event"), b"x", 1).await, 0);
    assert_eq!(car.publish(&of(CAR, "down/command"), b"x", 1).await, 0x87);
    broker.sings().await;
}

#[tokio::test]
async fn only_the_subprotocol_of_mqtt_is_spoken() {
    let mut broker = broker().await;
    for wrong in ["chat", "mqttv3.1", "MQTT", "mqtt2, amqp"] {
        let Err(Error::Http(response)) = client_async(request(wrong), tcp(&broker).await).await else {
            panic!("{wrong}")
        };
        assert_eq!(response.status(), 400, "{wrong}");
    }
    let (_, response) = client_async(request("chat, mqtt"), tcp(&broker).await).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "mqtt");
    let Err(Error::Http(response)) = client_async("ws://localhost/", tcp(&broker).await).await else {
        panic!("no subprotocol")
    };
    assert_eq!(response.status(), 400);
    for text in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"POST /mqtt HTTP/1.1\r\n\r\n", b"\0\x01\x02\r\n\r\n"] {
        let mut stream = tcp(&broker).await;
        stream.write_all(text).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it ends").ok();
        assert!(!answer.starts_with(b"HTTP/1.1 101"), "{text:?}");
    }
    let mut plain = Raw::open(broker.doors[0]).await;
    plain.try_send(&Connect::new(4, "x", "free").bytes()).await;
    plain.try_send(b"\r\n\r\n").await;
    plain.ends().await;
    broker.sings().await;
}

#[tokio::test]
async fn a_text_message_ends_the_connection() {
    let mut broker = broker().await;
    for version in [4, 5] {
        let mut socket = welcomed(&broker, version).await;
        socket.send(Message::Text("hello".into())).await.unwrap();
        assert_eq!(close_code(&mut socket).await, CloseCode::Unsupported);
    }
    let mut socket = upgrade(tcp(&broker).await).await.unwrap();
    socket.send(Message::Text("hello".into())).await.unwrap();
    assert_eq!(close_code(&mut socket).await, CloseCode::Unsupported);
    broker.sings().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_waited_for() {
    let mut broker = broker().await;
    // The header alone: a frame of 10 GiB, and one that only somebody who is known may send.
    for (known, length) in [(false, 10_u64 << 30), (false, 100_000), (true, 10 << 30), (true, 400_000)] {
        let mut socket = match known {
            true => welcomed(&broker, 5).await,
            false => upgrade(tcp(&broker).await).await.unwrap(),
        };
        let header = [&[0x82, 0xFF][..], &length.to_be_bytes(), &[0; 4]].concat();
        socket.get_mut().write_all(&header).await.unwrap();
        assert_eq!(close_code(&mut socket).await, CloseCode::Size);
    }
    // The same in fragments that are small enough each.
    let mut socket = welcomed(&broker, 5).await;
    let mut opcode = OpCode::Data(Data::Binary);
    for _ in 0..40 {
        let fragment = Frame::message(vec![0; 10_000], opcode, false);
        if socket.send(Message::Frame(fragment)).await.is_err() {
            break;
        }
        opcode = OpCode::Data(Data::Continue);
    }
    while let Ok(Some(Ok(_))) = timeout(PATIENCE, socket.next()).await {}
    broker.sings().await;
}

#[tokio::test]
async fn a_packet_in_fragments_with_pings_between_is_one_packet() {
    let mut broker = broker().await;
    let mut socket = welcomed(&broker, 5).await;
    let bytes = publish(5, b"a/b", b"payload", 0b10, 7, &[]);
    let (first, rest) = bytes.split_at(5);
    let (second, third) = rest.split_at(3);
    for (part, opcode, last) in
        [(first, Data::Binary, false), (second, Data::Continue, false), (third, Data::Continue, true)]
    {
        socket.send(Message::Frame(Frame::message(part.to_vec(), OpCode::Data(opcode), last))).await.unwrap();
        socket.send(Message::Ping("x".into())).await.unwrap();
    }
    let (mut pongs, mut answer) = (0, None);
    while pongs == 0 || answer.is_none() {
        match next(&mut socket).await {
            Message::Pong(_) => pongs += 1,
            Message::Binary(bytes) => answer = Some(bytes),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answer.unwrap()[..], [0x40, 2, 0, 7]);
    broker.sings().await;
}

#[tokio::test]
async fn a_flood_of_pings_is_paid_for_like_packets() {
    const PINGS: usize = 400;
    let mut broker =
        broker_with(Limits { tokens_per_second: 100, tokens_per_second_of_services: 100, ..Limits::default() }).await;
    let mut socket = welcomed(&broker, 4).await;
    let started = tokio::time::Instant::now();
    // Empty messages cost the same, and nobody answers them.
    for _ in 0..PINGS / 2 {
        socket.feed(Message::Ping(Bytes::new())).await.unwrap();
        socket.feed(Message::Binary(Bytes::new())).await.unwrap();
    }
    send(&mut socket, packet(0xC0, &[])).await;
    while !matches!(next(&mut socket).await, Message::Binary(bytes) if bytes[..] == [0xD0, 0]) {}
    // 100 of them are free.
    assert!(started.elapsed().as_secs_f32() > 2.5, "after {:?}", started.elapsed());
    broker.sings().await;
}

/// Frames without a byte in them, which belong to a message that has begun.
fn empty_fragments(count: usize) -> Vec<u8> {
    [0x00, 0x80, 1, 2, 3, 4].repeat(count)
}

#[tokio::test]
async fn fragments_without_a_byte_are_paid_for_like_packets() {
    const FRAGMENTS: usize = 400;
    let mut broker =
        broker_with(Limits { tokens_per_second: 100, tokens_per_second_of_services: 100, ..Limits::default() }).await;
    let mut socket = welcomed(&broker, 4).await;
    let started = tokio::time::Instant::now();
    let begin = Frame::message(vec![0xC0], OpCode::Data(Data::Binary), false);
    socket.send(Message::Frame(begin)).await.unwrap();
    socket.get_mut().write_all(&empty_fragments(FRAGMENTS)).await.unwrap();
    let end = Frame::message(vec![0], OpCode::Data(Data::Continue), true);
    socket.send(Message::Frame(end)).await.unwrap();
    send(&mut socket, packet(0xC0, &[])).await;
    for _ in 0..2 {
        assert_eq!(bytes(&mut socket).await[..], [0xD0, 0]);
    }
    // 100 of them are free.
    assert!(started.elapsed().as_secs_f32() > 2.5, "after {:?}", started.elapsed());
    broker.sings().await;
}

#[tokio::test]
async fn a_flood_of_fragments_stands_still_while_others_go_on() {
    let mut broker =
        broker_with(Limits { tokens_per_second: 100, tokens_per_second_of_services: 100, ..Limits::default() }).await;
    let mut socket = welcomed(&broker, 5).await.into_inner();
    socket.write_all(&[0x02, 0x80, 0, 0, 0, 0]).await.unwrap();
    let flood = tokio::spawn(async move {
        let portion = empty_fragments(10_000);
        while socket.write_all(&portion).await.is_ok() {}
    });
    for _ in 0..20 {
        broker.sings().await;
    }
    assert!(!flood.is_finished(), "it is read slowly");
    flood.abort();
    broker.sings().await;
}

#[tokio::test]
async fn who_is_not_known_yet_is_put_out_after_some_frames() {
    let mut broker = broker().await;
    let pings = [0x89, 0x80, 1, 2, 3, 4].repeat(5_000);
    for flood in [[vec![0x02, 0x80, 0, 0, 0, 0], empty_fragments(5_000)].concat(), pings] {
        let mut socket = upgrade(tcp(&broker).await).await.unwrap().into_inner();
        socket.write_all(&flood).await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(PATIENCE, socket.read_to_end(&mut answer)).await;
        ended.expect("it is put out before its time is over").ok();
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_goodbye_is_answered() {
    let mut broker = broker().await;
    let mut socket = welcomed(&broker, 4).await;
    socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "".into() })).await.unwrap();
    assert_eq!(close_code(&mut socket).await, CloseCode::Away);
    let mut socket = welcomed(&broker, 4).await;
    send(&mut socket, packet(0xE0, &[])).await;
    while let Some(Ok(_)) = timeout(PATIENCE, socket.next()).await.expect("it ends") {}
    let mut told = welcomed(&broker, 5).await;
    broker.sings().await;
    broker.stop().await;
    assert_eq!(bytes(&mut told).await[..], [0xE0, 2, 0x8B, 0]);
    assert_eq!(close_code(&mut told).await, CloseCode::Status);
}
