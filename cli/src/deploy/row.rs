//! What the table of platforms has of each: its tools, what it needs, and its plan.

use super::plan::Plan;
use super::tools::Tool;
use super::wanted::Wanted;
use crate::failure::Failure;

/// A platform.
pub(super) struct Row {
    /// The name of `--platform`.
    pub(super) name: &'static str,
    /// The name for people.
    pub(super) title: &'static str,
    /// The page that describes it.
    pub(super) page: &'static str,
    /// The programs that the plan runs.
    pub(super) tools: &'static [Tool],
    /// The scheme of the storage to which the platform's own identity gives access, so that no keys
    /// are needed.
    pub(super) identity: Option<&'static str>,
    /// Who makes sure that only those reach the objects who may.
    pub(super) clients: Clients,
    /// Whether servers there need a secret that they share.
    pub(super) has_peers: bool,
    /// The header in which the front end takes the token that a step captures.
    pub(super) token_header: Option<&'static str>,
    /// What else has to be known.
    pub(super) needs: &'static [Need],
    /// Files and commands.
    pub(super) plan: fn(&Wanted) -> Result<Plan, Failure>,
}

/// Who lets clients in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clients {
    /// The server, by a token or an issuer.
    Server,
    /// The platform's front end.
    Platform,
    /// The server, by a token that the platform generates.
    Generated,
}

/// A value that has to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A name that nobody else on the platform has.
    Name,
    /// A region.
    Region,
    /// The name of an image in a registry.
    Image,
    /// The project of Google Cloud.
    CloudProject,
}

impl Need {
    /// The option that gives it.
    pub(super) fn option(self) -> &'static str {
        match self {
            Self::Name => "--name",
            Self::Region => "--region",
            Self::Image => "--image",
            Self::CloudProject => "--cloud-project",
        }
    }

    /// What it is, for a question.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Name => "name of the app, which nobody else may have",
            Self::Region => "region, best that of the bucket",
            Self::Image => {
                "name for the image in your registry, such as registry.example.com/team/objects:1"
            }
            Self::CloudProject => "project of Google Cloud",
        }
    }
}
