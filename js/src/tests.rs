//! Bundles on a server in process, whose clock stands still.

mod bindings;
mod cases;
mod contexts;
mod limits;
mod lines;
mod slices;
mod sockets;
mod streams;

use std::path::Path;
use std::sync::Arc;

use dotdo::testing::{CountingRandom, TestServer};
use dotdo::{App, ErrorKind};

use crate::{Bundle, Machine};

/// A bundle of one class `Thing` with this body, on one thread, with randomness that is always the
/// same.
fn bundle(folder: &Path, body: &str) -> Bundle {
    let text = format!(
        "import {{ DurableObject }} from 'cloudflare:workers';\n\
         export class Thing extends DurableObject {{\n{body}\n}}\n\
         export default {{ fetch() {{ return new Response('in front'); }} }};\n"
    );
    open(folder, &text).expect("the bundle is loaded")
}

fn open(folder: &Path, text: &str) -> dotdo::Result<Bundle> {
    let file = folder.join("worker.js");
    std::fs::write(&file, text).expect("the folder is writable");
    let random = Arc::new(CountingRandom::starting_at(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834));
    Bundle::open_on(&file, Machine { random, threads: 1, ..Machine::default() })
}

async fn server(app: App) -> TestServer {
    TestServer::start(app).await
}

#[test]
fn a_bundle_that_needs_what_is_not_here_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = "import { DurableObject } from 'cloudflare:workers'; export class Thing extends DurableObject {}\n";
    for (text, why) in [
        ("export default {", "SyntaxError"),
        ("import x from 'hono'; export default { fetch() {} }", "a bundler puts packages into it"),
        (
            "import x from 'node:fs'; export default { fetch() {} }",
            "\"node:fs\", which dotdo does not have",
        ),
        (
            "import { readFile } from 'fs/promises'; export default { fetch() {} }",
            "Of Node's modules there are assert, assert/strict, async_hooks, buffer",
        ),
        (
            "import { nothing } from 'node:buffer'; export default { fetch() {} }",
            "'nothing' in module 'node:buffer'",
        ),
        ("import x from 'dotdo:node/errors'; export default { fetch() {} }", "not in the bundle"),
        ("import x from 'dotdo:host'; export default { fetch() {} }", "which is not in the bundle"),
        ("setTimeout(() => {}, 1)", "expected a timer of a handler, got one in global scope"),
        ("await new Promise(() => {})", "cannot load the worker"),
        ("throw new Error('not today')", "not today"),
        ("export default { fetch() {} }", "or to have bindings, got neither"),
        (&format!("{class}export const x = 1"), "a default with fetch(request, env), got none"),
        (&format!("{class}export default {{ fetch() {{}}, email() {{}} }}"), "email"),
        (
            &format!(
                "{class}export class thing extends DurableObject {{}}\nexport default {{ fetch() {{}} }}"
            ),
            "differ in case only",
        ),
    ] {
        let error = open(folder.path(), text).map(|_| ()).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains(why), "{text}: {}", error.message());
    }
}
