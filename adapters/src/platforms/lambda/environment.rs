//! Lambda's environment variables, checked before the libraries that require them read them.

use dotdo_core::{Error, Result, Secret};
use http::Uri;

/// The variable with the function's memory, in megabytes.
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// The values of Lambda's environment variables.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Environment {
    /// The runtime API: an authority, on emulators with a path.
    pub(super) api: String,
    /// Maximum number of concurrent events in a process.
    pub(super) concurrency: u32,
    /// The function's memory, in bytes.
    pub(super) memory_bytes: u64,
    /// The function's role, if there is one: emulators have none.
    pub(super) role: Option<Role>,
}

/// The keys of the function's role, and its region. Lambda sets them for each process.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "nothing is signed"))]
pub(super) struct Role {
    pub(super) region: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    pub(super) session_token: Option<Secret>,
}

impl Environment {
    /// Reads the variables with `get`.
    ///
    /// # Errors
    ///
    /// `Invalid` when one is missing or invalid.
    pub(super) fn new(get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let given = |name: &str| get(name).filter(|value| !value.is_empty());
        let api = api(given)?;
        for name in ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"] {
            given(name).ok_or_else(|| missing(name))?;
        }
        let megabytes = number::<u32>(MEMORY, given(MEMORY))?.ok_or_else(|| missing(MEMORY))?;
        let concurrency =
            number("AWS_LAMBDA_MAX_CONCURRENCY", given("AWS_LAMBDA_MAX_CONCURRENCY"))?.unwrap_or(1);
        if given("AWS_LAMBDA_INITIALIZATION_TYPE").as_deref() == Some("snap-start") {
            return Err(wrong(
                "SnapStart runs copies of one process, which would be indistinguishable to the bucket; turn it off for this function",
            ));
        }
        let role = role(given);
        Ok(Self { api, concurrency, memory_bytes: u64::from(megabytes) << 20, role })
    }
}

fn role(given: impl Fn(&str) -> Option<String>) -> Option<Role> {
    Some(Role {
        region: given("AWS_REGION")?,
        access_key_id: given("AWS_ACCESS_KEY_ID")?,
        secret_access_key: Secret::new(given("AWS_SECRET_ACCESS_KEY")?),
        session_token: given("AWS_SESSION_TOKEN").map(Secret::new),
    })
}

/// The address of the runtime API.
///
/// # Errors
///
/// `Invalid` when the variable is missing or not an address.
pub(super) fn api(get: impl Fn(&str) -> Option<String>) -> Result<String> {
    let Some(api) = get("AWS_LAMBDA_RUNTIME_API").filter(|value| !value.is_empty()) else {
        return Err(wrong(
            "this looks like AWS Lambda, but AWS_LAMBDA_RUNTIME_API is not set, which Lambda sets for the program that it starts (`bootstrap`); to serve HTTP on a port, set DOTDO_PLATFORM=http",
        ));
    };
    if api.parse::<Uri>().ok().as_ref().and_then(Uri::authority).is_none() {
        return Err(wrong(format!(
            "AWS_LAMBDA_RUNTIME_API: expected an address such as 127.0.0.1:9001, got {api:?}"
        )));
    }
    Ok(api)
}

fn number<T: std::str::FromStr>(name: &str, value: Option<String>) -> Result<Option<T>> {
    let read = |value: String| {
        value.parse().map_err(|_| wrong(format!("{name}: expected a whole number, got {value:?}")))
    };
    value.map(read).transpose()
}

fn missing(name: &str) -> Error {
    wrong(format!("AWS_LAMBDA_RUNTIME_API is set, but {name}, which Lambda also sets, is not"))
}

fn wrong(message: impl Into<String>) -> Error {
    Error::invalid(message).with_code("BAD_CONFIG")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_LAMBDA_FUNCTION_NAME", "objects"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
    ];

    fn read(change: (&str, &str)) -> std::result::Result<Environment, String> {
        let get = |name: &str| {
            let mut all = [change].into_iter().chain(COMPLETE);
            all.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
        };
        Environment::new(get).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_environment_of_lambda_is_understood() {
        let expected = |api: &str, concurrency| {
            Ok(Environment {
                api: api.to_owned(),
                concurrency,
                memory_bytes: 512 << 20,
                role: None,
            })
        };
        assert_eq!(read(("", "")), expected("127.0.0.1:9001", 1));
        assert_eq!(read(("AWS_LAMBDA_MAX_CONCURRENCY", "64")), expected("127.0.0.1:9001", 64));
        assert_eq!(
            read(("AWS_LAMBDA_RUNTIME_API", "http://[::1]:9000/.rt/name")),
            expected("http://[::1]:9000/.rt/name", 1)
        );
    }

    #[test]
    fn an_invalid_environment_is_refused_with_the_name_of_the_variable() {
        for (name, _) in COMPLETE {
            let refusal = read((name, "")).expect_err("a variable is missing");
            assert!(refusal.contains(name), "{refusal}");
        }
        for (name, value) in [
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much"),
            ("AWS_LAMBDA_MAX_CONCURRENCY", "-1"),
            ("AWS_LAMBDA_RUNTIME_API", "not an address"),
            ("AWS_LAMBDA_RUNTIME_API", "/path/only"),
        ] {
            let refusal = read((name, value)).expect_err("a value is wrong");
            assert!(refusal.contains(name) && refusal.contains(value), "{refusal}");
        }
        assert!(read(("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")).is_err());
        assert!(read(("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")).is_ok());
    }
}
