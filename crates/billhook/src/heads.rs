//! The heads of HTTP/1 requests as they come in: which of them tell the length of their body in two ways.
//!
//! `Content-Length` together with `Transfer-Encoding` is how one request is smuggled in another. hyper drops the length
//! without a word, so it is noticed here, where bytes come in. Bodies are followed only as far as it takes to find the
//! next head: nothing in them is taken for a header.

/// Most bytes kept of a line. Lines that matter are shorter; a longer length is none.
const LINE_LIMIT: usize = 128;

/// Follows the requests of one connection, however their bytes are cut.
#[derive(Default)]
pub(crate) struct Heads {
    state: State,
    line: Line,
    head: Head,
    /// Heads that have ended.
    count: u64,
}

/// Where the next byte belongs.
#[derive(Clone, Copy, Default)]
enum State {
    /// To a head.
    #[default]
    Head,
    /// To a body, which has so many bytes left.
    Body(u64),
    /// To the line that tells a chunk's length.
    ChunkLength,
    /// To a chunk, which has so many bytes left, its line break included.
    Chunk(u64),
    /// To the lines behind the last chunk.
    Trailers,
    /// To nothing that is looked at: another protocol, or what hyper refuses.
    Nothing,
}

/// The beginning of the line that is coming in.
struct Line {
    bytes: [u8; LINE_LIMIT],
    len: usize,
    is_cut: bool,
}

impl Default for Line {
    fn default() -> Line {
        Line { bytes: [0; LINE_LIMIT], len: 0, is_cut: false }
    }
}

/// What the head that is coming in says of its body.
#[derive(Clone, Copy, Default)]
struct Head {
    has_begun: bool,
    length: Option<u64>,
    has_coding: bool,
    is_ambiguous: bool,
    is_http_2: bool,
}

impl Heads {
    /// Takes the next bytes. Answers the number, from 1, of the first request whose length is ambiguous, once its head
    /// has ended; what comes behind it is not looked at.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<u64> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut self.state {
                State::Nothing => return None,
                State::Body(left) | State::Chunk(left) => {
                    let taken = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    *left -= taken as u64;
                    rest = &rest[taken..];
                    if *left == 0 {
                        let was_body = matches!(self.state, State::Body(_));
                        self.state = if was_body { State::Head } else { State::ChunkLength };
                    }
                }
                State::Head | State::ChunkLength | State::Trailers => {
                    let end = memchr::memchr(b'\n', rest);
                    self.line.add(&rest[..end.unwrap_or(rest.len())]);
                    rest = &rest[end? + 1..];
                    if self.end_line() {
                        return Some(self.count);
                    }
                }
            }
        }
        None
    }

    /// Takes the line that has ended. Answers whether it ends an ambiguous head.
    fn end_line(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        let text = line.text();
        match self.state {
            State::Head if !text.is_empty() => self.head.add(text, line.is_cut),
            State::Head if self.head.has_begun => return self.end_head(),
            State::ChunkLength => {
                self.state = match chunk_length(text) {
                    Some(0) => State::Trailers,
                    Some(length) => State::Chunk(length.saturating_add(2)),
                    None => State::Nothing,
                };
            }
            State::Trailers if text.is_empty() => self.state = State::Head,
            _ => {}
        }
        if self.head.is_http_2 {
            self.state = State::Nothing;
        }
        false
    }

    fn end_head(&mut self) -> bool {
        let head = std::mem::take(&mut self.head);
        self.count += 1;
        let is_ambiguous = head.is_ambiguous || (head.has_coding && head.length.is_some());
        self.state = match head.length {
            _ if is_ambiguous => State::Nothing,
            _ if head.has_coding => State::ChunkLength,
            Some(length) if length > 0 => State::Body(length),
            _ => State::Head,
        };
        is_ambiguous
    }
}

impl Line {
    fn add(&mut self, part: &[u8]) {
        let taken = part.len().min(LINE_LIMIT - self.len);
        self.bytes[self.len..self.len + taken].copy_from_slice(&part[..taken]);
        self.len += taken;
        self.is_cut |= taken < part.len();
    }

    /// The line without its `\r`.
    fn text(&self) -> &[u8] {
        let text = &self.bytes[..self.len];
        text.strip_suffix(b"\r").unwrap_or(text)
    }
}

impl Head {
    fn add(&mut self, line: &[u8], is_cut: bool) {
        if !std::mem::replace(&mut self.has_begun, true) {
            // The first line has no header. HTTP/2 begins with one that HTTP/1 has no use for.
            self.is_http_2 = line == b"PRI * HTTP/2.0";
            return;
        }
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.has_coding = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value, 10).filter(|_| !is_cut);
            // Twice the same is one length.
            self.is_ambiguous |= length.is_none() || self.length.is_some_and(|known| Some(known) != length);
            self.length = length;
        }
    }
}

/// The length that a chunk's first line tells; what follows a `;` is an extension.
fn chunk_length(line: &[u8]) -> Option<u64> {
    let end = memchr::memchr(b';', line).unwrap_or(line.len());
    number(line[..end].trim_ascii(), 16)
}

/// A number of digits alone.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(text, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMBIGUOUS: &str =
        "POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\ncOntent-Length:3\r\n\r\n0\r\n\r\n";

    /// What is found in `text`, which must not depend on how it is cut.
    fn found(text: &str) -> Option<u64> {
        let whole = Heads::default().take(text.as_bytes());
        for cut in 0..text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            let mut heads = Heads::default();
            assert_eq!(heads.take(first).or_else(|| heads.take(second)), whole, "cut at {cut} of {text}");
        }
        let mut heads = Heads::default();
        assert_eq!(text.bytes().find_map(|byte| heads.take(&[byte])), whole, "byte by byte: {text}");
        whole
    }

    #[test]
    fn two_lengths_are_found_behind_any_legal_request() {
        let body = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        for before in [
            String::new(),
            "\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\nHost: x\n\n".to_owned(),
            format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
            format!(
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:X};a=b\r\n{body}\r\n1\r\n\n\r\n0\r\nX-T: {body}",
                body.len()
            ),
            format!("GET / HTTP/1.1\r\nX-Long: {}\r\nX-Content-Length: 4\r\n\r\n", "y".repeat(300)),
        ] {
            let legal = if before.trim().is_empty() { 0 } else { 1 };
            assert_eq!(found(&before), None, "{before}");
            assert_eq!(found(&format!("{before}{AMBIGUOUS}")), Some(legal + 1), "{before}");
        }
    }

    #[test]
    fn a_length_that_is_none_is_found() {
        let long = format!("{}5", "0".repeat(200));
        for lengths in ["5\r\nContent-Length: 6", "+5", "5, 5", "a", "", long.as_str()] {
            let head = format!("POST / HTTP/1.1\r\nContent-Length: {lengths}\r\n\r\n");
            assert_eq!(found(&head), Some(1), "{head}");
        }
    }

    #[test]
    fn http_2_is_not_looked_at() {
        assert_eq!(found(&format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{AMBIGUOUS}")), None);
    }
}
