//! Which file a path of a URL stands for (`html_handling`).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

/// How pages are named in URLs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Html {
    /// `/a` for `a.html`, `/a/` for `a/index.html`.
    #[default]
    AutoTrailingSlash,
    /// `/a/` for both.
    ForceTrailingSlash,
    /// `/a` for both.
    DropTrailingSlash,
    /// Files only.
    None,
}

/// What a path stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    File(String),
    /// The page has another path.
    Elsewhere(String),
}

impl Html {
    /// What `path` stands for, where `exists` says which files there are.
    pub(super) fn find(self, path: &str, exists: impl Fn(&str) -> bool) -> Option<Found> {
        if self == Self::None {
            return exists(path).then(|| Found::File(path.to_owned()));
        }
        let is_page = path.ends_with(".html") || path.ends_with('/') || path.ends_with("/index");
        if !is_page && exists(path) {
            return Some(Found::File(path.to_owned()));
        }
        // The name of the page without any of its forms; that of the home page is empty.
        let stem = ["/index.html", ".html", "/index", "/"]
            .iter()
            .find_map(|end| path.strip_suffix(end))
            .unwrap_or(path);
        let (page, folder) = (format!("{stem}.html"), format!("{stem}/index.html"));
        let is_own_page = path == page && exists(path);
        let (page_exists, folder_exists) = (!stem.is_empty() && exists(&page), exists(&folder));
        // Where both are there, a path with a slash is that of the folder.
        let wants_folder = path.ends_with('/') || path.ends_with("/index") || path == folder;
        let is_folder = folder_exists && !is_own_page && (wants_folder || !page_exists);
        if !is_folder && !page_exists {
            return exists(path).then(|| Found::File(path.to_owned()));
        }
        let file = if is_folder { folder } else { page };
        let has_slash = match self {
            Self::AutoTrailingSlash => is_folder,
            Self::ForceTrailingSlash => true,
            Self::DropTrailingSlash | Self::None => false,
        };
        let place = if has_slash || stem.is_empty() { format!("{stem}/") } else { stem.to_owned() };
        Some(if place == path { Found::File(file) } else { Found::Elsewhere(place) })
    }
}

/// The path that a URL means; `None` when it is none of UTF-8.
pub(super) fn decoded(path: &str) -> Option<String> {
    percent_decode_str(path).decode_utf8().ok().map(Into::into)
}

/// What stays as it is in a path (RFC 3986, section 3.3).
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// A path as a URL has it. It never begins like a URL of another host.
pub(super) fn encoded(path: &str) -> String {
    format!("/{}", utf8_percent_encode(path.trim_start_matches('/'), PATH))
}

/// The folders of a path, the innermost first; each ends in a slash.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(at, _)| &path[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 7] = [
        "/index.html",
        "/file.html",
        "/folder/index.html",
        "/both.html",
        "/both/index.html",
        "/plain",
        "/code.js",
    ];

    fn found(html: Html, path: &str) -> String {
        match html.find(path, |path| FILES.contains(&path)) {
            Some(Found::File(file)) => file,
            Some(Found::Elsewhere(path)) => format!("> {path}"),
            None => "-".to_owned(),
        }
    }

    #[test]
    fn pages_have_the_paths_of_their_handling() {
        // As Cloudflare's documentation of `html_handling` has it.
        for (path, auto, force, drop, none) in [
            ("/", "/index.html", "/index.html", "/index.html", "-"),
            ("/index", "> /", "> /", "> /", "-"),
            ("/index.html", "> /", "> /", "> /", "/index.html"),
            ("/file", "/file.html", "> /file/", "/file.html", "-"),
            ("/file.html", "> /file", "> /file/", "> /file", "/file.html"),
            ("/file/", "> /file", "/file.html", "> /file", "-"),
            ("/file/index", "> /file", "> /file/", "> /file", "-"),
            ("/file/index.html", "> /file", "> /file/", "> /file", "-"),
            ("/folder", "> /folder/", "> /folder/", "/folder/index.html", "-"),
            ("/folder.html", "> /folder/", "> /folder/", "> /folder", "-"),
            ("/folder/", "/folder/index.html", "/folder/index.html", "> /folder", "-"),
            ("/folder/index", "> /folder/", "> /folder/", "> /folder", "-"),
            ("/folder/index.html", "> /folder/", "> /folder/", "> /folder", "/folder/index.html"),
            ("/both", "/both.html", "> /both/", "/both.html", "-"),
            ("/both.html", "> /both", "> /both/", "> /both", "/both.html"),
            ("/both/", "/both/index.html", "/both/index.html", "> /both", "-"),
            ("/plain", "/plain", "/plain", "/plain", "/plain"),
            ("/plain/", "-", "-", "-", "-"),
            ("/code.js", "/code.js", "/code.js", "/code.js", "/code.js"),
            ("/nowhere", "-", "-", "-", "-"),
        ] {
            let expected = [
                (Html::AutoTrailingSlash, auto),
                (Html::ForceTrailingSlash, force),
                (Html::DropTrailingSlash, drop),
                (Html::None, none),
            ];
            for (html, expected) in expected {
                assert_eq!(found(html, path), expected, "{html:?} {path}");
            }
        }
    }

    #[test]
    fn a_redirect_stays_at_its_host() {
        assert_eq!(encoded("//evil.example/a b/"), "/evil.example/a%20b/");
        assert_eq!(decoded("/%C3%BC").as_deref(), Some("/ü"));
        assert_eq!(decoded("/%ff"), None);
        assert_eq!(ancestors("/a/b").collect::<Vec<_>>(), ["/a/", "/"]);
    }
}
