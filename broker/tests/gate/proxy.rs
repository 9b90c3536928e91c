use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bugbrother_broker::Limits;
use bugbrother_mosquitto_compat::conf::{self, Protocol};
use ppp::v2::{Addresses, Builder, Command, IPv4, IPv6, Protocol as Transport, Version};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    authority::{Authority, tls},
    kit::{Broker, Connect, Raw, listener},
    wires::{secure_over, trusting, websocket},
};

fn header(command: Command, addresses: impl Into<Addresses>) -> Vec<u8> {
    let built = Builder::with_addresses(Version::Two | command, Transport::Stream, addresses);
    // As load balancers add.
    built.write_tlv(ppp::v2::Type::NoOp, &[7; 50]).unwrap().build().unwrap()
}

fn from(source: [u8; 4]) -> Vec<u8> {
    header(Command::Proxy, IPv4::new(Ipv4Addr::from(source), Ipv4Addr::LOCALHOST, 4_711, 8_883))
}

async fn broker(limits: Limits) -> Broker {
    let authority = Authority::new("ours");
    let server = authority.server("one");
    broker_with(limits, |folder| tls(folder, &server)).await
}

async fn broker_with(limits: Limits, tls: impl FnOnce(&std::path::Path) -> conf::Tls) -> Broker {
    Broker::with_doors(limits, |folder, access| {
        let behind = conf::Listener { proxy_protocol: true, ..listener(access) };
        let secure = conf::Listener { tls: Some(tls(folder)), protocol: Protocol::WebSockets, ..behind.clone() };
        vec![behind, secure]
    })
    .await
}

async fn knock(door: SocketAddr, header: &[u8]) -> Raw {
    let mut stream = TcpStream::connect(door).await.unwrap();
    stream.write_all(header).await.unwrap();
    Raw::over(stream)
}

fn connect(version: u8) -> Connect {
    Connect::new(version, "", "free")
}

#[tokio::test]
async fn who_comes_by_a_proxy_is_served() {
    let authority = Authority::new("ours");
    let server = authority.server("one");
    let mut broker = broker_with(Limits::default(), |folder| tls(folder, &server)).await;
    let six = header(Command::Proxy, IPv6::new([1; 16], [2; 16], 1, 2));
    for version in [4, 5] {
        for header in [from([192, 0, 2, 1]), six.clone(), header(Command::Local, Addresses::Unspecified)] {
            knock(broker.doors[0], &header).await.welcomed(connect(version)).await.ping().await;
            let mut stream = TcpStream::connect(broker.doors[1]).await.unwrap();
            stream.write_all(&header).await.unwrap();
            let stream = secure_over(stream, &trusting(&authority, None)).await.unwrap();
            websocket(stream, 20).await.welcomed(connect(version)).await.ping().await;
        }
    }
    // CONNECT in the same segment as the header, and the header in pieces.
    let mut stream = TcpStream::connect(broker.doors[0]).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let all = [from([192, 0, 2, 1]), connect(4).bytes()].concat();
    for byte in &all[..all.len() - 20] {
        stream.write_all(&[*byte]).await.unwrap();
    }
    stream.write_all(&all[all.len() - 20..]).await.unwrap();
    assert_eq!(Raw::over(stream).packet().await.unwrap().1, [0, 0]);
    broker.sings().await;
}

#[tokio::test]
async fn without_a_header_that_can_be_used_nobody_comes_in() {
    let mut broker = broker(Limits::default()).await;
    let good = from([192, 0, 2, 1]);
    let mut long = good.clone();
    long[14..16].copy_from_slice(&[0xFF, 0xFF]);
    let mut short = good.clone();
    short[14..16].copy_from_slice(&[0, 4]);
    let mut version = good.clone();
    version[12] = 0x31;
    let mut command = good.clone();
    command[12] = 0x2F;
    for bad in [
        connect(4).bytes(),
        b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 8883\r\n".to_vec(),
        good[..11].iter().copied().chain([0; 20]).collect(),
        header(Command::Proxy, Addresses::Unspecified),
        long,
        short,
        version,
        command,
    ] {
        for door in broker.doors.clone() {
            let mut raw = knock(door, &bad).await;
            raw.try_send(&connect(4).bytes()).await;
            assert_eq!(raw.ends().await, None, "{bad:?}");
        }
    }
    // A header is no packet where none is expected.
    let mut plain = broker.socket().await;
    plain.try_send(&good).await;
    assert_eq!(plain.ends().await, None);
    broker.sings().await;
}

#[tokio::test]
async fn who_sends_no_header_in_time_is_put_out() {
    let mut broker = broker(Limits { connect_deadline: Duration::from_millis(300), ..Limits::default() }).await;
    for bytes in [&[][..], &from([192, 0, 2, 1])[..20]] {
        assert_eq!(knock(broker.doors[0], bytes).await.ends().await, None);
    }
    broker.sings().await;
}

#[tokio::test]
async fn limits_of_an_address_are_those_of_the_client_s_and_not_of_the_proxy_s() {
    let limits = Limits { connections_per_address: 3, sign_in_failures_per_address: 2, ..Limits::default() };
    // The canary has one of the places of 127.0.0.1.
    let mut broker = broker(limits).await;
    let door = broker.doors[0];
    let mut clients = Vec::new();
    for source in [[192, 0, 2, 1], [192, 0, 2, 2]] {
        for _ in 0..3 {
            clients.push(knock(door, &from(source)).await.welcomed(connect(5)).await);
        }
        assert_eq!(knock(door, &from(source)).await.code(connect(5)).await, Some(0x89));
        assert_eq!(knock(door, &from(source)).await.code(connect(4)).await, Some(3));
    }
    let wrong = || connect(5).password("wrong");
    for expected in [0x86, 0x86, 0x89] {
        assert_eq!(knock(door, &from([192, 0, 2, 3])).await.code(wrong()).await, Some(expected));
    }
    assert_eq!(knock(door, &from([192, 0, 2, 4])).await.code(wrong()).await, Some(0x86));
    broker.sings().await;
}

#[tokio::test]
async fn one_address_behind_a_proxy_cannot_take_all_places_before_connect() {
    let mut broker = broker(Limits { handshakes_per_address: 2, ..Limits::default() }).await;
    let door = broker.doors[0];
    let mut silent = Vec::new();
    for _ in 0..2 {
        let raw = knock(door, &from([192, 0, 2, 1])).await;
        silent.push(raw);
    }
    let third = async { knock(door, &from([192, 0, 2, 1])).await.ends().await };
    assert_eq!(third.await, None);
    knock(door, &from([192, 0, 2, 2])).await.welcomed(connect(4)).await.ping().await;
    broker.sings().await;
}
