//! The list of what is revoked.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, SystemTime},
};

use bugbrother_wire::unix_ms;
use pki_types::{CertificateRevocationListDer, pem::PemObject};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber};
use x509_parser::{extensions::ParsedExtension, prelude::FromDer, revocation_list::CertificateRevocationList};

use crate::{
    Authority, PkiError, file,
    moment::{Validity, moment},
    serial, vehicle,
};

/// OpenSSL, and with it Mosquitto, refuses everybody once the list's next update is past. The list is written anew when
/// something is revoked, and a fleet where nothing is must go on; so it is as good as never past.
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Who keeps a list makes it anew after this time, so that others see by its date that somebody still does.
const RENEW_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate that is no longer good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// Since when.
    pub at: SystemTime,
}

impl Authority {
    /// Writes the list of what is revoked (RFC 5280, version 2, PEM) in the place of the one at `path`, with a higher
    /// number than it. An empty list is one, too.
    ///
    /// The list is all that there is: `revoked` names whatever is revoked and has not expired.
    pub fn write_crl(&self, path: &Path, revoked: &[Revoked], now: SystemTime) -> Result<(), PkiError> {
        let _lock = self.lock()?;
        // A list that cannot be read is one that must be replaced.
        let last = file::read(path).ok().flatten().and_then(|pem| number(&pem)).unwrap_or(0);
        let validity = Validity::starting(now, LIFE)?;
        let params = CertificateRevocationListParams {
            this_update: validity.from,
            next_update: validity.until,
            crl_number: SerialNumber::from(unix_ms(now).unsigned_abs().max(last.saturating_add(1))),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect::<Result<_, _>>()?,
            key_identifier_method: self.key_identifier(),
        };
        let list = params.signed_by(&self.issuer).and_then(|list| list.pem()).map_err(PkiError::Make)?;
        file::replace(path, &list, file::PUBLIC)
    }

    /// Writes the list if the one at `path` lacks something, is not this authority's, is a day old or is of a time that has not
    /// come; `true` if it was written. Whoever does so from time to time has a list that is never out of date.
    ///
    /// What that list names and `revoked` does not stays in it for as long as a vehicle's certificate can live: whoever
    /// forgot it, by erasing the vehicle or by going back to a backup, has not let it in again.
    pub fn keep_crl(&self, path: &Path, revoked: &[Revoked], now: SystemTime) -> Result<bool, PkiError> {
        let plain = |entry: &Revoked| Ok(serial::hex(serial::parse(&entry.serial)?.as_ref()));
        let named = revoked.iter().map(plain).collect::<Result<BTreeSet<_>, PkiError>>()?;
        let kept = file::read(path).ok().flatten().and_then(|pem| self.read_crl(&pem));
        let (made, kept) = kept.map_or((None, Vec::new()), |kept| (Some(kept.made), kept.revoked));
        let lacks_none = named.iter().all(|serial| kept.iter().any(|entry| entry.serial == *serial));
        let is_of_now = |made| now.duration_since(made).is_ok_and(|age| age < RENEW_AFTER);
        if lacks_none && made.is_some_and(is_of_now) {
            return Ok(false);
        }
        let matters = |entry: &Revoked| now.duration_since(entry.at).is_ok_and(|age| age < vehicle::LIFE + RENEW_AFTER);
        let forgotten = kept.into_iter().filter(|entry| !named.contains(&entry.serial) && matters(entry));
        let all: Vec<_> = revoked.iter().cloned().chain(forgotten).collect();
        self.write_crl(path, &all, now)?;
        Ok(true)
    }

    /// What a list says, if it is one of this authority's.
    fn read_crl(&self, pem: &str) -> Option<Kept> {
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (_, list) = CertificateRevocationList::from_der(&der).ok()?;
        let (_, own) = x509_parser::parse_x509_certificate(self.der()).ok()?;
        list.verify_signature(own.public_key()).ok()?;
        let time =
            |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let revoked = list
            .iter_revoked_certificates()
            .map(|one| Revoked { serial: serial::hex(one.raw_serial()), at: time(one.revocation_date.timestamp()) });
        Some(Kept { revoked: revoked.collect(), made: time(list.last_update().timestamp()) })
    }
}

/// What stands in a list.
struct Kept {
    revoked: Vec<Revoked>,
    made: SystemTime,
}

impl Authority {
    /// The identifier in the authority's certificate: OpenSSL finds a list's issuer by it.
    fn key_identifier(&self) -> KeyIdMethod {
        let certificate = x509_parser::parse_x509_certificate(self.der());
        let (_, certificate) = certificate.expect("it was read when the authority was opened");
        let found = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
        found.map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified)
    }
}

fn entry(revoked: &Revoked) -> Result<RevokedCertParams, PkiError> {
    Ok(RevokedCertParams {
        serial_number: serial::parse(&revoked.serial)?,
        revocation_time: moment(revoked.at)?,
        reason_code: Some(RevocationReason::PrivilegeWithdrawn),
        invalidity_date: None,
    })
}

/// The number of a list; of what is none, none.
fn number(pem: &str) -> Option<u64> {
    let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, list) = CertificateRevocationList::from_der(&der).ok()?;
    list.crl_number()?.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn made(path: &Path) -> (i64, i64, u64) {
        let pem = file::read(path).unwrap().unwrap();
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap();
        let (_, list) = CertificateRevocationList::from_der(&der).unwrap();
        let next = list.next_update().unwrap().timestamp();
        (list.last_update().timestamp(), next, number(&pem).unwrap())
    }

    #[test]
    fn a_list_that_is_kept_is_made_anew_each_day_and_when_it_lacks_something() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let authority = Authority::open_or_create(&dir.path().join("ca"), now).unwrap();
        let path = dir.path().join("crl.pem");
        let keep = |revoked: &[Revoked], now| authority.keep_crl(&path, revoked, now).unwrap();
        // One begins with a bit that is set.
        let two = ["9f00aa", "0102"].map(|serial| Revoked { serial: serial.to_owned(), at: now });
        assert!(keep(&[], now), "there is none");
        assert!(!keep(&[], now));
        assert!(keep(&two, now) && !keep(&two, now));
        let first = made(&path);
        assert!(!keep(&two, now + DAY / 2));
        assert_eq!(made(&path), first);
        assert!(keep(&two, now + 2 * DAY), "it is two days old");
        let second = made(&path);
        assert!(second.0 > first.0 && second.1 > first.1 && second.2 > first.2, "{first:?} {second:?}");
        assert!(keep(&two, now), "it is of the day after tomorrow");
        std::fs::write(&path, "rubbish").unwrap();
        assert!(keep(&two, now));
        let other = Authority::open_or_create(&dir.path().join("other"), now).unwrap();
        assert!(other.keep_crl(&path, &two, now).unwrap(), "it is of another authority");
    }

    #[test]
    fn what_was_revoked_and_is_forgotten_stays_in_the_list_while_it_could_matter() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let authority = Authority::open_or_create(&dir.path().join("ca"), now).unwrap();
        let path = dir.path().join("crl.pem");
        let serials = || {
            let kept = authority.read_crl(&file::read(&path).unwrap().unwrap()).unwrap();
            kept.revoked.into_iter().map(|entry| entry.serial).collect::<BTreeSet<_>>()
        };
        let [one, two] = ["9f00aa", "0102"].map(|serial| Revoked { serial: serial.to_owned(), at: now });
        authority.keep_crl(&path, &[one, two.clone()], now).unwrap();
        assert!(authority.keep_crl(&path, std::slice::from_ref(&two), now + 80 * DAY).unwrap());
        assert_eq!(serials(), ["0102", "9f00aa"].map(str::to_owned).into());
        assert!(authority.keep_crl(&path, &[], now + 92 * DAY).unwrap());
        assert_eq!(serials(), BTreeSet::new());
    }

    #[test]
    fn who_keeps_a_list_is_in_time_long_before_its_end() {
        assert!(RENEW_AFTER * 100 < LIFE);
    }
}
