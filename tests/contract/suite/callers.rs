//! Whom an object sees as its caller.

use dotdo_tests::OpenId;
use http::Request;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::host::Body;
use crate::message::{get, post, with};
use crate::stage::{Stage, World, ask, fresh};

/// The issuer of all platforms.
static ISSUER: OnceCell<OpenId> = OnceCell::const_new();

/// Headers by which platforms and proxies tell programs of a caller, and such as look like dotdo's
/// own. A client can send each of them.
const CLAIMS: [(&str, &str); 13] = [
    ("x-dotdo-caller", "mallory"),
    ("x-do-subject", "mallory"),
    ("x-do-tenant", "globex/shop"),
    ("x-org-id", "globex"),
    ("x-tenant-id", "globex"),
    ("x-forwarded-user", "mallory"),
    ("x-amzn-oidc-identity", "mallory"),
    ("x-amzn-oidc-data", "e30.e30.e30"),
    ("x-ms-client-principal-id", "mallory"),
    ("x-ms-client-principal-name", "mallory"),
    ("x-vercel-oidc-token", "e30.e30.e30"),
    ("x-goog-authenticated-user-email", "mallory@example.com"),
    ("cookie", "org_id=globex; tenant_id=shop; sub=mallory"),
];

fn claiming(request: Request<Body>) -> Request<Body> {
    CLAIMS.iter().fold(request, |request, (name, value)| with(request, name, value.as_bytes()))
}

pub(crate) async fn a_caller_is_whom_a_verified_token_names_and_never_whom_a_header_names(
    on: &Stage,
) {
    if !on.is_ours() {
        return;
    }
    let issuer = ISSUER.get_or_init(OpenId::start).await;
    let world = World::new()
        .env("DOTDO_AUTH_ISSUER", issuer.issuer())
        .env("DOTDO_AUTH_AUDIENCE", OpenId::AUDIENCE);
    let program = on.start(&world).await;
    let path = format!("/do/{}/here", fresh("caller"));
    let claims =
        json!({ "sub": "ada", "org_id": "acme", "tenant_id": "shop", "scope": "dotdo:read" });
    let bearer = format!("Bearer {}", issuer.token(&claims).await);
    let signed = |request| with(request, "authorization", bearer.as_bytes());

    let answer = ask(program.as_ref(), claiming(signed(get(&path)))).await;
    let told = answer.json();
    let expected =
        json!({ "subject": "ada", "org": "acme", "tenant": "shop", "scopes": "dotdo:read" });
    assert_eq!(told["caller"], expected, "{told}");
    let names: Vec<&Value> =
        told["headers"].as_array().expect("a list").iter().map(|pair| &pair[0]).collect();
    assert!(!names.contains(&&json!("authorization")), "the token goes no further: {told}");

    for (request, status, code) in [
        (claiming(get(&path)), 401, "UNAUTHENTICATED"),
        (claiming(with(get(&path), "authorization", b"Bearer e30.e30.e30")), 401, "INVALID_TOKEN"),
        (claiming(signed(post(&path, ""))), 403, "MISSING_SCOPE"),
        (with(signed(get(&path)), "dotdo-peer", b"e30"), 403, "PEER_REFUSED"),
    ] {
        let refused = ask(program.as_ref(), request).await;
        assert_eq!((refused.status, &refused.error()["code"]), (status, &json!(code)));
    }
    assert!(!program.stderr().contains(&bearer["Bearer ".len()..]), "the log has the token");
}
