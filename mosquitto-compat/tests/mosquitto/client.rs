//! An MQTT 3.1.1 client of a few packets, which waits for an answer to all that it does.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use bugbrother_kit::port;

pub struct Client {
    stream: TcpStream,
    /// Topics of what was delivered and not yet asked for.
    delivered: Vec<String>,
}

impl Client {
    /// Signs in, with user name and password if there are; else the return code of the CONNACK.
    pub fn connect(port: u16, client_id: &str, account: Option<(&str, &str)>) -> Result<Self, u8> {
        let mut stream = TcpStream::connect(port::local(port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut body = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
        body.extend(text(client_id));
        if let Some((user, password)) = account {
            body[7] |= 0xc0;
            body.extend(text(user));
            body.extend(text(password));
        }
        stream.write_all(&packet(0x10, &body)).unwrap();
        let mut client = Client { stream, delivered: Vec::new() };
        match client.next_but_deliveries(0x20)[1] {
            0 => Ok(client),
            code => Err(code),
        }
    }

    pub fn subscribe(&mut self, filter: &str) -> u8 {
        let mut body = vec![0, 1];
        body.extend(text(filter));
        body.push(0);
        self.stream.write_all(&packet(0x82, &body)).unwrap();
        self.next_but_deliveries(0x90)[2]
    }

    /// Publishes to all of them at QoS 1 and waits until the broker has dealt with it.
    pub fn publish(&mut self, topics: &[String]) {
        for topic in topics {
            let mut body = text(topic);
            body.extend([0, 1]);
            body.extend(b"x");
            self.stream.write_all(&packet(0x32, &body)).unwrap();
        }
        topics.iter().for_each(|_| drop(self.next_but_deliveries(0x40)));
    }

    /// The topics of what was delivered up to now, in alphabetical order.
    pub fn delivered(&mut self) -> Vec<String> {
        self.stream.write_all(&packet(0xc0, &[])).unwrap();
        self.next_but_deliveries(0xd0);
        let mut topics = std::mem::take(&mut self.delivered);
        topics.sort();
        topics
    }

    fn next_but_deliveries(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let (first, body) = self.next();
            if first & 0xf0 != 0x30 {
                assert_eq!(first, kind);
                return body;
            }
            let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
            self.delivered.push(String::from_utf8(body[2..2 + length].to_vec()).unwrap());
        }
    }

    fn next(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let [first, mut byte] = head;
        let (mut length, mut shift) = (usize::from(byte & 0x7f), 7);
        while byte & 0x80 != 0 {
            let mut more = [0];
            self.stream.read_exact(&mut more).unwrap();
            byte = more[0];
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (first, body)
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

/// A packet of less than 128 bytes.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 128);
    let mut packet = vec![first, body.len() as u8];
    packet.extend(body);
    packet
}
