//! Who may decide what: where credentials are sent, and who is let in.
//!
//! Credentials are sent to URLs from the same source as the credentials, or from one that
//! is trusted as much.
//!
//! The project's file is in the working directory, so a repository that was just cloned can contain
//! one. It may choose a bucket, a class, or a limit. It must not send the credentials of the
//! environment to a URL of its choice.

use dotdo_core::Result;

use super::draft::{Draft, wrong};
use super::storage::of_token_alone;

/// Credentials, and the settings that decide where they are sent.
struct Way {
    /// The settings for the URL, in descending precedence.
    places: &'static [&'static str],
    /// The settings for the credentials. The first group with a setting that is set is used.
    secrets: &'static [&'static [&'static str]],
    /// What is sent if none of them is set.
    otherwise: Option<&'static str>,
}

/// What authenticates a machine to its store if no keys are given.
const IDENTITY: Option<&str> = Some("the identity of this machine");

const S3: Way = Way {
    places: &["r2.endpoint", "aws.endpoint_url_s3", "aws.endpoint_url"],
    secrets: &[
        &["r2.secret_access_key", "r2.access_key_id"],
        &["aws.secret_access_key", "aws.access_key_id", "aws.session_token"],
        &["aws.web_identity_token_file", "aws.role_arn"],
        &["identity.token"],
        &["identity.token_file"],
    ],
    otherwise: IDENTITY,
};
const STS: Way = Way {
    places: &["aws.endpoint_url_sts", "aws.endpoint_url"],
    secrets: &[&["aws.web_identity_token_file"], &["identity.token"], &["identity.token_file"]],
    otherwise: None,
};
const GOOGLE: Way = Way {
    places: &["storage_endpoint"],
    secrets: &[&["google.service_account_key"], &["google.application_credentials"]],
    otherwise: IDENTITY,
};
const AZURE: Way = Way {
    places: &["storage_endpoint"],
    secrets: &[
        &["azure.storage_key"],
        &["azure.storage_sas_token"],
        &["azure.federated_token_file"],
    ],
    otherwise: IDENTITY,
};
const TRACES: Way = Way {
    places: &["otel.exporter_otlp_traces_endpoint", "otel.exporter_otlp_endpoint"],
    secrets: &[&["otel.exporter_otlp_headers"]],
    otherwise: None,
};

const TOKEN_SERVICE: Way =
    Way { places: &["broker.sts_endpoint"], secrets: S3.secrets, otherwise: IDENTITY };
const CLOUDFLARE: Way = Way {
    places: &["broker.r2_api_endpoint"],
    secrets: &[&["broker.r2_api_token"]],
    otherwise: None,
};

/// Settings that only the platform may set: the program sends a secret to these URLs.
const OF_THE_PLATFORM: [&str; 4] = [
    "aws.container_credentials_full_uri",
    "aws.container_credentials_relative_uri",
    "aws.container_authorization_token_file",
    "azure.identity_endpoint",
];

/// Settings that name a file or a header with a token, or to whom a token is sent. A file that a
/// repository brings may set neither: together they would send any file of this machine away.
const NOT_OF_PROJECTS: [&str; 10] = [
    "aws.endpoint_url_sts",
    "aws.web_identity_token_file",
    "azure.authority_host",
    "azure.federated_token_file",
    "broker.url",
    "google.workload_identity_provider",
    "identity.token_audience",
    "identity.token_file",
    "identity.token_header",
    "lambda.connections_url",
];

/// Settings that decide who is let in. A project's file may bring them all, and it may bring none
/// of them beside those of the environment: a further issuer or token would let in whoever wrote
/// the file, and another audience or operator would widen what the environment's issuer allows.
const DOORS: [&str; 6] = [
    "auth.tokens",
    "auth.issuer",
    "auth.audience",
    "auth.client_id",
    "auth.development_secret",
    "auth.operators",
];

/// Checks that every secret is sent only where its owner can have meant it to go.
///
/// # Errors
///
/// `Invalid`, naming the URL's setting and the secret, when the project's file sets the URL for a
/// secret that comes from elsewhere.
pub(super) fn check(draft: &Draft) -> Result<()> {
    if let Some(name) = OF_THE_PLATFORM.into_iter().find_map(|key| draft.of_project(key)) {
        return Err(wrong(format!(
            "{name}: a project's file can't set where the platform gives out credentials; set it in the environment"
        )));
    }
    if let Some(name) = NOT_OF_PROJECTS.into_iter().find_map(|key| draft.of_project(key)) {
        return Err(wrong(format!(
            "{name}: a project's file can't choose which token is sent, and to whom; set it in the environment or in the user's file"
        )));
    }
    check_doors(draft)?;
    let storage = match of_token_alone(draft) {
        Some(_) => "s3://",
        None => draft.config.storage.as_deref().unwrap_or_default(),
    };
    let store = [("s3://", &S3), ("gs://", &GOOGLE), ("az://", &AZURE)]
        .into_iter()
        .find(|(scheme, _)| storage.starts_with(scheme));
    for way in
        store.map(|(_, way)| way).into_iter().chain([&STS, &TRACES, &TOKEN_SERVICE, &CLOUDFLARE])
    {
        way.check(draft)?;
    }
    Ok(())
}

/// Checks that a project's file lets in nobody whom the environment does not.
fn check_doors(draft: &Draft) -> Result<()> {
    let ours = DOORS.iter().find_map(|key| draft.of_project(key));
    let foreign =
        DOORS.iter().find_map(|key| draft.name(key).filter(|_| draft.of_project(key).is_none()));
    let (Some(ours), Some(foreign)) = (ours, foreign) else { return Ok(()) };
    Err(wrong(format!(
        "{ours}: a project's file can't decide who is let in beside {foreign}; set both in the same place"
    )))
}

impl Way {
    fn check(&self, draft: &Draft) -> Result<()> {
        let Some(place) = self
            .places
            .iter()
            .find(|key| draft.name(key).is_some())
            .and_then(|key| draft.of_project(key))
        else {
            return Ok(());
        };
        let used =
            self.secrets.iter().find(|group| group.iter().any(|key| draft.name(key).is_some()));
        let mut sent = used.into_iter().flat_map(|group| group.iter());
        let foreign = sent
            .find(|key| draft.of_project(key).is_none() && draft.name(key).is_some())
            .and_then(|key| draft.name(key));
        let otherwise = self.otherwise.filter(|_| used.is_none());
        match foreign.or(otherwise) {
            Some(secret) => Err(wrong(format!(
                "{place}: a project's file can't choose where {secret} is sent, because it does not set it; set the URL where \
                 the credentials are set"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Resolved, Sources, resolve};

    fn sources(environment: &[(&str, &str)], project: &str) -> Sources {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Sources {
            environment,
            project: Some(("dotdo.toml".to_owned(), project.to_owned())),
            ..Sources::default()
        }
    }

    fn accepted(environment: &[(&str, &str)], project: &str) -> Result<Resolved, String> {
        resolve(&sources(environment, project)).map_err(|error| error.message().to_owned())
    }

    fn refusal(environment: &[(&str, &str)], project: &str) -> String {
        accepted(environment, project).map(|_| ()).expect_err(project)
    }

    const KEYS: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];

    /// A project's file that sends credentials away.
    struct Theft {
        environment: &'static [(&'static str, &'static str)],
        /// The lines of the file.
        project: &'static [&'static str],
        /// The setting that is named as the place.
        place: &'static str,
        /// What is named as sent.
        secret: &'static str,
    }

    const ON_S3: &str = "storage = \"s3://bucket\"";
    const ON_AZURE: &str = "storage = \"az://c\"\nazure.storage_account = \"a\"";
    const TO_S3: &str = "aws.endpoint_url = \"https://evil.example\"";
    const TO_STORAGE: &str = "storage_endpoint = \"https://evil.example\"";

    const THEFTS: [Theft; 9] = [
        Theft {
            environment: &KEYS,
            project: &[ON_S3, TO_S3],
            place: "dotdo.toml: aws.endpoint_url",
            secret: "AWS_SECRET_ACCESS_KEY",
        },
        Theft {
            environment: &KEYS,
            project: &[ON_S3, "aws.endpoint_url_s3 = \"https://evil.example\""],
            place: "aws.endpoint_url_s3",
            secret: "AWS_SECRET_ACCESS_KEY",
        },
        Theft {
            environment: &KEYS,
            project: &[ON_S3, "r2.endpoint = \"https://evil.example\""],
            place: "r2.endpoint",
            secret: "AWS_SECRET_ACCESS_KEY",
        },
        Theft {
            environment: &[],
            project: &[ON_S3, TO_S3],
            place: "aws.endpoint_url",
            secret: "the identity of this machine",
        },
        Theft {
            environment: &[("AWS_SECRET_ACCESS_KEY", "hunter2")],
            project: &[ON_S3, "aws.access_key_id = \"theirs\"", TO_S3],
            place: "aws.endpoint_url",
            secret: "AWS_SECRET_ACCESS_KEY",
        },
        Theft {
            environment: &[("AWS_SESSION_TOKEN", "hunter2")],
            project: &[ON_S3, "aws.access_key_id = \"a\"\naws.secret_access_key = \"b\"", TO_S3],
            place: "aws.endpoint_url",
            secret: "AWS_SESSION_TOKEN",
        },
        Theft {
            environment: &[("GOOGLE_SERVICE_ACCOUNT_KEY", "{}")],
            project: &["storage = \"gs://bucket\"", TO_STORAGE],
            place: "storage_endpoint",
            secret: "GOOGLE_SERVICE_ACCOUNT_KEY",
        },
        Theft {
            environment: &[("AZURE_STORAGE_KEY", "aGVsbG8=")],
            project: &[ON_AZURE, TO_STORAGE],
            place: "storage_endpoint",
            secret: "AZURE_STORAGE_KEY",
        },
        Theft {
            environment: &[("OTEL_EXPORTER_OTLP_HEADERS", "key=hunter2")],
            project: &["otel.exporter_otlp_endpoint = \"https://evil.example\""],
            place: "otel.exporter_otlp_endpoint",
            secret: "OTEL_EXPORTER_OTLP_HEADERS",
        },
    ];

    #[test]
    fn a_project_s_file_does_not_send_the_environment_s_credentials_anywhere() {
        for Theft { environment, project, place, secret } in THEFTS {
            let project = project.join("\n");
            let message = refusal(environment, &project);
            for part in [place, secret, "dotdo.toml"] {
                assert!(message.contains(part), "{message}");
            }
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_project_s_file_can_not_set_the_platform_s_credential_urls() {
        for key in super::OF_THE_PLATFORM {
            let message = refusal(&[], &format!("{key} = \"http://evil.example\""));
            assert!(message.contains(key) && message.contains("environment"), "{message}");
        }
    }

    #[test]
    fn a_project_s_file_can_not_choose_a_token_or_who_gets_it() {
        for key in super::NOT_OF_PROJECTS {
            let value = match key {
                "identity.token_header" => "x-evil",
                "google.workload_identity_provider" => "projects/evil",
                _ => "https://evil.example",
            };
            // Only there a header may be believed at all.
            let vercel =
                [("VERCEL", "1"), ("VERCEL_IPC_PATH", "/ipc"), ("DOTDO_STORAGE", "s3://bucket")];
            let message = refusal(&vercel, &format!("{key} = \"{value}\""));
            assert!(message.contains(key) && message.contains("user's file"), "{message}");
        }
        let environment = [
            ("JWT_TOKEN", "hunter2"),
            ("AWS_ROLE_ARN", "arn"),
            ("AWS_ENDPOINT_URL_S3", "https://s3.example"),
        ];
        let message = refusal(
            &environment,
            &[ON_S3, "aws.endpoint_url = \"https://evil.example\""].join("\n"),
        );
        assert!(message.contains("aws.endpoint_url") && message.contains("JWT_TOKEN"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_project_s_file_lets_in_nobody_beside_those_of_the_environment() {
        let token = "0123456789abcdef0123456789abcdef";
        let issuer = ("DOTDO_AUTH_ISSUER", "https://auth.example.com");
        let tokens = ("DOTDO_AUTH_TOKENS", token);
        let theirs = "auth.issuer = \"https://evil.example\"";
        for (environment, project, named) in [
            (issuer, "auth.operators = [\"evil\"]".to_owned(), "auth.operators"),
            (issuer, "auth.audience = \"another\"".to_owned(), "auth.audience"),
            (issuer, "auth.client_id = \"another\"".to_owned(), "auth.client_id"),
            (issuer, format!("auth.tokens = \"{token}\""), "auth.tokens"),
            (issuer, format!("auth.development_secret = \"{token}\""), "development_secret"),
            (tokens, theirs.to_owned(), "auth.issuer"),
            (("WORKOS_AUTH_DOMAIN", "h"), format!("auth.tokens = \"{token}\""), "auth.tokens"),
        ] {
            let message = refusal(&[environment], &project);
            let parts = [named, environment.0, "dotdo.toml: "];
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
            assert!(!message.contains(token), "{message}");
        }
        let own = "auth.issuer = \"https://auth.example.com\"\nauth.audience = \"a\"";
        accepted(&[], own).expect("the file brings all");
        let found = accepted(&[issuer], theirs).expect("the environment's issuer wins");
        assert_eq!(found.config.edge.auth.identity.issuers, ["https://auth.example.com"]);
    }

    #[test]
    fn credentials_and_urls_from_the_same_source_are_accepted() {
        let own = "storage = \"s3://bucket\"\naws.endpoint_url = \"http://127.0.0.1:1\"\naws.access_key_id = \"a\"\naws.secret_access_key = \"b\"";
        accepted(&[], own).expect("the file brings both");
        accepted(&KEYS, "storage = \"s3://bucket\"").expect("Amazon's own address");
        let both = [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")];
        accepted(&both, "storage = \"s3://bucket\"\naws.endpoint_url = \"https://evil.example\"")
            .expect("the environment's address wins");
        let user = Some((
            "config.toml".to_owned(),
            "aws.endpoint_url = \"http://127.0.0.1:1\"".to_owned(),
        ));
        resolve(&Sources { user, ..sources(&KEYS, "storage = \"s3://bucket\"") })
            .expect("the user's file is the user's");
        let r2 = "storage = \"s3://b\"\nr2.endpoint = \"http://127.0.0.1:1\"\nr2.access_key_id = \"a\"\nr2.secret_access_key = \"b\"";
        accepted(&KEYS, r2).expect("the environment's keys are not used");
    }

    #[test]
    fn settings_that_become_part_of_a_url_are_checked() {
        for (name, project) in [
            ("aws.region", "storage = \"s3://bucket\"\naws.region = \"x@evil.example/#\""),
            (
                "aws.default_region",
                "storage = \"s3://bucket\"\naws.default_region = \"evil.example/\"",
            ),
            (
                "azure.storage_account",
                "storage = \"az://c\"\nazure.storage_account = \"evil.example/\"",
            ),
            ("azure.tenant_id", "azure.tenant_id = \"../x\""),
        ] {
            let message = refusal(&KEYS, project);
            assert!(message.contains(name), "{message}");
        }
    }
}
