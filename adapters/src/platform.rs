//! Where the program runs, by what the environment says.
//!
//! Promises: every platform is one row here: its name, the variables that give it away, and what is different there.
//! Must not know: the engine, requests, how any platform brings requests.

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

/// What is known of a platform.
struct Row {
    platform: Platform,
    /// The word for it in settings and logs.
    name: &'static str,
    /// Any of these variables gives it away.
    variables: &'static [&'static str],
    ownership: Ownership,
}

/// All platforms. Where the variables of two are set, the upper one is meant: Cloud Run's contract is offered on Kubernetes too.
const TABLE: [Row; 9] = [
    row(Platform::Lambda, "lambda", &["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME"], Ownership::PerRequest),
    row(Platform::Vercel, "vercel", &["VERCEL_IPC_PATH", "VERCEL"], Ownership::PerRequest),
    row(Platform::AzureFunctions, "azure-functions", &["FUNCTIONS_CUSTOMHANDLER_PORT"], Ownership::PerRequest),
    row(Platform::CloudRun, "cloud-run", &["K_SERVICE"], Ownership::PerRequest),
    row(Platform::Fly, "fly", &["FLY_MACHINE_ID", "FLY_APP_NAME"], Ownership::Leased),
    row(Platform::Railway, "railway", &["RAILWAY_ENVIRONMENT_ID", "RAILWAY_PROJECT_ID"], Ownership::Leased),
    row(Platform::Render, "render", &["RENDER"], Ownership::Leased),
    row(Platform::Kubernetes, "kubernetes", &["KUBERNETES_SERVICE_HOST"], Ownership::Leased),
    row(Platform::Http, "http", &[], Ownership::Leased),
];

const fn row(platform: Platform, name: &'static str, variables: &'static [&'static str], ownership: Ownership) -> Row {
    Row { platform, name, variables, ownership }
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

    /// How processes own objects there when nobody says otherwise: functions, which are frozen between requests, do per request.
    pub(crate) fn ownership(self) -> Ownership {
        self.row().ownership
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
    fn the_environment_gives_the_platform_away() {
        assert_eq!(Platform::found(|_| false), Platform::Http);
        for row in TABLE {
            for variable in row.variables {
                assert_eq!(Platform::found(|name| name == *variable), row.platform, "{variable}");
            }
        }
        assert_eq!(Platform::found(|name| ["K_SERVICE", "KUBERNETES_SERVICE_HOST"].contains(&name)), Platform::CloudRun);
    }
}
