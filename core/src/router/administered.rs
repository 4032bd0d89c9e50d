//! Paths of administration: `/classes…`, `/objects…` and `/requests`, of the caller's own tenant or of
//! one that the path names.

use super::{cut, decode};
use crate::error::Result;
use crate::id::{ClassNames, ObjectId, Tenant};

/// What a path of administration names.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Administered, Route, Router, Subject, Tenant};
/// use dotdo::http::{HeaderMap, Method, Uri};
///
/// let router = Router::new(["Shop"], None);
/// let uri = Uri::from_static("/tenants/acme/web/objects/Shop/north/sql");
/// let route = router.route(&Tenant::local(), &Method::POST, &uri, &HeaderMap::new())?;
/// let Route::Administration(Administered { tenant, is_named, subject }) = route else {
///     panic!()
/// };
/// assert_eq!((tenant.org(), tenant.name(), is_named), ("acme", "web", true));
/// assert_eq!(subject, Subject::Object(tenant.object("Shop", "north")?, "sql".to_owned()));
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Administered {
    /// Whose objects.
    pub tenant: Tenant,
    /// Whether the path itself names the tenant, which is for operators.
    pub is_named: bool,
    /// What of the tenant.
    pub subject: Subject,
}

/// What of a tenant is administered. [`Administered`] has an example.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// `/classes`.
    Classes,
    /// `/classes/{class}/rollup`, with the stored name of the class.
    Rollup(String),
    /// `/objects`.
    Objects,
    /// `/requests`.
    Requests,
    /// `/objects/{class}/{id}`, and what follows: empty for the object itself.
    Object(ObjectId, String),
}

/// What a path of administration names; `None` for other paths.
pub(super) fn administered(
    own: &Tenant,
    names: &ClassNames,
    path: &str,
) -> Option<Result<Administered>> {
    if let Some(rest) = path.strip_prefix("/tenants/") {
        let (org, rest) = rest.split_once('/')?;
        let (name, rest) = rest.split_once('/')?;
        let of_tenant = |subject: Subject| -> Result<Administered> {
            let tenant = Tenant::new(&decode(org)?, &decode(name)?)?;
            // The id was read for the caller's own tenant.
            let subject = match subject {
                Subject::Object(object, rest) => {
                    Subject::Object(tenant.object(object.class(), object.id())?, rest)
                }
                other => other,
            };
            Ok(Administered { tenant, is_named: true, subject })
        };
        return Some(subject(own, names, rest)?.and_then(of_tenant));
    }
    let subject = subject(own, names, path.strip_prefix('/')?)?;
    Some(subject.map(|subject| Administered { tenant: own.clone(), is_named: false, subject }))
}

/// What the path, without its first slash, names of `tenant`; `None` for other paths.
fn subject(tenant: &Tenant, names: &ClassNames, path: &str) -> Option<Result<Subject>> {
    match path {
        "classes" => return Some(Ok(Subject::Classes)),
        "objects" => return Some(Ok(Subject::Objects)),
        "requests" => return Some(Ok(Subject::Requests)),
        _ => {}
    }
    if let Some(class) = path.strip_prefix("classes/").and_then(|rest| rest.strip_suffix("/rollup"))
    {
        let class = decode(class).map(|class| names.stored(&class).to_owned());
        return Some(class.map(Subject::Rollup));
    }
    let (class, rest) = path.strip_prefix("objects/")?.split_once('/')?;
    let (id, rest) = cut(rest);
    let object = || tenant.object(names.stored(&decode(class)?), &decode(id)?);
    let rest = rest.strip_prefix('/').unwrap_or_default().to_owned();
    Some(object().map(|object| Subject::Object(object, rest)))
}
