//! What holds for every setting.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config::setting::Kind;
use crate::config::settings::TABLE;

#[test]
fn the_names_of_settings_are_unique_and_their_defaults_valid() {
    let mut names = BTreeSet::new();
    for setting in TABLE.iter() {
        assert!(names.insert(setting.key.to_owned()), "{}", setting.key);
        for name in setting.variables() {
            assert!(names.insert(name.clone()), "{name}");
        }
        let default = setting.kind.shown(&mut Config::default());
        assert!(
            default.is_empty() || setting.kind.set(&mut Config::default(), &default),
            "{} has the default {default}",
            setting.key
        );
    }
}

#[test]
fn the_documentation_is_the_table() {
    let written =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SETTINGS.md"))
            .unwrap_or_default();
    let expected = settings_reference();
    if written != expected {
        let path = std::env::temp_dir().join("SETTINGS.md");
        std::fs::write(&path, expected).expect("the folder for temporary files can be written");
        panic!("docs/SETTINGS.md is not what the table says; copy {} there", path.display());
    }
}

proptest! {
    #[test]
    fn every_number_is_taken_exactly_within_its_range(at in 0..TABLE.len(), value in prop_oneof![any::<u64>(), 0..100_000u64]) {
        let setting = &TABLE[at];
        let (Kind::Millis(range, _) | Kind::Number { range, .. }) = &setting.kind else { return Ok(()) };
        for value in [value, *range.start(), *range.end(), range.start().saturating_sub(1), range.end() + 1] {
            let text = value.to_string();
            let mut config = Config::default();
            // A row can't be larger than an object, even if its own range allows it.
            let roomy = ("DOTDO_LIMITS_OBJECT_BYTES_MAX", "1073741824");
            let small = ("DOTDO_LIMITS_ROW_BYTES_MAX", "1024");
            let taken = resolve(&environment(&[small, roomy, (&setting.variable(), &text)])).is_ok();
            prop_assert_eq!(taken, range.contains(&value), "{} {}", setting.key, value);
            prop_assert_eq!(setting.kind.set(&mut config, &text), taken);
            if taken {
                prop_assert_eq!(setting.kind.shown(&mut config), text);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(at in 0..TABLE.len(), text in any::<String>(), toml in "[a-z0-9._=\"\\[\\]\n -]{0,60}") {
        let _ = resolve(&environment(&[(&TABLE[at].variable(), &text)]));
        let _ = resolve(&file(&toml));
        let _ = resolve(&file(&format!("{} = {text:?}", TABLE[at].key)));
    }
}
