//! Routes requests to collections and items, and checks their methods.

use dotdo::{Error, Result};
use http::Method;
use percent_encoding::percent_decode_str;

use super::fields::Collection;

/// Maximum length of an item's id, in bytes.
const ID_BYTES_MAX: usize = 512;

/// The target of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The object itself.
    Root,
    /// A collection.
    All(Collection),
    /// An item.
    One(Collection, String),
}

/// The operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Read(Place),
    Write(Place),
    /// An unsupported method, with the value of the header `Allow`.
    MethodNotAllowed(&'static str),
}

impl Route {
    /// The route of a request.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown path, `Invalid` for an invalid id.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self> {
        let place = Place::of(path)?;
        let allowed = place.allowed();
        if !allowed.split(", ").any(|name| name == method.as_str()) {
            return Ok(Self::MethodNotAllowed(allowed));
        }
        let reads = [Method::GET, Method::HEAD].contains(method);
        Ok(if reads { Self::Read(place) } else { Self::Write(place) })
    }
}

impl Place {
    fn of(path: &str) -> Result<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let (name, id) = match path.split_once('/') {
            None if path.is_empty() => return Ok(Self::Root),
            None => (path, None),
            Some((name, id)) => (name, Some(id)),
        };
        let collection = Collection::named(name).ok_or_else(|| unknown_collection(name))?;
        match id {
            None => Ok(Self::All(collection)),
            Some(id) if id.contains('/') => {
                let text = format!(
                    "expected the path /{name} or /{name}/{{id}}, got a longer one; write a / in an id as %2F"
                );
                Err(Error::not_found(text))
            }
            Some(id) => Ok(Self::One(collection, decode(id)?)),
        }
    }

    fn allowed(&self) -> &'static str {
        match self {
            Self::Root => "GET, HEAD, POST",
            Self::All(_) => "GET, HEAD, POST",
            // A deleted event would be a gap in the sequence.
            Self::One(Collection::Events, _) => "GET, HEAD, PUT, PATCH",
            Self::One(..) => "GET, HEAD, PUT, PATCH, DELETE",
        }
    }
}

/// Whether `id` can name an item.
pub(super) fn check_id(id: &str) -> Result<()> {
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(Error::invalid(format!(
            "expected an id of 1 to {ID_BYTES_MAX} bytes, got {}",
            id.len()
        )));
    }
    Ok(())
}

fn decode(id: &str) -> Result<String> {
    let id = percent_decode_str(id).decode_utf8();
    let id =
        id.map_err(|_| Error::invalid("expected percent-encoded UTF-8 as the id in the path"))?;
    check_id(&id)?;
    Ok(id.into_owned())
}

fn unknown_collection(name: &str) -> Error {
    let known = Collection::ALL.map(Collection::name);
    let shown: String = name.chars().take(64).collect();
    Error::not_found(format!(
        "there is no collection {shown:?}; the collections are {}",
        known.join(", ")
    ))
    .with_code("UNKNOWN_COLLECTION")
    .with_details(serde_json::json!({ "collections": known }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_decoded_once() {
        let route = Route::of(&Method::GET, "/things/a%2Fb%2525").expect("a good path");
        assert_eq!(route, Route::Read(Place::One(Collection::Things, "a/b%25".into())));
    }

    #[test]
    fn a_slash_at_the_end_changes_nothing() {
        for path in ["/things", "/things/"] {
            assert_eq!(
                Route::of(&Method::POST, path).expect("a good path"),
                Route::Write(Place::All(Collection::Things))
            );
        }
    }

    #[test]
    fn a_wrong_name_is_told_the_right_ones() {
        let error = Route::of(&Method::GET, "/widgets").expect_err("no such collection");
        assert_eq!(
            error.message(),
            "there is no collection \"widgets\"; the collections are things, relationships, actions, events"
        );
    }

    #[test]
    fn an_error_for_an_unsupported_method_lists_the_supported_ones() {
        let route = Route::of(&Method::DELETE, "/events/e").expect("a good path");
        assert_eq!(route, Route::MethodNotAllowed("GET, HEAD, PUT, PATCH"));
    }
}
