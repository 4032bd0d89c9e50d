//! Finishes responses: corrects HTTP mistakes of objects, and adds the request id; handles HEAD.

use dotdo_core::{
    Body, Error, ErrorKind, ObjectId, REQUEST_ID_HEADER, Response, Result, Scope, SocketConnection,
};
use http::{HeaderMap, HeaderValue, Method, header};
use http_body::Body as _;

use super::access::Line;
use super::context::RequestContext;
use super::error::Audience;
use super::{ClientAddress, Edge, Objects, Reach, compress, error};

impl<O: Objects> Edge<O> {
    /// The response for an outcome: negotiated for the client, counted and logged.
    pub(super) fn finish(&self, outcome: Result<Response>, context: RequestContext) -> Response {
        let RequestContext {
            mut line,
            asked,
            account,
            is_multiplexed,
            quota,
            trace,
            is_cross_site,
            is_catalog,
            _in_flight,
        } = context;
        let mut response = outcome.and_then(checked).unwrap_or_else(|error| {
            let audience = self.audience(&line, is_cross_site);
            let response = match is_catalog {
                true => error::catalog_response(&error, &line.id, audience),
                false => error::response(&error, &line.id, audience),
            };
            line.error = Some(error);
            response
        });
        if let (Some(_), Some(client)) =
            (response.extensions().get::<SocketConnection>(), line.client)
        {
            response.extensions_mut().insert(ClientAddress(client));
        }
        line.status = response.status();
        line.trace_id = trace.id();
        let class = line.object.as_ref().map(ObjectId::class);
        self.metrics.count(class, line.status, line.started.elapsed());
        trace.end(&line.method, class, line.status, line.error.as_ref().map(Error::code));
        if let Some(quota) = quota {
            quota.add_headers(response.headers_mut());
        }
        if let Some(asked) = &asked {
            response = self.negotiated(response, asked);
        }
        if let Some(account) = &account {
            response = response.map(|body| match is_multiplexed {
                true => body.counted_by(account).charged_to(account),
                false => body.charged_to(account),
            });
        }
        let response = finished(response, &line.method, line.id.clone());
        line.follow(self.settings.access_log, &self.tail, response)
    }

    /// The audience of the response's error.
    fn audience(&self, line: &Line, is_cross_site: bool) -> Audience {
        let is_here =
            self.settings.reach == Reach::Machine && !self.settings.auth.is_on() && !is_cross_site;
        let is_operator =
            line.caller.as_ref().map_or(is_here, |caller| caller.has(Scope::Operator));
        match line.peer {
            Some(_) => Audience::Server,
            None if is_operator => Audience::Operator,
            None => Audience::Client,
        }
    }

    /// The response with compression and CORS headers.
    fn negotiated(&self, mut response: Response, asked: &HeaderMap) -> Response {
        if self.settings.compression.is_on {
            response = compress::compressed(&self.settings.compression, asked, response);
        }
        if let Some(cors) = &self.cors {
            cors.add_headers(asked, response.headers_mut());
        }
        response
    }
}

/// Refuses responses that can't be sent.
fn checked(response: Response) -> Result<Response> {
    // A server asks for connections to be opened, and knows what to do with them.
    let is_opened = response.extensions().get::<SocketConnection>().is_some();
    if response.status().is_informational() && !is_opened {
        let status = response.status().as_u16();
        return Err(Error::new(
            ErrorKind::Handler,
            format!("expected a final status from the object, got {status}"),
        ));
    }
    Ok(response)
}

/// The response as it is sent.
fn finished(mut response: Response, method: &Method, request_id: HeaderValue) -> Response {
    response.headers_mut().insert(REQUEST_ID_HEADER, request_id);
    let length = response.body().size_hint().exact();
    if method == Method::HEAD {
        // The length of the response to a GET, unless the object set it or sent nothing.
        if let Some(bytes) = length.filter(|bytes| *bytes > 0) {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
        }
        *response.body_mut() = Body::empty();
    } else if length.is_some() {
        // The server writes the actual length; a different one would break the connection's
        // framing.
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}
