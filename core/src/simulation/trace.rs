//! Everything that happens in a world, as a hash, and on request as text.

use std::fmt::{self, Write};

/// A running hash of all notes (FNV-1a), and the notes themselves if they are kept.
pub(super) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// Keeps the hash only.
    pub(super) fn hashed() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: None }
    }

    /// Keeps every note.
    pub(super) fn kept() -> Self {
        Self { lines: Some(Vec::new()), ..Self::hashed() }
    }

    pub(super) fn note(&mut self, now_us: u64, what: fmt::Arguments<'_>) {
        // Hashing can't fail.
        let _ = writeln!(Hasher(&mut self.hash), "{now_us} {what}");
        if let Some(lines) = &mut self.lines {
            lines.push(format!(
                "{:>14.6} {what}",
                std::time::Duration::from_micros(now_us).as_secs_f64()
            ));
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}

struct Hasher<'a>(&'a mut u64);

impl Write for Hasher<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            *self.0 = (*self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
