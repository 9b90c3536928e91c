//! Where an InfluxDB is, and who asks it: the parts of its URL. Pure.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::StoreError;

const FORM: &str =
    "telemetry_url must be influxdb://user:password@host:8086/database or influxdb://token@host:8086/bucket?v=2";
const PORT: u16 = 8086;

/// The parts of `influxdb://user:password@host:8086/database?retention_days=400`, or of
/// `influxdb://token@host:8086/bucket?v=2` for an InfluxDB 2 by its 1.x endpoints; `influxdbs` instead of `influxdb` for
/// TLS, with the certificate authorities that the system trusts.
///
/// Whatever in user, password, token or database would be something else in a URL is percent-encoded. Holds secrets: no
/// `Debug`.
pub(super) struct Address {
    /// `http://host:8086`.
    pub endpoint: String,
    /// Database, or bucket.
    pub database: String,
    /// Which InfluxDB.
    pub version: Version,
    /// Who asks.
    pub login: Login,
    /// For how long the database's default retention policy is to keep points; as it is for `None`.
    pub retention_days: Option<u32>,
}

/// Generations of InfluxDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 1.x.
    One,
    /// 2.x, by its 1.x endpoints: buckets are made elsewhere.
    Two,
}

/// Who asks.
#[derive(PartialEq, Eq)]
pub(super) enum Login {
    Nobody,
    Account { user: String, password: String },
    Token(String),
}

impl Address {
    /// Whether this is the URL of an InfluxDB, right or wrong.
    pub fn is_one(url: &str) -> bool {
        url.starts_with("influxdb://") || url.starts_with("influxdbs://")
    }

    pub fn parse(url: &str) -> Result<Self, StoreError> {
        // The parser's own error may quote a part of the URL.
        let url = Url::parse(url).map_err(|_| wrong("it is no URL"))?;
        let scheme = match url.scheme() {
            "influxdb" => "http",
            "influxdbs" => "https",
            _ => return Err(StoreError::TelemetryUrl),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
        let database = decoded(url.path().strip_prefix('/').unwrap_or_default())?;
        let is_plain = |c: char| !c.is_control() && !matches!(c, '"' | '\\' | '/');
        if database.is_empty() || !database.chars().all(is_plain) {
            return Err(wrong("it names no database, or one with `\"`, `\\` or `/` in its name"));
        }
        let (mut version, mut retention_days) = (Version::One, None);
        for (key, value) in url.query_pairs() {
            match (key.as_ref(), value.as_ref()) {
                ("v", "1") => version = Version::One,
                ("v", "2") => version = Version::Two,
                ("retention_days", days) => {
                    let days = days.parse().ok().filter(|days| (1..=36_500).contains(days));
                    retention_days = Some(days.ok_or_else(|| wrong("retention_days is 1 to 36500"))?);
                }
                _ => return Err(wrong("after `?` it takes v=1, v=2 and retention_days")),
            }
        }
        let (user, password) = (decoded(url.username())?, url.password().map(decoded).transpose()?);
        let login = match (version, password) {
            _ if user.is_empty() => Login::Nobody,
            (Version::One, password) => Login::Account { user, password: password.unwrap_or_default() },
            (Version::Two, None) => Login::Token(user),
            (Version::Two, Some(_)) => return Err(wrong("an InfluxDB 2 is asked with a token alone")),
        };
        if version == Version::Two && retention_days.is_some() {
            return Err(wrong("a bucket's retention is set where it is made"));
        }
        let endpoint = format!("{scheme}://{host}:{}", url.port().unwrap_or(PORT));
        Ok(Address { endpoint, database, version, login, retention_days })
    }
}

fn decoded(part: &str) -> Result<String, StoreError> {
    let decoded = percent_decode_str(part).decode_utf8().map_err(|_| wrong("a part of it is not UTF-8"))?;
    Ok(decoded.into_owned())
}

fn wrong(problem: &str) -> StoreError {
    StoreError::Samples(format!("{FORM}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_apart() {
        let address = Address::parse("influxdb://ada:p%40ss%2F%3A@db.example:9000/fleet?retention_days=400").unwrap();
        assert_eq!((address.endpoint.as_str(), address.database.as_str()), ("http://db.example:9000", "fleet"));
        assert!(address.login == Login::Account { user: "ada".into(), password: "p@ss/:".into() });
        assert_eq!((address.version, address.retention_days), (Version::One, Some(400)));

        let address = Address::parse("influxdbs://to-k_en%3D%3D@[::1]/cars%20and%20vans?v=2").unwrap();
        assert_eq!((address.endpoint.as_str(), address.database.as_str()), ("https://[::1]:8086", "cars and vans"));
        assert!(address.login == Login::Token("to-k_en==".into()) && address.version == Version::Two);
        assert!(Address::parse("influxdb://localhost/fleet").unwrap().login == Login::Nobody);
    }

    #[test]
    fn an_address_that_is_wrong_is_refused_without_what_it_holds() {
        for url in [
            "influxdb://ada:secret@db",
            "influxdb://ada:secret@db/",
            "influxdb://ada:secret@db/a/b",
            "influxdb://ada:secret@db/a%22b",
            "influxdb://ada:secret@db:70000/fleet",
            "influxdb://ada:secret@db/fleet?v=3",
            "influxdb://ada:secret@db/fleet?v=2",
            "influxdb://secret@db/fleet?v=2&retention_days=3",
            "influxdb://ada:secret@db/fleet?retention_days=0",
            "influxdb://ada:secret@db/fleet?secret=1",
            "influxdb://ada:secret@/fleet",
        ] {
            let error = Address::parse(url).err().unwrap_or_else(|| panic!("{url} is taken")).to_string();
            assert!(error.contains("telemetry_url must be influxdb://") && !error.contains("secret"), "{error}");
        }
    }
}
