//! What callers may do.

use std::fmt;

use http::Method;

/// Every name of a scope of this product begins so.
const PREFIX: &str = "dotdo:";

/// Something that a caller may do. Tokens list scopes by name.
///
/// ```
/// # mod dotdo { pub mod identity { pub use dotdo_core::*; } pub use dotdo_core::*; }
/// use dotdo::identity::Scope;
/// use dotdo::{Context, Result};
///
/// fn clear(ctx: &mut Context) -> Result<u64> {
///     ctx.caller().require(Scope::Admin)?;
///     ctx.storage().delete_all()
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `dotdo:read`: requests to objects with GET, HEAD and OPTIONS.
    Read,
    /// `dotdo:write`: requests to objects with all other methods.
    Write,
    /// `dotdo:history`: requests to earlier states of objects (`X-DO-At`).
    History,
    /// `dotdo:admin`: what is reserved for the administrators of the caller's own tenant.
    Admin,
    /// `dotdo:operator`: the operation of the server, for all tenants.
    Operator,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] =
        [Self::Read, Self::Write, Self::History, Self::Admin, Self::Operator];

    /// The name in tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "dotdo:read",
            Self::Write => "dotdo:write",
            Self::History => "dotdo:history",
            Self::Admin => "dotdo:admin",
            Self::Operator => "dotdo:operator",
        }
    }

    /// The scope with this name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The scope for requests with `method`.
    pub fn of_method(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => Self::Read,
            _ => Self::Write,
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of scopes. Its text is their names, separated by spaces.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod identity { pub use dotdo_core::*; } }
/// use dotdo::identity::{Scope, Scopes};
///
/// let scopes = Scopes::parse("openid dotdo:read dotdo:admin");
/// assert!(scopes.contains(Scope::Admin) && !scopes.contains(Scope::Write));
/// assert_eq!(scopes.to_string(), "dotdo:read dotdo:admin");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// No scope.
    pub const NONE: Self = Self(0);

    /// What a caller may do of whom nothing else is known: read, write and history.
    pub const USER: Self =
        Self(1 << Scope::Read as u8 | 1 << Scope::Write as u8 | 1 << Scope::History as u8);

    /// The scopes that a text lists, separated by spaces. Names of other products are ignored.
    pub fn parse(text: &str) -> Self {
        text.split_ascii_whitespace().filter_map(Scope::from_name).collect()
    }

    /// The scopes of a token that lists these names: [`Scopes::USER`] if none of them begins with
    /// `dotdo:`, because providers issue such tokens to every user; otherwise exactly those listed.
    ///
    /// ```
    /// # mod dotdo { pub use dotdo_core::*; pub mod identity { pub use dotdo_core::*; } }
    /// use dotdo::identity::{Scope, Scopes};
    ///
    /// assert_eq!(Scopes::of_token(["openid", "email"]), Scopes::USER);
    /// assert_eq!(Scopes::of_token(["openid", "dotdo:read"]), Scope::Read.into());
    /// assert_eq!(Scopes::of_token(["dotdo:unknown"]), Scopes::NONE);
    /// ```
    pub fn of_token<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut ours = names.into_iter().filter(|name| name.starts_with(PREFIX)).peekable();
        if ours.peek().is_none() {
            return Self::USER;
        }
        ours.filter_map(Scope::from_name).collect()
    }

    /// Whether `scope` is one of them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// These and `scope`.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// These except `scope`.
    #[must_use]
    pub fn without(self, scope: Scope) -> Self {
        Self(self.0 & !scope.bit())
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self::NONE.with(scope)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_comes_back_from_its_text() {
        for bits in 0..1 << Scope::ALL.len() {
            let scopes = Scopes(bits);
            assert_eq!(Scopes::parse(&scopes.to_string()), scopes, "{scopes}");
            for scope in Scope::ALL {
                assert!(scopes.with(scope).contains(scope), "{scope}");
                assert!(!scopes.without(scope).contains(scope), "{scope}");
            }
        }
        assert_eq!(Scopes::USER.to_string(), "dotdo:read dotdo:write dotdo:history");
    }

    #[test]
    fn names_that_only_resemble_a_scope_grant_nothing() {
        for name in ["read", "dotdo:Read", "DOTDO:read", "dotdo:read,dotdo:write", "dotdo:", "*"] {
            assert_eq!(Scopes::parse(name), Scopes::NONE, "{name}");
        }
        let listed = ["dotdo:Read", "dotdo:operators"];
        assert_eq!(Scopes::of_token(listed), Scopes::NONE, "a misspelt name is not all of them");
    }

    #[test]
    fn only_methods_that_say_that_they_read_need_no_write() {
        for (method, scope) in [
            ("GET", Scope::Read),
            ("HEAD", Scope::Read),
            ("OPTIONS", Scope::Read),
            ("POST", Scope::Write),
            ("TRACE", Scope::Write),
            ("QUERY", Scope::Write),
            ("get", Scope::Write),
        ] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            assert_eq!(Scope::of_method(&method), scope, "{method}");
        }
    }
}
