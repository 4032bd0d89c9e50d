//! Docker, or Podman under its name: a container on this machine.

use super::DOCKER;
use crate::deploy::image::{Builder, Image};
use crate::deploy::plan::{Input, Plan, Step, Url};
use crate::deploy::row::{Clients, Row};
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "docker",
    title: "Docker",
    page: "docs/platforms/docker.md",
    tools: &[DOCKER],
    identity: None,
    clients: Clients::Server,
    has_peers: false,
    token_header: None,
    needs: &[],
    plan,
};

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    let name = &*wanted.name;
    let image = Image::of(&wanted.source, Builder::Here)?;
    let publish = format!("{}:8787", wanted.port);
    let confined = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    let steps = vec![
        image.build(name),
        // It gets its time to release its objects.
        Step::new("docker", &["stop", name]).that_may_fail(),
        Step::new("docker", &["rm", name]).that_may_fail(),
        Step::new("docker", &["run", "--detach", "--name", name, "--restart", "unless-stopped"])
            .and(["--publish", &publish])
            .and(confined)
            .and(["--env-file", "/dev/stdin", name])
            .with_input(Input::Lines(wanted.names().collect())),
    ];
    let url = Url::At(format!("http://127.0.0.1:{}", wanted.port));
    Ok(Plan { files: image.files, steps, url, notes: Vec::new() })
}
