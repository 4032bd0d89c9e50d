//! Tokens that are exchanged for keys.

use crate::credentials::{
    Exchange, Exchanger, Federation, Storage, StsSettings, TokenFrom, Trusted,
};

use super::*;

const ON_S3: (&str, &str) = ("DOTDO_STORAGE", "s3://objects/production");
const TOKEN: (&str, &str) = ("JWT_TOKEN", SECRET);
const ROLE: (&str, &str) = ("AWS_ROLE_ARN", "arn:role");
const BROKER: (&str, &str) = ("DOTDO_BROKER", "https://broker.example");

fn exchange(pairs: &[(&str, &str)]) -> Exchange {
    match resolved(&environment(pairs)).storage {
        Storage::Exchanged(exchange) => exchange,
        other => panic!("expected an exchange, got {other:?}"),
    }
}

fn is_known(pairs: &[(&str, &str)]) -> bool {
    matches!(resolved(&environment(pairs)).storage, Storage::Known(_))
}

fn sts(exchange: Exchange) -> StsSettings {
    match exchange.exchanger {
        Exchanger::Sts(sts) => sts,
        other => panic!("expected a token service, got {other:?}"),
    }
}

#[test]
fn keys_and_the_platform_s_identity_win_over_tokens() {
    let with = |more: &[(&str, &str)]| is_known(&[&[ON_S3, TOKEN, ROLE, BROKER], more].concat());
    assert!(with(&[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", SECRET)]));
    assert!(with(&[("R2_ACCESS_KEY_ID", "id"), ("R2_SECRET_ACCESS_KEY", SECRET)]));
    assert!(with(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2")]));
    let irsa = exchange(&[ON_S3, TOKEN, ROLE, BROKER, ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")]);
    assert_eq!(irsa.token, TokenFrom::OfPlatform(PathBuf::from("/token")));
    assert!(is_known(&[ON_S3]), "without anything, the machine's identity");
    assert!(is_known(&[ON_S3, BROKER]), "nobody has a token");
}

#[test]
fn a_token_service_wins_over_a_broker() {
    let with = exchange(&[ON_S3, TOKEN, ROLE, BROKER, ("AWS_REGION", "eu-central-1")]);
    assert_eq!((with.place.bucket.as_str(), with.place.prefix.as_str()), ("objects", "production"));
    assert_eq!(with.token, TokenFrom::Settings(Secret::new(SECRET)));
    let expected = StsSettings {
        url: "https://sts.eu-central-1.amazonaws.com".to_owned(),
        role_arn: Some("arn:role".to_owned()),
        session_name: "dotdo".to_owned(),
        policy: None,
        duration_seconds: 3600,
    };
    assert_eq!(sts(with), expected);
    let without = exchange(&[ON_S3, TOKEN, BROKER]);
    assert_eq!(without.exchanger, Exchanger::Broker("https://broker.example".to_owned()));
}

#[test]
fn the_url_of_the_token_service_is_amazon_s_unless_one_is_given() {
    let url = |more: &[(&str, &str)]| sts(exchange(&[&[ON_S3, TOKEN, ROLE], more].concat())).url;
    assert_eq!(url(&[]), "https://sts.us-east-1.amazonaws.com");
    assert_eq!(url(&[("AWS_REGION", "cn-north-1")]), "https://sts.cn-north-1.amazonaws.com.cn");
    let own = ("AWS_ENDPOINT_URL", "https://store.example");
    assert_eq!(url(&[own]), "https://store.example");
    let of_sts = ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:8333");
    assert_eq!(url(&[own, of_sts]), "http://127.0.0.1:8333");
    assert!(
        refusal(&environment(&[("AWS_ENDPOINT_URL_STS", "http://sts.example")])).contains("https")
    );
    assert!(refusal(&environment(&[("DOTDO_BROKER", "http://broker.example")])).contains("https"));
}

#[test]
fn a_broker_or_the_claims_may_name_the_storage() {
    assert_eq!(exchange(&[TOKEN, BROKER]).place.bucket, "");
    assert_eq!(exchange(&[TOKEN, ROLE]).place.bucket, "");
    assert!(is_known(&[TOKEN]), "nobody exchanges it");
    assert!(is_known(&[TOKEN, BROKER, ("DOTDO_STORAGE", "./state")]), "a folder was asked for");
    let on_platform = exchange(&[TOKEN, BROKER, ("K_SERVICE", "s"), ("PORT", "8080")]);
    assert_eq!(on_platform.place.bucket, "");
    let warnings = resolved(&environment(&[TOKEN, ON_S3])).warnings;
    assert!(warnings[0].contains("JWT_TOKEN is set but not used"), "{warnings:?}");
}

#[test]
fn a_header_is_believed_on_the_platform_that_sets_it() {
    let vercel = [ON_S3, ROLE, ("VERCEL", "1"), ("VERCEL_IPC_PATH", "/tmp/ipc")];
    assert_eq!(exchange(&vercel).token, TokenFrom::Header("x-vercel-oidc-token".to_owned()));
    let of_function = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", SECRET),
    ];
    exchange(&[&vercel[..], &of_function].concat());
    assert!(is_known(&[&vercel[..], &of_function[..2]].concat()), "somebody has set these");
    let file = ("DOTDO_IDENTITY_TOKEN_FILE", "/token");
    assert_eq!(exchange(&[&vercel[..], &[file]].concat()).token, TokenFrom::File("/token".into()));
    let elsewhere = [ON_S3, ROLE, ("DOTDO_IDENTITY_TOKEN_HEADER", "x-token")];
    assert!(refusal(&environment(&elsewhere)).contains("any client could send it"));
}

#[test]
fn a_login_is_used_where_nothing_else_is_given() {
    let login = |broker: Option<&str>, pairs: &[(&str, &str)]| {
        let login = Login { broker: broker.map(str::to_owned) };
        resolved(&Sources { login: Some(login), ..environment(pairs) }).storage
    };
    let exchanger = |storage: Storage| match storage {
        Storage::Exchanged(Exchange { token: TokenFrom::Login, exchanger, .. }) => exchanger,
        other => panic!("expected an exchange, got {other:?}"),
    };
    let broker = |url: &str| Exchanger::Broker(url.to_owned());
    assert_eq!(exchanger(login(None, &[BROKER])), broker(BROKER.1));
    let own = Some("https://own.example");
    assert_eq!(exchanger(login(own, &[])), broker("https://own.example"));
    assert_eq!(exchanger(login(own, &[BROKER])), broker(BROKER.1), "settings win");
    assert!(matches!(login(None, &[]), Storage::Known(_)), "nobody exchanges it");
    assert!(matches!(login(own, &[("DOTDO_STORAGE", "./state")]), Storage::Known(_)));
    assert!(matches!(login(own, &[TOKEN]), Storage::Known(_)), "another token is not sent there");
}

fn federation(pairs: &[(&str, &str)]) -> Federation {
    match resolved(&environment(pairs)).storage {
        Storage::Federated(federation) => federation,
        other => panic!("expected a federation, got {other:?}"),
    }
}

#[test]
fn google_and_azure_exchange_tokens_where_no_credentials_are_given() {
    let google = [
        ("DOTDO_STORAGE", "gs://objects"),
        ("GOOGLE_WORKLOAD_IDENTITY_PROVIDER", "projects/1/providers/p"),
        ("GOOGLE_SERVICE_ACCOUNT", "objects@project.iam.gserviceaccount.com"),
        TOKEN,
    ];
    let Federation { token, trusted: Trusted::Google(settings), .. } = federation(&google) else {
        panic!("Google")
    };
    assert_eq!(token, TokenFrom::Settings(Secret::new(SECRET)));
    assert_eq!(settings.audience, "//iam.googleapis.com/projects/1/providers/p");
    assert!(settings.account_url.is_some_and(|url| url.contains("/objects@project.iam.")));
    let key = ("GOOGLE_SERVICE_ACCOUNT_KEY", "{}");
    assert!(is_known(&[&google[..], &[key]].concat()), "a key that is given wins");
    assert!(is_known(&google[..2]), "nobody has a token");

    let azure = [
        ("DOTDO_STORAGE", "az://objects"),
        ("AZURE_STORAGE_ACCOUNT", "acc"),
        ("AZURE_CLIENT_ID", "application"),
        ("AZURE_TENANT_ID", "directory"),
    ];
    let with = |more: (&str, &str)| federation(&[&azure[..], &[more]].concat());
    assert_eq!(with(TOKEN).token, TokenFrom::Settings(Secret::new(SECRET)));
    let of_file = with(("AZURE_FEDERATED_TOKEN_FILE", "/token"));
    assert_eq!(of_file.token, TokenFrom::OfPlatform("/token".into()));
    let Trusted::Entra(settings) = of_file.trusted else { panic!("Entra ID") };
    assert_eq!(settings.authority, "https://login.microsoftonline.com");
    assert!(is_known(&azure), "without a token, the machine's identity");
    let app = [TOKEN, ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")];
    assert!(is_known(&[&azure[..], &app].concat()), "the app's own identity wins");
    let half = [&azure[..3], &[("AZURE_FEDERATED_TOKEN_FILE", "/token")]].concat();
    assert!(refusal(&environment(&half)).contains("AZURE_TENANT_ID"));
}

#[test]
fn a_machine_of_fly_has_tokens_for_whoever_exchanges_them() {
    let fly = [("FLY_MACHINE_ID", "m1"), ("FLY_APP_NAME", "a"), ("FLY_PRIVATE_IP", "fdaa::3")];
    let token = |more: &[(&str, &str)]| exchange(&[&fly[..], more].concat()).token;
    assert_eq!(token(&[ON_S3, BROKER]), TokenFrom::Fly("https://broker.example".to_owned()));
    assert_eq!(token(&[ON_S3, ROLE]), TokenFrom::Fly("sts.amazonaws.com".to_owned()));
    let audience = ("DOTDO_IDENTITY_TOKEN_AUDIENCE", "urn:mine");
    assert_eq!(token(&[ON_S3, BROKER, audience]), TokenFrom::Fly("urn:mine".to_owned()));
    assert_eq!(token(&[ON_S3, BROKER, TOKEN]), TokenFrom::Settings(Secret::new(SECRET)));
    let google = [
        ("DOTDO_STORAGE", "gs://objects"),
        ("GOOGLE_WORKLOAD_IDENTITY_PROVIDER", "projects/1/providers/p"),
    ];
    assert_eq!(
        federation(&[&fly[..], &google].concat()).token,
        TokenFrom::Fly("https://iam.googleapis.com/projects/1/providers/p".to_owned())
    );
    assert!(is_known(&[ON_S3, BROKER]), "no other platform has such tokens");
}
