//! CONNECT, as a test wants it.

use super::{packet, string};

/// What goes into a CONNECT.
pub struct Connect {
    pub version: u8,
    id: String,
    user: Option<(String, String)>,
    will: Option<(String, Vec<u8>, u8)>,
    keep_alive_s: u16,
    clean: bool,
    pub properties: Vec<u8>,
    pub will_properties: Vec<u8>,
}

impl Connect {
    pub fn new(version: u8, id: &str, user: &str) -> Self {
        let user = Some((user.to_owned(), "secret".to_owned()));
        Connect {
            version,
            id: id.into(),
            user,
            will: None,
            keep_alive_s: 60,
            clean: true,
            properties: Vec::new(),
            will_properties: Vec::new(),
        }
    }

    pub fn anonymous(mut self) -> Self {
        self.user = None;
        self
    }

    pub fn password(mut self, password: &str) -> Self {
        self.user.as_mut().unwrap().1 = password.into();
        self
    }

    /// `flags` of the will: QoS times 8, and 0x20 for retain.
    pub fn will(mut self, topic: &str, payload: &[u8], flags: u8) -> Self {
        self.will = Some((topic.into(), payload.into(), flags));
        self
    }

    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive_s = seconds;
        self
    }

    pub fn not_clean(mut self) -> Self {
        self.clean = false;
        self
    }

    /// With a session that lasts: in 5.0 for so many seconds, in 3.1.1 for ever.
    pub fn lasting(mut self, expiry_s: u32) -> Self {
        if self.version == 5 {
            self.properties.push(0x11);
            self.properties.extend(expiry_s.to_be_bytes());
        }
        self.not_clean()
    }

    /// How long the will waits.
    pub fn will_delay(mut self, seconds: u32) -> Self {
        self.will_properties.push(0x18);
        self.will_properties.extend(seconds.to_be_bytes());
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut flags = if self.clean { 2 } else { 0 };
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', self.version, 0];
        body.extend(self.keep_alive_s.to_be_bytes());
        if self.version == 5 {
            body.push(self.properties.len() as u8);
            body.extend(&self.properties);
        }
        string(&mut body, self.id.as_bytes());
        if let Some((topic, payload, will)) = &self.will {
            flags |= 4 | will;
            if self.version == 5 {
                body.push(self.will_properties.len() as u8);
                body.extend(&self.will_properties);
            }
            string(&mut body, topic.as_bytes());
            string(&mut body, payload);
        }
        if let Some((user, password)) = &self.user {
            flags |= 0xC0;
            string(&mut body, user.as_bytes());
            string(&mut body, password.as_bytes());
        }
        body[7] = flags;
        packet(0x10, &body)
    }
}
