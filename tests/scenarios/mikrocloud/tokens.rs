//! Whose tokens count, for which tenant and organization, and for how long.

use super::{check_message, client, hannes, hannes_client, last_word, organization, organization_of, token};
use crate::scenario;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::{World, new_directory};

#[test]
fn a_token_of_one_tenant_reaches_no_other() {
    scenario(|world| {
        let mine = hannes_client(world);
        let other = world.another_tenant();
        let foreign = organization_of(world, &other, &[]);
        let command = ["token", "mikrocloud", "--tenant", &other.api_key, "--organization", &foreign];
        let stranger = world.http().with_bearer(&last_word(&world.billhook(command)));
        stranger.get("/v1/account").status(422);
        let theirs = stranger.post("/v1/account", hannes()).status(201).json();
        assert_ne!(theirs["id"], mine.get("/v1/account").status(200).json()["id"]);
        world.killbill().get(format!("/accounts?externalKey={foreign}")).status(404);

        // A key that this tenant trusts proves nothing about an organization of the other one.
        let secret = trust_secret(world, &[]);
        let mut claims = claims(&foreign);
        check_message(&world.http().with_bearer(&secret.sign(&claims)).get("/v1/account").status(401).json());
        claims["id"] = json!(organization(world, &[]));
        world.http().with_bearer(&secret.sign(&claims)).get("/v1/account").status(422);
    });
}

/// The claims of a token that counts for an hour.
fn claims(organization: &str) -> Value {
    json!({ "id": organization, "scope": "account:read account:write", "exp": seconds_from_now(3600) })
}

#[allow(clippy::disallowed_methods, reason = "tokens count by the real clock")]
fn seconds_from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

/// Signs a message.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// An issuer of tokens outside the server.
struct Issuer {
    key_id: Option<String>,
    algorithm: &'static str,
    sign: Sign,
}

impl Issuer {
    fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm, "typ": "JWT", "kid": self.key_id });
        self.sign_under(&header, claims)
    }

    fn sign_under(&self, header: &Value, claims: &Value) -> String {
        let part = |json: &Value| BASE64.encode(json.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        format!("{message}.{}", BASE64.encode((self.sign)(message.as_bytes())))
    }
}

fn hmac(secret: &[u8]) -> Sign {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    Box::new(move |message| ring::hmac::sign(&key, message).as_ref().to_vec())
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Trusts an HS256 key under a name of its own, with more arguments.
#[track_caller]
fn trust_secret(world: &World, more: &[&str]) -> Issuer {
    let key_id = format!("{}-secret", world.tenant().api_key);
    let path = file("secret", SECRET);
    let given = ["--algorithm", "HS256", "--secret-file", &path, "--key-id", &key_id];
    trust(world, &given.iter().chain(more).copied().collect::<Vec<_>>());
    Issuer { key_id: Some(key_id), algorithm: "HS256", sign: hmac(SECRET.as_bytes()) }
}

#[track_caller]
fn trust(world: &World, more: &[&str]) -> String {
    let command = ["token", "key", "add", "--tenant", &world.tenant().api_key];
    world.billhook(command.iter().chain(more).copied())
}

fn file(name: &str, text: &str) -> String {
    let path = new_directory("key").join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_token_counts_from_nbf_to_exp() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let issuer = trust_secret(world, &[]);
        let get = |claims: &Value| world.http().with_bearer(&issuer.sign(claims)).get("/v1/account");
        get(&claims(&organization)).status(422);
        let with = |name: &str, value: Value| {
            let mut claims = claims(&organization);
            claims[name] = value;
            claims
        };
        let past = get(&with("exp", json!(seconds_from_now(-61)))).status(401).json();
        assert_eq!(past["message"], "The token has expired");
        let future = get(&with("nbf", json!(seconds_from_now(61)))).status(401).json();
        assert_eq!(future["message"], "The token is not valid yet");
        get(&with("nbf", json!(seconds_from_now(-10)))).status(422);
        // RFC 7519 allows fractions of a second.
        let fraction =
            |seconds: i64| serde_json::from_str(&format!("{}.5", seconds_from_now(seconds))).unwrap();
        get(&with("exp", fraction(60))).status(422);
        get(&with("exp", fraction(-61))).status(401);
        get(&with("nbf", fraction(-10))).status(422);
        get(&with("exp", serde_json::from_str("1.9e10").unwrap())).status(422);
        for wrong in [json!("soon"), json!(null), json!([])] {
            check_message(&get(&with("exp", wrong)).status(401).json());
        }
        get(&with("nbf", json!("now"))).status(401);
    });
}

#[test]
fn the_servers_own_tokens_say_all_that_is_asked_of_them() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let given = [
            "--expires-in",
            "1s",
            "--user",
            "a@b.com",
            "--scope",
            "account:read",
            "--timezone",
            "Asia/Tokyo",
        ];
        let token = token(world, &organization, &given);
        let claims: Value =
            serde_json::from_slice(&BASE64.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
        assert_eq!(claims["id"], organization.as_str());
        assert_eq!(claims["scope"], "account:read");
        assert_eq!(claims["timezone"], "Asia/Tokyo");
        assert_eq!(claims["sub"], "a@b.com");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 1);
        assert!((claims["iat"].as_i64().unwrap() - seconds_from_now(0)).abs() <= 30, "{claims}");
        assert!(claims["iss"].as_str().unwrap().ends_with(&world.tenant().id), "{claims}");
    });
}

#[test]
fn issuer_and_audience_must_be_the_keys() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let issuer = trust_secret(world, &["--issuer", "https://login", "--audience", "billing"]);
        let get = |iss: Value, aud: Value| {
            let mut claims = claims(&organization);
            claims["iss"] = iss;
            claims["aud"] = aud;
            world.http().with_bearer(&issuer.sign(&claims)).get("/v1/account")
        };
        get(json!("https://login"), json!("billing")).status(422);
        get(json!("https://login"), json!(["shop", "billing"])).status(422);
        for (iss, aud) in [
            (json!("https://other"), json!("billing")),
            (json!("https://login"), json!("shop")),
            (json!("https://login"), json!(["shop"])),
            (json!("https://login"), json!(null)),
            (json!(null), json!("billing")),
            (json!(5), json!("billing")),
        ] {
            check_message(&get(iss, aud).status(401).json());
        }
    });
}

#[test]
fn claims_are_read_as_issuers_write_them() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let issuer = trust_secret(world, &[]);
        let get = |change: &dyn Fn(&mut Value)| {
            let mut claims = claims(&organization);
            change(&mut claims);
            world.http().with_bearer(&issuer.sign(&claims)).get("/v1/account").code()
        };
        let both = json!(["account:read", "account:write"]);
        assert_eq!(get(&|claims| claims["scope"] = both.clone()), 422);
        let scopes = |claims: &mut Value| {
            claims.as_object_mut().unwrap().remove("scope");
            claims["scopes"] = both.clone();
        };
        assert_eq!(get(&scopes), 422);
        assert_eq!(get(&|claims| claims["scope"] = json!("account:readable")), 403);
        assert_eq!(get(&|claims| claims["scope"] = json!(null)), 403);
        assert_eq!(get(&|claims| claims["timezone"] = json!("Europe/Paris")), 422);
        assert_eq!(get(&|claims| claims["timezone"] = json!("Mars/Base")), 401);
        assert_eq!(get(&|claims| claims["id"] = json!(null)), 401);
        assert_eq!(get(&|claims| claims["id"] = json!("acme")), 401);
        assert_eq!(get(&|claims| claims["id"] = json!("00000000-0000-4000-8000-000000000000")), 401);
        assert_eq!(get(&|claims| claims["sub"] = json!("a\nb")), 401);
    });
}

#[test]
fn a_token_that_was_tampered_with_proves_nothing() {
    scenario(|world| {
        let [mine, other] = [(); 2].map(|()| organization(world, &[]));
        let token = token(world, &mine, &[]);
        let parts: Vec<&str> = token.split('.').collect();
        let header: Value = serde_json::from_slice(&BASE64.decode(parts[0]).unwrap()).unwrap();
        let mut claims: Value = serde_json::from_slice(&BASE64.decode(parts[1]).unwrap()).unwrap();
        assert_eq!(claims["id"], mine.as_str());
        let part = |json: &Value| BASE64.encode(json.to_string());
        let get = |token: &str| world.http().with_bearer(token).get("/v1/account").code();
        assert_eq!(get(&token), 422);
        let forgeries = |claims: &Value| {
            let none = |alg: &str| part(&json!({ "alg": alg, "typ": "JWT", "kid": header["kid"] }));
            let stranger = Issuer { key_id: None, algorithm: "HS256", sign: hmac(b"guessed") };
            [
                format!("{}.{}.{}", parts[0], part(claims), parts[2]),
                format!("{}.{}.", parts[0], part(claims)),
                format!("{}.{}.", none("none"), part(claims)),
                format!("{}.{}.{}", none("None"), part(claims), parts[2]),
                format!("{}.{}", none("NONE"), part(claims)),
                stranger.sign_under(&header, claims),
                stranger.sign(claims),
            ]
        };
        claims["id"] = json!(other);
        for forged in forgeries(&claims) {
            assert_eq!(get(&forged), 401, "{forged}");
        }
        assert_eq!(get(&format!("{token}x")), 401);
        assert_eq!(get(&format!("{token}.x")), 401);
        assert_eq!(get(&"a".repeat(7000)), 401);
    });
}

/// A key pair of RSA with 2048 bits, made for these tests.
static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::from_der(&rsa_private_der()).unwrap());

/// That key pair whole, as PKCS #1 has it.
fn rsa_private_der() -> Vec<u8> {
    STANDARD.decode(include_str!("rsa_key_for_tests.txt").replace('\n', "")).unwrap()
}

fn rsa_issuer(key_id: Option<String>) -> Issuer {
    let sign = |message: &[u8]| {
        let mut signature = vec![0; RSA.public().modulus_len()];
        RSA.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    Issuer { key_id, algorithm: "RS256", sign: Box::new(sign) }
}

/// A new key pair on P-256: the issuer and the public point.
fn ec_issuer(key_id: Option<String>) -> (Issuer, Vec<u8>) {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let sign = move |message: &[u8]| pair.sign(&random, message).unwrap().as_ref().to_vec();
    (Issuer { key_id, algorithm: "ES256", sign: Box::new(sign) }, point)
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// The public point in the envelope (SubjectPublicKeyInfo) that PEM files have.
fn ec_public_pem(point: &[u8]) -> String {
    let head = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    pem("PUBLIC KEY", &[&head, point].concat())
}

#[test]
fn public_keys_in_pem_files_prove_tokens() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let get = |token: &str| world.http().with_bearer(token).get("/v1/account").code();
        let claims = claims(&organization);

        let rsa_pem = pem("RSA PUBLIC KEY", RSA.public_key().as_ref());
        let path = file("rsa.pem", &rsa_pem);
        let key_id = last_word(&trust(world, &["--algorithm", "RS256", "--public-key", &path]));
        let issuer = rsa_issuer(Some(key_id.clone()));
        assert_eq!(get(&issuer.sign(&claims)), 422);

        let (ec, point) = ec_issuer(Some("ec".into()));
        let path = file("ec.pem", &ec_public_pem(&point));
        trust(world, &["--algorithm", "ES256", "--public-key", &path, "--key-id", "ec"]);
        assert_eq!(get(&ec.sign(&claims)), 422);
        let (stranger, _) = ec_issuer(Some("ec".into()));
        assert_eq!(get(&stranger.sign(&claims)), 401);

        // The public key, which everybody knows, is no secret to sign with.
        for secret in [rsa_pem.as_bytes(), rsa_pem.trim().as_bytes(), RSA.public_key().as_ref()] {
            let confused = Issuer { key_id: Some(key_id.clone()), algorithm: "HS256", sign: hmac(secret) };
            assert_eq!(get(&confused.sign(&claims)), 401);
        }
        let mislabelled = Issuer { algorithm: "ES256", ..rsa_issuer(Some(key_id.clone())) };
        assert_eq!(get(&mislabelled.sign(&claims)), 401);
        assert_eq!(get(&rsa_issuer(Some("ec".into())).sign(&claims)), 401);
        assert_eq!(get(&rsa_issuer(None).sign(&claims)), 401, "neither key nor issuer is named");

        let tenant = world.tenant().api_key.as_str();
        world.billhook(["token", "key", "revoke", "--tenant", tenant, "--key-id", &key_id]);
        assert_eq!(get(&issuer.sign(&claims)), 401, "a revoked key proves nothing");
        let command =
            ["token", "key", "add", "--tenant", tenant, "--algorithm", "RS256", "--key-id", &key_id];
        let path = file("rsa.pem", &rsa_pem);
        let again = world.billhook_output(command.iter().copied().chain(["--public-key", &path]));
        assert!(!again.status.success(), "what was revoked is not trusted again by the way");
        assert_eq!(get(&issuer.sign(&claims)), 401);
        assert_eq!(get(&ec.sign(&claims)), 422);
    });
}

#[test]
fn keys_of_a_jwks_document_prove_tokens() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let (ec, point) = ec_issuer(Some("ec-1".into()));
        let rsa = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(RSA.public());
        let (n, e) = (rsa.n.as_slice(), rsa.e.as_slice());
        let encode = |bytes: &[u8]| BASE64.encode(bytes);
        let document = json!({ "keys": [
            { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa-1", "n": encode(n), "e": encode(e) },
            { "kty": "EC", "crv": "P-256", "kid": "ec-1", "x": encode(&point[1..33]), "y": encode(&point[33..]) },
            { "kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "enc-1", "n": encode(n), "e": encode(e) },
            { "kty": "oct", "kid": "oct-1", "k": encode(SECRET.as_bytes()) },
        ] });
        let path = file("jwks.json", &document.to_string());
        let issuer_name = format!("https://{}", world.tenant().api_key);
        let trusted = trust(world, &["--jwks", &path, "--issuer", &issuer_name]);
        assert_eq!(trusted.lines().collect::<Vec<_>>(), ["rsa-1", "ec-1"]);

        let mut claims = claims(&organization);
        claims["iss"] = json!(issuer_name);
        let get = |token: &str| world.http().with_bearer(token).get("/v1/account").code();
        assert_eq!(get(&rsa_issuer(Some("rsa-1".into())).sign(&claims)), 422);
        assert_eq!(get(&ec.sign(&claims)), 422);
        assert_eq!(get(&rsa_issuer(None).sign(&claims)), 422, "the issuer's keys are tried");
        assert_eq!(get(&rsa_issuer(Some("enc-1".into())).sign(&claims)), 401);
        let symmetric =
            Issuer { key_id: Some("oct-1".into()), algorithm: "HS256", sign: hmac(SECRET.as_bytes()) };
        assert_eq!(get(&symmetric.sign(&claims)), 401);
    });
}

#[test]
fn one_key_for_two_tenants_counts_for_none_of_them() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let path = file("rsa.pem", &pem("RSA PUBLIC KEY", RSA.public_key().as_ref()));
        let key_id = format!("{}-shared", world.tenant().api_key);
        let given = ["--algorithm", "RS256", "--public-key", &path, "--key-id", &key_id];
        trust(world, &given);
        let token = rsa_issuer(Some(key_id.clone())).sign(&claims(&organization));
        let get = || world.http().with_bearer(&token).get("/v1/account");
        get().status(422);
        let other = world.another_tenant();
        let command = ["token", "key", "add", "--tenant", &other.api_key];
        world.billhook(command.iter().chain(&given).copied());
        check_message(&get().status(401).json());
        world.billhook(["token", "key", "revoke", "--tenant", &other.api_key, "--key-id", &key_id]);
        get().status(422);
    });
}

#[test]
fn keys_that_could_prove_nothing_are_refused() {
    scenario(|world| {
        let tenant = world.tenant().api_key.as_str();
        let add = |more: &[&str]| {
            let command = ["token", "key", "add", "--tenant", tenant];
            world.billhook_output(command.iter().chain(more).copied()).status.success()
        };
        let short = file("short", &SECRET[1..]);
        assert!(!add(&["--algorithm", "HS256", "--secret-file", &short]));
        let private = file("private.pem", &pem("RSA PRIVATE KEY", &rsa_private_der()));
        assert!(!add(&["--algorithm", "RS256", "--public-key", &private]));
        let (_, point) = ec_issuer(None);
        let ec = file("ec.pem", &ec_public_pem(&point));
        assert!(!add(&["--algorithm", "RS256", "--public-key", &ec]));
        assert!(!add(&["--algorithm", "HS256", "--public-key", &ec]));
        assert!(!add(&["--algorithm", "none", "--public-key", &ec]));
        assert!(!add(&["--algorithm", "ES256", "--public-key", "/nowhere"]));
        assert!(!add(&["--public-key", &ec]));
        assert!(!add(&["--jwks", &file("jwks.json", "{\"keys\": []}")]));
        assert!(!add(&["--jwks", &file("jwks.json", "[]")]));

        let organization = organization(world, &[]);
        token(world, &organization, &[]);
        let keys = world.billhook(["token", "key", "list", "--tenant", tenant]);
        assert_eq!(keys.lines().next(), Some("KEY ID\tALGORITHM\tISSUER\tAUDIENCE\tUSE"));
        let own = keys.lines().nth(1).unwrap().split('\t').next().unwrap();
        assert!(
            !add(&["--algorithm", "ES256", "--public-key", &ec, "--key-id", own]),
            "the server's own key"
        );
        assert!(add(&["--algorithm", "ES256", "--public-key", &ec]));
        let revoke = |key_id| ["token", "key", "revoke", "--tenant", tenant, "--key-id", key_id];
        assert!(!world.billhook_output(revoke("unknown")).status.success());

        let old = token(world, &organization, &[]);
        world.billhook(revoke(own));
        world.http().with_bearer(&old).get("/v1/account").status(401);
        client(world, &organization).get("/v1/account").status(422);
    });
}
