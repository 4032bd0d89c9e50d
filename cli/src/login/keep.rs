//! Where logins are kept: a file for each profile in the user's configuration folder, and the tokens
//! in the system's keyring or in that file.
//!
//! Promises: files are of their user alone, are replaced as a whole, and are refused when others can
//! read them; whoever changes a login holds its lock.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dotdo::commands::LoginSettings;
use dotdo::engine::Secret;

use super::kept::{Kept, Place, read_login, read_tokens, write_login, write_tokens};
use super::keyring::{self, NoKeyring};
use crate::failure::{Failure, note};

/// How long to wait for another process that renews a login. Its requests take at most a third of it.
const LOCK_MAX: Duration = Duration::from_secs(60);
/// How often to look whether it is done.
const LOCK_LOOK: Duration = Duration::from_millis(20);

/// The logins of a user.
#[derive(Debug, Clone)]
pub(super) struct Logins {
    folder: PathBuf,
    uses_keyring: bool,
    tell: fn(&str),
}

/// Whether a file is used that others can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// It is not.
    Refused,
    /// It is, to revoke what is in it.
    Allowed,
}

/// The right to change a login, until it is dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

impl Logins {
    /// The logins of the user whose settings these are.
    ///
    /// # Errors
    ///
    /// `Usage` when there is no folder for them.
    pub(super) fn new(settings: &LoginSettings) -> Result<Self, Failure> {
        let folder = settings.folder.as_ref().ok_or_else(|| {
            Failure::Usage(
                "there is no folder for logins; set HOME or XDG_CONFIG_HOME to an absolute path"
                    .to_owned(),
            )
        })?;
        Ok(Self { folder: folder.join("logins"), uses_keyring: settings.keyring, tell: note })
    }

    /// The same, where `tell` gets the lines for people that are otherwise printed.
    pub(super) fn telling(self, tell: fn(&str)) -> Self {
        Self { tell, ..self }
    }

    /// Tells people what is not an error.
    pub(super) fn tell(&self, line: &str) {
        (self.tell)(line);
    }

    /// Where new logins are kept.
    pub(super) fn place(&self) -> Place {
        if self.uses_keyring { Place::Keyring } else { Place::File }
    }

    /// The file of a profile's login.
    pub(super) fn file(&self, profile: &str) -> PathBuf {
        self.folder.join(format!("{profile}.json"))
    }

    /// The profiles that have a login, or had one that is over.
    pub(super) fn profiles(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut profiles: Vec<String> =
            names.filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
        profiles.sort();
        profiles
    }

    /// The login of a profile, with its tokens.
    ///
    /// # Errors
    ///
    /// `Failed` when it is there and can't be used, with what to do; also when others can read its
    /// file, with `Readers::Refused`.
    pub(super) fn load(&self, profile: &str, readers: Readers) -> Result<Option<Kept>, Failure> {
        let path = self.file(profile);
        let Some(text) = text_of(&path, readers)? else { return Ok(None) };
        let mut login = read_login(&text).map_err(|why| {
            let path = path.display();
            Failure::Failed(format!("{path} can't be used: {why}; run `dotdo login` again"))
        })?;
        if login.place == Place::Nowhere {
            return Ok(None);
        }
        if login.place == Place::Keyring {
            let what = "the tokens of the login are in the system's keyring";
            let help = "log in again, with DOTDO_LOGIN_KEYRING=off to keep them in a file";
            let tokens = keyring::read(profile)
                .map_err(|NoKeyring(why)| Failure::Failed(format!("{what}: {why}; {help}")))?;
            let tokens = tokens.and_then(|text| read_tokens(text.reveal()));
            login.tokens = Some(tokens.ok_or_else(|| {
                Failure::Failed(format!("{what}, which does not have them any more; {help}"))
            })?);
        }
        Ok(Some(login))
    }

    /// The newest login of a profile without its tokens, whether it is over or not.
    pub(super) fn last(&self, profile: &str) -> Option<Kept> {
        let text = text_of(&self.file(profile), Readers::Allowed).ok().flatten()?;
        read_login(&text).ok().map(|login| Kept { tokens: None, ..login })
    }

    /// Keeps a login, and gives it as it is kept: in a file where the keyring does not take it. The
    /// caller has the lock.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be kept anywhere.
    pub(super) fn save(&self, profile: &str, mut login: Kept) -> Result<Kept, Failure> {
        if let (Place::Keyring, Some(tokens)) = (login.place, &login.tokens) {
            let text = Secret::new(write_tokens(tokens));
            if let Err(NoKeyring(why)) = keyring::store(profile, &text) {
                self.tell(&format!("the system's keyring can't be used ({why})"));
                login.place = Place::File;
            }
        }
        let path = self.file(profile);
        self.write(&path, &write_login(&login))
            .map_err(|cause| Failure::of(&format!("cannot write {}", path.display()), cause))?;
        Ok(login)
    }

    /// Forgets a login. The caller has the lock.
    ///
    /// # Errors
    ///
    /// `Failed` when its file can't be removed; what is in the keyring is then gone.
    pub(super) fn forget(&self, profile: &str) -> Result<(), Failure> {
        self.empty_keyring(profile);
        let path = self.file(profile);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(Failure::of(&format!("cannot remove {}", path.display()), cause))
            }
            _ => Ok(()),
        }
    }

    /// Forgets the tokens of a login, and remembers that it was there. The caller has the lock.
    ///
    /// # Errors
    ///
    /// `Failed` when its file can't be written.
    pub(super) fn end(&self, profile: &str, login: Kept) -> Result<(), Failure> {
        self.empty_keyring(profile);
        self.save(profile, Kept { place: Place::Nowhere, tokens: None, ..login }).map(drop)
    }

    /// Removes the tokens of a login from the keyring, if they are there.
    fn empty_keyring(&self, profile: &str) {
        if self.last(profile).is_some_and(|login| login.place == Place::Keyring)
            && let Err(NoKeyring(why)) = keyring::remove(profile)
        {
            self.tell(&format!("the system's keyring may still have the tokens ({why})"));
        }
    }

    /// Waits for the right to change the login of a profile.
    ///
    /// # Errors
    ///
    /// `Failed` when the folder can't be written, or another process keeps the lock for too long.
    pub(super) fn lock(&self, profile: &str) -> Result<Lock, Failure> {
        let path = self.folder.join(format!("{profile}.lock"));
        let failed =
            |cause: io::Error| Failure::of(&format!("cannot lock {}", path.display()), cause);
        self.make_folder().map_err(failed)?;
        let file = own_file(&path).map_err(failed)?;
        let until = Instant::now() + LOCK_MAX;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(LOCK_LOOK);
                }
                Err(TryLockError::WouldBlock) => {
                    let seconds = LOCK_MAX.as_secs();
                    return Err(Failure::Later(format!(
                        "another process has locked {} for more than {seconds} s; end it, or try again later",
                        path.display()
                    )));
                }
            }
        }
    }

    /// Replaces a file as a whole.
    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        self.make_folder()?;
        // Only its owner can read a temporary file.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)
    }
}

/// The text of a file, `None` when there is none.
fn text_of(path: &Path, readers: Readers) -> Result<Option<String>, Failure> {
    let failed = |cause: io::Error| Failure::of(&format!("cannot read {}", path.display()), cause);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(cause)),
    };
    if readers == Readers::Refused {
        refuse_readable(&file, path)?;
    }
    io::read_to_string(file).map(Some).map_err(failed)
}

/// Opens a file of the user alone, which is made when missing.
fn own_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Refuses a file that others can read or write.
#[cfg(unix)]
fn refuse_readable(file: &File, path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;

    let path = path.display();
    let found =
        file.metadata().map_err(|cause| Failure::of(&format!("cannot read {path}"), cause))?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "others can read or write {path}: expected the mode 600, got {mode:o}; run `chmod 600 {path}`, or `dotdo logout` if \
         somebody else may have read it"
    )))
}

/// Elsewhere, files in a user's folder are of that user.
#[cfg(not(unix))]
fn refuse_readable(_: &File, _: &Path) -> Result<(), Failure> {
    Ok(())
}
