//! The last touch on a response: what an object may have got wrong about HTTP, the request id, and
//! HEAD.

use dotdo_core::{Body, Error, ErrorKind, REQUEST_ID_HEADER, Response, Result};
use http::{HeaderValue, Method, header};
use http_body::Body as _;

/// Refuses what can't be sent as a response.
pub(super) fn checked(response: Response) -> Result<Response> {
    if response.status().is_informational() {
        let status = response.status().as_u16();
        return Err(Error::new(
            ErrorKind::Handler,
            format!("the object answered with status {status}, which ends no request"),
        ));
    }
    Ok(response)
}

/// The response as it is sent.
pub(super) fn finished(
    mut response: Response,
    method: &Method,
    request_id: HeaderValue,
) -> Response {
    response.headers_mut().insert(REQUEST_ID_HEADER, request_id);
    let length = response.body().size_hint().exact();
    if method == Method::HEAD {
        // The length of what GET would send, unless the object said it itself or sent nothing.
        if let Some(bytes) = length.filter(|bytes| *bytes > 0) {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
        }
        *response.body_mut() = Body::empty();
    } else if length.is_some() {
        // The server writes the true length; another one would break the connection's framing.
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}
