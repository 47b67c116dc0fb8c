//! Bytes on a socket, for what no well-behaved client sends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use testkit::Server;

/// One connection.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) fn connect(server: &Server) -> Raw {
        let stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Raw(stream)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn read_exact(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads until what has come ends with this.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            text.extend(self.read_exact(1));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// All that comes until the server closes the connection; fails when it does not within a minute.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server left the connection open: {error}"),
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// [`Raw::ask`] of a server that may close the connection before it has heard all.
    pub(crate) fn try_ask(&mut self, request: &str) -> String {
        drop(self.0.write_all(request.as_bytes()));
        self.rest()
    }

    /// Sends, and reads all that comes until the server closes the connection.
    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.send(request.as_bytes());
        self.rest()
    }
}
