//! As much HTTP/1.1 as a load generator needs: requests as prepared bytes, responses read in place.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use memchr::memmem;

/// A head longer than this is not an answer of a billing server.
const HEAD_LIMIT: usize = 64 * 1024;
/// How long a login may take.
const LOGIN_PATIENCE: Duration = Duration::from_secs(30);

/// Where a server is and how to enter: everything that is the same in each request to it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    /// What the URL has after the port, without a slash at its end.
    prefix: String,
    /// Headers of each request, each line ended.
    headers: String,
}

/// The contract that a server is spoken to by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Desk {
    /// Kill Bill's `/1.0/kb`: accounts
    Killbill,
    /// DjaoApp's `/api`: profiles and users
    Djaoapp,
}

/// Who calls, for which tenant.
pub(crate) struct Credentials<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) api_key: &'a str,
    pub(crate) api_secret: &'a str,
}

impl Target {
    /// Takes `http://HOST:PORT[/PREFIX]`; TLS is refused, as it would measure the cipher. Logs in where the desk asks for
    /// that.
    pub(crate) fn enter(url: &str, who: &Credentials<'_>, desk: Desk) -> Result<Self> {
        let target = Self::new(url, who)?;
        match desk {
            Desk::Killbill => Ok(target),
            Desk::Djaoapp => target.logged_in(who),
        }
    }

    /// Takes the same, to be entered with every request.
    pub(crate) fn new(url: &str, who: &Credentials<'_>) -> Result<Self> {
        let rest =
            url.strip_prefix("http://").with_context(|| format!("{url}: only http:// can be measured"))?;
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address = with_port
            .to_socket_addrs()
            .with_context(|| format!("{url}: no such host"))?
            .next()
            .with_context(|| format!("{url}: no address"))?;
        let prefix = prefix.trim_end_matches('/');
        let basic =
            base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", who.user, who.password));
        let headers = format!(
            "Host: {host}\r\nAuthorization: Basic {basic}\r\nX-Killbill-ApiKey: {}\r\n\
             X-Killbill-ApiSecret: {}\r\nAccept: application/json\r\n",
            who.api_key, who.api_secret
        );
        ensure!(!headers.replace("\r\n", "").contains(['\r', '\n']), "a line break in the credentials");
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Ok(Self { url: url.to_owned(), address, prefix, headers })
    }

    /// The same, entered with a JWT got for the user and password.
    fn logged_in(mut self, who: &Credentials<'_>) -> Result<Self> {
        let host = self.headers.lines().next().unwrap_or_default().to_owned();
        self.headers = format!("{host}\r\nAccept: application/json\r\n");
        let body = serde_json::json!({ "username": who.user, "password": who.password }).to_string();
        let (status, _, answer) = call(self.address, &self.post("/api/auth", &body), LOGIN_PATIENCE)?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)
            .with_context(|| format!("{}: status {status} to a login, without JSON", self.url))?;
        let token =
            answer["token"].as_str().with_context(|| format!("{}: no login: {status} {answer}", self.url))?;
        self.headers.push_str(&format!("Authorization: Bearer {token}\r\n"));
        Ok(self)
    }

    /// The bytes of a GET; `path` is already percent-encoded.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {}{path} HTTP/1.1\r\n{}\r\n", self.prefix, self.headers).into_bytes()
    }

    /// The bytes of a POST of JSON.
    pub(crate) fn post(&self, path: &str, body: &str) -> Vec<u8> {
        format!(
            "POST {}{path} HTTP/1.1\r\n{}X-Killbill-CreatedBy: bench\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.prefix,
            self.headers,
            body.len()
        )
        .into_bytes()
    }
}

/// What is known of a whole response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether the server keeps the connection open.
    pub(crate) keep_alive: bool,
}

/// How the end of the body is found.
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// Gathers the bytes of one response after the other.
pub(crate) struct ResponseReader {
    raw: Vec<u8>,
    /// Body of a chunked response, without the chunk lines.
    joined: Vec<u8>,
    head: Option<Head>,
    /// How far the chunks are decoded, in `raw`.
    decoded: usize,
}

#[derive(Clone, Copy)]
struct Head {
    /// Length including the empty line.
    length: usize,
    framing: Framing,
    answer: Answer,
}

impl ResponseReader {
    pub(crate) fn new() -> Self {
        Self { raw: Vec::with_capacity(4096), joined: Vec::new(), head: None, decoded: 0 }
    }

    /// Forgets the last response, to read the next one.
    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.joined.clear();
        self.head = None;
        self.decoded = 0;
    }

    /// Takes bytes as they arrive; `Some` when the response is whole. One request is open at a time, so bytes after
    /// the end are an error.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Answer>> {
        self.raw.extend_from_slice(bytes);
        let head = match self.head {
            Some(head) => head,
            None => match self.find_head()? {
                Some(head) => *self.head.insert(head),
                None => return Ok(None),
            },
        };
        let whole = match head.framing {
            Framing::Length(length) => {
                ensure!(self.raw.len() <= head.length + length, "more bytes than Content-Length says");
                self.raw.len() == head.length + length
            }
            Framing::Chunked => self.decode_chunks()?,
            Framing::UntilClose => false,
        };
        Ok(whole.then_some(head.answer))
    }

    /// The server has closed: ends a response that has no other end.
    pub(crate) fn end_of_stream(&self) -> Option<Answer> {
        match self.head {
            Some(Head { framing: Framing::UntilClose, answer, .. }) => Some(answer),
            _ => None,
        }
    }

    /// Status line and headers of the response.
    pub(crate) fn head(&self) -> &[u8] {
        &self.raw[..self.head.map_or(0, |head| head.length)]
    }

    /// The body as far as it is here.
    pub(crate) fn body(&self) -> &[u8] {
        match self.head {
            None => &[],
            Some(Head { framing: Framing::Chunked, .. }) => &self.joined,
            Some(head) => &self.raw[head.length..],
        }
    }

    /// Parses the head once it is whole, skipping interim (1xx) responses.
    fn find_head(&mut self) -> Result<Option<Head>> {
        loop {
            let Some(end) = memmem::find(&self.raw, b"\r\n\r\n") else {
                ensure!(self.raw.len() <= HEAD_LIMIT, "no end of the headers");
                return Ok(None);
            };
            let length = end + 4;
            let head = parse_head(&self.raw[..length])?;
            if !(100..200).contains(&head.answer.status) {
                self.decoded = length;
                return Ok(Some(head));
            }
            self.raw.drain(..length);
        }
    }

    /// Joins the chunks that are here; true after the last one and its trailer.
    fn decode_chunks(&mut self) -> Result<bool> {
        loop {
            let rest = &self.raw[self.decoded..];
            let Some(line) = memmem::find(rest, b"\r\n") else {
                return Ok(false);
            };
            let text = std::str::from_utf8(&rest[..line]).context("chunk size")?;
            let digits = text.split(';').next().unwrap_or("").trim();
            let size = usize::from_str_radix(digits, 16).with_context(|| format!("chunk size {digits:?}"))?;
            let data = line + 2;
            if size == 0 {
                return self.trailer_is_whole(data - 2);
            }
            ensure!(size < usize::MAX / 4, "chunk size {digits:?}");
            if rest.len() < data + size + 2 {
                return Ok(false);
            }
            ensure!(&rest[data + size..data + size + 2] == b"\r\n", "a chunk without its end");
            self.joined.extend_from_slice(&rest[data..data + size]);
            self.decoded += data + size + 2;
        }
    }

    /// `from`: where the line of the last chunk ends, so that no trailer at all is an empty line too.
    fn trailer_is_whole(&self, from: usize) -> Result<bool> {
        let rest = &self.raw[self.decoded + from..];
        match memmem::find(rest, b"\r\n\r\n") {
            None => Ok(false),
            Some(end) => {
                ensure!(rest.len() == end + 4, "bytes after the last chunk");
                Ok(true)
            }
        }
    }
}

fn parse_head(head: &[u8]) -> Result<Head> {
    let text = std::str::from_utf8(head).context("headers are not text")?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or("");
    let mut words = first.splitn(3, ' ');
    let version = words.next().unwrap_or("");
    ensure!(version == "HTTP/1.1" || version == "HTTP/1.0", "not an HTTP answer: {first:?}");
    let status: u16 = words.next().unwrap_or("").parse().with_context(|| format!("status of {first:?}"))?;
    let mut keep_alive = version == "HTTP/1.1";
    let mut framing =
        if matches!(status, 100..200 | 204 | 304) { Framing::Length(0) } else { Framing::UntilClose };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") && matches!(framing, Framing::UntilClose) {
            framing = Framing::Length(value.parse().with_context(|| format!("Content-Length {value:?}"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") && !matches!(status, 204 | 304) {
            ensure!(value.eq_ignore_ascii_case("chunked"), "Transfer-Encoding {value:?}");
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            keep_alive = !value.eq_ignore_ascii_case("close");
        }
    }
    if matches!(framing, Framing::UntilClose) {
        keep_alive = false;
    }
    Ok(Head { length: head.len(), framing, answer: Answer { status, keep_alive } })
}

/// One blocking call, for what is not measured: status, head and body.
pub(crate) fn call(address: SocketAddr, request: &[u8], timeout: Duration) -> Result<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, timeout).with_context(|| format!("{address}"))?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    let mut reader = ResponseReader::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer).with_context(|| format!("{address}: no answer"))?;
        let answer = if read == 0 { reader.end_of_stream() } else { reader.feed(&buffer[..read])? };
        if let Some(answer) = answer {
            let head = String::from_utf8_lossy(reader.head()).into_owned();
            return Ok((answer.status, head, reader.body().to_vec()));
        }
        if read == 0 {
            bail!("{address}: closed within an answer");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the text in pieces of each size and checks that the answer comes exactly at the end.
    fn read_in_pieces(text: &str) -> (Answer, Vec<u8>) {
        let mut last = None;
        for size in 1..=text.len() {
            let mut reader = ResponseReader::new();
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            for (index, piece) in pieces.iter().enumerate() {
                let answer = reader.feed(piece).unwrap();
                assert_eq!(answer.is_some(), index + 1 == pieces.len(), "pieces of {size}, piece {index}");
                if let Some(answer) = answer {
                    last = Some((answer, reader.body().to_vec()));
                }
            }
        }
        last.unwrap()
    }

    #[test]
    fn content_length_bodies() {
        let (answer, body) =
            read_in_pieces("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nX-A: b\r\n\r\n{\"a\":1}");
        assert_eq!(answer, Answer { status: 200, keep_alive: true });
        assert_eq!(body, b"{\"a\":1}");
    }

    #[test]
    fn chunked_bodies_with_extension_and_trailer() {
        let (answer, body) = read_in_pieces(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[{\"a\r\nB;x=y\r\nccountId\":1\r\n2\r\n}]\r\n\
             0\r\nX-Sum: 1\r\n\r\n",
        );
        assert_eq!(answer.status, 200);
        assert_eq!(body, b"[{\"accountId\":1}]");
    }

    #[test]
    fn chunked_body_without_chunks() {
        let (_, body) = read_in_pieces("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        assert_eq!(body, b"");
    }

    #[test]
    fn created_and_no_content_have_no_body() {
        let created =
            "HTTP/1.1 201 Created\r\nLocation: http://h:1/1.0/kb/accounts/9\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(read_in_pieces(created).0.status, 201);
        assert_eq!(read_in_pieces("HTTP/1.1 204 No Content\r\n\r\n").0.status, 204);
    }

    #[test]
    fn the_head_is_kept_for_location() {
        let mut reader = ResponseReader::new();
        reader.feed(b"HTTP/1.1 201 Created\r\nLocation: /x/9\r\nContent-Length: 0\r\n\r\n").unwrap();
        assert!(memmem::find(reader.head(), b"Location: /x/9\r\n").is_some());
        reader.clear();
        assert_eq!(reader.head(), b"");
    }

    #[test]
    fn interim_answers_are_skipped() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(read_in_pieces(text).0.status, 201);
    }

    #[test]
    fn a_body_may_end_with_the_connection() {
        let mut reader = ResponseReader::new();
        assert_eq!(reader.feed(b"HTTP/1.0 200 OK\r\n\r\nhalf").unwrap(), None);
        assert_eq!(reader.end_of_stream(), Some(Answer { status: 200, keep_alive: false }));
        assert_eq!(reader.body(), b"half");
    }

    #[test]
    fn a_cut_body_has_no_end() {
        let mut reader = ResponseReader::new();
        assert_eq!(reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").unwrap(), None);
        assert_eq!(reader.end_of_stream(), None);
    }

    #[test]
    fn connection_close_is_seen() {
        let (answer, _) =
            read_in_pieces("HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer, Answer { status: 503, keep_alive: false });
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        ] {
            assert!(ResponseReader::new().feed(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn targets_keep_their_prefix_and_refuse_tls() {
        let who = Credentials { user: "admin", password: "password", api_key: "bob", api_secret: "lazar" };
        let target = Target::new("http://127.0.0.1:8180/kb/", &who).unwrap();
        let request = String::from_utf8(target.post("/1.0/kb/accounts", "{}")).unwrap();
        assert!(
            request.starts_with("POST /kb/1.0/kb/accounts HTTP/1.1\r\nHost: 127.0.0.1:8180\r\n"),
            "{request}"
        );
        assert!(request.contains("Authorization: Basic YWRtaW46cGFzc3dvcmQ=\r\n"));
        assert!(request.ends_with("Content-Length: 2\r\n\r\n{}"));
        assert!(Target::new("https://127.0.0.1", &who).is_err());
    }
}
