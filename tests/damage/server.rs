//! A server of the class that runs any SQL, for tests that need a process.

use std::process::ExitCode;

use dotdo::App;
use dotdo_tests::sql_object::SqlObject;

fn main() -> ExitCode {
    dotdo::run(App::new().class("Sql", || SqlObject))
}
