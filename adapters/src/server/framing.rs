//! Follows the framing of HTTP/1 requests in the bytes of a connection (RFC 9112, section 6), and
//! refuses anything that two readers could interpret differently.
//!
//! Promises: hyper frames all bytes that pass in the same way. Lines of heads, chunk sizes and
//! trailers end with CRLF; a body has one length. Ambiguous framing is refused, and nothing after
//! it passes. Bodies may contain any bytes and cost nothing. HTTP/2 is passed through. Must not
//! know: sockets, the meaning of requests.

/// The connection preface of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Maximum number of bytes that are kept of a line: the longest that frames a body, with room for
/// spaces.
const LINE_BYTES: usize = 64;

/// The position of the next byte in a stream of requests.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    line: Line,
    /// Number of bytes that match the preface; `None` after a mismatch.
    preface: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    In(Kind),
    /// In a body or a chunk, with `left` bytes remaining before a line of this kind.
    Data {
        left: u64,
        then: Kind,
    },
    Http2,
}

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A request line, or an empty one before it (RFC 9112, section 2.2).
    Request,
    /// A header, or the end of the head, with the framing of the body so far.
    Header(Body),
    ChunkSize,
    /// The empty rest of the line on which a chunk's data ends.
    ChunkEnd,
    /// A trailer, or the end of the trailers.
    Trailer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Unframed,
    Length(u64),
    Chunked,
}

/// A refusal of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Number of bytes before it that may pass.
    pub(super) at: usize,
    /// Bytes to substitute that make hyper refuse the message.
    pub(super) poison: &'static [u8],
}

/// The current line.
#[derive(Debug)]
struct Line {
    start: [u8; LINE_BYTES],
    kept: usize,
    bytes: usize,
    last: u8,
}

impl Default for Framing {
    fn default() -> Self {
        Self { place: Place::In(Kind::Request), line: Line::default(), preface: Some(0) }
    }
}

impl Framing {
    /// Processes the next bytes of the connection.
    ///
    /// # Errors
    ///
    /// The first refusal. Nothing may follow it.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.look_for_http2(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.place {
                Place::Http2 => return Ok(()),
                Place::Data { left, then } => {
                    let here = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    rest = &rest[here..];
                    self.place = match left - here as u64 {
                        0 => Place::In(then),
                        left => Place::Data { left, then },
                    };
                }
                Place::In(kind) => {
                    let Some(end) = line_feed(rest) else {
                        self.line.add(rest);
                        return Ok(());
                    };
                    self.line.add(&rest[..end]);
                    let at = bytes.len() - rest.len() + end;
                    self.place = self
                        .line
                        .next(kind)
                        .ok_or_else(|| Refusal { at, poison: self.line.poison(kind) })?;
                    self.line.clear();
                    rest = &rest[end + 1..];
                }
            }
        }
        Ok(())
    }

    fn look_for_http2(&mut self, bytes: &[u8]) {
        let Some(seen) = self.preface else { return };
        let here = bytes.len().min(PREFACE.len() - seen);
        self.preface = (bytes[..here] == PREFACE[seen..seen + here]).then_some(seen + here);
        if self.preface == Some(PREFACE.len()) {
            self.place = Place::Http2;
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self { start: [0; LINE_BYTES], kept: 0, bytes: 0, last: 0 }
    }
}

impl Line {
    fn clear(&mut self) {
        (self.kept, self.bytes, self.last) = (0, 0, 0);
    }

    fn add(&mut self, part: &[u8]) {
        let Some(last) = part.last() else { return };
        let here = part.len().min(LINE_BYTES - self.kept);
        self.start[self.kept..self.kept + here].copy_from_slice(&part[..here]);
        self.kept += here;
        self.bytes = self.bytes.saturating_add(part.len());
        self.last = *last;
    }

    /// The next position after this line of this kind; `None` if the line is invalid.
    fn next(&self, kind: Kind) -> Option<Place> {
        if self.last != b'\r' {
            return None;
        }
        let is_empty = self.bytes == 1;
        Some(match kind {
            Kind::Request if is_empty => Place::In(Kind::Request),
            Kind::Request => Place::In(Kind::Header(Body::Unframed)),
            Kind::Header(body) if is_empty => body.place(),
            Kind::Header(body) => Place::In(Kind::Header(self.header(body)?)),
            Kind::ChunkSize => match self.chunk_size()? {
                0 => Place::In(Kind::Trailer),
                left => Place::Data { left, then: Kind::ChunkEnd },
            },
            Kind::ChunkEnd => is_empty.then_some(Place::In(Kind::ChunkSize))?,
            Kind::Trailer if is_empty => Place::In(Kind::Request),
            Kind::Trailer => Place::In(Kind::Trailer),
        })
    }

    /// The framing of the body after this header; `None` if it is ambiguous.
    fn header(&self, body: Body) -> Option<Body> {
        // Most names differ in the first letter.
        if !matches!(self.start[0], b'c' | b'C' | b't' | b'T') {
            return Some(body);
        }
        // Without a colon here, the name is too long to matter, or the line is not a header and
        // hyper refuses it.
        let Some(colon) = self.text().iter().position(|byte| *byte == b':') else {
            return Some(body);
        };
        let (name, value) = (&self.text()[..colon], self.text()[colon + 1..].trim_ascii());
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        if !is_length && !name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Some(body);
        }
        let is_certain = body == Body::Unframed && self.bytes <= LINE_BYTES;
        match is_length {
            _ if !is_certain => None,
            true => digits(value, 10).map(Body::Length),
            false => value.eq_ignore_ascii_case(b"chunked").then_some(Body::Chunked),
        }
    }

    /// The size of the chunk after this line; hyper checks the extensions.
    fn chunk_size(&self) -> Option<u64> {
        let text = self.text();
        let end = text.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(text.len());
        if end == LINE_BYTES {
            return None;
        }
        digits(&text[..end], 16)
    }

    /// The start of the line, without its terminator.
    fn text(&self) -> &[u8] {
        &self.start[..self.kept.min(self.bytes.saturating_sub(1))]
    }

    /// Bytes that make hyper refuse the message after this partial line.
    fn poison(&self, kind: Kind) -> &'static [u8] {
        match kind {
            // hyper would treat NUL as part of a chunk extension, but not LF.
            Kind::ChunkSize | Kind::ChunkEnd if self.last != b'\r' => b"\n",
            _ => b"\0\r\n\r\n",
        }
    }
}

impl Body {
    fn place(self) -> Place {
        match self {
            Self::Unframed | Self::Length(0) => Place::In(Kind::Request),
            Self::Length(left) => Place::Data { left, then: Kind::Request },
            Self::Chunked => Place::In(Kind::ChunkSize),
        }
    }
}

/// The position of the next LF. Compares whole blocks, with a few instructions for each.
fn line_feed(bytes: &[u8]) -> Option<usize> {
    let has_one = |block: &[u8]| block.iter().fold(false, |has, byte| has | (*byte == b'\n'));
    let block = bytes.chunks(16).position(has_one)?;
    let from = block * 16;
    bytes[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at)
}

/// Parses a number of digits only.
fn digits(text: &[u8], radix: u32) -> Option<u64> {
    let is_plain = text.iter().all(|byte| char::from(*byte).is_digit(radix));
    let text = std::str::from_utf8(text).ok().filter(|_| is_plain)?;
    u64::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests;
