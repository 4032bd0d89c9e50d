//! Deploy tokens: what the broker is asked for (docs/design/0023-identity.md, decision 13).

use dotdo::engine::Secret;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::provider::is_safe;
use crate::failure::{Failure, note, plain, print, repeats};

/// Maximum number of pages of the list. Each has up to 100 tokens, and a tenant has 1,000.
const PAGES_MAX: usize = 100;

/// A broker, and who asks it.
pub(super) struct Broker<'a> {
    http: &'a Http,
    url: Url,
    token: Secret,
}

/// A deploy token to issue.
pub(super) struct Issue<'a> {
    pub(super) name: &'a str,
    /// Empty for those of the caller.
    pub(super) scopes: &'a [String],
    pub(super) expires_in_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct Issued {
    id: String,
    token: String,
    expires: String,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl<'a> Broker<'a> {
    /// The broker at `url`, asked with `token`.
    ///
    /// # Errors
    ///
    /// `Usage` without a URL to which a token may be sent.
    pub(super) fn new(http: &'a Http, url: Option<&str>, token: Secret) -> Result<Self, Failure> {
        let Some(text) = url else {
            return Err(Failure::Usage(
                "no broker, which issues deploy tokens: set broker (DOTDO_BROKER), or log in with --broker"
                    .to_owned(),
            ));
        };
        let url = broker_url(text)?;
        Ok(Self { http, url, token })
    }

    /// Issues a deploy token and prints it.
    pub(super) fn issue(&self, issue: &Issue<'_>, as_json: bool) -> Result<(), Failure> {
        let mut body = json!({ "name": issue.name });
        if !issue.scopes.is_empty() {
            body["scopes"] = json!(issue.scopes);
        }
        if let Some(seconds) = issue.expires_in_seconds {
            body["expiresInSeconds"] = json!(seconds);
        }
        let answer = self.ask(Method::POST, &self.tokens_url(), Some(&body))?;
        let issued: Issued = self.read(&answer)?;
        let Issued { id, token, expires } = issued;
        if as_json {
            print(&json!({ "id": id, "token": token, "expires": expires }).to_string());
            return Ok(());
        }
        print(&token);
        let (id, expires) = (plain(&id), plain(&expires));
        note(&format!("deploy token {id}, valid until {expires}; it can't be shown again"));
        Ok(())
    }

    /// Prints the deploy tokens of the tenant.
    pub(super) fn list(&self, as_json: bool) -> Result<(), Failure> {
        let mut items = Vec::new();
        let mut url = self.tokens_url();
        for _ in 0..PAGES_MAX {
            let page: Page = self.read(&self.ask(Method::GET, &url, None)?)?;
            items.extend(page.items);
            let Some(next) = page.next else { break };
            url = self.tokens_url();
            url.query_pairs_mut().append_pair("after", &next);
        }
        if as_json {
            print(&Value::from(items).to_string());
        } else if items.is_empty() {
            note("there are no deploy tokens");
        } else {
            print(&table(&items));
        }
        Ok(())
    }

    /// Revokes a deploy token.
    pub(super) fn revoke(&self, id: &str) -> Result<(), Failure> {
        let mut url = self.tokens_url();
        url.path_segments_mut()
            .map_err(|()| Failure::Usage("the broker has no path".to_owned()))?
            .push(id);
        self.ask(Method::DELETE, &url, None)?;
        note(&format!("revoked {}; keys that were issued for it end within 15 minutes", plain(id)));
        Ok(())
    }

    fn tokens_url(&self) -> Url {
        self.url.join("v1/deploy-tokens").expect("a relative path follows any base")
    }

    fn ask(&self, method: Method, url: &Url, body: Option<&Value>) -> Result<Answer, Failure> {
        let answer = self.http.ask((method, url), &self.token, body).map_err(|cause| {
            Failure::of(&format!("the broker {} does not answer", self.url), cause)
        })?;
        if answer.is_success() {
            return Ok(answer);
        }
        let said = answer.json::<Refusal>().ok().map(|refusal| refusal.error);
        let said = said.filter(|said| !repeats(said, &self.token)).map(|said| plain(&said));
        Err(Failure::Failed(match said {
            Some(said) => format!("the broker refuses (status {}): {said}", answer.status),
            None => format!(
                "{url} answers with status {}; check that {} is a broker",
                answer.status, self.url
            ),
        }))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, answer: &Answer) -> Result<T, Failure> {
        answer
            .json()
            .map_err(|why| Failure::Failed(format!("the answer of the broker {}: {why}", self.url)))
    }
}

/// The URL of a broker to which a token may be sent.
///
/// # Errors
///
/// `Usage` for any other text.
pub(super) fn broker_url(text: &str) -> Result<Url, Failure> {
    let base = format!("{}/", text.trim_end_matches('/'));
    Url::parse(&base).ok().filter(is_safe).ok_or_else(|| {
        let text = plain(text);
        Failure::Usage(format!("the broker: expected an https:// URL, got {text:?}"))
    })
}

/// The list for people: id, state, expiry, scopes and name of each.
fn table(items: &[Value]) -> String {
    let row = |item: &Value| {
        let text = |name: &str| plain(item[name].as_str().unwrap_or_default());
        let scopes: Vec<&str> =
            item["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let state = if item["revoked"].is_null() { "valid until" } else { "revoked    " };
        let time = if item["revoked"].is_null() { text("expires") } else { text("revoked") };
        format!("{}  {state} {time}  {}  {}", text("id"), plain(&scopes.join(",")), text("name"))
    };
    items.iter().map(row).collect::<Vec<_>>().join("\n")
}
