//! To which addresses a token may be sent.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether a token may be sent to `text`: an https URL without credentials, query or fragment, or
/// http on this machine.
pub(crate) fn is_private_address(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let is_private = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_this_machine(&url),
        _ => false,
    };
    is_bare && is_private
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_sent_over_https_or_to_this_machine() {
        for good in [
            "https://sts.amazonaws.com",
            "https://broker.example/base/",
            "http://127.0.0.1:8333",
            "http://[::1]:8333/",
            "http://localhost:1",
        ] {
            assert!(is_private_address(good), "{good}");
        }
        for bad in [
            "http://sts.amazonaws.com",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "http://10.0.0.1",
            "https://user@host",
            "https://host?query",
            "https://host#x",
            "ftp://host",
            "https://",
            "host",
            "",
        ] {
            assert!(!is_private_address(bad), "{bad}");
        }
    }
}
