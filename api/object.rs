//! The function that Vercel runs: the built-in class. Put your own classes here, or beside them.

use std::process::ExitCode;

use dotdo::App;
use dotdo_builtin::Graph;

fn main() -> ExitCode {
    dotdo::run(App::new().register::<Graph>())
}
