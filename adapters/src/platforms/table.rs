//! Where the program runs, by what the environment says.
//!
//! Promises: every platform is one row here: its name, the variables that give it away, and what is
//! different there. Must not know: the engine, requests, how any platform brings requests.

use std::time::Duration;

use dotdo_core::Ownership;

/// Where the program runs.
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

/// What is known of a platform, and what is chosen there when nobody says otherwise.
struct Row {
    platform: Platform,
    /// The word for it in settings and logs.
    name: &'static str,
    /// Any of these variables gives it away.
    variables: &'static [&'static str],
    /// Its way can't work without this variable, which the platform itself sets.
    needs: Option<&'static str>,
    ownership: Ownership,
    /// Where to listen: what runs in a container is reached by no loopback; `::` takes IPv4 too,
    /// and is needed where the private network is IPv6.
    host: &'static str,
    /// The port to listen on is what this variable says, whatever else says: requests come there
    /// only, and over loopback.
    port: Option<&'static str>,
    /// How long a stop may take: less than the platform waits, as it is documented, before it
    /// kills.
    shutdown: Duration,
    /// Whether a folder of the program outlives it.
    keeps_folders: bool,
    /// This variable says that it is played on a developer's machine, where folders stay.
    at_home: Option<&'static str>,
    /// Where other servers find this one.
    reach: Reach,
}

/// How a server learns where the others reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing says; the address that it listens on, if that is one.
    Unsaid,
    /// The variable holds this copy's own address.
    At(&'static str),
    /// The variable holds a name that all copies share on their private network.
    Beside(&'static str),
}

/// A machine of one's own, and what every other row differs from.
const PLAIN: Row = Row {
    platform: Platform::Http,
    name: "http",
    variables: &[],
    needs: None,
    ownership: Ownership::Leased,
    host: LOOPBACK,
    port: None,
    // Docker kills ten seconds after it asked.
    shutdown: Duration::from_secs(9),
    keeps_folders: true,
    at_home: None,
    reach: Reach::Unsaid,
};

/// What runs in a container that is replaced: it keeps nothing, and is reached from outside.
const CONTAINER: Row = Row { host: "0.0.0.0", keeps_folders: false, ..PLAIN };

/// What is frozen or thrown away between requests.
///
/// Snapshots are asked for as everywhere else: who owns per request writes those that are due
/// within the request that crosses the line, so that nothing has to run after an answer, and no
/// other interval would make a frozen program write them sooner.
const FUNCTION: Row = Row { ownership: Ownership::PerRequest, keeps_folders: false, ..PLAIN };

/// All platforms. Where the variables of two are set, the upper one is meant: Cloud Run's contract
/// is offered on Kubernetes too.
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
        // What App Service gives a container; a Functions host on its own asks nobody.
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
        // Of the usual 30 s, a `preStop` hook takes some.
        shutdown: Duration::from_secs(20),
        reach: Reach::At("POD_IP"),
        ..CONTAINER
    },
    PLAIN,
];

/// The Functions host tells its custom handler where to listen.
const AZURE_PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// Where nobody but this machine comes in.
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// What the environment says of where other servers reach this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reached {
    /// At this IP address.
    At(String),
    /// At this machine's own address on the network on which this name is found.
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
    /// The words for the setting: `auto`, and the name of each platform.
    pub(crate) const WORDS: &'static [&'static str] = &words();

    /// The platform with this place among the [`Platform::WORDS`]; `None` for `auto`.
    pub(crate) fn at(place: usize) -> Option<Self> {
        Some(TABLE.get(place.checked_sub(1)?)?.platform)
    }

    /// Its place among the [`Platform::WORDS`].
    pub(crate) fn place(self) -> usize {
        TABLE.iter().position(|row| row.platform == self).map_or(0, |at| at + 1)
    }

    /// The platform that an environment, in which `is_set` variables have a value, gives away.
    pub(crate) fn found(is_set: impl Fn(&str) -> bool) -> Self {
        let row = TABLE.iter().find(|row| row.variables.iter().any(|name| is_set(name)));
        row.map_or(Self::Http, |row| row.platform)
    }

    /// Its name in settings and logs.
    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// How processes own objects there when nobody says otherwise: functions, which are frozen
    /// between requests, do per request.
    pub(crate) fn ownership(self) -> Ownership {
        self.row().ownership
    }

    /// Where to listen when nobody says otherwise.
    pub(crate) fn host(self) -> &'static str {
        self.row().host
    }

    /// How long a stop may take when nobody says otherwise.
    pub(crate) fn shutdown(self) -> Duration {
        self.row().shutdown
    }

    /// The variable without which its way of bringing requests can't work.
    pub(crate) fn needs(self) -> Option<&'static str> {
        self.row().needs
    }

    /// The variable that says which port of loopback requests come to, where the platform decides
    /// that.
    pub(crate) fn port(self) -> Option<&'static str> {
        self.row().port
    }

    /// Whether a folder of the program is still there when it is started again.
    pub(crate) fn keeps_folders(self) -> bool {
        self.row().keeps_folders
    }

    /// The variable that says that it is played on a developer's machine, where folders stay.
    pub(crate) fn at_home(self) -> Option<&'static str> {
        self.row().at_home
    }

    /// Where other servers reach this one, by what the environment says.
    pub(crate) fn reached<'a>(self, variable: impl Fn(&str) -> Option<&'a str>) -> Option<Reached> {
        match self.row().reach {
            Reach::Unsaid => None,
            Reach::At(name) => variable(name).map(|address| Reached::At(address.to_owned())),
            Reach::Beside(name) => variable(name).map(|name| Reached::Beside(name.to_owned())),
        }
    }

    /// The variable that would say where other servers reach this one.
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
    fn every_word_but_auto_names_a_platform() {
        assert_eq!((Platform::WORDS[0], Platform::at(0)), ("auto", None));
        for (place, word) in Platform::WORDS.iter().enumerate().skip(1) {
            let platform = Platform::at(place).expect("a platform");
            assert_eq!((platform.name(), platform.place()), (*word, place));
        }
    }

    #[test]
    fn what_is_not_kept_is_not_a_folder_and_what_is_frozen_owns_per_request() {
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
    fn the_environment_says_where_the_others_reach_this_one() {
        let reached =
            |platform: Platform| platform.reached(|name| (name != "POD_IP").then_some("here"));
        assert_eq!(reached(Platform::Http), None);
        assert_eq!(reached(Platform::Kubernetes), None);
        assert_eq!(reached(Platform::Fly), Some(Reached::At("here".to_owned())));
        assert_eq!(reached(Platform::Railway), Some(Reached::Beside("here".to_owned())));
    }

    #[test]
    fn the_environment_gives_the_platform_away() {
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
