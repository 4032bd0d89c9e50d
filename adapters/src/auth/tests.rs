use http::Request;
use proptest::prelude::*;

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

fn authentication() -> Authentication {
    let tokens = Some(Secret::new(format!("{OTHER}, {TOKEN}")));
    let skip_paths = ["/health", "/do/Public/*"].map(str::to_owned).to_vec();
    let settings = AuthSettings { tokens, skip_paths, ..AuthSettings::default() };
    Authentication::new(&settings)
}

fn ask(path: &str, headers: &[(&str, &str)]) -> Result<Option<Caller>> {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    let (head, ()) = request.body(()).expect("a request").into_parts();
    futures_util::FutureExt::now_or_never(authentication().admit(&head, None))
        .expect("configured tokens are compared at once")
}

fn code(path: &str, headers: &[(&str, &str)]) -> &'static str {
    match ask(path, headers) {
        Ok(caller) => panic!("{path} is {caller:?}'s"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            error.code()
        }
    }
}

#[test]
fn a_configured_token_is_its_bearer_s_name() {
    for (value, name, token) in [
        (format!("Bearer {TOKEN}"), "token-2", TOKEN),
        (format!("bearer {TOKEN}"), "token-2", TOKEN),
        (format!("BEARER  {TOKEN} "), "token-2", TOKEN),
        (format!("Bearer {OTHER}"), "token-1", OTHER),
    ] {
        let caller = ask("/do/a", &[("authorization", &value)]).expect("a known token");
        assert_eq!(caller, Some(tokens::caller(name, token)), "{value}");
    }
    let places =
        [tokens::caller("token-1", TOKEN).account(), tokens::caller("token-2", TOKEN).account()];
    assert_eq!(places[0], places[1], "its place in the list is nobody's identity");
    assert_ne!(
        places[0],
        Caller::new("token-1").account(),
        "an account of that name is somebody else"
    );
}

#[test]
fn a_missing_token_and_a_wrong_one_get_different_responses() {
    assert_eq!(code("/do/a", &[]), "UNAUTHENTICATED");
    let basic = format!("Basic {TOKEN}");
    for value in [&*basic, TOKEN, "", "Bearertoken", &format!("Bearer\t{TOKEN}")] {
        assert_eq!(code("/do/a", &[("authorization", value)]), "UNAUTHENTICATED", "{value}");
    }
    let long = "x".repeat(1 << 20);
    for wrong in [
        "",
        " ",
        "x",
        &TOKEN[1..],
        &format!("{TOKEN}0"),
        &TOKEN.to_uppercase(),
        &format!("{OTHER}, {TOKEN}"),
        "a=b",
        &long,
    ] {
        assert_eq!(
            code("/do/a", &[("authorization", &format!("Bearer {wrong}"))]),
            "INVALID_TOKEN",
            "{wrong}"
        );
    }
    assert_eq!(code("/do/a?access_token=0123456789abcdef0123456789abcdef", &[]), "UNAUTHENTICATED");
}

#[test]
fn two_authorization_headers_are_refused() {
    let good = format!("Bearer {TOKEN}");
    assert_eq!(
        code("/do/a", &[("authorization", &good), ("authorization", &good)]),
        "INVALID_TOKEN"
    );
    assert_eq!(
        code("/do/a", &[("authorization", &good), ("authorization", "Bearer x")]),
        "INVALID_TOKEN"
    );
}

#[test]
fn skipped_paths_are_those_that_the_router_reads() {
    for path in [
        "/health",
        "/health?x",
        "http://example.com/health",
        "/do/Public/a",
        "/do/Public/a/b",
        "/do/Public/",
    ] {
        assert_eq!(ask(path, &[]).expect("no token is needed"), None, "{path}");
    }
    for path in [
        "/Health",
        "/health/",
        "//health",
        "/./health",
        "/x/../health",
        "/%68ealth",
        "/%2e/health",
        "/health%2F",
        "/health%2Fx",
        "/do/Public",
        "/do/Publicity/a",
        "/do/public/a",
        "/do/%50ublic/a",
        "/do//Public/a",
        "/do/./Public/a",
        "/do/Secret/..%2fPublic/a",
        "/do/Secret/../Public/a",
        "/do/a/health",
        "http://example.com/do/a",
        "/",
    ] {
        assert_eq!(code(path, &[]), "UNAUTHENTICATED", "{path}");
    }
}

#[test]
fn a_header_that_names_an_object_does_not_bypass_authentication() {
    for name in [&dotdo_core::OBJECT_ID, &dotdo_core::OBJECT_TYPE]
        .into_iter()
        .flat_map(|header| header.names)
    {
        for path in ["/health", "/do/Public/a"] {
            assert_eq!(code(path, &[(name, "a")]), "UNAUTHENTICATED", "{name} {path}");
        }
    }
}

#[test]
fn skip_paths_that_would_open_every_object_are_refused() {
    for good in ["/health", "/do/Public/*", "/do/a", "/a/b/*", "/"] {
        assert!(is_skip_path(good), "{good}");
    }
    for bad in [
        "", "*", "/*", "/do/*", "health", "/a*", "/a/*/b", "/*/a", "/a?b", "/a b", "/a,b", "/a\n",
        "/é",
    ] {
        assert!(!is_skip_path(bad), "{bad:?}");
    }
}

#[test]
fn without_tokens_authentication_is_off() {
    let authentication = Authentication::new(&AuthSettings::default());
    let (head, ()) = Request::get("/do/a").body(()).expect("a request").into_parts();
    let admitted =
        futures_util::FutureExt::now_or_never(authentication.admit(&head, None)).expect("at once");
    assert_eq!(admitted.expect("nobody asks"), None);
}

proptest! {
    #[test]
    fn only_a_header_with_the_token_authenticates(value in "[ -~]{0,80}") {
        prop_assume!(!value.contains(TOKEN) && !value.contains(OTHER));
        prop_assert!(ask("/do/a", &[("authorization", &value)]).is_err());
        let bearer = format!("Bearer {value}");
        prop_assert!(ask("/do/a", &[("authorization", &bearer)]).is_err());
    }
}
