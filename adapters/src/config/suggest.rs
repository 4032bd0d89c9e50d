//! Suggests the name that a misspelt one was meant to be.

/// The known name nearest to `wrong`, if one is near enough to be a suggestion.
pub(super) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let far = (wrong.len().div_ceil(4) + 1).min(4);
    let measured = known.into_iter().map(|name| (distance(wrong, name), name));
    measured.filter(|(distance, _)| *distance <= far).min().map(|(_, name)| name)
}

/// The Levenshtein distance: how many characters must be inserted, removed or replaced to turn `a`
/// into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, letter) in a.chars().enumerate() {
        let mut left_above = std::mem::replace(&mut above[0], row + 1);
        for (column, other) in b.iter().enumerate() {
            let replaced = left_above + usize::from(letter != *other);
            left_above = above[column + 1];
            above[column + 1] = replaced.min(left_above + 1).min(above[column] + 1);
        }
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshtein_s() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("port", "prot", 2),
            ("same", "same", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["DOTDO_PORT", "DOTDO_HOST", "DOTDO_STORAGE"];
        assert_eq!(nearest("DOTDO_PROT", known), Some("DOTDO_PORT"));
        assert_eq!(nearest("DOTDO_STORAG", known), Some("DOTDO_STORAGE"));
        assert_eq!(nearest("DOTDO_SOMETHING_ELSE", known), None);
    }
}
