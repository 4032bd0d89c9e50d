//! Converts a response to the payload for the host.
//!
//! A payload holds text, and one value per header (`HttpOutputBindingResponse` in the source of the
//! Functions host). Other responses become an error for the client and are never altered.

use dotdo_core::{Error, ErrorKind, REQUEST_ID_HEADER, Response, Result};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value, json};

use crate::edge::refusal;

/// Maximum size of a response body, in bytes: the host's default for requests. It is held in
/// memory.
const BYTES_MAX: usize = 100 << 20;

/// The payload for the response `answer` to a request with this method.
pub(super) async fn payload(answer: Response, method: &Method) -> String {
    let id = answer
        .headers()
        .get(REQUEST_ID_HEADER)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_static("unknown"));
    let output = match output(answer, method).await {
        Ok(output) => output,
        Err(error) => {
            tracing::error!(request_id = ?id, error = ?error, "cannot send a response as a payload");
            refused(&error, &id).await
        }
    };
    json!({ "Outputs": { "res": output }, "Logs": [], "ReturnValue": null }).to_string()
}

/// The content of the binding `res`.
async fn output(answer: Response, method: &Method) -> Result<Value> {
    let (head, body) = answer.into_parts();
    let unread = |cause: Box<dyn std::error::Error + Send + Sync>| {
        unsendable(&format!("cannot read its body: {cause}"))
    };
    let body = Limited::new(body, BYTES_MAX).collect().await.map_err(unread)?.to_bytes();
    let body =
        String::from_utf8(body.into()).map_err(|_| unsendable("its body is not UTF-8 text"))?;
    let has_none = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let headers = headers(&head.headers, method)?;
    Ok(
        json!({ "statusCode": head.status.as_str(), "headers": headers, "body": if has_none { String::new() } else { body } }),
    )
}

async fn refused(error: &Error, id: &HeaderValue) -> Value {
    let mut response = refusal(error, id);
    response.headers_mut().insert(REQUEST_ID_HEADER, id.clone());
    output(response, &Method::POST).await.expect("an error is text, with one value a header")
}

/// The headers with one value each; repeated ones are joined as RFC 9110 (section 5.3) allows.
fn headers(headers: &HeaderMap, method: &Method) -> Result<Map<String, Value>> {
    // The host writes the length of the body.
    let is_sent = |name: &HeaderName| {
        *name != header::TRANSFER_ENCODING
            && *name != header::CONNECTION
            && (*name != header::CONTENT_LENGTH || method == Method::HEAD)
    };
    headers
        .keys()
        .filter(|name| is_sent(name))
        .map(|name| Ok((name.to_string(), Value::from(joined(headers, name)?))))
        .collect()
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|value| {
            std::str::from_utf8(value.as_bytes())
                .map_err(|_| unsendable(&format!("its header {name} is not UTF-8 text")))
        })
        .collect::<Result<_>>()?;
    if *name == header::SET_COOKIE && values.len() > 1 {
        return Err(unsendable("it sets several cookies, but a payload holds one"));
    }
    Ok(values.join(", "))
}

/// The error for a request that was executed but whose response can't be sent.
fn unsendable(why: &str) -> Error {
    let message = format!(
        "the request was executed, but its response can't be sent in the payload of an Azure function: {why}; let the Functions host proxy HTTP (azure_functions.mode = \"http\")"
    );
    Error::new(ErrorKind::Internal, message).with_code("UNSENDABLE_RESPONSE")
}
