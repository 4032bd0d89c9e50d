//! `_headers` and `_redirects` of the files in front of the worker, in Cloudflare's form.
//!
//! Promises: a line that is none is told in the log and changes nothing; the first redirect that matches
//! counts, and of headers all that match.

use std::path::Path;

use dotdo::{Error, Response, Result};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::empty;
use super::globs::Glob;

/// The names of the files.
pub(super) const HEADERS: &str = "_headers";
pub(super) const REDIRECTS: &str = "_redirects";

/// Maximum number of redirects, and of them of those with placeholders: Cloudflare's.
const REDIRECTS_MAX: usize = 2100;
const DYNAMIC_MAX: usize = 100;

/// Maximum number of rules for headers: Cloudflare's.
const HEADERS_MAX: usize = 100;

/// Maximum length of a line, in characters: Cloudflare's.
const LINE_MAX: usize = 2000;

/// What is read of both files.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rules {
    redirects: Vec<Redirect>,
    headers: Vec<HeaderRule>,
}

#[derive(Debug, Clone, PartialEq)]
struct Redirect {
    from: Glob,
    to: String,
    status: u16,
}

/// What a redirect gives.
pub(super) enum Redirected {
    To(Response),
    /// The path of the file in the place of the one that was asked for, with its query.
    Inside(http::Uri),
}

#[derive(Debug, Clone, PartialEq)]
struct HeaderRule {
    path: Glob,
    set: Vec<(HeaderName, String)>,
    unset: Vec<HeaderName>,
}

impl Rules {
    /// Those of the files in `folder`.
    ///
    /// # Errors
    ///
    /// `Invalid` when a file is there and can't be read.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let text = |name: &str| match std::fs::read_to_string(folder.join(name)) {
            Ok(text) => Ok(text),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(cause) => Err(Error::invalid(format!("assets: cannot read {name}: {cause}"))),
        };
        let mut wrong = Vec::new();
        let redirects = redirects(&text(REDIRECTS)?, &mut wrong);
        let headers = headers(&text(HEADERS)?, &mut wrong);
        for wrong in wrong {
            tracing::warn!(target: "dotdo::javascript", "assets: {wrong}; the line means nothing");
        }
        Ok(Self { redirects, headers })
    }

    /// Where a request goes instead, if it does. Those without placeholders come first.
    ///
    /// # Errors
    ///
    /// `Invalid` when what is put in the place of placeholders is no URL.
    pub(super) fn redirect(&self, uri: &http::Uri) -> Result<Option<Redirected>> {
        let found = [true, false].into_iter().find_map(|is_static| {
            let wanted = self.redirects.iter().filter(|rule| rule.from.is_static() == is_static);
            { wanted }.find_map(|rule| Some((rule, rule.from.matches(uri.path())?)))
        });
        let Some((rule, found)) = found else { return Ok(None) };
        let to = with_query(&found.fill(&rule.to), uri.query());
        let wrong = |cause: &dyn std::fmt::Display| {
            Error::invalid(format!("assets: {REDIRECTS} leads to {to:?}, which is no URL: {cause}"))
        };
        if rule.status == 200 {
            return Ok(Some(Redirected::Inside(to.parse().map_err(|cause| wrong(&cause))?)));
        }
        let status = StatusCode::from_u16(rule.status).map_err(|cause| wrong(&cause))?;
        let mut response = empty(status);
        let location = HeaderValue::try_from(&to).map_err(|cause| wrong(&cause))?;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(Some(Redirected::To(response)))
    }

    /// Changes the headers of the response for a path, which was asked of `host`.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap, path: &str, host: Option<&str>) {
        let whole = format!("https://{}{path}", host.unwrap_or_default());
        let mut set = Vec::new();
        for rule in &self.headers {
            let subject = if rule.path.is_absolute() { &whole } else { path };
            let Some(found) = rule.path.matches(subject) else { continue };
            for name in &rule.unset {
                headers.remove(name);
            }
            for (name, value) in &rule.set {
                let Ok(value) = HeaderValue::try_from(found.fill(value)) else { continue };
                let before = headers.get(name).filter(|_| set.contains(&name));
                let value = before.map_or(Ok(value.clone()), |before| {
                    let both = [before.as_bytes(), b", ", value.as_bytes()].concat();
                    HeaderValue::from_bytes(&both)
                });
                if let Ok(value) = value {
                    headers.insert(name, value);
                    set.push(name);
                }
            }
        }
    }
}

/// `to`, with the query of the request if it has none of its own.
fn with_query(to: &str, query: Option<&str>) -> String {
    let Some(query) = query.filter(|_| !to.contains('?')) else { return to.to_owned() };
    match to.split_once('#') {
        Some((to, part)) => format!("{to}?{query}#{part}"),
        None => format!("{to}?{query}"),
    }
}

/// The lines of a file that say something, with their numbers.
fn lines<'a>(name: &'static str, text: &'a str, wrong: &mut Vec<String>) -> Vec<(String, &'a str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (line, place) = (line.trim(), format!("{name}:{}", number + 1));
        if line.chars().count() > LINE_MAX {
            wrong.push(format!("{place}: expected at most {LINE_MAX} characters"));
        } else if !line.is_empty() && !line.starts_with('#') {
            found.push((place, line));
        }
    }
    found
}

fn redirects(text: &str, wrong: &mut Vec<String>) -> Vec<Redirect> {
    let mut rules: Vec<Redirect> = Vec::new();
    for (place, line) in lines(REDIRECTS, text, wrong) {
        match redirect(line) {
            Err(why) => wrong.push(format!("{place}: {why}")),
            Ok(rule) if rules.iter().any(|other| other.from == rule.from) => {
                wrong.push(format!("{place}: there is a redirect of this path before"));
            }
            Ok(rule) => {
                let dynamic = rules.iter().filter(|rule| !rule.from.is_static()).count();
                let is_too_many = !rule.from.is_static() && dynamic >= DYNAMIC_MAX;
                if rules.len() >= REDIRECTS_MAX || is_too_many {
                    wrong.push(format!("{place}: expected at most {REDIRECTS_MAX} redirects, {DYNAMIC_MAX} of them with placeholders"));
                } else {
                    rules.push(rule);
                }
            }
        }
    }
    rules
}

fn redirect(line: &str) -> std::result::Result<Redirect, String> {
    let parts: Vec<&str> = line.split_whitespace().collect();
    let (from, to, status) = match parts[..] {
        [from, to] => (from, to, "302"),
        [from, to, status] => (from, to, status),
        _ => return Err(format!("expected a path, where it leads and a status, got {line:?}")),
    };
    if !from.starts_with('/') {
        return Err(format!("expected a path that begins with /, got {from:?}"));
    }
    let is_inside = to.starts_with('/') && !to.starts_with("//");
    if !is_inside && !["https://", "http://"].iter().any(|scheme| to.starts_with(scheme)) {
        return Err(format!("expected a path or a URL to lead to, got {to:?}"));
    }
    let status: u16 = match status {
        "200" if !is_inside => {
            return Err(format!("expected a path to lead to with 200, got {to:?}"));
        }
        "200" | "301" | "302" | "303" | "307" | "308" => status.parse().unwrap_or(302),
        _ => return Err(format!("expected 200, 301, 302, 303, 307 or 308, got {status:?}")),
    };
    let from = Glob::of(from)?;
    // It would lead to itself for ever.
    let target = to.trim_end_matches(".html").trim_end_matches("index");
    if status != 200 && is_inside && !to.contains(':') && from.matches(target).is_some() {
        return Err(format!("{to} leads to itself"));
    }
    Ok(Redirect { from, to: to.to_owned(), status })
}

fn headers(text: &str, wrong: &mut Vec<String>) -> Vec<HeaderRule> {
    let mut rules: Vec<HeaderRule> = Vec::new();
    // A rule that is none takes its headers with it.
    let mut is_open = false;
    for (place, line) in lines(HEADERS, text, wrong) {
        if line.starts_with('/') || line.starts_with("https://") {
            is_open = false;
            match Glob::of(line) {
                Ok(_) if rules.len() >= HEADERS_MAX => {
                    wrong.push(format!("{place}: expected at most {HEADERS_MAX} rules"));
                }
                Ok(path) => {
                    rules.push(HeaderRule { path, set: Vec::new(), unset: Vec::new() });
                    is_open = true;
                }
                Err(why) => wrong.push(format!("{place}: {why}")),
            }
            continue;
        }
        let changed = match (rules.last_mut().filter(|_| is_open), line.strip_prefix('!')) {
            (None, _) => Err("expected a path first, below which its headers are".to_owned()),
            (Some(rule), Some(name)) => header_name(name).map(|name| rule.unset.push(name)),
            (Some(rule), None) => match line.split_once(':') {
                Some((name, value)) if !value.trim().is_empty() => {
                    header_name(name).map(|name| rule.set.push((name, value.trim().to_owned())))
                }
                _ => Err(format!("expected a header and its value, got {line:?}")),
            },
        };
        if let Err(why) = changed {
            wrong.push(format!("{place}: {why}"));
        }
    }
    rules
}

fn header_name(text: &str) -> std::result::Result<HeaderName, String> {
    HeaderName::try_from(text.trim())
        .map_err(|_| format!("expected the name of a header, got {:?}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(redirects: &str, headers: &str) -> (Rules, Vec<String>) {
        let mut wrong = Vec::new();
        let redirects = super::redirects(redirects, &mut wrong);
        let headers = super::headers(headers, &mut wrong);
        (Rules { redirects, headers }, wrong)
    }

    fn led(rules: &Rules, path: &str) -> Option<(u16, String)> {
        let uri = path.parse().expect("a path");
        match rules.redirect(&uri).expect("a URL")? {
            Redirected::Inside(uri) => Some((200, uri.to_string())),
            Redirected::To(response) => {
                let to = response.headers()[header::LOCATION].to_str().expect("a text").to_owned();
                Some((response.status().as_u16(), to))
            }
        }
    }

    #[test]
    fn a_path_is_led_to_the_first_that_matches() {
        let (rules, wrong) = rules(
            "# a comment\n/old /new\n/moved https://example.com/x?own=1 301\n\
             /blog/* /news/:splat 308\n/blog/first /first\n/users/:id/posts/:post /p/:post/:id 307\n\
             /app/* /index.html 200\n/away https://example.com/#part\n",
            "",
        );
        assert_eq!(wrong, [""; 0]);
        for (path, expected) in [
            ("/old", Some((302, "/new"))),
            ("/old?a=1", Some((302, "/new?a=1"))),
            ("/old/", None),
            ("/moved?a=1", Some((301, "https://example.com/x?own=1"))),
            ("/blog/2026/may", Some((308, "/news/2026/may"))),
            ("/blog/", Some((308, "/news/"))),
            ("/blog/first", Some((302, "/first"))),
            ("/users/ada/posts/7", Some((307, "/p/7/ada"))),
            ("/users/ada/x/posts/7", None),
            ("/app/any/where", Some((200, "/index.html"))),
            ("/away?q", Some((302, "https://example.com/?q#part"))),
            ("/", None),
        ] {
            let expected = expected.map(|(status, to)| (status, to.to_owned()));
            assert_eq!(led(&rules, path), expected, "{path}");
        }
    }

    #[test]
    fn headers_are_set_joined_and_removed() {
        let (rules, wrong) = rules(
            "",
            "/*\n  X-Frame-Options: DENY\n  Link: one\n/docs/:page\n  Link: </:page.css>; rel=preload\n  ! ETag\n\
             https://example.com/only\n  x-here: yes\n/docs/*\n  cache-control: public, max-age=60\n",
        );
        assert_eq!(wrong, [""; 0]);
        let told = |path: &str, host: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ETAG, HeaderValue::from_static("\"1\""));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("usual"));
            rules.add_headers(&mut headers, path, host);
            let text = |name: &str| {
                headers.get(name).map(|value| value.to_str().expect("text").to_owned())
            };
            ["link", "etag", "cache-control", "x-frame-options", "x-here"]
                .map(|name| text(name).unwrap_or_default())
        };
        assert_eq!(told("/", None), ["one", "\"1\"", "usual", "DENY", ""]);
        let docs = ["one, </intro.css>; rel=preload", "", "public, max-age=60", "DENY", ""];
        assert_eq!(told("/docs/intro", Some("example.com")), docs);
        assert_eq!(told("/only", Some("example.com")), ["one", "\"1\"", "usual", "DENY", "yes"]);
        assert_eq!(told("/only", Some("example.org")), ["one", "\"1\"", "usual", "DENY", ""]);
    }

    #[test]
    fn lines_that_are_none_are_told_and_mean_nothing() {
        let (rules, wrong) = rules(
            "/a\nb /c\n/a ftp://c\n/a /b 404\n/a https://example.com/ 200\n/a /b\n/a /c\n/x/*/y/* /z\n/loop/* /loop/x\n",
            "x: y\n/a\n  no header\n  bad name: x\n",
        );
        assert_eq!(led(&rules, "/a"), Some((302, "/b".to_owned())));
        let places: Vec<&str> = wrong.iter().filter_map(|line| line.split(": ").next()).collect();
        let expected = [
            "_redirects:1",
            "_redirects:2",
            "_redirects:3",
            "_redirects:4",
            "_redirects:5",
            "_redirects:7",
            "_redirects:8",
            "_redirects:9",
            "_headers:1",
            "_headers:3",
            "_headers:4",
        ];
        assert_eq!(places, expected, "{wrong:?}");
    }
}
