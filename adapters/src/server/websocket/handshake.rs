//! The handshake of a WebSocket (RFC 6455, section 4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dotdo_core::{Error, Handshake, Response};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use sha1::{Digest as _, Sha1};

use super::deflate::Deflate;
use super::talk::SocketSettings;
use crate::edge::refusal as refuse;

/// A subprotocol with this prefix is the client's bearer token: pages in a browser can't send
/// `Authorization`.
const BEARER: &str = "dotdo.bearer.";

/// What a server adds to a client's key, to prove that it knows the protocol (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The version of the protocol.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// A connection that becomes a WebSocket if the object accepts it.
pub(crate) struct Upgrading {
    pub(crate) connection: OnUpgrade,
    /// The proof that the handshake was read.
    accept: HeaderValue,
    /// The subprotocols that the client offers.
    offered: Vec<String>,
    /// How messages are compressed, if the client offers that and the server does it.
    pub(in crate::server) deflate: Option<Deflate>,
    /// Whether it has offered its token with them, so that it expects one to be chosen.
    has_token: bool,
}

impl Upgrading {
    /// The handshake that `request` is; `None` if it is none. The object is told that it may accept
    /// it, and does not see the token.
    ///
    /// # Errors
    ///
    /// The response to a handshake that is wrong.
    pub(crate) fn of<B>(
        request: &mut Request<B>,
        settings: &SocketSettings,
    ) -> Option<Result<Self, Response>> {
        let headers = request.headers();
        let is_one = request.version() == Version::HTTP_11
            && request.method() == Method::GET
            && has_token(headers, &UPGRADE, "websocket")
            && has_token(headers, &CONNECTION, "upgrade");
        if !is_one {
            return None;
        }
        if headers.get_all(SEC_WEBSOCKET_VERSION).iter().ne([&VERSION]) {
            let text = "expected a WebSocket handshake with Sec-WebSocket-Version: 13, got another";
            let mut response = refused(text);
            *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
            response.headers_mut().insert(SEC_WEBSOCKET_VERSION, VERSION);
            return Some(Err(response));
        }
        let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
        let key = keys
            .next()
            .filter(|key| STANDARD.decode(key.as_bytes()).is_ok_and(|nonce| nonce.len() == 16));
        let (Some(key), None) = (key, keys.next()) else {
            let text = "expected one Sec-WebSocket-Key of 16 bytes in base64";
            return Some(Err(refused(text)));
        };
        let accept = Sha1::new().chain_update(key.as_bytes()).chain_update(GUID).finalize();
        let accept = STANDARD.encode(accept).parse().expect("base64 is legal in a header");
        let deflate = settings.compression.is_on.then(|| Deflate::accept(headers)).flatten();
        let (offered, token) = protocols(headers);
        let has_token = token.is_some();
        take_token(request.headers_mut(), &offered, token);
        let connection = hyper::upgrade::on(&mut *request);
        request.extensions_mut().insert(Handshake);
        Some(Ok(Self { connection, accept, offered, deflate, has_token }))
    }

    /// Makes `response` the one that ends the handshake.
    pub(crate) fn complete(&self, response: &mut Response) {
        let headers = response.headers_mut();
        for name in [CONTENT_LENGTH, CONTENT_ENCODING, SEC_WEBSOCKET_EXTENSIONS] {
            headers.remove(name);
        }
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(deflate) = self.deflate {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, deflate.header());
        }
        // A client must refuse one that it has not offered.
        let chosen = headers.remove(SEC_WEBSOCKET_PROTOCOL);
        let chosen = chosen.filter(|chosen| self.offered.iter().any(|offer| chosen == offer));
        let first = || self.offered.first().filter(|_| self.has_token);
        let chosen = chosen.or_else(|| HeaderValue::try_from(first()?.as_str()).ok());
        if let Some(chosen) = chosen {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, chosen);
        }
    }
}

/// The subprotocols that a client offers, and its token, if it is among them.
fn protocols(headers: &HeaderMap) -> (Vec<String>, Option<String>) {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let texts = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let (tokens, offered): (Vec<String>, Vec<String>) = texts
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .partition(|text| text.starts_with(BEARER));
    (offered, tokens.into_iter().next().map(|token| token[BEARER.len()..].to_owned()))
}

/// Puts the token where others have it.
fn take_token(headers: &mut HeaderMap, offered: &[String], token: Option<String>) {
    let Some(token) = token else { return };
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Ok(rest) = HeaderValue::try_from(offered.join(", "))
        && !offered.is_empty()
    {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, rest);
    }
    if !headers.contains_key(AUTHORIZATION)
        && let Ok(mut value) = HeaderValue::try_from(format!("Bearer {token}"))
    {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
}

/// Whether a header has `token` in its list, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|text| text.trim().eq_ignore_ascii_case(token))
}

fn refused(text: &str) -> Response {
    let error = Error::invalid(text).with_code("BAD_HANDSHAKE");
    refuse(&error, &HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshake of RFC 6455, section 1.3, with other or more headers.
    fn handshake(other: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::get("/do/a").body(()).expect("a request");
        let usual = [
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ];
        for (name, value) in usual.iter().chain(other) {
            let name: HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        request
    }

    fn completed(request: &mut Request<()>, chosen: Option<&'static str>) -> HeaderMap {
        let settings = SocketSettings::default();
        let upgrading = Upgrading::of(request, &settings).expect("a handshake");
        let upgrading = upgrading.expect("a good one");
        let mut response = Response::default();
        if let Some(chosen) = chosen {
            let chosen = HeaderValue::from_static(chosen);
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
        }
        upgrading.complete(&mut response);
        response.headers().clone()
    }

    #[test]
    fn the_example_of_the_standard_is_answered_as_the_standard_says() {
        let mut request = handshake(&[]);
        let headers = completed(&mut request, None);
        assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!((&headers["upgrade"], &headers["connection"]).0, "websocket");
        assert!(request.extensions().get::<Handshake>().is_some());
    }

    #[test]
    fn a_wrong_handshake_is_refused_and_another_request_is_none() {
        for (name, value) in [
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"),
            ("sec-websocket-key", "AAAA"),
            ("sec-websocket-key", ""),
        ] {
            let mut request = handshake(&[(name, value)]);
            let settings = SocketSettings::default();
            let refused = Upgrading::of(&mut request, &settings).expect("a handshake");
            let status = refused.err().expect("a wrong one").status().as_u16();
            assert_eq!(status, if value == "8" { 426 } else { 400 }, "{name}: {value}");
            assert!(request.extensions().get::<Handshake>().is_none());
        }
        for (name, value) in [("upgrade", "h2c"), ("connection", "close")] {
            let mut request = handshake(&[(name, value)]);
            let upgrading = Upgrading::of(&mut request, &SocketSettings::default());
            assert!(upgrading.is_none(), "{name}: {value}");
        }
        let mut post = handshake(&[]);
        *post.method_mut() = Method::POST;
        assert!(Upgrading::of(&mut post, &SocketSettings::default()).is_none());
    }

    #[test]
    fn a_token_among_the_subprotocols_becomes_the_authorization_and_is_not_seen() {
        let offer = [("sec-websocket-protocol", "chat.v2, dotdo.bearer.abc.def, chat.v1")];
        let mut request = handshake(&offer);
        assert_eq!(completed(&mut request, None)["sec-websocket-protocol"], "chat.v2");
        assert_eq!(request.headers()["authorization"], "Bearer abc.def");
        assert_eq!(request.headers()["sec-websocket-protocol"], "chat.v2, chat.v1");
        assert!(request.headers()["authorization"].is_sensitive());

        let given = [offer[0], ("authorization", "Bearer other")];
        let mut request = handshake(&given);
        assert_eq!(completed(&mut request, Some("chat.v1"))["sec-websocket-protocol"], "chat.v1");
        assert_eq!(request.headers()["authorization"], "Bearer other");

        let mut request = handshake(&[("sec-websocket-protocol", "dotdo.bearer.abc")]);
        let headers = completed(&mut request, Some("dotdo.bearer.abc"));
        assert!(!headers.contains_key("sec-websocket-protocol"), "a token is never sent back");
        assert!(!request.headers().contains_key("sec-websocket-protocol"));
    }

    #[test]
    fn only_a_subprotocol_that_was_offered_is_chosen() {
        let mut request = handshake(&[("sec-websocket-protocol", "chat")]);
        assert!(!completed(&mut request, Some("other")).contains_key("sec-websocket-protocol"));
        let mut request = handshake(&[("sec-websocket-protocol", "chat")]);
        assert!(!completed(&mut request, None).contains_key("sec-websocket-protocol"));
    }
}
