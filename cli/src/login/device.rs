//! The device authorization flow (RFC 8628): a code is shown here, and approved in any browser.

use std::time::{Duration, Instant};

use dotdo::engine::Secret;
use reqwest::Url;
use serde::Deserialize;

use super::http::Http;
use super::kept::Tokens;
use super::provider::{Provider, Said, is_safe};
use crate::failure::{Failure, plain};

/// The grant type of polls.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Time between two polls where the provider says none (section 3.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// How much longer each `slow_down` makes it (section 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// The longest that it gets when the provider does not answer.
const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// What is asked for.
pub(super) struct Wanted<'a> {
    pub(super) client_id: &'a str,
    pub(super) scope: &'a str,
    /// The resource that tokens are for (RFC 8707).
    pub(super) resource: Option<&'a str>,
    /// The audience that tokens are for, where a provider wants it instead.
    pub(super) audience: Option<&'a str>,
}

/// A code that waits for its user.
pub(super) struct Device {
    code: Secret,
    /// What the user types in.
    pub(super) user_code: String,
    /// Where.
    pub(super) place: Url,
    /// The same with the code in it.
    pub(super) place_with_code: Option<Url>,
    expires_in: Duration,
    interval: Duration,
}

#[derive(Deserialize)]
struct Authorized {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl Wanted<'_> {
    fn form(&self) -> Vec<(&str, &str)> {
        let optional = [("resource", self.resource), ("audience", self.audience)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        [("client_id", self.client_id), ("scope", self.scope)].into_iter().chain(optional).collect()
    }
}

impl Device {
    /// Asks the provider for a code.
    ///
    /// # Errors
    ///
    /// `Failed` when it gives none, with its reason.
    pub(super) fn authorize(
        http: &Http,
        provider: &Provider,
        wanted: &Wanted<'_>,
    ) -> Result<Self, Failure> {
        let issuer = &provider.issuer;
        let url = provider.device.as_ref().ok_or_else(|| {
            Failure::Failed(format!(
                "the issuer {issuer} has no device authorization (its discovery document has no device_authorization_endpoint); \
                 enable it there, or use another issuer"
            ))
        })?;
        let answer = http
            .post(url, &wanted.form())
            .map_err(|cause| Failure::of(&format!("{url} does not answer"), cause))?;
        if answer.is_success() {
            let authorized =
                answer.json().map_err(|why| Failure::Failed(format!("{url}: {why}")))?;
            return Self::of(authorized);
        }
        Err(Failure::Failed(match answer.json::<Refusal>() {
            Ok(Refusal { error, error_description }) => format!(
                "the issuer {issuer} refuses the client {}: {} {}; check the client id, and that the client may use device authorization",
                wanted.client_id,
                plain(&error),
                plain(&error_description.unwrap_or_default())
            ),
            Err(_) => format!("{url} answers with status {}; try again later", answer.status),
        }))
    }

    fn of(answer: Authorized) -> Result<Self, Failure> {
        let safe = |text: &str| Url::parse(text).ok().filter(is_safe);
        let place = safe(&answer.verification_uri).ok_or_else(|| {
            let got = plain(&answer.verification_uri);
            Failure::Failed(format!("the verification_uri: expected an https:// URL, got {got:?}"))
        })?;
        Ok(Self {
            code: Secret::new(answer.device_code),
            user_code: plain(&answer.user_code),
            place_with_code: answer.verification_uri_complete.as_deref().and_then(safe),
            place,
            expires_in: Duration::from_secs(answer.expires_in),
            interval: answer.interval.map_or(INTERVAL, Duration::from_secs),
        })
    }

    /// Polls until the user has approved or refused, or the code has expired.
    ///
    /// # Errors
    ///
    /// `Failed` without an approval, with what to do.
    pub(super) fn wait(
        &self,
        http: &Http,
        provider: &Provider,
        client_id: &str,
    ) -> Result<Tokens, Failure> {
        let until = Instant::now() + self.expires_in;
        let mut pace = Pace(self.interval);
        while Instant::now() < until {
            http.wait(pace.0);
            match pace.after(provider.tokens(http, (GRANT, client_id), ("device_code", &self.code)))
            {
                Next::Poll => {}
                Next::Done(tokens) => return Ok(tokens),
                Next::Expired => break,
                // Some providers do not know a code any more when it has expired.
                Next::Failed(_) if Instant::now() >= until => break,
                Next::Failed(why) => return Err(Failure::Failed(why)),
            }
        }
        Err(Failure::Failed(
            "the code expired before the login was approved; run `dotdo login` again".to_owned(),
        ))
    }
}

/// The time between two polls.
struct Pace(Duration);

/// What follows a poll.
enum Next {
    Poll,
    Done(Tokens),
    Expired,
    Failed(String),
}

impl Pace {
    /// Decides by the answer to a poll.
    fn after(&mut self, said: Said) -> Next {
        match said {
            Said::Tokens(tokens) => Next::Done(tokens),
            // Section 3.5 asks to poll less often after a failure, too.
            Said::Nothing(_) => {
                self.0 = (self.0 * 2).clamp(Duration::from_secs(1), INTERVAL_MAX.max(self.0));
                Next::Poll
            }
            Said::Refused { error, text } => match &*error {
                "authorization_pending" => Next::Poll,
                "slow_down" => {
                    self.0 += SLOWER;
                    Next::Poll
                }
                "expired_token" => Next::Expired,
                "access_denied" => Next::Failed(
                    "the login was refused in the browser; run `dotdo login` to try again"
                        .to_owned(),
                ),
                _ => Next::Failed(format!(
                    "the issuer gives no token: {text}; run `dotdo login` to try again"
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(error: &str) -> Said {
        Said::Refused { error: error.to_owned(), text: error.to_owned() }
    }

    #[test]
    fn polls_slow_down_when_told_and_when_nobody_answers() {
        let mut pace = Pace(Duration::from_secs(1));
        let mut seconds = |said| match pace.after(said) {
            Next::Poll => pace.0.as_secs(),
            _ => panic!("the user may still approve"),
        };
        assert_eq!(seconds(refused("authorization_pending")), 1);
        assert_eq!(seconds(refused("slow_down")), 6);
        assert_eq!(seconds(refused("authorization_pending")), 6);
        assert_eq!(seconds(refused("slow_down")), 11);
        assert_eq!(seconds(Said::Nothing(String::new())), 22);
        assert_eq!(seconds(Said::Nothing(String::new())), 44);
        assert_eq!(seconds(Said::Nothing(String::new())), 60);
        assert_eq!(seconds(Said::Nothing(String::new())), 60);
        assert_eq!(seconds(refused("slow_down")), 65);
        assert_eq!(seconds(Said::Nothing(String::new())), 65);
    }

    #[test]
    fn an_interval_of_zero_grows_when_nobody_answers() {
        let mut pace = Pace(Duration::ZERO);
        assert!(matches!(pace.after(Said::Nothing(String::new())), Next::Poll));
        assert_eq!(pace.0, Duration::from_secs(1));
    }

    #[test]
    fn polls_end_with_a_refusal() {
        let mut pace = Pace(INTERVAL);
        assert!(matches!(pace.after(refused("expired_token")), Next::Expired));
        let Next::Failed(why) = pace.after(refused("access_denied")) else { panic!("it is over") };
        assert!(why.contains("refused") && why.contains("dotdo login"), "{why}");
        let Next::Failed(why) = pace.after(refused("invalid_client")) else { panic!("it is over") };
        assert!(why.contains("invalid_client"), "{why}");
    }
}
