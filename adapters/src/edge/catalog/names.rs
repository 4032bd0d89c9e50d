//! What a path and a query of the catalog name.

use dotdo_core::{Error, ObjectId, Result, Tenant};
use http::Uri;
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

/// Between the levels of a namespace: the specification's default.
const SEPARATOR: char = '\u{1f}';

/// What a path names, behind the catalog's own.
#[derive(Debug, PartialEq)]
pub(super) enum Path {
    Config,
    Namespaces,
    Namespace(Namespace),
    Tables(Namespace),
    Table(Namespace, String),
    Metrics,
    /// Something of the specification that is not here, or nothing.
    Other,
}

/// A namespace.
#[derive(Debug, PartialEq)]
pub(super) enum Namespace {
    /// All objects of a class; its tables are those that are rolled up.
    Class(String),
    /// An object.
    Object(ObjectId),
}

impl Path {
    /// What `path` names for a caller of `tenant`.
    ///
    /// # Errors
    ///
    /// `NotFound` for names that no object can have; `Invalid` for one that is not UTF-8.
    pub(super) fn parse(tenant: &Tenant, path: &str) -> Result<Self> {
        let namespace = |text: &str| Namespace::parse(tenant, &decoded(text)?);
        Ok(match path.split('/').collect::<Vec<_>>()[..] {
            ["config"] => Self::Config,
            ["namespaces"] => Self::Namespaces,
            ["namespaces", name] => Self::Namespace(namespace(name)?),
            ["namespaces", name, "tables"] => Self::Tables(namespace(name)?),
            ["namespaces", name, "tables", table] => Self::Table(namespace(name)?, decoded(table)?),
            ["namespaces", _, "tables", _, "metrics"] => Self::Metrics,
            _ => Self::Other,
        })
    }
}

impl Namespace {
    /// The namespace with this name: `CLASS`, or class and id as two levels. An engine that knows no
    /// levels may write `CLASS/ID`, and one that takes every dot for a new level gets what it means.
    ///
    /// # Errors
    ///
    /// `NotFound` for names that no object can have.
    pub(super) fn parse(tenant: &Tenant, name: &str) -> Result<Self> {
        let (class, id) = match name.split_once(SEPARATOR).or_else(|| name.split_once('/')) {
            Some((class, id)) => (class, Some(id.replace(SEPARATOR, "."))),
            None => (name, None),
        };
        let Some(id) = id else { return Ok(Self::Class(class.to_owned())) };
        let object = tenant.object(class, &id);
        let object = object.map_err(|error| Error::not_found(error.message().to_owned()))?;
        Ok(Self::Object(object))
    }

    /// Its levels.
    pub(super) fn levels(&self) -> Vec<&str> {
        match self {
            Self::Class(class) => vec![class],
            Self::Object(object) => vec![object.class(), object.id()],
        }
    }
}

/// What a query asks for. Clients of later versions may ask for more.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Query {
    /// The namespace whose children are listed.
    pub(super) parent: Option<String>,
    pub(super) page_token: Option<String>,
    pub(super) page_size: Option<usize>,
    /// Whether only snapshots that a branch or tag names are wanted.
    pub(super) refs_only: bool,
}

pub(super) fn query(uri: &Uri) -> Query {
    let mut query = Query::default();
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match &*name {
            "parent" if !value.is_empty() => query.parent = Some(value.into_owned()),
            "pageToken" => query.page_token = Some(value.into_owned()),
            "pageSize" => query.page_size = value.parse().ok(),
            "snapshots" => query.refs_only = value == "refs",
            _ => {}
        }
    }
    query
}

fn decoded(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| Error::invalid("expected a path in UTF-8"))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> Path {
        Path::parse(&Tenant::local(), path).expect("a path")
    }

    fn object(class: &str, id: &str) -> ObjectId {
        Tenant::local().object(class, id).expect("an id")
    }

    #[test]
    fn a_namespace_is_a_class_or_an_object_however_it_is_written() {
        let of = |name: &str| Namespace::parse(&Tenant::local(), name).expect("a namespace");
        assert_eq!(of("DO"), Namespace::Class("DO".to_owned()));
        for name in ["DO\u{1f}b.c/d", "DO/b.c/d", "DO\u{1f}b\u{1f}c/d"] {
            assert_eq!(of(name), Namespace::Object(object("DO", "b.c/d")), "{name:?}");
            assert_eq!(of(name).levels(), ["DO", "b.c/d"]);
        }
        let error = Namespace::parse(&Tenant::local(), "no class\u{1f}id").expect_err("no class");
        assert_eq!(error.kind(), dotdo_core::ErrorKind::NotFound);
    }

    #[test]
    fn paths_name_what_the_specification_says() {
        assert_eq!(parsed("config"), Path::Config);
        let alice = object("DO", "alice");
        let table = parsed("namespaces/DO%1Falice/tables/my%20table");
        let namespace = Namespace::Object(alice.clone());
        assert_eq!(table, Path::Table(namespace, "my table".to_owned()));
        assert_eq!(parsed("namespaces/DO%2Falice"), Path::Namespace(Namespace::Object(alice)));
        for other in ["", "transactions/commit", "namespaces/DO/views", "x/namespaces"] {
            assert_eq!(parsed(other), Path::Other, "{other}");
        }
        let class = Namespace::Class("DO".to_owned());
        assert_eq!(parsed("namespaces/DO/tables/t"), Path::Table(class, "t".to_owned()));
    }

    #[test]
    fn queries_of_later_clients_are_understood() {
        let uri = "/?parent=DO%1Fx&pageToken=&pageSize=7&snapshots=refs&new=1";
        let query = query(&uri.parse().expect("a URI"));
        assert_eq!(query.parent.as_deref(), Some("DO\u{1f}x"));
        assert_eq!((query.page_token.as_deref(), query.page_size), (Some(""), Some(7)));
        assert!(query.refs_only);
    }
}
