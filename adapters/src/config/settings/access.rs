//! Credentials and endpoints of the stores, under the names that the providers' own tools use.

use super::{any, web_address};
use crate::config::names::{is_bucket, is_label, is_prefix};
use crate::config::setting::{Kind, Setting, secret, text};
use crate::credentials::is_private_address;

/// Whether `text` can be the id or the domain of a directory: it becomes a part of a URL.
fn is_directory(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// Whether `text` can be the address of a service account: it becomes a part of a URL.
fn is_account(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| is_label(name) && is_directory(domain))
}

/// Keys, regions and endpoints.
pub(super) static ACCESS: &[Setting] = &[
    Setting::new(
        "r2.endpoint",
        text!("an http:// or https:// URL", web_address, access.r2.endpoint),
        "Endpoint of the R2 account.",
    ),
    Setting::new(
        "r2.bucket",
        text!("the name of a bucket", is_bucket, access.r2.bucket),
        "R2 bucket. Without `storage` it means `s3://` and this bucket.",
    ),
    Setting::new(
        "r2.access_key_id",
        text!("text", any, access.r2.access_key_id),
        "Access key id for R2. Wins over Amazon's.",
    ),
    Setting::new(
        "r2.secret_access_key",
        secret!(access.r2.secret_access_key),
        "Secret access key for R2.",
    ),
    Setting::new(
        "aws.endpoint_url",
        text!("an http:// or https:// URL", web_address, access.aws.endpoint_url),
        "Endpoint of an S3-compatible service other than Amazon's.",
    ),
    Setting::new(
        "aws.endpoint_url_s3",
        text!("an http:// or https:// URL", web_address, access.aws.endpoint_url_s3),
        "Endpoint of an S3-compatible service. Wins over `AWS_ENDPOINT_URL`.",
    ),
    Setting::new(
        "aws.region",
        text!("letters, digits and hyphens", is_label, access.aws.region),
        "AWS region. The default is `us-east-1`, and `auto` on R2 and Tigris; B2 says it in its endpoint.",
    ),
    Setting::new(
        "aws.default_region",
        text!("letters, digits and hyphens", is_label, access.aws.default_region),
        "AWS region if `AWS_REGION` is not set.",
    ),
    Setting::new(
        "aws.access_key_id",
        text!("text", any, access.aws.access_key_id),
        "Access key id for S3.",
    ),
    Setting::new(
        "aws.secret_access_key",
        secret!(access.aws.secret_access_key),
        "Secret access key for S3.",
    ),
    Setting::new(
        "aws.session_token",
        secret!(access.aws.session_token),
        "Session token of temporary credentials for S3.",
    ),
    Setting::new(
        "aws.web_identity_token_file",
        text!("the path of a file", any, access.aws.web_identity_token_file),
        "File with a web identity token that is exchanged for keys, with `AWS_ROLE_ARN`; EKS sets \
         both. It is read again at every exchange.",
    ),
    Setting::new(
        "aws.role_arn",
        text!("text", any, access.aws.role_arn),
        "Role to assume with the web identity token, or with that of `identity.token`.",
    ),
    Setting::new(
        "aws.role_session_name",
        text!("text", any, access.aws.role_session_name),
        "Session name of the assumed role, as audit logs show it.",
    ),
    Setting::new(
        "aws.endpoint_url_sts",
        text!(
            "an https:// URL, or http:// on this machine",
            is_private_address,
            access.aws.endpoint_url_sts
        ),
        "Endpoint of the token service (STS) that exchanges tokens for keys. The default is \
         `AWS_ENDPOINT_URL`, or Amazon's in the region.",
    ),
    Setting::new(
        "aws.container_credentials_relative_uri",
        text!("a path", any, access.aws.container_credentials_relative_uri),
        "Path of the credentials of an ECS task; ECS sets it.",
    ),
    Setting::new(
        "aws.container_credentials_full_uri",
        text!("a URL", any, access.aws.container_credentials_full_uri),
        "URL of the credentials of an EKS pod; EKS sets it.",
    ),
    Setting::new(
        "aws.container_authorization_token_file",
        text!("the path of a file", any, access.aws.container_authorization_token_file),
        "File with the token for the credentials of an EKS pod; EKS sets it.",
    ),
    Setting::new(
        "google.application_credentials",
        text!("the path of a file", any, access.google.application_credentials),
        "File with the key of a service account, or of the type `external_account`, which says how a \
         token in another file is exchanged. Without it, the machine's own identity is used.",
    ),
    Setting::new(
        "google.workload_identity_provider",
        text!(
            "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
            is_prefix,
            access.google.workload_identity_provider
        ),
        "Provider of workload identity federation that exchanges the token for access to the bucket, \
         if no key is given.",
    ),
    Setting::new(
        "google.service_account",
        text!("the address of a service account", is_account, access.google.service_account),
        "Service account to act for, with `google.workload_identity_provider`. Without it, the \
         provider's principals have the bucket's permissions themselves.",
    ),
    Setting::new(
        "google.service_account_key",
        secret!(access.google.service_account_key),
        "Key of a service account as JSON. Wins over `GOOGLE_APPLICATION_CREDENTIALS`.",
    ),
    Setting::new(
        "azure.storage_account",
        text!(
            "the name of a storage account: letters and digits",
            is_label,
            access.azure.storage_account
        ),
        "Storage account. `az://` requires it.",
    )
    .with_aliases(&["AZURE_STORAGE_ACCOUNT_NAME"]),
    Setting::new(
        "azure.storage_key",
        secret!(access.azure.storage_key),
        "Access key of the storage account.",
    )
    .with_aliases(&["AZURE_STORAGE_ACCOUNT_KEY"]),
    Setting::new(
        "azure.storage_sas_token",
        secret!(access.azure.storage_sas_token),
        "Shared access signature for the storage account.",
    ),
    Setting::new(
        "azure.federated_token_file",
        text!("the path of a file", any, access.azure.federated_token_file),
        "File with a token that Entra ID exchanges for access, with `AZURE_CLIENT_ID` and \
         `AZURE_TENANT_ID`. With these two and without the file, a token of `identity.token` or another \
         source is exchanged; without any, the machine's own identity is used.",
    ),
    Setting::new(
        "azure.authority_host",
        text!(
            "an https:// URL, or http:// on this machine",
            is_private_address,
            access.azure.authority_host
        ),
        "URL of Entra ID, if it is not that of the public cloud.",
    ),
    Setting::new(
        "azure.identity_endpoint",
        text!("a URL", any, access.azure.identity_endpoint),
        "URL at which an app gets tokens for its identity; App Service and Functions set it.",
    )
    .with_aliases(&["IDENTITY_ENDPOINT"]),
    Setting::new(
        "azure.client_id",
        text!("text", any, access.azure.client_id),
        "Client id of the application.",
    ),
    Setting::new(
        "azure.tenant_id",
        text!("a directory's id or domain", is_directory, access.azure.tenant_id),
        "Tenant id (directory) of the application.",
    ),
    Setting::new(
        "turso.url",
        secret!(access.database.url),
        "libSQL database, such as one of Turso, that holds the logs of objects and decides who writes; \
         snapshots stay in `storage`, which then needs no conditional writes. All servers of a \
         bucket must have the same one ([STORAGE.md](STORAGE.md)).",
    ),
    Setting::new("turso.token", secret!(access.database.token), "Token for the database."),
    Setting::new(
        "turso.token_file",
        text!("the path of a file", any, access.database.token_file),
        "File with the token for the database, if `TURSO_TOKEN` is not set. It is read for each \
         request, so the token can be replaced.",
    ),
];
