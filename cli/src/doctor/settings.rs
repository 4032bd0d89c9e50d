//! The settings: whether they are valid, and where each value comes from.

use dotdo::commands::{EffectiveSetting, EffectiveSettings, Origin};

use super::finding::Finding;
use crate::config::{entry, line};

/// Checks the settings.
pub(super) fn check(found: &EffectiveSettings) -> Finding {
    let is_given = |setting: &&EffectiveSetting| setting.origin != Origin::Default;
    let given: Vec<&EffectiveSetting> = found.settings.iter().filter(is_given).collect();
    let mut seen = format!("platform {}, ", found.platform);
    seen.push_str(&match given.len() {
        0 => "every setting has its default".to_owned(),
        1 => "1 setting without its default".to_owned(),
        count => format!("{count} settings without their default"),
    });
    given.iter().for_each(|setting| seen.push_str(&format!("\n{}", line(setting))));
    let details = given.into_iter().map(entry).collect();
    let finding = match (&found.problem, &*found.warnings) {
        (Some(problem), _) => Finding::failed("settings", format!("{seen}\n{}", problem.message()))
            .with_next("correct it: `dotdo config list` shows where each value comes from"),
        (None, []) => Finding::ok("settings", seen),
        (None, warnings) => Finding::warning("settings", seen, warnings.join("; ")),
    };
    finding.with(details)
}
