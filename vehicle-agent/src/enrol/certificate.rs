use std::{sync::Arc, time::Duration};

use bugbrother_wire::{UnixMs, Vin};
use rcgen::KeyPair;
use rustls::{
    CertificateError, Error, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::WebPkiClientVerifier,
    sign::CertifiedKey,
};

use super::EnrolError;

/// Whether a certificate is for that key and that vehicle, and a broker that trusts `ca` takes it at `at`, which is not
/// this computer's clock: that may be wrong, and the broker goes by its own.
pub(super) fn check(certificate: &str, ca: &str, key: &KeyPair, vin: Vin, at: UnixMs) -> Result<(), EnrolError> {
    let unsigned = |error| EnrolError::Unsigned(Error::InvalidCertificate(error));
    let read = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| CertificateError::BadEncoding);
    let (leaf, authority) = (read(certificate).map_err(unsigned)?, read(ca).map_err(unsigned)?);
    if !belongs(&leaf, key) {
        return Err(EnrolError::OtherKey);
    }
    if !names(&leaf, vin) {
        return Err(EnrolError::OtherVehicle(vin));
    }
    let mut roots = RootCertStore::empty();
    roots.add(authority).map_err(EnrolError::Unsigned)?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .expect("there is an authority, and ring knows how to verify");
    let at = UnixTime::since_unix_epoch(Duration::from_millis(at.unsigned_abs()));
    verifier.verify_client_cert(&leaf, &[], at).map_err(EnrolError::Unsigned)?;
    Ok(())
}

fn belongs(certificate: &CertificateDer<'_>, key: &KeyPair) -> bool {
    let Ok(key) = PrivateKeyDer::try_from(key.serialize_der()) else { return false };
    let Ok(key) = ring::sign::any_supported_type(&key) else { return false };
    CertifiedKey::new(vec![certificate.clone().into_owned()], key).keys_match().is_ok()
}

/// Whether it has the VIN as a common name: the attribute's type (2.5.4.3) and a text of 17 characters, in DER (X.690).
/// The authority, whose name is in it, too, is called something else.
fn names(certificate: &CertificateDer<'_>, vin: Vin) -> bool {
    const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
    const TEXTS: [u8; 2] = [0x0c, 0x13];
    let vin = vin.as_str().as_bytes();
    let is_name = |part: &[u8]| {
        let (kind, text) = part.split_at(COMMON_NAME.len());
        kind == COMMON_NAME && TEXTS.contains(&text[0]) && usize::from(text[1]) == vin.len() && &text[2..] == vin
    };
    certificate.windows(COMMON_NAME.len() + 2 + vin.len()).any(is_name)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bugbrother_pki::Authority;
    use bugbrother_wire::unix_ms;
    use rcgen::CertificateParams;

    use super::*;

    const VIN: &str = "WVWZZZ1JZ3W386752";
    const OTHER: &str = "WP0ZZZ99ZTS390000";

    fn authority() -> Authority {
        let dir = tempfile::tempdir().unwrap();
        Authority::open_or_create(dir.path(), SystemTime::now()).unwrap()
    }

    #[test]
    fn a_certificate_is_taken_only_for_its_key_and_vehicle_and_of_the_authority_that_comes_along() {
        let (ours, theirs, key) = (authority(), authority(), KeyPair::generate().unwrap());
        let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let (vin, other): (Vin, Vin) = (VIN.parse().unwrap(), OTHER.parse().unwrap());
        let issued = ours.sign_vehicle(&csr, vin, SystemTime::now()).unwrap();
        let (from, ca) = (issued.not_before, ours.certificate_pem());
        check(&issued.pem, ca, &key, vin, from).unwrap();
        let refused = |ca: &str, key: &KeyPair, vin, at| check(&issued.pem, ca, key, vin, at).unwrap_err();
        let error = refused(ca, &KeyPair::generate().unwrap(), vin, from);
        assert!(matches!(error, EnrolError::OtherKey), "{error}");
        let error = refused(ca, &key, other, from);
        assert!(matches!(error, EnrolError::OtherVehicle(_)), "{error}");
        let error = refused(theirs.certificate_pem(), &key, vin, from);
        assert!(matches!(error, EnrolError::Unsigned(_)), "{error}");
        let error = refused(ca, &key, vin, unix_ms(SystemTime::now()) + 91 * 24 * 60 * 60 * 1000);
        assert!(matches!(error, EnrolError::Unsigned(_)), "{error}");
        for (leaf, ca) in [("", ca), (&*issued.pem, ""), (ca, ca)] {
            check(leaf, ca, &key, vin, from).unwrap_err();
        }
    }
}
