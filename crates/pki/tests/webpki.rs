//! What the authority signs, as rustls sees it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bugbrother_pki::{Authority, Revoked, new_key_and_request};
use pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject};
use webpki::{
    ALL_VERIFICATION_ALGS, BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error, ExpirationPolicy,
    KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

#[test]
fn rustls_takes_the_list_strictly_and_refuses_what_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let authority = Authority::open_or_create(dir.path(), now).unwrap();
    let (_, request) = new_key_and_request("x").unwrap();
    let issued = authority.sign_vehicle(&request, "WVWZZZ1JZ3W386752".parse().unwrap(), now).unwrap();
    let path = dir.path().join("crl.pem");
    let verify = |revoked: &[Revoked], after: Duration| {
        authority.write_crl(&path, revoked, now).unwrap();
        let list = CertificateRevocationListDer::from_pem_file(&path).unwrap();
        let list: CertRevocationList<'_> = BorrowedCertRevocationList::from_der(&list).unwrap().into();
        let lists = [&list];
        let revocation = RevocationOptionsBuilder::new(&lists)
            .unwrap()
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build();
        let root = CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap();
        let anchors = [anchor_from_trusted_cert(&root).unwrap()];
        let leaf = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
        let certificate = EndEntityCert::try_from(&leaf).unwrap();
        let time = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap() + after);
        let usage = KeyUsage::client_auth();
        let verified =
            certificate.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &[], time, usage, Some(revocation), None);
        verified.map(|_| ())
    };
    let day = Duration::from_secs(24 * 60 * 60);
    let other = Revoked { serial: "4f00".to_owned(), at: now };
    verify(&[], Duration::ZERO).unwrap();
    verify(std::slice::from_ref(&other), 89 * day).unwrap();
    let ours = Revoked { serial: issued.serial.clone(), at: now };
    assert!(matches!(verify(&[other, ours], Duration::ZERO), Err(Error::CertRevoked)));
    assert!(matches!(verify(&[], 91 * day), Err(Error::CertExpired { .. })));
}
