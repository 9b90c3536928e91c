//! The authority's folder: made once, kept secret, and what is wrong with it told.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use bugbrother_pki::{Authority, PkiError, new_key_and_request};

const FOLDER: &str = "BUGBROTHER_PKI_TEST_FOLDER";

fn open(folder: &Path) -> Result<Authority, PkiError> {
    Authority::open_or_create(folder, SystemTime::now())
}

/// Run by the next test in processes of their own.
#[test]
fn a_process_opens_the_authority_that_it_is_told() {
    if let Some(folder) = env::var_os(FOLDER) {
        println!("fingerprint {}", open(Path::new(&folder)).unwrap().fingerprint());
    }
}

#[test]
fn processes_and_threads_that_start_at_once_make_one_authority() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("secrets/ca");
    let processes: Vec<_> = (0..4)
        .map(|_| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "a_process_opens_the_authority_that_it_is_told", "--nocapture"])
                .env(FOLDER, &folder)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let folder = folder.clone();
            thread::spawn(move || open(&folder).unwrap().fingerprint())
        })
        .collect();
    let expected = open(&folder).unwrap().fingerprint();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), expected);
    }
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains(&format!("fingerprint {expected}")), "{said}");
    }
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("ca.key"), mode("ca.crt")), (0o700, 0o600, 0o644));
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["ca.crt", "ca.key", "lock"], "nothing half made is left");
}

#[test]
fn a_key_that_others_can_read_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    let key = dir.path().join("ca.key");
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let refused = open(dir.path()).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("chmod 600 {}", key.display())), "{refused}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let authority = open(dir.path()).unwrap();
    assert!(!format!("{authority:?}").contains("PRIVATE"));
}

#[test]
fn a_lost_certificate_comes_back_from_the_key_and_a_lost_key_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let before = open(dir.path()).unwrap();
    let (_, request) = new_key_and_request("x").unwrap();
    let issued = before.sign_vehicle(&request, "WVWZZZ1JZ3W386752".parse().unwrap(), SystemTime::now()).unwrap();
    fs::remove_file(dir.path().join("ca.crt")).unwrap();
    let again = open(dir.path()).unwrap();
    assert_ne!(before.fingerprint(), again.fingerprint());
    fs::write(dir.path().join("v.crt"), issued.pem).unwrap();
    let verify = Command::new("openssl")
        .args(["verify", "-CAfile", "ca.crt", "v.crt"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(verify.status.success(), "{verify:?}");

    fs::remove_file(dir.path().join("ca.key")).unwrap();
    assert!(matches!(open(dir.path()), Err(PkiError::KeyMissing { .. })));
    assert!(!dir.path().join("ca.key").exists());
}

#[test]
fn files_that_do_not_belong_together_or_are_damaged_are_named() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(ours.path()).unwrap();
    open(theirs.path()).unwrap();
    fs::copy(theirs.path().join("ca.crt"), ours.path().join("ca.crt")).unwrap();
    let error = open(ours.path()).unwrap_err().to_string();
    assert!(error.contains("ca.crt") && error.contains("not the certificate of ca.key"), "{error}");
    for (name, text) in [("ca.crt", "rubbish"), ("ca.key", "rubbish")] {
        fs::write(ours.path().join(name), text).unwrap();
        let error = open(ours.path()).unwrap_err();
        assert!(matches!(&error, PkiError::Damaged { path, .. } if path.ends_with(name)), "{error}");
    }
    assert!(matches!(open(Path::new("/proc/none/ca")), Err(PkiError::File { .. })));
}

#[test]
fn a_clock_that_is_out_of_all_bounds_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert!(matches!(Authority::open_or_create(dir.path(), far), Err(PkiError::Clock)));
    Authority::open_or_create(dir.path(), SystemTime::UNIX_EPOCH - Duration::from_secs(9)).unwrap();
}
