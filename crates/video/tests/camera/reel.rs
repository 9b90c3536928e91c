//! A live stream, cut for viewers.

use bugbrother_kit::film;
use bugbrother_video::{Reel, RtspSession};

use crate::{of, record, start};

#[tokio::test]
async fn a_stream_that_changes_has_a_new_beginning_and_each_part_of_it_plays() {
    let server = start(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let mut reel = Reel::default();
    assert!(!reel.has_begun());
    for (number, path, width) in [(0, "/h264", 320), (1, "/h264-large", 640)] {
        let mut session = RtspSession::open(&of(&server, path)).await.expect("the camera plays");
        let (scenes, _) = record(&mut session, 12).await;
        let mut file = Vec::new();
        for (index, (parameters, unit)) in
            scenes.iter().flat_map(|scene| scene.units.iter().map(|unit| (&scene.parameters, unit))).enumerate()
        {
            assert_eq!(reel.begins_anew(parameters, unit), index == 0);
            let cut = reel.cut(parameters, unit).expect("it can be cut");
            assert_eq!((cut.number, cut.beginning.is_some(), cut.fragment.is_key), (number, index == 0, unit.is_key));
            file.extend(cut.beginning.iter().flatten());
            file.extend(&cut.fragment.data);
        }
        let path = dir.path().join("part.mp4");
        std::fs::write(&path, file).unwrap();
        film::decode(&path).unwrap();
        assert_eq!(film::picture_times(&path).unwrap().len(), 12);
        assert_eq!(film::size(&path).unwrap().0, width);
    }
    let mut session = RtspSession::open(&of(&server, "/jpeg")).await.expect("the camera plays");
    let (scenes, _) = record(&mut session, 1).await;
    reel.cut(&scenes[0].parameters, &scenes[0].units[0]).expect_err("there is no such MP4");
}
