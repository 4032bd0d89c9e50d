//! `dotdo broker`.

use clap::Args;
use dotdo::ServeOptions;

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Needs the issuer of the tokens (auth.issuer), the bucket (storage) with keys for
all of it, and what makes keys: a role of the store's token service
(broker.role_arn), or Cloudflare's API (broker.r2_account_id and
broker.r2_api_token). docs/IDENTITY.md has an example.

  POST /v1/credentials       Exchange a token for keys
  POST /v1/deploy-tokens     Issue a deploy token; GET lists, DELETE revokes

Exit codes: 0 success, 1 failure or a second signal, 2 wrong usage or settings.";

/// The arguments of `dotdo broker`.
#[derive(Debug, Args)]
pub(crate) struct Broker {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 picks a free port [default: 8787]
    #[arg(long, short, value_name = "PORT")]
    port: Option<String>,
    /// The bucket with the state of all tenants: s3://bucket/prefix
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// off, error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl From<Broker> for ServeOptions {
    fn from(Broker { host, port, storage, log_level }: Broker) -> Self {
        Self { host, port, storage, log_level, ..Self::default() }
    }
}
