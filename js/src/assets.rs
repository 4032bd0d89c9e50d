//! Files that are served in front of the worker (`assets` of `wrangler.jsonc`).
//!
//! Promises: no file outside of the folder is served, nor one whose name begins with a dot; what is no
//! file is the worker's, as the configuration says.

mod globs;
mod paths;
mod patterns;
mod rules;

use std::path::{Path, PathBuf};

use dotdo::{Body, Error, Response, Result};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use self::paths::{Found, Html};
use self::patterns::Patterns;
use self::rules::{HEADERS, REDIRECTS, Redirected, Rules};
use crate::limits::ASSET_BYTES_MAX;

/// `assets` as it is configured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssetsConfig {
    directory: Option<PathBuf>,
    /// The name of the binding by which code reads them.
    pub(crate) binding: Option<String>,
    #[serde(default)]
    html_handling: Html,
    #[serde(default)]
    not_found_handling: NotFound,
    #[serde(default)]
    run_worker_first: Patterns,
}

/// What answers a request for which there is no file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NotFound {
    /// The worker.
    #[default]
    None,
    /// `/index.html`.
    SinglePageApplication,
    /// The nearest `404.html`.
    #[serde(rename = "404-page")]
    Page,
}

/// Files that are never served.
const NEVER: [&str; 4] = [HEADERS, REDIRECTS, ".assetsignore", "_worker.js"];

/// The files of a worker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assets {
    folder: PathBuf,
    config: AssetsConfig,
    rules: Rules,
}

impl Assets {
    /// Those that `setting` names, relative to `folder`.
    ///
    /// # Errors
    ///
    /// `Invalid` when the setting is none, or its folder is not there or can't be read.
    pub(crate) fn of(setting: &serde_json::Value, folder: &Path) -> Result<Self> {
        let config = AssetsConfig::deserialize(setting)
            .map_err(|cause| Error::invalid(format!("assets: {cause}")))?;
        let named = config
            .directory
            .as_ref()
            .ok_or_else(|| Error::invalid("assets: expected a directory, got none"))?;
        let path = folder.join(named);
        let folder = path
            .canonicalize()
            .map_err(|cause| Error::invalid(format!("assets: {}: {cause}", path.display())))?;
        let rules = Rules::of(&folder)?;
        Ok(Self { folder, config, rules })
    }

    /// The name of the binding by which code reads them.
    pub(crate) fn binding(&self) -> Option<&str> {
        self.config.binding.as_deref()
    }

    /// The response to a client, if it is not the worker that answers.
    ///
    /// # Errors
    ///
    /// `Unavailable` when a file can't be read.
    pub(crate) async fn in_front(
        &self,
        method: &Method,
        uri: &http::Uri,
        headers: &HeaderMap,
    ) -> Result<Option<Response>> {
        if self.config.run_worker_first.includes(uri.path()) {
            return Ok(None);
        }
        // The other requests of a page are for the worker.
        let navigates =
            headers.get("sec-fetch-mode").is_some_and(|mode| mode.as_bytes() == b"navigate");
        self.answer(method, uri, headers, navigates).await
    }

    /// The response to a request of code by the binding.
    ///
    /// # Errors
    ///
    /// `Unavailable` when a file can't be read.
    pub(crate) async fn fetch(
        &self,
        method: &Method,
        uri: &http::Uri,
        headers: &HeaderMap,
    ) -> Result<Response> {
        let status = match *method {
            Method::GET | Method::HEAD => StatusCode::NOT_FOUND,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        Ok(self.answer(method, uri, headers, true).await?.unwrap_or_else(|| empty(status)))
    }

    /// A redirect, or a file with its headers. `not_found`: whether there is an answer for what is no file.
    async fn answer(
        &self,
        method: &Method,
        uri: &http::Uri,
        asked: &HeaderMap,
        not_found: bool,
    ) -> Result<Option<Response>> {
        let inside = match self.rules.redirect(uri)? {
            Some(Redirected::To(response)) => return Ok(Some(response)),
            Some(Redirected::Inside(inside)) => Some(inside),
            None => None,
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Ok(None);
        }
        let file = inside.as_ref().unwrap_or(uri);
        let mut response = self.found(file, asked).await?;
        if response.is_none() && not_found {
            response = self.not_found(file, asked).await?;
        }
        Ok(response.map(|mut response| {
            let host = asked.get(header::HOST).and_then(|host| host.to_str().ok());
            self.rules.add_headers(response.headers_mut(), uri.path(), host);
            response
        }))
    }

    async fn found(&self, uri: &http::Uri, headers: &HeaderMap) -> Result<Option<Response>> {
        let Some(path) = paths::decoded(uri.path()) else { return Ok(None) };
        let exists = |path: &str| self.file(path).is_some();
        match self.config.html_handling.find(&path, exists) {
            None => Ok(None),
            Some(Found::File(path)) => self.read(&path, StatusCode::OK, headers).await,
            Some(Found::Elsewhere(path)) => {
                let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
                let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
                let to = HeaderValue::try_from(format!("{}{query}", paths::encoded(&path)));
                response.headers_mut().insert(
                    header::LOCATION,
                    to.map_err(|cause| Error::invalid(format!("a path of a file: {cause}")))?,
                );
                Ok(Some(response))
            }
        }
    }

    async fn not_found(&self, uri: &http::Uri, headers: &HeaderMap) -> Result<Option<Response>> {
        match self.config.not_found_handling {
            NotFound::None => Ok(None),
            NotFound::SinglePageApplication => {
                self.read("/index.html", StatusCode::OK, headers).await
            }
            NotFound::Page => {
                let Some(path) = paths::decoded(uri.path()) else { return Ok(None) };
                let pages = paths::ancestors(&path).map(|folder| format!("{folder}404.html"));
                let page = { pages }.find(|page| self.file(page).is_some());
                match page {
                    Some(page) => self.read(&page, StatusCode::NOT_FOUND, headers).await,
                    None => Ok(None),
                }
            }
        }
    }

    /// The file with this path of a URL, if there is one that is served.
    fn file(&self, path: &str) -> Option<PathBuf> {
        let relative = path.strip_prefix('/')?;
        let is_served =
            |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
        let is_ours = relative.split('/').all(is_served) && !NEVER.contains(&relative);
        let found = is_ours.then(|| self.folder.join(relative).canonicalize().ok())??;
        (found.starts_with(&self.folder) && found.is_file()).then_some(found)
    }

    async fn read(
        &self,
        path: &str,
        status: StatusCode,
        asked: &HeaderMap,
    ) -> Result<Option<Response>> {
        let Some(file) = self.file(path) else { return Ok(None) };
        let failed = |cause: std::io::Error| {
            Error::new(dotdo::ErrorKind::Unavailable, format!("cannot read {path}: {cause}"))
        };
        let length = tokio::fs::metadata(&file).await.map_err(failed)?.len();
        if length > ASSET_BYTES_MAX {
            let text = format!(
                "expected files of at most {ASSET_BYTES_MAX} bytes as assets, got {path} with {length}"
            );
            return Err(Error::invalid(text).with_code("ASSET_TOO_LARGE"));
        }
        let bytes = tokio::fs::read(&file).await.map_err(failed)?;
        let tag = format!("\"{}\"", &blake3::hash(&bytes).to_hex()[..32]);
        let known = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let is_known = known.is_some_and(|tags| {
            tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
        });
        let mut response = if is_known && status == StatusCode::OK {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            let kind = mime_guess::from_path(&file).first();
            if let Some(Ok(kind)) = kind.map(|kind| HeaderValue::try_from(with_charset(&kind))) {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            response
        };
        let headers = response.headers_mut();
        let usual = HeaderValue::from_static("public, max-age=0, must-revalidate");
        headers.insert(header::CACHE_CONTROL, usual);
        headers.extend(HeaderValue::try_from(tag).map(|tag| (header::ETAG, tag)));
        Ok(Some(response))
    }
}

/// A type of content; texts are UTF-8.
fn with_charset(kind: &mime_guess::Mime) -> String {
    let is_text = kind.type_() == mime_guess::mime::TEXT && kind.get_param("charset").is_none();
    if is_text { format!("{kind}; charset=utf-8") } else { kind.to_string() }
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [
            ("index.html", "home"),
            ("app.js", "code"),
            ("about.html", "about"),
            ("docs/index.html", "docs"),
            ("docs/404.html", "no page"),
            (".env", "SECRET=1"),
            ("a b/ü.txt", "odd"),
        ] {
            let path = folder.path().join("public").join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        std::fs::write(folder.path().join("secret.txt"), "secret").expect("a file");
        std::os::unix::fs::symlink("../secret.txt", folder.path().join("public/link.txt"))
            .expect("a link");
        folder
    }

    fn assets(folder: &Path, more: serde_json::Value) -> Assets {
        let mut setting = serde_json::json!({ "directory": "public" });
        setting.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
        Assets::of(&setting, folder).expect("it is one")
    }

    async fn told(assets: &Assets, path: &str, mode: &str) -> Option<(u16, String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert("sec-fetch-mode", HeaderValue::try_from(mode).expect("a value"));
        let uri = path.parse().expect("a path");
        let response = assets.in_front(&Method::GET, &uri, &headers).await.expect("it is read")?;
        let text = |name| response.headers().get(name).map(|value| value.to_str().expect("text"));
        let about = text(header::LOCATION).or(text(header::CONTENT_TYPE)).unwrap_or("").to_owned();
        let status = response.status().as_u16();
        Some((status, about, response.into_body().text().await.expect("a text")))
    }

    #[tokio::test]
    async fn files_are_served_and_nothing_besides() {
        let folder = site();
        let assets = assets(
            folder.path(),
            serde_json::json!({ "run_worker_first": ["/api/*", "!/api/app.js"] }),
        );
        let html = "text/html; charset=utf-8";
        for (path, expected) in [
            ("/", Some((200, html, "home"))),
            ("/app.js?v=1", Some((200, "text/javascript; charset=utf-8", "code"))),
            ("/about", Some((200, html, "about"))),
            ("/about.html?a=b", Some((307, "/about?a=b", ""))),
            ("/docs", Some((307, "/docs/", ""))),
            ("/a%20b/%C3%BC.txt", Some((200, "text/plain; charset=utf-8", "odd"))),
            ("/.env", None),
            ("/link.txt", None),
            ("/../secret.txt", None),
            ("/%2e%2e/secret.txt", None),
            ("/..%2fsecret.txt", None),
            ("/docs/%00", None),
            ("/nowhere", None),
            ("/api/index", None),
        ] {
            let told = told(&assets, path, "navigate").await;
            let told = told.as_ref().map(|(status, about, text)| (*status, &**about, &**text));
            assert_eq!(told, expected, "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_not_found_is_as_configured() {
        let folder = site();
        let page = assets(folder.path(), serde_json::json!({ "not_found_handling": "404-page" }));
        let not_found = told(&page, "/docs/nowhere", "navigate").await.expect("a page");
        assert_eq!((not_found.0, &*not_found.2), (404, "no page"));
        assert_eq!(told(&page, "/nowhere", "navigate").await, None);
        let spa = serde_json::json!({ "not_found_handling": "single-page-application" });
        let spa = assets(folder.path(), spa);
        assert_eq!(told(&spa, "/any/where", "navigate").await.map(|told| told.0), Some(200));
        assert_eq!(told(&spa, "/any/where", "cors").await, None, "it is for the worker");
    }

    #[tokio::test]
    async fn who_has_a_file_is_told_so() {
        let folder = site();
        let assets = assets(folder.path(), serde_json::json!({}));
        let uri = "/app.js".parse().expect("a path");
        let first = assets.fetch(&Method::GET, &uri, &HeaderMap::new()).await.expect("a file");
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let again = assets.fetch(&Method::GET, &uri, &asked).await.expect("a file");
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let post = assets.fetch(&Method::POST, &uri, &asked).await.expect("an answer");
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn redirects_and_headers_are_those_of_their_files() {
        let folder = site();
        let write = |name: &str, text| {
            std::fs::write(folder.path().join("public").join(name), text).expect("a file");
        };
        write("_redirects", "/app.js /about 301\n/shop/* /docs/ 200\n");
        write("_headers", "/shop/*\n  Cache-Control: no-store\n");
        let assets = assets(folder.path(), serde_json::json!({}));
        let moved = told(&assets, "/app.js", "cors").await;
        assert_eq!(moved, Some((301, "/about".to_owned(), String::new())), "also of a file");
        let uri = "/shop/tea".parse().expect("a path");
        let shop = assets.in_front(&Method::GET, &uri, &HeaderMap::new()).await.expect("a file");
        let shop = shop.expect("a file");
        assert_eq!(shop.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(shop.into_body().text().await.expect("a text"), "docs");
        assert_eq!(told(&assets, "/_headers", "cors").await, None);
        let post = assets.in_front(&Method::POST, &uri, &HeaderMap::new()).await;
        assert!(post.expect("no file").is_none(), "it is for the worker");
    }

    #[test]
    fn what_is_wrong_with_the_setting_is_said() {
        let folder = site();
        for (setting, why) in [
            (serde_json::json!({}), "expected a directory"),
            (serde_json::json!({ "directory": "nowhere" }), "nowhere"),
            (serde_json::json!({ "directory": "public", "html_handling": "odd" }), "odd"),
            (serde_json::json!({ "directory": "public", "more": 1 }), "more"),
            (serde_json::json!({ "directory": "public", "run_worker_first": ["api"] }), "\"api\""),
        ] {
            let error = Assets::of(&setting, folder.path()).expect_err("it is wrong");
            assert!(error.message().contains(why), "{setting}: {error}");
        }
    }
}
