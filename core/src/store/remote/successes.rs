//! Answers that say success and are an error, or only a part of what was asked for.
//!
//! `object_store` believes the status: it takes an error in the body of a put for a write, an error
//! in place of a listing for an empty one, and a listing that is cut off for a short one.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, ETAG, HeaderValue, LAST_MODIFIED};
use http::response::Parts;
use http::{HeaderMap, Method};
use object_store::client::{HttpError, HttpRequest, HttpResponse};

/// The request of which an answer says that it succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Put,
    Get,
    /// A listing, whose answer is an XML element with this name.
    List(&'static str),
    Other,
}

/// What became of a successful answer.
pub(super) enum Success {
    /// It is one.
    Real(HttpResponse),
    /// It is none.
    Error(Parts, Bytes),
}

impl Kind {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let asks_for = |parameter: &str| {
            request.uri().query().unwrap_or_default().split('&').any(|pair| pair == parameter)
        };
        match *request.method() {
            Method::PUT => Self::Put,
            Method::GET if asks_for("list-type=2") => Self::List("ListBucketResult"),
            Method::GET if asks_for("comp=list") => Self::List("EnumerationResults"),
            Method::GET => Self::Get,
            _ => Self::Other,
        }
    }

    /// Reads as much of the answer as is needed to know that it is what it says.
    pub(super) async fn check(self, response: HttpResponse) -> Result<Success, HttpError> {
        let (mut parts, body) = response.into_parts();
        let is_read = match self {
            Self::Put | Self::List(_) => true,
            Self::Get => is_bare_xml(&parts.headers),
            Self::Other => false,
        };
        if !is_read {
            if self == Self::Get {
                date(&mut parts.headers);
            }
            return Ok(Success::Real(HttpResponse::from_parts(parts, body)));
        }
        let body = body.bytes().await?;
        if !self.is_whole(&body) {
            return Ok(Success::Error(parts, body));
        }
        if self == Self::Put {
            // Nobody here needs it, and `object_store` takes an answer without it for an error.
            parts.headers.entry(ETAG).or_insert(HeaderValue::from_static("-"));
        }
        Ok(Success::Real(HttpResponse::from_parts(parts, body.into())))
    }

    fn is_whole(self, body: &[u8]) -> bool {
        let text = String::from_utf8_lossy(body);
        match self {
            Self::Put | Self::Get => !text.contains("<Error>"),
            Self::List(name) => {
                let text = text.trim_end();
                let is_empty = text.ends_with("/>") && text.contains(&format!("<{name}"));
                is_empty || text.ends_with(&format!("</{name}>"))
            }
            Self::Other => true,
        }
    }
}

/// Whether an answer to a read has what errors have, and lacks what objects have.
fn is_bare_xml(headers: &HeaderMap) -> bool {
    let is_xml = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.contains("xml"));
    is_xml && !headers.contains_key(ETAG) && !headers.contains_key(LAST_MODIFIED)
}

/// An object without a time of its last change would count as written in 1970, and its lease as
/// over. It counts as written now.
fn date(headers: &mut HeaderMap) {
    if let Some(now) = headers.get(DATE).cloned() {
        headers.entry(LAST_MODIFIED).or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_whole_when_its_element_ends() {
        let list = Kind::List("ListBucketResult");
        for whole in [
            "<ListBucketResult></ListBucketResult>\n",
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"/>",
        ] {
            assert!(list.is_whole(whole.as_bytes()), "{whole}");
        }
        for cut in [
            "",
            "<ListBucketResult><Contents></Contents>",
            "<Error><Code>InternalError</Code></Error>",
            "<ListBucketResult><CommonPrefixes/",
        ] {
            assert!(!list.is_whole(cut.as_bytes()), "{cut}");
        }
    }
}
