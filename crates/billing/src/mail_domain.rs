//! Domains of e-mail addresses that say nothing of where somebody works.

/// Whether anybody gets an address in this domain, given in lower case.
pub fn is_public(domain: &str) -> bool {
    PUBLIC.binary_search(&domain).is_ok()
}

/// In the order of the alphabet.
const PUBLIC: &[&str] = &[
    "126.com",
    "163.com",
    "aol.com",
    "comcast.net",
    "duck.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.com",
    "hotmail.fr",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "t-online.de",
    "tutanota.com",
    "wanadoo.fr",
    "web.de",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.de",
    "yahoo.fr",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_domains_are_found_and_others_are_not() {
        assert!(PUBLIC.is_sorted());
        for domain in ["126.com", "gmail.com", "yandex.com", "zoho.com"] {
            assert!(is_public(domain), "{domain}");
        }
        for domain in ["", "acme.com", "mail", "gmail.com.acme.com"] {
            assert!(!is_public(domain), "{domain}");
        }
    }
}
