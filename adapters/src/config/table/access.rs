//! The ways into the stores, under the names that their own tools use.

use super::{any, web_address};
use crate::config::setting::{Kind, Setting, secret, text};
use crate::config::storage::is_bucket;

/// Whether `text` can be a part of a host's name: services are found at names that are made of it.
fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether `text` can be the id or the domain of a directory: it becomes a part of an address.
fn is_directory(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// Keys, regions and endpoints.
pub(super) static ACCESS: &[Setting] = &[
    Setting::new(
        "r2.endpoint",
        text!("an address with http:// or https://", web_address, access.r2.endpoint),
        "The address of the R2 account.",
    ),
    Setting::new(
        "r2.bucket",
        text!("the name of a bucket", is_bucket, access.r2.bucket),
        "Alone it means the storage `s3://` with this bucket.",
    ),
    Setting::new(
        "r2.access_key_id",
        text!("text", any, access.r2.access_key_id),
        "The public half of the key pair; wins over Amazon's.",
    ),
    Setting::new("r2.secret_access_key", secret!(access.r2.secret_access_key), "The secret half."),
    Setting::new(
        "aws.endpoint_url",
        text!("an address with http:// or https://", web_address, access.aws.endpoint_url),
        "The address of a service that speaks S3, when it is not Amazon's.",
    ),
    Setting::new(
        "aws.endpoint_url_s3",
        text!("an address with http:// or https://", web_address, access.aws.endpoint_url_s3),
        "The same, and wins.",
    ),
    Setting::new(
        "aws.region",
        text!("letters, digits and hyphens", is_label, access.aws.region),
        "The region; `us-east-1` when nothing says another, `auto` on R2.",
    ),
    Setting::new(
        "aws.default_region",
        text!("letters, digits and hyphens", is_label, access.aws.default_region),
        "The region, when `AWS_REGION` says none.",
    ),
    Setting::new(
        "aws.access_key_id",
        text!("text", any, access.aws.access_key_id),
        "The public half of a key pair.",
    ),
    Setting::new(
        "aws.secret_access_key",
        secret!(access.aws.secret_access_key),
        "The secret half.",
    ),
    Setting::new(
        "aws.session_token",
        secret!(access.aws.session_token),
        "The third part of temporary keys.",
    ),
    Setting::new(
        "aws.web_identity_token_file",
        text!("the path of a file", any, access.aws.web_identity_token_file),
        "A token to exchange for keys, with `AWS_ROLE_ARN`.",
    ),
    Setting::new(
        "aws.role_arn",
        text!("text", any, access.aws.role_arn),
        "The role to take on with it.",
    ),
    Setting::new(
        "aws.role_session_name",
        text!("text", any, access.aws.role_session_name),
        "The name that audit logs show.",
    ),
    Setting::new(
        "aws.container_credentials_relative_uri",
        text!("a path", any, access.aws.container_credentials_relative_uri),
        "The task's identity; ECS sets it.",
    ),
    Setting::new(
        "aws.container_credentials_full_uri",
        text!("an address", any, access.aws.container_credentials_full_uri),
        "The pod's identity; EKS sets it.",
    ),
    Setting::new(
        "aws.container_authorization_token_file",
        text!("the path of a file", any, access.aws.container_authorization_token_file),
        "The token for it; EKS sets it.",
    ),
    Setting::new(
        "google.application_credentials",
        text!("the path of a file", any, access.google.application_credentials),
        "A service account's key; else the machine's own identity.",
    ),
    Setting::new(
        "google.service_account_key",
        secret!(access.google.service_account_key),
        "The same as JSON, and wins.",
    ),
    Setting::new(
        "azure.storage_account",
        text!(
            "the name of a storage account: letters and digits",
            is_label,
            access.azure.storage_account
        ),
        "The storage account; `az://` needs it.",
    )
    .with_aliases(&["AZURE_STORAGE_ACCOUNT_NAME"]),
    Setting::new("azure.storage_key", secret!(access.azure.storage_key), "The account's key.")
        .with_aliases(&["AZURE_STORAGE_ACCOUNT_KEY"]),
    Setting::new(
        "azure.storage_sas_token",
        secret!(access.azure.storage_sas_token),
        "A shared access signature.",
    ),
    Setting::new(
        "azure.federated_token_file",
        text!("the path of a file", any, access.azure.federated_token_file),
        "A token to exchange, with the two below; else the machine's own identity.",
    ),
    Setting::new(
        "azure.identity_endpoint",
        text!("an address", any, access.azure.identity_endpoint),
        "Where an app gets tokens for its identity; App Service and Functions set it.",
    )
    .with_aliases(&["IDENTITY_ENDPOINT"]),
    Setting::new("azure.client_id", text!("text", any, access.azure.client_id), "The application."),
    Setting::new(
        "azure.tenant_id",
        text!("a directory's id or domain", is_directory, access.azure.tenant_id),
        "The directory.",
    ),
];
