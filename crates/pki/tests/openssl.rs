//! What the authority signs, as OpenSSL sees it; and requests that OpenSSL makes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use bugbrother_pki::{Authority, Issued, PkiError, Request, Revoked, new_key_and_request, renewal_signature};
use bugbrother_wire::{Vin, unix_ms};
use proptest::prelude::*;
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Fleet {
    dir: TempDir,
    authority: Authority,
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn golf() -> Vin {
    "WVWZZZ1JZ3W386752".parse().unwrap()
}

fn fleet() -> Fleet {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(&dir.path().join("ca"), now()).unwrap();
    Fleet { dir, authority }
}

impl Fleet {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path().join(name)).unwrap().permissions().mode() & 0o777
    }

    /// What `openssl` says, and whether it is content.
    fn openssl(&self, arguments: &str) -> (bool, String) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .output()
            .expect("the openssl program is there");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn made(&self, arguments: &str) {
        let (good, said) = self.openssl(arguments);
        assert!(good, "openssl {arguments}: {said}");
    }

    fn vehicle(&self) -> (String, Issued) {
        let (key, request) = new_key_and_request("anybody").unwrap();
        let issued = self.authority.sign_vehicle(&request, golf(), now()).unwrap();
        self.write("vehicle.crt", &issued.pem);
        self.write("vehicle.key", &key);
        (key, issued)
    }
}

#[test]
fn openssl_takes_the_chain_for_its_purpose_and_for_no_other() {
    let fleet = fleet();
    let (_, issued) = fleet.vehicle();
    fleet.made("verify -x509_strict -CAfile ca/ca.crt -purpose sslclient vehicle.crt");
    assert!(!fleet.openssl("verify -x509_strict -CAfile ca/ca.crt -purpose sslserver vehicle.crt").0);
    let (_, text) = fleet.openssl("x509 -in vehicle.crt -noout -text -nameopt RFC2253");
    for line in
        ["Subject: CN=WVWZZZ1JZ3W386752\n", "CA:FALSE", "Digital Signature\n", "TLS Web Client Authentication\n"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains("Authority Key Identifier") && text.contains("Subject Key Identifier"));
    let (_, serial) = fleet.openssl("x509 -in vehicle.crt -noout -serial");
    assert_eq!(serial.trim(), format!("serial={}", issued.serial.to_uppercase()));
    let life = issued.not_after - issued.not_before;
    assert_eq!(life, (90 * DAY + Duration::from_secs(300)).as_millis() as i64);
    assert!((unix_ms(now()) - issued.not_before - 300_000).abs() < 60_000);

    let (_, text) = fleet.openssl("x509 -in ca/ca.crt -noout -text");
    for line in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "BugBrother fleet CA "] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let (_, fingerprint) = fleet.openssl("x509 -in ca/ca.crt -noout -fingerprint -sha256");
    assert!(fingerprint.trim().ends_with(&fleet.authority.fingerprint()), "{fingerprint}");
}

#[test]
fn openssl_refuses_what_the_list_names_and_takes_an_empty_list() {
    let fleet = fleet();
    let (_, issued) = fleet.vehicle();
    let crl = fleet.path().join("crl.pem");
    let verify = "verify -x509_strict -crl_check -CAfile ca/ca.crt -CRLfile crl.pem vehicle.crt";
    let number = || {
        let (_, text) = fleet.openssl("crl -in crl.pem -noout -crlnumber");
        let digits = text.trim().trim_start_matches("crlNumber=0x").to_owned();
        u64::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("{text}"))
    };
    fleet.authority.write_crl(&crl, &[], now()).unwrap();
    fleet.made(verify);
    let first = number();
    let other = Revoked { serial: "4f00".to_owned(), at: now() };
    fleet.authority.write_crl(&crl, std::slice::from_ref(&other), now() - DAY).unwrap();
    fleet.made(verify);
    assert!(number() > first, "the number grows even when the clock goes back");
    let ours = Revoked { serial: issued.serial, at: now() };
    fleet.authority.write_crl(&crl, &[other, ours], now()).unwrap();
    let (good, said) = fleet.openssl(verify);
    assert!(!good && said.contains("certificate revoked"), "{said}");
    let (_, text) = fleet.openssl("crl -in crl.pem -noout -text -CAfile ca/ca.crt");
    assert!(text.contains("verify OK") && text.contains("Version 2"), "{text}");
    // Nine years on it is still one that OpenSSL goes by.
    let later = unix_ms(now() + 9 * 365 * DAY) / 1000;
    fleet.authority.write_crl(&crl, &[], now()).unwrap();
    let (_, said) = fleet.openssl(&format!("{verify} -attime {later}"));
    assert!(!said.contains("CRL has expired"), "{said}");
    assert_eq!(fleet.mode("crl.pem"), 0o644);
    fleet.write("crl.pem", "rubbish");
    fleet.authority.write_crl(&crl, &[], now()).unwrap();
    fleet.made(verify);
}

#[test]
fn a_serial_number_that_is_none_does_not_get_into_the_list() {
    let fleet = fleet();
    let crl = fleet.path().join("crl.pem");
    let bad = Revoked { serial: "../x".to_owned(), at: now() };
    assert!(matches!(fleet.authority.write_crl(&crl, &[bad], now()), Err(PkiError::Serial(_))));
    assert!(!crl.exists());
}

#[test]
fn the_common_kinds_of_keys_are_taken_and_nothing_of_the_request_but_the_key() {
    let fleet = fleet();
    for (kind, options) in [
        ("p256", "-newkey ec -pkeyopt ec_paramgen_curve:P-256"),
        ("p384", "-newkey ec -pkeyopt ec_paramgen_curve:P-384"),
        ("ed25519", "-newkey ed25519"),
        ("rsa", "-newkey rsa:2048"),
    ] {
        let wishes =
            "-addext basicConstraints=CA:TRUE -addext extendedKeyUsage=serverAuth -addext subjectAltName=DNS:evil";
        fleet.made(&format!(
            "req -new {options} -nodes -keyout k.pem -out r.pem -subj /CN=1M8GDM9AXKP042788/O=x {wishes}"
        ));
        let request = Request::from_pem(&fleet.read("r.pem")).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let issued = fleet.authority.sign(&request, golf(), now()).unwrap();
        fleet.write("v.crt", &issued.pem);
        fleet.made("verify -x509_strict -CAfile ca/ca.crt -purpose sslclient v.crt");
        let (_, text) = fleet.openssl("x509 -in v.crt -noout -text");
        assert!(text.contains("CN = WVWZZZ1JZ3W386752\n") && text.contains("CA:FALSE"), "{kind}: {text}");
        for wish in ["CA:TRUE", "evil", "TLS Web Server", "1M8GDM9AXKP042788", "O = x"] {
            assert!(!text.contains(wish), "{kind}: {text}");
        }
        fleet.made("pkey -in k.pem -pubout -outform DER -out k.der");
        let (_, hash) = fleet.openssl("dgst -sha256 -r k.der");
        assert!(hash.starts_with(&issued.key_sha256), "{kind}: {hash}");
    }
}

#[test]
fn weak_strange_and_broken_requests_are_refused() {
    let fleet = fleet();
    for options in [
        "-newkey rsa:1024",
        "-newkey rsa:1024 -sha1",
        "-newkey rsa:2048 -sha1",
        "-newkey ec -pkeyopt ec_paramgen_curve:P-521",
        "-newkey ec -pkeyopt ec_paramgen_curve:secp256k1",
        "-newkey ed448",
    ] {
        fleet.made(&format!("req -new {options} -nodes -keyout k.pem -out r.pem -subj /CN=x"));
        let refused = fleet.authority.sign_vehicle(&fleet.read("r.pem"), golf(), now());
        assert!(matches!(refused, Err(PkiError::Request(_))), "{options}: {refused:?}");
    }
    let certificate = fleet.authority.certificate_pem().to_owned();
    for bad in ["", "rubbish", "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----", &certificate] {
        assert!(matches!(Request::from_pem(bad), Err(PkiError::Request(_))), "{bad}");
    }
}

#[test]
fn a_vehicle_renews_with_a_signature_of_its_old_key_made_by_openssl() {
    let fleet = fleet();
    for (options, sign) in [
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-256", "dgst -sha256 -sign old.key -out sig message"),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-384", "dgst -sha384 -sign old.key -out sig message"),
        ("-newkey ed25519", "pkeyutl -sign -inkey old.key -rawin -in message -out sig"),
        ("-newkey rsa:2048", "dgst -sha256 -sign old.key -out sig message"),
    ] {
        fleet.made(&format!("req -new {options} -nodes -keyout old.key -out old.csr -subj /CN=x"));
        let old = fleet.authority.sign_vehicle(&fleet.read("old.csr"), golf(), now()).unwrap();
        fleet.made(&format!("req -new {options} -nodes -keyout new.key -out new.csr -subj /CN=x"));
        fleet.made("req -in new.csr -outform DER -out new.der");
        let der = fs::read(fleet.path().join("new.der")).unwrap();
        fs::write(fleet.path().join("message"), [b"bugbrother renew v1\n", der.as_slice()].concat()).unwrap();
        fleet.made(sign);
        fleet.made("base64 -e -in sig -out sig.txt");
        let (csr, signature) = (fleet.read("new.csr"), fleet.read("sig.txt"));
        let renewal = fleet.authority.verify_renewal(&old.pem, &csr, &signature, now()).unwrap();
        assert_eq!((renewal.vin, renewal.serial), (golf(), old.serial), "{options}");

        // Over the request alone, without the words in front.
        fleet.made(&sign.replace("message", "new.der"));
        fleet.made("base64 -e -in sig -out sig.txt");
        let forged = fleet.authority.verify_renewal(&old.pem, &csr, &fleet.read("sig.txt"), now());
        assert!(matches!(forged, Err(PkiError::Signature)), "{options}: {forged:?}");
    }
}

#[test]
fn a_renewal_that_is_forged_foreign_or_too_late_is_refused() {
    let (ours, theirs) = (fleet(), fleet());
    let (key, issued) = ours.vehicle();
    let (new_key, request) = new_key_and_request("x").unwrap();
    let signature = renewal_signature(&key, &request).unwrap();
    let ask = |certificate: &str, request: &str, signature: &str, at| {
        ours.authority.verify_renewal(certificate, request, signature, at).map(|renewal| renewal.vin)
    };
    assert_eq!(ask(&issued.pem, &request, &signature, now()).unwrap(), golf());
    assert_eq!(ask(&issued.pem, &request, &signature, now() + 89 * DAY).unwrap(), golf());

    assert!(matches!(ask(&issued.pem, &request, &signature, now() + 91 * DAY), Err(PkiError::Expired)));
    assert!(matches!(ask(&issued.pem, &request, &signature, now() - DAY), Err(PkiError::NotYetValid)));
    let (_, other_request) = new_key_and_request("x").unwrap();
    assert!(matches!(ask(&issued.pem, &other_request, &signature, now()), Err(PkiError::Signature)));
    let by_the_new_key = renewal_signature(&new_key, &request).unwrap();
    for bad in ["", "AAAA", "no base64!", &"A".repeat(100_000), &by_the_new_key] {
        assert!(matches!(ask(&issued.pem, &request, bad, now()), Err(PkiError::Signature)), "{bad}");
    }
    let (their_key, foreign) = theirs.vehicle();
    let by_them = renewal_signature(&their_key, &request).unwrap();
    assert!(matches!(ask(&foreign.pem, &request, &by_them, now()), Err(PkiError::Foreign)));
    for bad in ["", "rubbish", &request, &issued.pem.repeat(100)] {
        assert!(matches!(ask(bad, &request, &signature, now()), Err(PkiError::Certificate(_))));
    }
    // The authority's own and the server's are no vehicle's.
    assert!(ask(ours.authority.certificate_pem(), &request, &signature, now()).is_err());
    ours.authority.ensure_server(ours.path(), &["localhost".to_owned()], now()).unwrap();
    let server = renewal_signature(&ours.read("server.key"), &request).unwrap();
    assert!(matches!(ask(&ours.read("server.crt"), &request, &server, now()), Err(PkiError::Foreign)));
    assert!(matches!(ask(&issued.pem, "rubbish", &signature, now()), Err(PkiError::Request(_))));
}

#[test]
fn the_servers_certificate_is_made_once_and_renewed_when_it_must_be() {
    let fleet = fleet();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let ensure = |list: &[&str], at| fleet.authority.ensure_server(fleet.path(), &names(list), at).unwrap();
    let start = now();
    assert!(ensure(&["Fleet.example.org", "127.0.0.1", "::1"], start));
    let key = fleet.read("server.key");
    assert_eq!((fleet.mode("server.key"), fleet.mode("server.crt")), (0o600, 0o644));
    fleet
        .made("verify -x509_strict -CAfile ca/ca.crt -purpose sslserver -verify_hostname fleet.example.org server.crt");
    fleet.made("verify -CAfile ca/ca.crt -purpose sslserver -verify_ip 127.0.0.1 server.crt");
    fleet.made("verify -CAfile ca/ca.crt -purpose sslserver -verify_ip ::1 server.crt");
    assert!(!fleet.openssl("verify -CAfile ca/ca.crt -purpose sslclient server.crt").0);
    assert_eq!(fleet.read("server.crt").matches("BEGIN CERTIFICATE").count(), 2);

    assert!(!ensure(&["::1", "127.0.0.1", "fleet.example.org", "127.0.0.1"], start + DAY));
    assert!(!ensure(&["fleet.example.org", "127.0.0.1", "::1"], start + 240 * DAY));
    assert!(ensure(&["fleet.example.org", "127.0.0.1", "::1"], start + 245 * DAY));
    assert!(ensure(&["fleet.example.org"], start + 245 * DAY));
    assert_eq!(fleet.read("server.key"), key, "a reader never finds two files that do not belong together");
    fs::remove_file(fleet.path().join("server.key")).unwrap();
    assert!(ensure(&["fleet.example.org"], start + 245 * DAY));
    fs::write(fleet.path().join("server.crt"), [0xff; 100]).unwrap();
    assert!(ensure(&["fleet.example.org"], start + 245 * DAY));
    let other = Authority::open_or_create(&fleet.path().join("other"), start).unwrap();
    assert!(other.ensure_server(fleet.path(), &names(&["fleet.example.org"]), start + DAY).unwrap());

    for bad in ["", "a b", "*", "fleet.example.org/x", "münchen.example", "x\n"] {
        let refused = fleet.authority.ensure_server(fleet.path(), &names(&[bad]), start);
        assert!(matches!(refused, Err(PkiError::Name(_))), "{bad}: {refused:?}");
    }
    assert!(matches!(fleet.authority.ensure_server(fleet.path(), &[], start), Err(PkiError::Names)));
}

#[test]
fn what_the_authority_signs_ends_with_it() {
    let fleet = fleet();
    let (_, request) = new_key_and_request("x").unwrap();
    let nearly = now() + 20 * 365 * DAY;
    let issued = fleet.authority.sign_vehicle(&request, golf(), nearly).unwrap();
    assert!(issued.not_after < unix_ms(nearly + 6 * DAY));
    for never in [now() + 21 * 365 * DAY, now() - DAY] {
        let refused = fleet.authority.sign_vehicle(&request, golf(), never);
        assert!(matches!(refused, Err(PkiError::Ended)), "{refused:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(
        text in ".{0,300}", place in 0..4000usize, byte: u8, label in "CERTIFICATE( REQUEST)?", body: Vec<u8>
    ) {
        static PARTS: std::sync::OnceLock<(Fleet, String, String, String)> = std::sync::OnceLock::new();
        let (fleet, certificate, request, signature) = PARTS.get_or_init(|| {
            let fleet = fleet();
            let (key, issued) = fleet.vehicle();
            let (_, request) = new_key_and_request("x").unwrap();
            let signature = renewal_signature(&key, &request).unwrap();
            (fleet, issued.pem, request, signature)
        });
        let ask = |certificate: &str, request: &str, signature: &str| {
            fleet.authority.verify_renewal(certificate, request, signature, SystemTime::now()).is_ok()
        };
        prop_assert!(!ask(certificate, request, &text));
        let packed = data_encoding::BASE64.encode(&body);
        let wrapped = format!("-----BEGIN {label}-----\n{packed}\n-----END {label}-----\n");
        // One byte of the DER is another.
        let change = |pem: &str| {
            let (head, rest) = pem.split_once('\n').unwrap();
            let (middle, foot) = rest.split_once("-----END").unwrap();
            let digits: String = middle.split_whitespace().collect();
            let mut der = data_encoding::BASE64.decode(digits.as_bytes()).unwrap();
            let place = place % der.len();
            der[place] = byte;
            format!("{head}\n{}\n-----END{foot}", data_encoding::BASE64.encode(&der))
        };
        for bad in [&text, &wrapped] {
            prop_assert!(Request::from_pem(bad).is_err());
            prop_assert!(!ask(bad, request, signature));
            prop_assert!(!ask(certificate, bad, signature));
        }
        let (certificate_changed, request_changed) = (change(certificate), change(request));
        let same = |a: &str, b: &str| a.split_whitespace().collect::<String>() == b.split_whitespace().collect::<String>();
        prop_assert!(same(&certificate_changed, certificate) || !ask(&certificate_changed, request, signature));
        prop_assert!(same(&request_changed, request) || !ask(certificate, &request_changed, signature));
    }
}
