//! The table of platforms: one row each, in a file of its own.

mod azure;
mod cloudrun;
mod docker;
mod fly;
mod k8s;
mod lambda;
mod railway;
mod render;
mod vercel;

use super::row::Row;
use super::tools::Tool;

/// All platforms, in the order of the help.
pub(super) const TABLE: [Row; 9] = [
    vercel::ROW,
    railway::ROW,
    render::ROW,
    fly::ROW,
    docker::ROW,
    k8s::ROW,
    lambda::ROW,
    cloudrun::ROW,
    azure::ROW,
];

#[cfg(feature = "javascript")]
pub(super) use self::lambda::text_of as lambda_template;

/// The names of the platforms.
pub(crate) const NAMES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut at = 0;
    while at < TABLE.len() {
        names[at] = TABLE[at].name;
        at += 1;
    }
    names
};

/// Docker's command line, which several platforms need for their image.
const DOCKER: Tool = Tool {
    program: "docker",
    version: &["--version"],
    who: None,
    log_in: "docker login",
    install: "install Docker 23 or newer (https://docs.docker.com/engine/install/)",
};

/// The platform with this name.
pub(super) fn named(name: &str) -> Option<&'static Row> {
    static ROWS: [Row; TABLE.len()] = TABLE;
    ROWS.iter().find(|row| row.name == name)
}
