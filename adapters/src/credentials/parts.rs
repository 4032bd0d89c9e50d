//! The parts of a bucket that keys are limited to.

use dotdo_core::{SHARED_FOLDERS, Tenant};

/// A part of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// The objects of a tenant.
    Tenant(Tenant),
    /// What all tenants share: the list of tenants, and the verdict of the probe.
    Shared,
}

impl Part {
    /// The prefixes of its keys in the bucket, each with a slash at its end; `root` is the prefix of
    /// the location.
    pub(crate) fn prefixes(&self, root: &str) -> Vec<String> {
        let root = root.trim_matches('/');
        let slash = if root.is_empty() { "" } else { "/" };
        match self {
            Self::Tenant(tenant) => vec![format!("{root}{slash}{}/", tenant.prefix())],
            Self::Shared => {
                SHARED_FOLDERS.iter().map(|folder| format!("{root}{slash}{folder}/")).collect()
            }
        }
    }

    /// The tenant; `None` for what all share.
    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Tenant(tenant) => Some(tenant),
            Self::Shared => None,
        }
    }

    /// Its name in the log of a token service, which allows few signs: `:` of a named issuer is not
    /// one of them.
    pub(crate) fn session_name(&self) -> String {
        let name = match self {
            Self::Tenant(tenant) => format!("{}@{}", tenant.org(), tenant.name()),
            Self::Shared => "shared".to_owned(),
        };
        name.replace(':', "=").chars().take(SESSION_CHARS_MAX).collect()
    }
}

/// Maximum length of a session's name, in characters: Amazon's limit.
const SESSION_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_below_the_location() {
        let shop = Part::Tenant(Tenant::new("one:acme", "shop").expect("a tenant"));
        assert_eq!(shop.prefixes(""), ["one.3aacme/shop/"]);
        assert_eq!(shop.prefixes("root/state"), ["root/state/one.3aacme/shop/"]);
        assert_eq!(Part::Shared.prefixes("/root/"), ["root/.dotdo/", "root/.tenants/"]);
        assert_eq!(shop.session_name(), "one=acme@shop");
        let long = Part::Tenant(Tenant::new(&"a".repeat(100), "shop").expect("a tenant"));
        assert_eq!(long.session_name().len(), SESSION_CHARS_MAX);
    }
}
