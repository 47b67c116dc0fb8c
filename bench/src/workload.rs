//! The operations that are measured: their requests, prepared in advance, and what a right answer shows.

use std::fs;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::book::Book;
use crate::http::{Desk, Target};

/// Unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Digits of the number that makes each created account unique.
const DIGITS: usize = 10;
/// Where that number goes while a request is prepared.
const NUMBER: &str = "##########";

/// What `--operations` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Operation {
    /// POST an account with a unique external key, e-mail, address and company
    Create,
    /// GET one by id
    Get,
    /// GET one by external key
    GetByKey,
    /// GET a page of the list, anywhere in the book
    List,
    /// Basic search for a whole e-mail address
    SearchEmail,
    /// Advanced search for names that start with all but the last character of one
    SearchNamePrefix,
    /// Advanced search as `--advanced` says
    SearchAdvanced,
    /// GET the timeline of an account
    Timeline,
    /// GET a profile by its slug
    Profile,
    /// GET a page of the list of profiles, anywhere in it
    ProfileList,
    /// GET the first page of the profiles that hold the whole e-mail address of one
    ProfileSearch,
}

impl Operation {
    /// The desk it is asked for at.
    pub(crate) fn desk(self) -> Desk {
        match self {
            Operation::Profile | Operation::ProfileList | Operation::ProfileSearch => Desk::Djaoapp,
            _ => Desk::Killbill,
        }
    }

    /// All operations of a desk.
    pub(crate) fn all_of(desk: Desk) -> Vec<Operation> {
        Operation::value_variants().iter().copied().filter(|operation| operation.desk() == desk).collect()
    }
}

/// Where requests come from.
pub(crate) trait Source {
    /// Writes the next request and says which answer is right.
    fn next(&mut self, request: &mut Vec<u8>) -> usize;
    /// What the answer must be, by the number that `next` gave.
    fn expected(&self, number: usize) -> Expected<'_>;
}

/// A right answer has this status and shows this text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected<'a> {
    pub(crate) status: u16,
    pub(crate) shown: Shown<'a>,
}

/// Where the text is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown<'a> {
    Head(&'a [u8]),
    Body(&'a [u8]),
}

/// Reads that were prepared for some accounts, drawn uniformly.
pub(crate) struct Reads {
    requests: Vec<(Vec<u8>, Vec<u8>)>,
    random: SplitMix,
}

impl Reads {
    /// Requests of `operation` for each account of the book that has what it takes. `page` is the `limit` of lists
    /// and searches; `advanced` the search key with `{field}` for what the account has there.
    pub(crate) fn new(
        operation: Operation,
        target: &Target,
        book: &Book,
        page: u64,
        advanced: &str,
    ) -> Result<Self> {
        let mut random = SplitMix(0x5EED);
        let mut requests = Vec::with_capacity(book.accounts.len());
        for account in &book.accounts {
            let offset = random.below(book.size.saturating_sub(page) + 1);
            if let Some((path, shown)) = path(operation, account, page, offset, advanced) {
                requests.push((target.get(&path), shown.into_bytes()));
            }
        }
        ensure!(!requests.is_empty(), "{}: no account has what {operation:?} asks for", target.url);
        Ok(Self { requests, random })
    }
}

impl Source for Reads {
    fn next(&mut self, request: &mut Vec<u8>) -> usize {
        let number = self.random.below(self.requests.len() as u64) as usize;
        request.clear();
        request.extend_from_slice(&self.requests[number].0);
        number
    }

    fn expected(&self, number: usize) -> Expected<'_> {
        Expected { status: 200, shown: Shown::Body(&self.requests[number].1) }
    }
}

/// The path of one read, and what its answer must hold; `None` when the account lacks a field that it needs.
fn path(
    operation: Operation,
    account: &Map<String, Value>,
    page: u64,
    offset: u64,
    advanced: &str,
) -> Option<(String, String)> {
    match operation.desk() {
        Desk::Killbill => account_path(operation, account, page, offset, advanced),
        Desk::Djaoapp => profile_path(operation, account, page, offset),
    }
}

fn profile_path(
    operation: Operation,
    profile: &Map<String, Value>,
    page: u64,
    offset: u64,
) -> Option<(String, String)> {
    let field = |name: &str| profile.get(name)?.as_str().filter(|text| !text.is_empty());
    let slug = field("slug")?;
    Some(match operation {
        Operation::Profile => (format!("/api/profile/{slug}"), slug.to_owned()),
        Operation::ProfileList => {
            (format!("/api/profile?page={}&page_size={page}", offset / page + 1), "\"slug\"".to_owned())
        }
        Operation::ProfileSearch => {
            let needle = utf8_percent_encode(field("email")?, ENCODED);
            (format!("/api/profile?q={needle}&page_size={page}"), in_json(slug))
        }
        _ => return None,
    })
}

fn account_path(
    operation: Operation,
    account: &Map<String, Value>,
    page: u64,
    offset: u64,
    advanced: &str,
) -> Option<(String, String)> {
    let field = |name: &str| account.get(name)?.as_str().filter(|text| !text.is_empty());
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let id = field("accountId")?;
    let accounts = "/1.0/kb/accounts";
    let search = |key: String| format!("{accounts}/search/{key}?offset=0&limit={page}");
    // Searches find the account itself unless more than a page of others match too.
    let any = "\"accountId\"".to_owned();
    Some(match operation {
        Operation::Timeline => (format!("{accounts}/{id}/timeline"), id.to_owned()),
        Operation::Get => (format!("{accounts}/{id}"), id.to_owned()),
        Operation::GetByKey => {
            (format!("{accounts}?externalKey={}", encoded(field("externalKey")?)), id.to_owned())
        }
        Operation::List => (format!("{accounts}/pagination?offset={offset}&limit={page}"), any),
        Operation::SearchEmail => (search(encoded(field("email")?)), in_json(field("email")?)),
        Operation::SearchNamePrefix => {
            let mut prefix = field("name")?.to_owned();
            prefix.pop();
            (search(format!("_q=1&name%5Blike%5D={}%25", encoded(&prefix))), in_json(&prefix))
        }
        Operation::SearchAdvanced => (search(format!("_q=1&{}", fill_in(advanced, field)?)), any),
        _ => return None,
    })
}

/// The text as it stands within a JSON string.
fn in_json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Puts the percent-encoded fields of an account in the place of `{field}`; `None` when it lacks one.
fn fill_in<'a>(template: &str, field: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, next) = after.split_once('}')?;
        filled.push_str(before);
        filled.extend(utf8_percent_encode(field(name)?, ENCODED));
        rest = next;
    }
    Some(filled + rest)
}

/// New accounts: requests prepared but for a number of fixed width.
pub(crate) struct Creates {
    prepared: Vec<Prepared>,
    next: u64,
}

struct Prepared {
    request: Vec<u8>,
    /// Where the number goes.
    places: Vec<usize>,
}

impl Creates {
    /// Keys are unique among all runs: they hold a random word of this one.
    pub(crate) fn new(target: &Target) -> Result<Self> {
        let word = fs::read_to_string("/proc/sys/kernel/random/uuid").context("a random word")?;
        let word = &word[..8];
        let prepared = PEOPLE.iter().map(|person| prepare(target, word, person)).collect();
        Ok(Self { prepared, next: 0 })
    }
}

impl Source for Creates {
    fn next(&mut self, request: &mut Vec<u8>) -> usize {
        let prepared = &self.prepared[self.next as usize % self.prepared.len()];
        request.clear();
        request.extend_from_slice(&prepared.request);
        let mut digits = [b'0'; DIGITS];
        let mut left = self.next;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        for &place in &prepared.places {
            request[place..place + DIGITS].copy_from_slice(&digits);
        }
        self.next += 1;
        0
    }

    fn expected(&self, _number: usize) -> Expected<'_> {
        Expected { status: 201, shown: Shown::Head(b"/1.0/kb/accounts/") }
    }
}

/// Given name, family name, street, city, state, postal code, country, currency, time zone.
const PEOPLE: [[&str; 9]; 8] = [
    ["Rosa", "Lindqvist", "Storgatan 12", "Uppsala", "Uppsala", "75310", "SE", "EUR", "Europe/Stockholm"],
    ["Dara", "Okafor", "14 Marina Road", "Lagos", "Lagos", "101241", "NG", "USD", "Africa/Lagos"],
    [
        "Mateo",
        "Villanueva",
        "Calle 8 No. 20",
        "Bogota",
        "Cundinamarca",
        "110311",
        "CO",
        "USD",
        "America/Bogota",
    ],
    ["Hana", "Sugimoto", "2-11-3 Meguro", "Tokyo", "Tokyo", "153-0063", "JP", "JPY", "Asia/Tokyo"],
    ["Emily", "Thornton", "77 Deansgate", "Manchester", "", "M3 2BW", "GB", "GBP", "Europe/London"],
    ["Arjun", "Raghavan", "5 Cathedral Road", "Chennai", "Tamil Nadu", "600086", "IN", "USD", "Asia/Kolkata"],
    ["Claire", "Boisvert", "310 rue Crescent", "Montreal", "QC", "H3G 2B1", "CA", "CAD", "America/Toronto"],
    ["Jonas", "Petersen", "1020 Pine Street", "Seattle", "WA", "98101", "US", "USD", "America/Los_Angeles"],
];

fn prepare(target: &Target, word: &str, person: &[&str; 9]) -> Prepared {
    let [given, family, street, city, state, postal_code, country, currency, time_zone] = person;
    let body = json!({
        "externalKey": format!("bench-{word}-{NUMBER}"),
        "name": format!("{given} {family} {NUMBER}"),
        "firstNameLength": given.len(),
        "email": format!("{}.{NUMBER}.{word}@example.com", given.to_lowercase()),
        "currency": currency,
        "timeZone": time_zone,
        "locale": "en_US",
        "company": format!("{family} Trading {NUMBER}"),
        "address1": street,
        "city": city,
        "state": state,
        "postalCode": postal_code,
        "country": country,
        "phone": "+1 206 555 0100",
    });
    let request = target.post("/1.0/kb/accounts", &body.to_string());
    let places = memchr::memmem::find_iter(&request, NUMBER).collect();
    Prepared { request, places }
}

/// Uniform enough to draw accounts, and the same in each run.
struct SplitMix(u64);

impl SplitMix {
    /// A number within 0..bound; `bound` is at least 1.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Credentials;
    use std::collections::HashSet;

    fn target() -> Target {
        let who = Credentials { user: "admin", password: "password", api_key: "bob", api_secret: "lazar" };
        Target::new("http://127.0.0.1:1", &who).unwrap()
    }

    fn account() -> Map<String, Value> {
        let Value::Object(account) = json!({
            "accountId": "9254283b-be25-45f1-97c3-b902f4d18bab", "externalKey": "a/b 1", "email": "a+b@x.org",
            "name": "Zoë Ångström", "currency": "USD", "company": null,
        }) else {
            panic!("an object")
        };
        account
    }

    fn path_of(operation: Operation, advanced: &str) -> Option<(String, String)> {
        path(operation, &account(), 100, 7, advanced)
    }

    #[test]
    fn creates_are_whole_requests_with_numbers_in_place() {
        let mut creates = Creates::new(&target()).unwrap();
        let mut keys = HashSet::new();
        for number in 0..20 {
            let mut request = Vec::new();
            creates.next(&mut request);
            let text = String::from_utf8(request).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
            assert!(!body.contains('#'), "{body}");
            let account: Value = serde_json::from_str(body).unwrap();
            let digits = format!("{number:010}");
            for field in ["name", "email", "company", "externalKey"] {
                assert!(account[field].as_str().unwrap().contains(&digits), "{field}: {account}");
            }
            assert!(keys.insert(account["externalKey"].to_string()));
        }
    }

    #[test]
    fn two_runs_make_different_keys() {
        let key = |creates: &mut Creates| {
            let mut request = Vec::new();
            creates.next(&mut request);
            request
        };
        assert_ne!(key(&mut Creates::new(&target()).unwrap()), key(&mut Creates::new(&target()).unwrap()));
    }

    #[test]
    fn paths_are_encoded() {
        assert_eq!(path_of(Operation::GetByKey, "").unwrap().0, "/1.0/kb/accounts?externalKey=a%2Fb%201");
        assert_eq!(
            path_of(Operation::SearchEmail, "").unwrap().0,
            "/1.0/kb/accounts/search/a%2Bb%40x.org?offset=0&limit=100"
        );
        let (prefix, shown) = path_of(Operation::SearchNamePrefix, "").unwrap();
        assert_eq!(
            prefix,
            "/1.0/kb/accounts/search/_q=1&name%5Blike%5D=Zo%C3%AB%20%C3%85ngstr%C3%B6%25?offset=0&limit=100"
        );
        assert_eq!(shown, "Zoë Ångströ");
        assert_eq!(path_of(Operation::List, "").unwrap().0, "/1.0/kb/accounts/pagination?offset=7&limit=100");
    }

    #[test]
    fn what_an_answer_must_show_is_as_json_writes_it() {
        assert_eq!(in_json(r#"Zoë "Z" \ Å"#), r#"Zoë \"Z\" \\ Å"#);
    }

    #[test]
    fn advanced_searches_take_any_field_the_account_has() {
        let (found, _) =
            path_of(Operation::SearchAdvanced, "email={email}&currency[neq]={currency}").unwrap();
        assert_eq!(
            found,
            "/1.0/kb/accounts/search/_q=1&email=a%2Bb%40x.org&currency[neq]=USD?offset=0&limit=100"
        );
        assert_eq!(path_of(Operation::SearchAdvanced, "company_name={company}"), None);
        assert_eq!(path_of(Operation::SearchAdvanced, "city={city"), None);
    }

    #[test]
    fn profiles_are_searched_by_their_address() {
        let Value::Object(profile) = json!({ "slug": "bench-7", "email": "a7@example.com" }) else {
            panic!("an object")
        };
        let of = |operation| path(operation, &profile, 25, 50, "").unwrap().0;
        assert_eq!(of(Operation::Profile), "/api/profile/bench-7");
        assert_eq!(of(Operation::ProfileList), "/api/profile?page=3&page_size=25");
        assert_eq!(of(Operation::ProfileSearch), "/api/profile?q=a7%40example.com&page_size=25");
        assert!(Operation::all_of(Desk::Djaoapp).contains(&Operation::Profile));
        assert!(!Operation::all_of(Desk::Killbill).contains(&Operation::Profile));
    }

    #[test]
    fn reads_cover_all_accounts() {
        let accounts = (0..10)
            .map(|number| {
                let mut account = account();
                account.insert("accountId".to_owned(), json!(format!("id-{number}")));
                account
            })
            .collect();
        let book = Book { size: 10, accounts };
        let mut reads = Reads::new(Operation::Get, &target(), &book, 100, "").unwrap();
        let mut seen = HashSet::new();
        let mut request = Vec::new();
        for _ in 0..200 {
            let number = reads.next(&mut request);
            let Shown::Body(shown) = reads.expected(number).shown else { panic!("a body") };
            assert!(memchr::memmem::find(&request, shown).is_some());
            seen.insert(number);
        }
        assert_eq!(seen.len(), 10);
        assert!(Reads::new(Operation::SearchAdvanced, &target(), &book, 100, "{company}").is_err());
    }
}
