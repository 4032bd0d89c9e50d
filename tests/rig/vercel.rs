//! Vercel's own command line, logged in at a service that stands in for Vercel's.
//!
//! The tool is real; what it sends is recorded. There is no account, so nothing is deployed.

use std::path::Path;

use serde_json::{Value, json};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::tools::node_packages;

const MANIFEST: &str = include_str!("tools/vercel/package.json");
const LOCK: &str = include_str!("tools/vercel/package-lock.json");

/// Where a deployment is, as the service says.
pub const DEPLOYED: &str = "https://objects-1.vercel.app";

/// The service, and the tool that asks it.
pub struct Vercel {
    service: MockServer,
}

impl Vercel {
    /// Starts the service.
    pub async fn start() -> Self {
        let service = MockServer::start().await;
        for (verb, path, status, answer) in answers() {
            let answer = ResponseTemplate::new(status).set_body_json(answer);
            Mock::given(method(verb))
                .and(path_regex(path))
                .respond_with(answer)
                .mount(&service)
                .await;
        }
        Self { service }
    }

    /// Logs the user of a home folder in, and says what has to be on the PATH for the tool.
    ///
    /// # Panics
    ///
    /// When the tool can't be installed, or the folder is not writable.
    pub fn log_in(&self, home: &Path) -> String {
        let folder = home.join(".local/share/com.vercel.cli");
        std::fs::create_dir_all(&folder).expect("the home folder is writable");
        let config =
            json!({ "api": self.service.uri(), "currentTeam": "team_1", "collectMetrics": false });
        for (name, content) in
            [("auth.json", json!({ "token": "of-ada" })), ("config.json", config)]
        {
            std::fs::write(folder.join(name), content.to_string()).expect("the folder is writable");
        }
        let tool = node_packages("vercel-tools", MANIFEST, LOCK).join("node_modules/.bin");
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", tool.display())
    }

    /// The bodies of the requests to a path that ends like this.
    ///
    /// # Panics
    ///
    /// When one of them is no JSON.
    pub async fn sent(&self, end: &str) -> Vec<Value> {
        let requests = self.service.received_requests().await.expect("they are recorded");
        let to_path = requests.iter().filter(|request| {
            request.method.as_str() == "POST" && request.url.path().ends_with(end)
        });
        to_path.map(|request| request.body_json().expect("the tool sends JSON")).collect()
    }
}

/// What the service answers, as far as the tool needs it.
fn answers() -> [(&'static str, &'static str, u16, Value); 7] {
    let team = json!({ "id": "team_1", "slug": "acme", "name": "Acme", "createdAt": 1 });
    let project = json!({ "id": "prj_1", "name": "objects", "accountId": "team_1", "createdAt": 1, "updatedAt": 1 });
    let user = json!({ "id": "user_1", "uid": "user_1", "username": "ada", "email": "ada@example.com", "version": "northstar", "defaultTeamId": "team_1" });
    let deployment = json!({
        "id": "dpl_1", "url": "objects-1.vercel.app", "name": "objects", "readyState": "READY", "status": "READY",
        "alias": ["objects.vercel.app"], "aliasAssigned": true, "target": "production", "createdAt": 1,
        "creator": { "username": "ada" }, "projectId": "prj_1", "ownerId": "team_1", "version": 2, "regions": [], "build": { "env": [] },
    });
    [
        ("GET", "^/v2/user$", 200, json!({ "user": user })),
        ("GET", "^(/v[12])?/teams/team_1$", 200, team.clone()),
        (
            "GET",
            "^/v[12]/teams$",
            200,
            json!({ "teams": [team], "pagination": { "count": 1, "next": null, "prev": null } }),
        ),
        ("GET", "^/v9/projects/(objects|prj_1)$", 200, project),
        ("GET", "^/v10/projects/prj_1/env$", 200, json!({ "envs": [] })),
        (
            "POST",
            "^/v10/projects/prj_1/env$",
            201,
            json!({ "created": { "id": "env_1", "target": ["production"] }, "failed": [] }),
        ),
        ("POST", "^/v13/deployments$", 200, deployment),
    ]
}
