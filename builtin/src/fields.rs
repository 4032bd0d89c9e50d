//! The four collections and their fields, which are the only names that may become part of a
//! statement.

/// The default branch.
pub(super) const MAIN: &str = "main";

/// An item, or a client's part of one, with a value per field.
pub(super) type Object = serde_json::Map<String, serde_json::Value>;

/// A collection, which is a table of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collection {
    Things,
    Relationships,
    Actions,
    Events,
}

/// A field of an item, which is a column of the same name.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The default: a text, or null.
    pub(super) default: Option<&'static str>,
    pub(super) presence: Presence,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A whole number.
    Integer,
    /// `true` or `false`, stored as 1 or 0.
    Flag,
    /// A time, stored as RFC 3339 in UTC with milliseconds, so that text order is time order.
    Time,
    /// Any JSON, stored as text.
    Json,
}

/// Who sets a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// The client may set it.
    Optional,
    /// The client must set it.
    Required,
    /// The object sets it.
    Server,
}

const THINGS: &[Field] = &[
    Field::new("id", Kind::Text),
    Field::new("type", Kind::Text).default("Thing"),
    Field::new("branch", Kind::Text).default(MAIN),
    Field::new("name", Kind::Text),
    Field::new("data", Kind::Json),
    Field::new("deleted", Kind::Flag).server(),
    Field::new("visibility", Kind::Text),
    Field::new("version", Kind::Integer).server(),
];

const RELATIONSHIPS: &[Field] = &[
    Field::new("id", Kind::Text),
    Field::new("verb", Kind::Text).required(),
    Field::new("from", Kind::Text).required(),
    Field::new("to", Kind::Text).required(),
    Field::new("data", Kind::Json),
    Field::new("created_at", Kind::Time).server(),
];

const ACTIONS: &[Field] = &[
    Field::new("id", Kind::Text),
    Field::new("verb", Kind::Text).required(),
    Field::new("actor", Kind::Text),
    Field::new("target", Kind::Text),
    Field::new("input", Kind::Integer),
    Field::new("output", Kind::Integer),
    Field::new("options", Kind::Json),
    Field::new("durability", Kind::OneOf(&["send", "try", "do"])).default("do"),
    Field::new(
        "status",
        Kind::OneOf(&["pending", "running", "completed", "failed", "undone", "retrying"]),
    )
    .default("pending"),
    Field::new("error", Kind::Json),
    Field::new("request_id", Kind::Text),
    Field::new("session_id", Kind::Text),
    Field::new("workflow_id", Kind::Text),
    Field::new("started_at", Kind::Time).server(),
    Field::new("completed_at", Kind::Time).server(),
    Field::new("duration", Kind::Integer).server(),
    Field::new("created_at", Kind::Time).server(),
];

const EVENTS: &[Field] = &[
    Field::new("id", Kind::Text),
    Field::new("verb", Kind::Text).required(),
    Field::new("source", Kind::Text),
    Field::new("data", Kind::Json),
    Field::new("action_id", Kind::Text),
    Field::new("sequence", Kind::Integer).server(),
    Field::new("streamed", Kind::Flag),
    Field::new("streamed_at", Kind::Time),
    Field::new("created_at", Kind::Time).server(),
];

impl Collection {
    pub(super) const ALL: [Self; 4] =
        [Self::Things, Self::Relationships, Self::Actions, Self::Events];

    /// The collection's name in paths and statements.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Things => "things",
            Self::Relationships => "relationships",
            Self::Actions => "actions",
            Self::Events => "events",
        }
    }

    /// The name of an item in messages, with its article.
    pub(super) fn item(self) -> &'static str {
        match self {
            Self::Things => "a thing",
            Self::Relationships => "a relationship",
            Self::Actions => "an action",
            Self::Events => "an event",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|collection| collection.name() == name)
    }

    /// All fields, in the order in which they are stored.
    pub(super) fn fields(self) -> &'static [Field] {
        match self {
            Self::Things => THINGS,
            Self::Relationships => RELATIONSHIPS,
            Self::Actions => ACTIONS,
            Self::Events => EVENTS,
        }
    }

    pub(super) fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }
}

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, default: None, presence: Presence::Optional }
    }

    const fn default(self, text: &'static str) -> Self {
        Self { default: Some(text), ..self }
    }

    const fn required(self) -> Self {
        Self { presence: Presence::Required, ..self }
    }

    const fn server(self) -> Self {
        Self { presence: Presence::Server, ..self }
    }

    /// The column in a statement: quoted, because `from` and `to` are words of SQL. A version is a
    /// rowid.
    pub(super) fn column(&self) -> String {
        if self.name == "version" { "rowid".to_owned() } else { format!("\"{}\"", self.name) }
    }
}
