//! Detection of the platform from the environment.
//!
//! Promises: every platform is one row: its name, the variables that identify it, and its
//! differences. Must not know: the engine, requests, how a platform delivers requests.

use std::time::Duration;

use dotdo_core::Ownership;

/// The platform on which the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    /// Anything that starts a program and sends it HTTP.
    Http,
    /// AWS Lambda.
    Lambda,
    /// Vercel's functions.
    Vercel,
    /// Azure Functions, as a custom handler.
    AzureFunctions,
    /// Google Cloud Run.
    CloudRun,
    /// Fly Machines.
    Fly,
    /// Railway.
    Railway,
    /// Render.
    Render,
    /// Kubernetes.
    Kubernetes,
}

/// The properties of a platform, and its defaults.
struct Row {
    platform: Platform,
    /// The name in settings and logs.
    name: &'static str,
    /// Variables of which any identifies it.
    variables: &'static [&'static str],
    /// A variable that the platform sets and its adapter requires.
    needs: Option<&'static str>,
    ownership: Ownership,
    /// Address to listen on. Containers are not reached over loopback; `::` includes IPv4, and is
    /// needed for private networks with IPv6.
    host: &'static str,
    /// The variable with the port to listen on, which wins over all settings: requests arrive only
    /// there, over loopback.
    port: Option<&'static str>,
    /// Maximum time for a shutdown: less than the documented grace period of the platform.
    shutdown: Duration,
    /// Whether folders of the program are persistent.
    keeps_folders: bool,
    /// The variable that shows that it is emulated on a developer's machine, with persistent
    /// folders.
    at_home: Option<&'static str>,
    /// How other servers reach this one.
    reach: Reach,
}

/// How a server learns the address under which others reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// From the address that it listens on, if that is a single one.
    Unsaid,
    /// From a variable with its own address.
    At(&'static str),
    /// From a variable with a name that all instances share on the private network.
    Beside(&'static str),
}

/// A plain machine, on which the other rows are based.
const PLAIN: Row = Row {
    platform: Platform::Http,
    name: "http",
    variables: &[],
    needs: None,
    ownership: Ownership::Leased,
    host: LOOPBACK,
    port: None,
    // Docker kills ten seconds after SIGTERM.
    shutdown: Duration::from_secs(9),
    keeps_folders: true,
    at_home: None,
    reach: Reach::Unsaid,
};

/// A container that may be replaced: without persistent files, and reached from outside.
const CONTAINER: Row = Row { host: "0.0.0.0", keeps_folders: false, ..PLAIN };

/// A function, which may be frozen or discarded between requests.
///
/// The defaults of snapshots are as everywhere else: with per-request ownership, a due snapshot is
/// written within the request that makes it due, so that nothing has to run after a response, and
/// no other interval would make a frozen program write it sooner.
const FUNCTION: Row = Row { ownership: Ownership::PerRequest, keeps_folders: false, ..PLAIN };

/// All platforms. If variables of two are set, the first one wins: Cloud Run's contract is
/// available on Kubernetes, too.
const TABLE: [Row; 9] = [
    Row {
        platform: Platform::Lambda,
        name: "lambda",
        variables: &["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME"],
        needs: Some("AWS_LAMBDA_RUNTIME_API"),
        shutdown: Duration::from_millis(450),
        ..FUNCTION
    },
    Row {
        platform: Platform::Vercel,
        name: "vercel",
        variables: &["VERCEL_IPC_PATH", "VERCEL_DEV_PORT", "VERCEL"],
        at_home: Some("VERCEL_DEV"),
        shutdown: Duration::from_millis(450),
        ..FUNCTION
    },
    Row {
        platform: Platform::AzureFunctions,
        name: "azure-functions",
        variables: &[AZURE_PORT],
        needs: Some(AZURE_PORT),
        port: Some(AZURE_PORT),
        // The grace period of App Service; a Functions host alone gives none.
        shutdown: Duration::from_millis(4500),
        ..FUNCTION
    },
    Row {
        platform: Platform::CloudRun,
        name: "cloud-run",
        variables: &["K_SERVICE"],
        ownership: Ownership::PerRequest,
        ..CONTAINER
    },
    Row {
        platform: Platform::Fly,
        name: "fly",
        variables: &["FLY_MACHINE_ID", "FLY_APP_NAME"],
        host: "::",
        shutdown: Duration::from_millis(4500),
        reach: Reach::At("FLY_PRIVATE_IP"),
        ..CONTAINER
    },
    Row {
        platform: Platform::Railway,
        name: "railway",
        variables: &["RAILWAY_ENVIRONMENT_ID", "RAILWAY_PROJECT_ID"],
        host: "::",
        shutdown: Duration::from_millis(2500),
        reach: Reach::Beside("RAILWAY_PRIVATE_DOMAIN"),
        ..CONTAINER
    },
    Row {
        platform: Platform::Render,
        name: "render",
        variables: &["RENDER"],
        shutdown: Duration::from_secs(29),
        reach: Reach::Beside("RENDER_DISCOVERY_SERVICE"),
        ..CONTAINER
    },
    Row {
        platform: Platform::Kubernetes,
        name: "kubernetes",
        variables: &["KUBERNETES_SERVICE_HOST"],
        // The usual grace period is 30 s, of which a `preStop` hook takes some.
        shutdown: Duration::from_secs(20),
        reach: Reach::At("POD_IP"),
        ..CONTAINER
    },
    PLAIN,
];

/// The variable in which the Functions host gives its custom handler the port.
const AZURE_PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// The loopback address.
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// How other servers reach this one, according to the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reached {
    /// At this IP address.
    At(String),
    /// At this machine's own address on the network of this name.
    Beside(String),
}

const fn words() -> [&'static str; TABLE.len() + 1] {
    let mut words = ["auto"; TABLE.len() + 1];
    let mut at = 0;
    while at < TABLE.len() {
        words[at + 1] = TABLE[at].name;
        at += 1;
    }
    words
}

impl Platform {
    /// The values of the setting: `auto`, and the name of each platform.
    pub(crate) const WORDS: &'static [&'static str] = &words();

    /// The platform at this index of [`Platform::WORDS`]; `None` for `auto`.
    pub(crate) fn at(place: usize) -> Option<Self> {
        Some(TABLE.get(place.checked_sub(1)?)?.platform)
    }

    /// Its index in [`Platform::WORDS`].
    pub(crate) fn place(self) -> usize {
        TABLE.iter().position(|row| row.platform == self).map_or(0, |at| at + 1)
    }

    /// Detects the platform of an environment in which the `is_set` variables have a value.
    pub(crate) fn found(is_set: impl Fn(&str) -> bool) -> Self {
        let row = TABLE.iter().find(|row| row.variables.iter().any(|name| is_set(name)));
        row.map_or(Self::Http, |row| row.platform)
    }

    /// Its name in settings and logs.
    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// The default ownership: per request for functions, which are frozen between requests.
    pub(crate) fn ownership(self) -> Ownership {
        self.row().ownership
    }

    /// The default address to listen on.
    pub(crate) fn host(self) -> &'static str {
        self.row().host
    }

    /// The default maximum time for a shutdown.
    pub(crate) fn shutdown(self) -> Duration {
        self.row().shutdown
    }

    /// The variable that its adapter requires.
    pub(crate) fn needs(self) -> Option<&'static str> {
        self.row().needs
    }

    /// The variable with the loopback port, if the platform chooses it.
    pub(crate) fn port(self) -> Option<&'static str> {
        self.row().port
    }

    /// Whether folders of the program are persistent.
    pub(crate) fn keeps_folders(self) -> bool {
        self.row().keeps_folders
    }

    /// The variable that shows that it is emulated on a developer's machine, with persistent
    /// folders.
    pub(crate) fn at_home(self) -> Option<&'static str> {
        self.row().at_home
    }

    /// The header in which the platform itself adds a token to each request, which says who this
    /// program is.
    pub(crate) fn token_header(self) -> Option<&'static str> {
        (self == Self::Vercel).then_some("x-vercel-oidc-token")
    }

    /// How other servers reach this one, according to the environment.
    pub(crate) fn reached<'a>(self, variable: impl Fn(&str) -> Option<&'a str>) -> Option<Reached> {
        match self.row().reach {
            Reach::Unsaid => None,
            Reach::At(name) => variable(name).map(|address| Reached::At(address.to_owned())),
            Reach::Beside(name) => variable(name).map(|name| Reached::Beside(name.to_owned())),
        }
    }

    /// The variable with the address or name under which other servers reach this one.
    pub(crate) fn reached_by(self) -> Option<&'static str> {
        match self.row().reach {
            Reach::Unsaid => None,
            Reach::At(name) | Reach::Beside(name) => Some(name),
        }
    }

    fn row(self) -> Row {
        TABLE.into_iter().find(|row| row.platform == self).expect("every platform has a row")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_but_auto_is_a_platform() {
        assert_eq!((Platform::WORDS[0], Platform::at(0)), ("auto", None));
        for (place, word) in Platform::WORDS.iter().enumerate().skip(1) {
            let platform = Platform::at(place).expect("a platform");
            assert_eq!((platform.name(), platform.place()), (*word, place));
        }
    }

    #[test]
    fn rows_of_platforms_are_consistent() {
        for row in TABLE {
            assert_eq!(row.keeps_folders, row.platform == Platform::Http, "{}", row.name);
            // The host that names the port comes over loopback; who takes other platforms' requests
            // on a port is reached from outside.
            assert!(
                row.port.is_none() || (row.host == LOOPBACK && row.needs == row.port),
                "{}",
                row.name
            );
            assert!(
                row.ownership == Ownership::PerRequest
                    || row.platform == Platform::Http
                    || row.host != LOOPBACK,
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn the_environment_has_the_address_for_other_servers() {
        let reached =
            |platform: Platform| platform.reached(|name| (name != "POD_IP").then_some("here"));
        assert_eq!(reached(Platform::Http), None);
        assert_eq!(reached(Platform::Kubernetes), None);
        assert_eq!(reached(Platform::Fly), Some(Reached::At("here".to_owned())));
        assert_eq!(reached(Platform::Railway), Some(Reached::Beside("here".to_owned())));
    }

    #[test]
    fn the_platform_is_detected_from_the_environment() {
        assert_eq!(Platform::found(|_| false), Platform::Http);
        for row in TABLE {
            for variable in row.variables {
                assert_eq!(Platform::found(|name| name == *variable), row.platform, "{variable}");
            }
        }
        assert_eq!(
            Platform::found(|name| ["K_SERVICE", "KUBERNETES_SERVICE_HOST"].contains(&name)),
            Platform::CloudRun
        );
    }
}
