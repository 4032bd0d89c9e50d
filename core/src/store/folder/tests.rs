use std::sync::Arc;

use super::*;
use crate::testing::ManualClock;

fn open(path: &Path, instance: u128) -> Folder {
    let time = Arc::new(StoreTime::new(Arc::new(ManualClock::new())));
    Folder::open(path, Uuid::from_u128(instance), time).expect("a temporary folder can be used")
}

#[test]
fn a_live_server_is_not_gone_and_a_dead_one_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (one, two) = (open(folder.path(), 1), open(folder.path(), 2));
    assert!(!two.is_gone(Uuid::from_u128(1)), "one is alive");
    assert!(!two.is_gone(Uuid::from_u128(3)), "nothing is known of three");

    // What a killed process leaves: its file without its lock.
    let left = folder.path().join(INTERNAL).join(Uuid::from_u128(3).to_string());
    std::fs::create_dir(&left).expect("a folder can be made");
    let own = folder.path().join(INTERNAL).join(Uuid::from_u128(1).to_string()).join("alive");
    std::fs::copy(own, left.join("alive")).expect("a file can be copied");
    std::fs::write(left.join("7"), "unfinished").expect("a file can be written");
    assert!(two.is_gone(Uuid::from_u128(3)));

    // The next server tidies up, and the proof stays.
    let three = open(folder.path(), 4);
    assert!(!left.join("7").exists());
    assert!(three.is_gone(Uuid::from_u128(3)));
    drop(one);
    assert!(!two.is_gone(Uuid::from_u128(1)), "an orderly end leaves no proof");
}

#[test]
fn a_server_of_another_machine_is_never_judged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let one = open(folder.path(), 1);
    let left = folder.path().join(INTERNAL).join(Uuid::from_u128(3).to_string());
    std::fs::create_dir(&left).expect("a folder can be made");
    std::fs::write(left.join("alive"), "another boot").expect("a file can be written");
    assert!(!one.is_gone(Uuid::from_u128(3)));
}

#[test]
fn two_servers_can_not_have_one_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _one = open(folder.path(), 1);
    let again = Folder::open(
        folder.path(),
        Uuid::from_u128(1),
        Arc::new(StoreTime::new(Arc::new(ManualClock::new()))),
    );
    assert!(again.is_err());
}

#[tokio::test]
async fn a_folder_that_vanished_is_not_an_empty_bucket() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bucket = open(&folder.path().join("state"), 1);
    let key = Key::new("a/b");
    bucket.create(&key, Bytes::from_static(b"1")).await.expect("a fresh key");
    std::fs::remove_dir_all(folder.path().join("state")).expect("the folder can be removed");
    assert!(matches!(bucket.get(&key).await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(
        bucket.list(&Key::new("a"), None, 10).await,
        Err(StoreError::Unavailable { .. })
    ));
    assert!(matches!(
        bucket.create(&key, Bytes::from_static(b"1")).await,
        Err(StoreError::Unavailable { .. })
    ));
}

#[tokio::test]
async fn keys_do_not_leave_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bucket = open(folder.path(), 1);
    for key in ["../x", "a/../../x", "/etc/passwd", "a//b", ".instances/x", "a/.", "a\0b", ""] {
        let answer = bucket.put(&Key::new(key), Bytes::from_static(b"1")).await;
        assert!(matches!(answer, Err(StoreError::Refused { .. })), "{key:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_empty_folder_goes_with_its_last_object() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bucket = open(folder.path(), 1);
    let keys = [Key::new("a/b/1"), Key::new("a/2")];
    for key in &keys {
        bucket.create(key, Bytes::new()).await.expect("a fresh key");
    }
    bucket.delete(&keys[..1]).await.expect("it can be deleted");
    assert!(!folder.path().join("a/b").exists() && folder.path().join("a/2").exists());
    bucket.create(&keys[0], Bytes::new()).await.expect("its folder is made again");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_what_a_server_makes() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = tempfile::tempdir().expect("a temporary folder");
    let path = scratch.path().join("above/state");
    let bucket = open(&path, 1);
    bucket.create(&Key::new("local/a/log/1"), "record".into()).await.expect("it is written");
    bucket.put(&Key::new("local/a/lock"), "hint".into()).await.expect("it is written");
    let left = path.join(INTERNAL).join(Uuid::from_u128(3).to_string());
    std::fs::create_dir(&left).expect("a folder can be made");
    std::fs::copy(
        path.join(INTERNAL).join(Uuid::from_u128(1).to_string()).join("alive"),
        left.join("alive"),
    )
    .expect("a file can be copied");
    // Writes the mark on the dead one.
    let _second = open(&path, 2);
    std::fs::remove_file(left.join("alive")).expect("this test's own file");
    let (mut folders, mut seen) = (vec![scratch.path().join("above")], 0);
    while let Some(folder) = folders.pop() {
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
        if folder != left {
            assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        }
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 5, "two objects, two signs of life, a mark: {seen}");
}
