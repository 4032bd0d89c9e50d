//! Questions to a person at a terminal, on standard error, so that the output stays the command's.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// Whether somebody is there to answer questions.
pub(crate) fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The answer to a question; `None` for an empty one, and at the end of the input.
pub(crate) fn ask(question: &str) -> io::Result<Option<String>> {
    let mut stderr = io::stderr();
    write!(stderr, "{question}")?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let answer = line.trim();
    Ok((!answer.is_empty()).then(|| answer.to_owned()))
}

/// The answer to a question, which the terminal does not show. Ctrl-C is an error, not a signal, so
/// that the terminal shows again what is typed.
pub(crate) fn ask_hidden(question: &str) -> io::Result<Option<String>> {
    let silence = Silence::begin()?;
    let mut stderr = io::stderr();
    write!(stderr, "{question}")?;
    stderr.flush()?;
    let line = {
        let mut input = io::stdin().lock();
        // A terminal gives whole lines. This one may end with Ctrl-C instead of a line break.
        let typed = input.fill_buf()?;
        let (line, length) = (String::from_utf8_lossy(typed).into_owned(), typed.len());
        input.consume(length);
        line
    };
    drop(silence);
    // The line break of the answer was not shown either.
    let _ = writeln!(stderr);
    if line.contains(INTERRUPT) {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
    }
    let answer = line.trim();
    Ok((!answer.is_empty()).then(|| answer.to_owned()))
}

/// Whether a person agrees; an empty answer is no.
pub(crate) fn agrees(question: &str) -> io::Result<bool> {
    let answer = ask(&format!("{question} [y/N] "))?.unwrap_or_default().to_lowercase();
    Ok(matches!(&*answer, "y" | "yes"))
}

/// The character of Ctrl-C.
const INTERRUPT: char = '\u{3}';

/// A terminal that shows nothing of what is typed, until it is dropped.
#[cfg(unix)]
struct Silence(nix::sys::termios::Termios);

#[cfg(unix)]
impl Silence {
    fn begin() -> io::Result<Self> {
        use nix::sys::termios::{
            LocalFlags, SetArg, SpecialCharacterIndices, tcgetattr, tcsetattr,
        };
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        // Ctrl-C ends the line instead of the process.
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        silent.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT as u8;
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

#[cfg(not(unix))]
struct Silence;

#[cfg(not(unix))]
impl Silence {
    fn begin() -> io::Result<Self> {
        Ok(Self)
    }
}
