//! AWS Lambda: the function as a zip file, and the template that deploys it.

use super::Arch;
use super::contents::Contents;
use super::draft::Draft;
use super::program::Program;
use super::zip::Zip;
use crate::deploy::lambda_template;
use crate::failure::Failure;

/// The name of the program in a function of the runtime `provided.al2023`.
const PROGRAM: &str = "bootstrap";
const FILE: &str = "bootstrap.zip";

/// Writes the function.
///
/// # Errors
///
/// `Failed` when a file can't be read or written.
pub(super) fn write(
    draft: &mut Draft,
    program: &Program,
    arch: Arch,
    contents: &Contents,
) -> Result<(), Failure> {
    let mut zip = Zip::default();
    let read = std::fs::read(program.path());
    let failed = |cause| Failure::of(&format!("can't read {}", program.path().display()), cause);
    zip.add(PROGRAM, 0o755, &read.map_err(failed)?)?;
    for (name, content) in contents.files()? {
        zip.add(&name, 0o644, &content)?;
    }
    draft.bytes(FILE, &zip.finish()?)?;
    draft.text("template.yaml", &lambda_template(FILE, arch.of_functions()))
}
