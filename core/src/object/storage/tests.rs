//! Keys and values, as a map would have them.

use proptest::prelude::*;

use super::*;
use crate::sqlite::{Limits, Mode};

fn database() -> Database {
    let mut database = Database::new(&Limits {
        database_bytes_max: 1 << 24,
        row_bytes_max: 1 << 20,
        temporary_bytes_max: 64 << 20,
    })
    .expect("a database opens");
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    database
}

fn listed(storage: &mut Storage<'_>, options: &ListOptions) -> Vec<String> {
    storage.list::<u8>(options).expect("it lists").into_iter().map(|(key, _)| key).collect()
}

#[test]
fn a_prefix_that_holds_nul_finds_its_keys() {
    let mut database = database();
    let mut storage = Storage::new(&mut database);
    for key in ["a", "a\0", "a\0b", "a\0b\0c", "a\u{1}", "b", "\0", "\u{10ffff}", "\u{10ffff}z"] {
        storage.put(key, &1).expect("it is put");
    }
    let with = |prefix: &str| ListOptions { prefix: prefix.into(), ..ListOptions::default() };
    assert_eq!(listed(&mut storage, &with("a\0")), ["a\0", "a\0b", "a\0b\0c"]);
    assert_eq!(listed(&mut storage, &with("\0")), ["\0"]);
    assert_eq!(listed(&mut storage, &with("a\0b\0")), ["a\0b\0c"]);
    assert_eq!(listed(&mut storage, &with("\u{10ffff}")), ["\u{10ffff}", "\u{10ffff}z"]);
    assert_eq!(storage.get::<u8>("a\0b").expect("it reads"), Some(1));
    assert!(storage.delete("a\0b").expect("it deletes"));
    assert_eq!(listed(&mut storage, &with("a\0")), ["a\0", "a\0b\0c"]);
}

#[test]
fn a_prefix_is_a_range_of_the_key_with_two_ends() {
    let mut database = database();
    Storage::new(&mut database).put("k", &1).expect("it is put");
    let Range { filter, params } =
        Range::of(&ListOptions { prefix: "k".into(), ..ListOptions::default() }).expect("a range");
    let query = format!("EXPLAIN QUERY PLAN SELECT key FROM _dotdo_kv WHERE {filter} ORDER BY key");
    let plan = format!(
        "{:?}",
        Sql::new(&mut database)
            .exec(&query, params)
            .expect("it is explained")
            .json()
            .expect("rows")
    );
    assert!(plan.contains("SEARCH _dotdo_kv USING PRIMARY KEY (key>? AND key<?)"), "{plan}");
}

#[test]
fn many_are_put_read_and_deleted_together_or_not_at_all() {
    let mut database = database();
    let mut storage = Storage::new(&mut database);
    assert_eq!(storage.get_many::<u8>(["a"]).expect("it reads"), BTreeMap::new());
    assert_eq!(storage.delete_all().expect("there is nothing"), 0);
    storage.put_many([("b", 2), ("a", 1), ("c", 3)]).expect("they are put");
    let some = storage.get_many::<u8>(["c", "nowhere", "a", "a"]).expect("they are read");
    assert_eq!(some, BTreeMap::from([("a".to_owned(), 1), ("c".to_owned(), 3)]));
    let error = storage.put_many([("d", 4.0), ("e", f64::NAN)]).expect_err("one is refused");
    assert_eq!(error.code(), "VALUE_NOT_STORABLE");
    assert_eq!(storage.get::<f64>("d").expect("it reads"), None, "and so is the other");
    storage.put_many([("", 4)]).expect_err("no key");
    assert_eq!(storage.delete_many(["a", "nowhere", "b"]).expect("they are deleted"), 2);
    assert_eq!(storage.delete_all().expect("the rest is deleted"), 1);
    assert_eq!(listed(&mut storage, &ListOptions::default()), [""; 0]);
}

#[test]
fn a_listing_has_one_beginning() {
    let mut database = database();
    let both = ListOptions {
        start: Some("a".into()),
        start_after: Some("a".into()),
        ..ListOptions::default()
    };
    let error = Storage::new(&mut database).list::<u8>(&both).expect_err("two beginnings");
    assert!(error.message().contains("start or start_after"), "{error}");
}

proptest! {
    #[test]
    fn a_listing_is_what_a_map_answers(
        keys in prop::collection::btree_set("[\\x00ab\u{7f}é\u{10ffff}]{1,4}", 0..20),
        prefix in "[\\x00ab\u{7f}é\u{10ffff}]{0,2}",
        start in prop::option::of(("[\\x00ab\u{7f}é]{0,3}", any::<bool>())),
        end in prop::option::of("[\\x00ab\u{7f}é]{0,3}"),
        limit in prop::option::of(0_u32..5),
        reverse: bool,
    ) {
        let mut database = database();
        let mut storage = Storage::new(&mut database);
        let map: BTreeMap<&String, ()> = keys.iter().map(|key| (key, ())).collect();
        for key in map.keys() {
            storage.put(key, &1).expect("it is put");
        }
        let fits = |key: &&String| {
            key.starts_with(&prefix) && start.as_ref().is_none_or(|(start, is_after)| if *is_after { *key > start } else { *key >= start }) && end.as_ref().is_none_or(|end| *key < end)
        };
        let mut wanted: Vec<String> = map.into_keys().filter(fits).cloned().collect();
        if reverse {
            wanted.reverse();
        }
        wanted.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
        let (start, start_after) = match start {
            Some((after, true)) => (None, Some(after)),
            other => (other.map(|(start, _)| start), None),
        };
        let options = ListOptions { prefix, start, start_after, end, limit, reverse };
        prop_assert_eq!(listed(&mut storage, &options), wanted);
    }
}
