//! Against a real S3 server: moto, from `scripts/python`.

use std::path::Path as FilePath;

use bugbrother_kit::{port, process::Process, wait};
use uuid::Uuid;

use super::*;

const LIMIT: Duration = Duration::from_secs(60);
const NOW: i64 = 1_790_000_000_000;

struct Server {
    port: u16,
    _process: Process,
    dir: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let program = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/moto_server");
        assert!(program.exists(), "`{}` is not there; run scripts/python (make setup-test does)", program.display());
        let dir = tempfile::tempdir().unwrap();
        let port = port::free().unwrap();
        let arguments = ["-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
        let process = Process::start(dir.path(), "moto", &program, &arguments, &[]).unwrap();
        let url = format!("http://127.0.0.1:{port}/films");
        let client = reqwest::Client::new();
        let made = || async { client.put(&url).send().await.ok()?.error_for_status().ok() };
        wait::until("the bucket is made", LIMIT, made).await.unwrap();
        Server { port, _process: process, dir }
    }

    fn bucket(&self, url: &str) -> Bucket {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let bucket = Bucket::parse(url, "access".to_owned(), "a secret".to_owned()).unwrap();
        bucket.at(&endpoint).unwrap().linked_at(&endpoint).unwrap()
    }

    fn library(&self, url: &str) -> Library {
        Library::in_bucket(&self.bucket(url), &self.dir.path().join("media")).unwrap()
    }
}

fn file(n: u128, content: &[u8]) -> MediaFile {
    let (vin, id): (Vin, _) = ("WVWZZZ1JZ3W386752".parse().unwrap(), MediaId(Uuid::from_u128(n)));
    MediaFile {
        vin,
        id,
        camera: "dash-1".to_owned().try_into().unwrap(),
        kind: MediaKind::Clip,
        bytes: content.len() as u64,
        sha256: Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
        object_key: Library::key(vin, id, MediaKind::Clip),
        cause: None,
        from: None,
        to: None,
        offered: NOW,
        stored: None,
        gone: None,
        thumb_bytes: None,
    }
}

async fn read(library: &Library, key: &str, range: Range<u64>) -> Option<Vec<u8>> {
    let parts: Vec<_> = library.read(key, range).await.unwrap()?.collect().await;
    Some(parts.into_iter().flat_map(|part| part.unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_takes_gives_lists_and_forgets_files_as_a_folder_does() {
    let server = Server::start().await;
    let library = server.library("s3://films/fleet/one");
    library.check().await.unwrap();
    // Of three parts as they go into the store.
    let content: Vec<u8> =
        b"\0\0\0\x18ftypisom".iter().copied().chain((0..11 << 20).map(|n: u32| (n * 31 % 251) as u8)).collect();
    let film = file(1, &content);
    for (index, piece) in content.chunks(1 << 20).enumerate() {
        let at = (index << 20) as u64;
        let added = library.append(film.vin, film.id, at, vec![Bytes::copy_from_slice(piece)]).await.unwrap();
        assert_eq!(added, Appended::At(at + piece.len() as u64));
    }
    assert_eq!(library.finish(&film).await.unwrap(), Finished::Stored);
    library.forget(film.vin, film.id).await.unwrap();
    assert_eq!(library.finish(&film).await.unwrap_err().to_string(), "the folder for photos and clips cannot be used");

    assert_eq!(read(&library, &film.object_key, 0..film.bytes).await.unwrap(), content);
    let (from, to) = ((5 << 20) - 3, (5 << 20) + 3);
    assert_eq!(read(&library, &film.object_key, from..to).await.unwrap(), content[from as usize..to as usize]);
    assert_eq!(read(&library, "nobody/nothing.mp4", 0..1).await, None);
    let thumb = Library::thumb_key(&film.object_key);
    library.put(&thumb, b"small".to_vec()).await.unwrap();
    assert_eq!(library.whole(&thumb, 5).await.unwrap().as_deref(), Some(&b"small"[..]));
    assert_eq!(library.whole(&thumb, 6).await.unwrap(), None, "another one");

    // What others have in the bucket is not ours.
    server.library("s3://films/fleet/other").put("x/y.mp4", b"theirs".to_vec()).await.unwrap();
    assert_eq!(library.list(None, 10).await.unwrap(), [film.object_key.clone(), thumb.clone()]);
    assert_eq!(library.list(Some(&film.object_key), 10).await.unwrap(), std::slice::from_ref(&thumb));
    assert_eq!(library.list(None, 1).await.unwrap().len(), 1);

    let link = library.link(&film.object_key, "attachment; filename=\"a film.mp4\"").await.unwrap().unwrap();
    let fetched = reqwest::get(&link).await.unwrap().error_for_status().unwrap();
    assert_eq!(fetched.headers()["content-disposition"], "attachment; filename=\"a film.mp4\"");
    assert_eq!(fetched.bytes().await.unwrap(), content);
    // The bucket lets in whoever has the signature, until it expires; the server of the tests looks at neither.
    for part in ["X-Amz-Signature=", "X-Amz-Expires="] {
        assert!(link.contains(part), "{link}");
    }

    for key in [&film.object_key, &thumb, &film.object_key] {
        library.remove(key).await.unwrap();
    }
    assert_eq!(library.list(None, 10).await.unwrap(), [""; 0]);
    assert_eq!(server.library("s3://films/fleet/other").list(None, 10).await.unwrap(), ["x/y.mp4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_says_so() {
    let server = Server::start().await;
    assert!(server.library("s3://nobodys-bucket").check().await.is_err());
}
