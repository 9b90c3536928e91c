use std::{
    fs,
    io::ErrorKind,
    path::Path,
    time::{Duration, SystemTime},
};

use bugbrother_pki::Certificate;

use super::Finding;
use crate::{
    arguments::{Doors, Net},
    data::AccessFolder,
};

const PART: &str = "certificates";
/// The broker renews its own when a third of its life is left; who runs has never less.
const SOON: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn look(data: &Path, net: &Net, doors: &Doors) -> Vec<Finding> {
    let folder = AccessFolder::at(&data.join("access"));
    let now = SystemTime::now();
    let mut findings = Vec::new();
    if doors.vehicles.is_some() || doors.mqtts.is_some() || doors.wss.is_some() {
        findings.extend(judge(&folder.ca_certificate(), "the fleet's authority", now, "it is made at the first start"));
        findings.extend(judge(&folder.server_certificate(), "the broker", now, "it is made at the first start"));
        findings.extend(names(&folder.server_certificate(), &doors.hosts));
        if doors.hosts.is_empty() {
            let found = "the broker's certificate is for this machine alone: no `host` is set";
            findings.push(Finding::bad(
                PART,
                found,
                "host = [\"fleet.example.org\"], the name that vehicles connect to",
            ));
        }
        findings.extend(told(net, &doors.hosts));
    } else if folder.server_certificate().exists() {
        // A broker elsewhere may have it, and nobody renews that one.
        findings.extend(judge(&folder.server_certificate(), "the broker", now, "bugbrother mosquitto export"));
    }
    if let Some(path) = &net.broker_ca {
        findings.extend(judge(path, "the broker's authority", now, "correct `broker_ca`"));
    }
    findings
}

/// Whether a certificate is there and valid.
fn judge(path: &Path, whose: &str, now: SystemTime, where_from: &str) -> Option<Finding> {
    let pem = match fs::read_to_string(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Some(Finding::note(PART, format!("of {whose}: `{}` is not there; {where_from}", path.display())));
        }
        Err(error) => {
            let found = format!("of {whose}: `{}` cannot be read: {error}", path.display());
            return Some(Finding::bad(PART, found, "let the server's user read it"));
        }
    };
    let certificate = match Certificate::read(&pem) {
        Ok(certificate) => certificate,
        Err(error) => {
            let found = format!("of {whose}: `{}`: {error}", path.display());
            return Some(Finding::bad(PART, found, "put a certificate in PEM there"));
        }
    };
    Some(validity(whose, &certificate, now))
}

fn validity(whose: &str, certificate: &Certificate, now: SystemTime) -> Finding {
    if now < certificate.from {
        let found = format!("of {whose}: not valid yet");
        return Finding::bad(PART, found, "is this machine's clock right?");
    }
    match certificate.until.duration_since(now) {
        Err(_) => {
            let found = format!("of {whose}: expired");
            Finding::bad(PART, found, "the broker makes its own anew when it starts; one of others is theirs to renew")
        }
        Ok(left) if left < SOON => {
            let found = format!("of {whose}: ends in {} days", left.as_secs() / 86_400);
            Finding::bad(
                PART,
                found,
                "a broker that runs renews its own long before: does it run, and may it write there?",
            )
        }
        Ok(left) => Finding::good(PART, format!("of {whose}: good for {} days", left.as_secs() / 86_400)),
    }
}

/// Whether the broker's certificate is for every name that is wanted.
fn names(path: &Path, hosts: &[String]) -> Option<Finding> {
    let certificate = Certificate::read(&fs::read_to_string(path).ok()?).ok()?;
    let missing =
        hosts.iter().find(|host| !host.is_empty() && !certificate.names.contains(&host.to_ascii_lowercase()))?;
    let found = format!("the broker's is for {}, not for {missing}", certificate.names.join(", "));
    Some(Finding::bad(PART, found, "start the broker anew: it makes one for the names in `host`"))
}

/// What vehicles are told must be a name of the certificate.
fn told(net: &Net, hosts: &[String]) -> Option<Finding> {
    let Some(url) = &net.public_broker else {
        let found = "vehicles are not told where the broker is: no `public_broker` is set";
        return Some(Finding::bad(PART, found, "public_broker = \"mqtts://fleet.example.org:8883\""));
    };
    let address: crate::brokers::Address = match url.parse() {
        Ok(address) => address,
        Err(_) => return Some(Finding::bad(PART, format!("`public_broker` {url} is no address"), "mqtts://HOST:8883")),
    };
    let known = hosts.iter().any(|host| host.eq_ignore_ascii_case(&address.host));
    let advice = format!("add \"{}\" to `host`, or correct `public_broker`", address.host);
    (!known).then(|| {
        let found = format!("vehicles are told {}, which is none of the names in `host`", address.host);
        Finding::bad(PART, found, advice)
    })
}

#[cfg(test)]
mod tests {
    use bugbrother_pki::Authority;

    use super::*;
    use crate::{authority, data, doctor::Verdict};

    fn doors(hosts: &[&str]) -> Doors {
        Doors {
            vehicles: Some("0.0.0.0:8883".parse().unwrap()),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            ..Doors::default()
        }
    }

    fn net(broker: &str) -> Net {
        Net { public_broker: Some(broker.to_owned()), ..Net::default() }
    }

    #[test]
    fn a_name_that_the_certificate_does_not_have_is_found() {
        let (_dir, data) = data::temporary();
        let authority = Authority::open_or_create(&data.authority(), SystemTime::now()).unwrap();
        authority::ensure_server(&authority, &data.access(), &["fleet.example.org".to_owned()]).unwrap();
        fs::write(data.access().ca_certificate(), authority.certificate_pem()).unwrap();
        let good = look(data.path(), &net("mqtts://fleet.example.org"), &doors(&["fleet.example.org"]));
        assert!(good.iter().all(|finding| finding.verdict == Verdict::Good) && good.len() == 2, "{good:?}");
        let bad = look(data.path(), &net("mqtts://other.example.org:8883"), &doors(&["new.example.org"]));
        let bad: Vec<_> = bad.iter().filter(|finding| finding.verdict == Verdict::Bad).collect();
        assert!(bad[0].found.contains("not for new.example.org"), "{bad:?}");
        assert!(bad[1].found.contains("told other.example.org, which is none of the names"), "{bad:?}");
        let none = look(data.path(), &Net::default(), &doors(&[]));
        assert_eq!(none.iter().filter(|finding| finding.verdict == Verdict::Bad).count(), 2, "{none:?}");
        fs::write(data.access().server_certificate(), "rubbish").unwrap();
        let bad = look(data.path(), &net("mqtts://fleet.example.org"), &doors(&["fleet.example.org"]));
        assert!(bad.iter().any(|finding| finding.found.contains("none in PEM")), "{bad:?}");
    }

    #[test]
    fn time_that_is_over_or_nearly_is_found() {
        let now = SystemTime::now();
        let day = Duration::from_secs(86_400);
        let of =
            |from, until| validity("x", &Certificate { names: Vec::new(), from, until, signed_by_itself: false }, now);
        assert!(of(now - 2 * day, now - day).found.contains("expired"));
        assert!(of(now + day, now + 2 * day).found.contains("not valid yet"));
        assert!(of(now - day, now + 3 * day).found.contains("ends in"));
        assert_eq!(of(now - day, now + 300 * day).verdict, Verdict::Good);
    }
}
