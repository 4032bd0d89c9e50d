//! The options of all commands about objects.

use std::path::PathBuf;

use clap::Args;
use dotdo::commands::LoginSettings;

use super::client::Client;
use super::name::{Named, Object};
use crate::failure::Failure;

/// Where the objects are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where the objects are")]
pub(crate) struct Where {
    /// Running server to ask [default: the setting server, else the bucket itself]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// Bucket or folder to work on, without a server [default: the setting storage]
    #[arg(long, value_name = "STORAGE", conflicts_with = "server")]
    pub(super) storage: Option<String>,
    /// Tenant of the objects, for operators [default: that of the token]
    #[arg(long, value_name = "ORG/NAME", value_parser = tenant)]
    pub(super) tenant: Option<Tenant>,
    /// File with a token for the server [default: JWT_TOKEN, else the login]
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Name of the login, if you have several
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Allow http:// to other machines, which everybody on the way can read
    #[arg(long)]
    pub(super) allow_http: bool,
}

/// A tenant of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tenant {
    pub(super) organisation: String,
    pub(super) name: String,
}

fn tenant(text: &str) -> Result<Tenant, String> {
    match text.split_once('/') {
        Some((organisation, name)) if !organisation.is_empty() && !name.is_empty() => {
            Ok(Tenant { organisation: organisation.to_owned(), name: name.to_owned() })
        }
        _ => Err("expected ORG/NAME, such as acme/shop".to_owned()),
    }
}

/// What the command line and the settings say about where the objects are.
pub(crate) struct Place {
    default_class: Option<String>,
}

/// What happens to an object or a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It is kept, and the command fails.
    Kept,
    /// It is replaced: the option `--force`.
    Replaced,
}

impl Existing {
    /// What the option `--force` says.
    pub(super) fn when_forced(is_forced: bool) -> Self {
        if is_forced { Self::Replaced } else { Self::Kept }
    }
}

impl Where {
    /// A client for the objects, and the settings that say which are meant.
    ///
    /// # Errors
    ///
    /// `Usage` when the settings are wrong; `Failed` when the bucket can't be used.
    pub(crate) fn open(&self) -> Result<(Client, Place), Failure> {
        let settings = LoginSettings::resolve(self.profile.as_deref())?;
        let default_class = settings.default_class.clone();
        let client = Client::new(self, &settings)?;
        Ok((client, Place { default_class }))
    }
}

impl Place {
    /// The object that a name means here.
    pub(crate) fn object(&self, named: &Named) -> Object {
        named.of(self.default_class.as_deref())
    }
}
