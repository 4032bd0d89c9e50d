//! Durations on the command line.

/// The number of seconds that `text` says: a number with `s`, `m`, `h` or `d`.
///
/// # Errors
///
/// What is expected.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let mistake = || "expected a number with s, m, h or d, such as 90d".to_owned();
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let unit = text.chars().next_back().ok_or_else(mistake)?;
    let (_, factor) = units.into_iter().find(|(name, _)| *name == unit).ok_or_else(mistake)?;
    let number = &text[..text.len() - unit.len_utf8()];
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number).ok_or_else(mistake)?;
    number.checked_mul(factor).filter(|seconds| *seconds > 0).ok_or_else(mistake)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        assert_eq!(seconds("90d"), Ok(7_776_000));
        assert_eq!(seconds("12h"), Ok(43_200));
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("1s"), Ok(1));
        for wrong in ["", "d", "90", "-1d", "+1d", "1.5h", "0s", "1w", "9ü", "99999999999999999d"]
        {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
