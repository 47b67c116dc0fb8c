//! The host and port that a header or a setting names.

/// Whether a text is `host` or `host:port`: a name, an IPv4 address or an IPv6 address in brackets, and nothing else.
pub fn is_host_and_port(text: &str) -> bool {
    let (host, rest) = match text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, rest)) => return address.parse::<std::net::Ipv6Addr>().is_ok() && is_port(rest),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(is_part) && is_port(rest)
}

/// Whether a text is a colon with a port, or nothing.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_host_and_port;

    #[test]
    fn hosts_are_told_from_what_is_none() {
        for host in
            ["localhost", "bill.example", "b_1-x.example:8443", "127.0.0.1:80", "[::1]", "[fe80::1]:65535"]
        {
            assert!(is_host_and_port(host), "{host}");
        }
        for other in [
            "",
            ":80",
            "a:",
            "a:65536",
            "a:+1",
            "a:b",
            "a:1:2",
            "::1",
            "[::1",
            "[x]",
            "[::1]80",
            "evil\"<script>",
            "a b",
            "a/b",
            "u@a",
            "é",
            &"a".repeat(254),
        ] {
            assert!(!is_host_and_port(other), "{other}");
        }
    }
}
