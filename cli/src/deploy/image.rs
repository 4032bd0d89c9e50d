//! The image of a container: the Dockerfile of dotdo's repository, for each source.

use std::path::{Path, PathBuf};

use super::plan::{Content, File, Step};
use super::source::{DOCKERFILE, Source};
use crate::failure::Failure;

const TEXT: &str = include_str!("../../template/deploy/Dockerfile");
const IGNORED: &str = include_str!("../../template/deploy/dockerignore");

/// The folder with all that the image of this program needs.
const ALONE: &str = "deploy/docker";
/// The certificate authorities of this machine, where they usually are.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// How an image is built.
pub(super) struct Image {
    pub(super) files: Vec<File>,
    /// The folder that is sent to the builder, relative to the working directory.
    pub(super) context: String,
    /// The Dockerfile, relative to the working directory.
    pub(super) dockerfile: String,
    /// The arguments of the build.
    pub(super) arguments: Vec<(&'static str, String)>,
}

/// Where an image is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builder {
    /// On this machine, which has every folder.
    Here,
    /// On the platform's machines, which get the working directory.
    Platform(&'static str),
}

impl Image {
    /// The image of a source.
    ///
    /// # Errors
    ///
    /// `Usage` when the builder can't get at all sources.
    pub(super) fn of(source: &Source, builder: Builder) -> Result<Self, Failure> {
        match source {
            Source::Repository => Ok(Self {
                files: Vec::new(),
                context: ".".to_owned(),
                dockerfile: DOCKERFILE.to_owned(),
                arguments: Vec::new(),
            }),
            Source::Program(program) => Self::of_program(Source::for_linux(program)?),
            Source::Project(project) => {
                let mut arguments =
                    vec![("PACKAGE", project.package.clone()), ("BIN", project.program.clone())];
                let mut context = ".".to_owned();
                if let Some(outside) = &project.outside {
                    let (parent, folder) = shared(outside)?;
                    if let Builder::Platform(name) = builder {
                        return Err(Failure::Usage(format!(
                            "{name} builds from the project's own folder, and dotdo is at {}, outside of it: refer to it by `git` in Cargo.toml, or put its sources into the project",
                            outside.display()
                        )));
                    }
                    arguments.insert(0, ("FOLDER", folder));
                    context = parent;
                }
                let ignored = match &*context {
                    "." => ".dockerignore".to_owned(),
                    parent => format!("{parent}/.dockerignore"),
                };
                Ok(Self {
                    files: vec![File::default(DOCKERFILE, TEXT), File::default(ignored, IGNORED)],
                    context,
                    dockerfile: DOCKERFILE.to_owned(),
                    arguments,
                })
            }
        }
    }

    /// An image of this program, which is compiled already.
    fn of_program(program: &Path) -> Result<Self, Failure> {
        let authorities = authorities()?;
        let copy = |name: &str, of: PathBuf| File {
            path: format!("{ALONE}/out/{name}"),
            content: Content::CopyOf(of),
        };
        Ok(Self {
            files: vec![
                File::text(format!("{ALONE}/Dockerfile"), without_build()),
                copy("ca-certificates.crt", authorities),
                copy("bin/program", program.to_owned()),
            ],
            context: ALONE.to_owned(),
            dockerfile: format!("{ALONE}/Dockerfile"),
            arguments: Vec::new(),
        })
    }

    /// The path of a file of the platform's, which its builder looks for in the context.
    pub(super) fn path(&self, name: &str) -> String {
        if self.context == "." { name.to_owned() } else { format!("{}/{name}", self.context) }
    }

    /// The command that builds it on this machine.
    pub(super) fn build(&self, tag: &str) -> Step {
        let arguments = self.arguments.iter();
        let arguments = arguments
            .flat_map(|(name, value)| ["--build-arg".to_owned(), format!("{name}={value}")]);
        Step::new("docker", &["build", "--file", &self.dockerfile, "--tag", tag])
            .and(arguments)
            .and([&self.context])
    }
}

/// The certificate authorities of this machine.
///
/// # Errors
///
/// `Failed` when it has none.
pub(super) fn authorities() -> Result<PathBuf, Failure> {
    let found = AUTHORITIES.iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| {
        Failure::Failed(format!(
            "the image needs certificate authorities, and this machine has none at {}; install the package ca-certificates",
            AUTHORITIES[0]
        ))
    })
}

/// The Dockerfile's last stage, with a program from the context instead of the one that another
/// stage builds.
pub(super) fn without_build() -> String {
    let runtime = TEXT.lines().find(|line| line.starts_with("ARG RUNTIME_IMAGE="));
    let runtime = runtime.expect("the Dockerfile names its base");
    let (_, last) =
        TEXT.split_once("FROM ${RUNTIME_IMAGE}\n").expect("the Dockerfile has a last stage");
    let last = last.replace("COPY --from=build /out/", "COPY out/");
    format!(
        "# The image of a program that is compiled already: the last stage of dotdo's deploy/docker/Dockerfile.\n{runtime}\nFROM ${{RUNTIME_IMAGE}}\n{last}"
    )
}

/// The folder that has both the working directory and `outside`, and the working directory as seen
/// from there.
fn shared(outside: &Path) -> Result<(String, String), Failure> {
    let here = std::env::current_dir().and_then(std::fs::canonicalize);
    let here = here.map_err(|cause| Failure::of("can't find the working directory", cause))?;
    let there = std::fs::canonicalize(outside).map_err(|cause| {
        Failure::of(&format!("can't find dotdo at {}", outside.display()), cause)
    })?;
    let parent = here.ancestors().find(|folder| there.starts_with(folder));
    let parent = parent.unwrap_or(Path::new("/"));
    let folder = here.strip_prefix(parent).unwrap_or(&here);
    let up = vec![".."; folder.components().count()].join("/");
    Ok((up, folder.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_a_compiled_program_has_the_last_stage_only() {
        let text = without_build();
        assert_eq!(text.lines().filter(|line| line.starts_with("FROM ")).count(), 1, "{text}");
        assert!(!text.contains("--from=") && !text.contains("cargo"), "{text}");
        for line in ["COPY out/bin/ /usr/local/bin/", "USER 10001:10001", "EXPOSE 8787"] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
