//! The documents, for tests that do what they say.

use std::path::Path;

/// A block of code in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBlock {
    /// What follows the opening fence, such as `sh`.
    pub language: String,
    /// The lines in the block.
    pub text: String,
    /// The line of prose that was nearest before it and began a paragraph.
    pub intro: String,
}

/// The blocks of code of a document of this repository, such as `docs/BUILT-IN.md`.
///
/// # Panics
///
/// When there is no such document.
pub fn code_blocks(path: &str) -> Vec<CodeBlock> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let page = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    blocks(&page)
}

fn blocks(page: &str) -> Vec<CodeBlock> {
    let mut found: Vec<CodeBlock> = Vec::new();
    let (mut inside, mut begins, mut intro) = (false, true, "");
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(language) if !inside => {
                found.push(CodeBlock {
                    language: language.to_owned(),
                    text: String::new(),
                    intro: intro.to_owned(),
                });
                inside = true;
            }
            Some(_) => inside = false,
            None if inside => {
                let block = found.last_mut().expect("a block has begun");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {
                if begins && !line.is_empty() {
                    intro = line;
                }
                begins = line.is_empty();
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_with_their_language_and_intro() {
        let page = "`a.rs`: what\nit is.\n\n```rust\nfn a() {}\n```\n\nThen\n```sh\nb\n```\n";
        let block = |language: &str, text: &str, intro: &str| CodeBlock {
            language: language.into(),
            text: text.into(),
            intro: intro.into(),
        };
        assert_eq!(
            blocks(page),
            [block("rust", "fn a() {}\n", "`a.rs`: what"), block("sh", "b\n", "Then")]
        );
    }
}
