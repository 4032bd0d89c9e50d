//! Who may use the routes of administration, and who is told that they are not there.

use super::*;

/// Every route, with a method that it answers.
const ROUTES: [(&str, &str); 8] = [
    ("GET", "/classes"),
    ("GET", "/objects"),
    ("GET", "/requests"),
    ("GET", "/objects/Sql/one"),
    ("POST", "/objects/Sql/one/sql"),
    ("GET", "/objects/Sql/one/database"),
    ("GET", "/objects/Sql/one/snapshots"),
    ("GET", "/objects/Sql/one/verify"),
];

/// The status and the code of an answer; the body of a good one is not read.
async fn told(
    server: &Server,
    who: Option<&str>,
    route: (&str, &str),
    below: &str,
) -> (u16, String) {
    let (method, path) = route;
    let method: Method = method.parse().expect("a method");
    let request = asked(server, who, method.clone(), &format!("{below}{path}"));
    let request =
        if method == Method::POST { request.json(&statement("SELECT 1")) } else { request };
    let answer = request.send().await.expect("the server answers");
    let status = answer.status().as_u16();
    if status < 300 {
        return (status, String::new());
    }
    let body: Value = answer.json().await.expect("an error is JSON");
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_see_their_own_tenant_operators_all_and_nobody_else_any() {
    let world = World::folder();
    let setup = world.setup().env("SCENARIO_SPELLED_TOKENS", "1").env("DOTDO_LOG_FORMAT", "json");
    let server = setup.start().await;
    run(&server, Some("a~acme~rw"), "one", &["CREATE TABLE t(a)", "INSERT INTO t VALUES('acme')"])
        .await;
    run(
        &server,
        Some("g~globex~rw"),
        "one",
        &["CREATE TABLE t(a)", "INSERT INTO t VALUES('globex')"],
    )
    .await;
    let (named, missing) = ("/tenants/acme/shop", (403, "MISSING_SCOPE".to_owned()));
    for route in ROUTES {
        assert_eq!(told(&server, None, route, "").await.0, 401, "{route:?}");
        assert_eq!(told(&server, Some("x~acme~rwh"), route, "").await, missing, "{route:?}");
        assert_eq!(told(&server, Some("x~acme~a"), route, "").await.0, 200, "{route:?}");
        // Only an operator names tenants, even the own one.
        assert_eq!(told(&server, Some("x~acme~a"), route, named).await, missing, "{route:?}");
        assert_eq!(told(&server, Some("x~globex~a"), route, named).await, missing, "{route:?}");
        assert_eq!(told(&server, Some("x~globex~o"), route, named).await.0, 200, "{route:?}");
    }
    let values = async |who: &str, below: &str| {
        let path = format!("{below}/objects/Sql/one/sql");
        let request = asked(&server, Some(who), Method::POST, &path);
        answer(request.json(&statement("SELECT a FROM t"))).await.1["rows"][0][0].clone()
    };
    assert_eq!(values("x~acme~a", "").await, "acme");
    assert_eq!(values("x~globex~a", "").await, "globex");
    assert_eq!(values("x~globex~o", named).await, "acme");
    the_catalog_is_of_the_own_tenant(&server).await;
    // An id in a header is an object's, whatever the path says.
    let object = asked(&server, Some("a~acme~rw"), Method::POST, "/objects/Sql/one/sql");
    let object = object.header("x-do-id", "one").header("x-do-type", "Sql");
    assert_eq!(
        answer(object.json(&[["SELECT 1 AS n"]])).await.1,
        json!([{ "rows": [[{ "integer": "1" }]] }])
    );
    let log = server.stderr();
    let audited = |parts: &[&str]| {
        log.lines()
            .any(|line| line.contains("audit") && parts.iter().all(|part| line.contains(part)))
    };
    assert!(audited(&["take_database", "\"allowed\"", "globex", "acme"]), "{log}");
    assert!(audited(&["administer", "\"denied\"", "MISSING_SCOPE"]), "{log}");
}

/// A token's tables are those of its tenant, whatever else it may do.
async fn the_catalog_is_of_the_own_tenant(server: &Server) {
    let table = "/iceberg/v1/namespaces/Sql%1Fone/tables/t";
    for (who, status, found) in [
        (None, 401, ""),
        (Some("x~acme~rwh"), 403, ""),
        (Some("x~acme~a"), 200, "/acme/shop/"),
        (Some("x~globex~a"), 200, "/globex/shop/"),
        (Some("x~globex~o"), 200, "/globex/shop/"),
    ] {
        let (told, body) = answer(asked(server, who, Method::GET, table)).await;
        assert_eq!(told.as_u16(), status, "{who:?}: {body}");
        let location = body["metadata-location"].as_str().unwrap_or_default();
        assert!(location.contains(found), "{who:?}: {body}");
        assert_eq!(body["error"]["code"].is_null(), status == 200, "{who:?}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_authentication_they_are_there_on_loopback_unless_they_are_off() {
    let world = World::folder();
    let off = world.setup().env("DOTDO_ADMIN_ROUTES", "off").start().await;
    for route in ROUTES {
        assert_eq!(told(&off, None, route, "").await, (404, "NO_OBJECT".to_owned()), "{route:?}");
    }
    assert_eq!(told(&off, None, ("GET", "/iceberg/v1/namespaces"), "").await.0, 404);
    drop(off);
    let server = world.setup().start().await;
    run(&server, None, "one", &["CREATE TABLE t(a)"]).await;
    for route in ROUTES {
        assert_eq!(told(&server, None, route, "").await.0, 200, "{route:?}");
        let page = Client::new()
            .request(route.0.parse().expect("a method"), server.url(route.1))
            .header("origin", "https://evil.example")
            .json(&statement("SELECT 1"));
        let (status, error) = answer(page).await;
        assert_eq!((status.as_u16(), error["code"].as_str()), (403, Some("ORIGIN_NOT_ALLOWED")));
    }
    for (path, code) in [
        ("/objects/Sql/nobody", "NO_SUCH_OBJECT"),
        ("/objects/Sql/one/nothing", "NO_OBJECT"),
        ("/objects/Sql", "NO_OBJECT"),
        ("/objects/Sql/one/sql", "NO_ENDPOINT"),
    ] {
        assert_eq!(told(&server, None, ("GET", path), "").await, (404, code.to_owned()), "{path}");
    }
    for path in [
        "/objects?limit=x",
        "/objects?nothing=1",
        "/objects/Sql/one?at=yesterday",
        "/objects/9/one",
        "/objects?after=x",
    ] {
        assert_eq!(told(&server, None, ("GET", path), "").await.0, 400, "{path}");
    }
    // Other machines, and nobody has to prove who they are.
    let open = world.setup().env("DOTDO_HOST", "0.0.0.0").env("DOTDO_ALLOW_UNAUTHENTICATED", "1");
    let refused = open.env("DOTDO_ADMIN_ROUTES", "on").try_start().await;
    let told_why = refused.err().expect("it does not start");
    assert!(told_why.contains("admin.routes is on"), "{told_why}");
}
