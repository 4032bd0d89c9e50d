//! The header `Vary`: on which headers of the request an answer depends. One line, each name once.

use http::{HeaderMap, HeaderValue, header};

/// Adds the names in `more`.
pub(super) fn add(headers: &mut HeaderMap, more: &HeaderValue) {
    headers.append(header::VARY, more.clone());
    join(headers);
}

/// Makes one line of all.
pub(super) fn join(headers: &mut HeaderMap) {
    let mut names: Vec<String> = Vec::new();
    for line in headers.get_all(header::VARY) {
        for name in line.to_str().unwrap_or_default().split(',').map(str::trim) {
            if !name.is_empty() && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.to_owned());
            }
        }
    }
    if let Ok(value) = HeaderValue::try_from(names.join(", "))
        && !names.is_empty()
    {
        headers.insert(header::VARY, value);
    }
}
