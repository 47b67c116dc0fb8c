//! JSON Web Tokens: checking and signing one, over the cryptography that the server has anyway (ring).

use crate::clock;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey, Header, Validation,
};
use ring::{hmac, signature as ring_signature};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use storage::token_keys::TokenKey;

/// How far the clocks of those who issue tokens may stand from ours, in seconds.
const LEEWAY_SECONDS: i64 = 5;

/// Fewest bytes of an HS256 secret: those of the hash, RFC 7518.
const SECRET_BYTES_MIN: usize = 32;

/// Fewest bytes of an RSA modulus: 2048 bits.
const RSA_MODULUS_BYTES_MIN: usize = 256;

static PROVIDER: CryptoProvider =
    CryptoProvider { signer_factory, verifier_factory, key_utils: KeyUtils::new_unimplemented() };

/// Tells jsonwebtoken which cryptography to use; of several calls in a process the first counts.
fn install_cryptography() {
    let _ = PROVIDER.install_default();
}

fn signer_factory(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, JwtError> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => {
            Ok(Box::new(HmacSigner(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

/// Refuses a key of another family than the algorithm's, so that a public key is never taken for a shared secret.
fn verifier_factory(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, JwtError> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac)
        | (Algorithm::RS256, AlgorithmFamily::Rsa)
        | (Algorithm::ES256, AlgorithmFamily::Ec) => {
            Ok(Box::new(KeyVerifier { algorithm: *algorithm, key: key.clone() }))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct HmacSigner(hmac::Key);

impl Signer<Vec<u8>> for HmacSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for HmacSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

struct KeyVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for KeyVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let rsa = &ring_signature::RSA_PKCS1_2048_8192_SHA256;
        let verified = match (self.algorithm, self.key.kind()) {
            (Algorithm::HS256, DecodingKeyKind::SecretOrDer(secret)) => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message, signature)
            }
            (Algorithm::RS256, DecodingKeyKind::SecretOrDer(der)) => {
                ring_signature::UnparsedPublicKey::new(rsa, der).verify(message, signature)
            }
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                ring_signature::RsaPublicKeyComponents { n, e }.verify(rsa, message, signature)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
                let p256 = &ring_signature::ECDSA_P256_SHA256_FIXED;
                ring_signature::UnparsedPublicKey::new(p256, point).verify(message, signature)
            }
            _ => Err(ring::error::Unspecified),
        };
        verified.map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for KeyVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// What a token says of itself before anything is proven: which key and which issuer to look for.
pub(crate) struct Unproven {
    pub(crate) key_id: Option<String>,
    pub(crate) issuer: Option<String>,
}

#[derive(serde::Deserialize)]
struct IssuerClaim {
    iss: Option<String>,
}

/// Reads what a token says of itself. None when it is no token that could ever be valid, such as one with `alg` `none`
/// or with critical extensions, which nobody here understands.
pub(crate) fn unproven(token: &str) -> Option<Unproven> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    if header.crit.is_some() {
        return None;
    }
    let claims: IssuerClaim = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    Some(Unproven { key_id: header.kid, issuer: claims.iss })
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Its signature, its form or its algorithm.
    Unproven,
    /// What it says, although the signature is good; a sentence.
    Claims(&'static str),
}

/// The claims of a token that this key proves: signature by the key's own algorithm, `exp` and `nbf` by the real clock,
/// `iss` and `aud` as the key wants them.
pub(crate) fn verify<T: DeserializeOwned>(token: &str, key: &TokenKey) -> Result<T, Flaw> {
    install_cryptography();
    let algorithm: Algorithm = key.algorithm.parse().map_err(|_| Flaw::Unproven)?;
    let decoding = decoding_key(&key.algorithm, &key.material).ok_or(Flaw::Unproven)?;
    let mut validation = Validation::new(algorithm);
    let mut required = Vec::new();
    // Checked by `check_times`: fractions of a second are allowed there.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = key.audience.is_some();
    if let Some(issuer) = &key.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    if let Some(audience) = &key.audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    let verified = jsonwebtoken::decode::<Map<String, Value>>(token, &decoding, &validation);
    let claims = verified.map_err(|error| flaw(error.kind()))?.claims;
    check_times(&claims, clock::real().as_second())?;
    serde_json::from_value(Value::Object(claims)).map_err(|_| MALFORMED)
}

const MALFORMED: Flaw = Flaw::Claims("The token's claims are malformed");

/// Refuses a token that is past its `exp`, which it must have, or before its `nbf`: seconds since 1970, perhaps with a
/// fraction (RFC 7519, NumericDate).
fn check_times(claims: &Map<String, Value>, now: i64) -> Result<(), Flaw> {
    let seconds = |name: &str| claims.get(name).map(|value| numeric_date(value).ok_or(MALFORMED)).transpose();
    let expires = seconds("exp")?.ok_or(Flaw::Claims("The token lacks the claim exp"))?;
    if expires < now - LEEWAY_SECONDS {
        return Err(Flaw::Claims("The token has expired"));
    }
    match seconds("nbf")? {
        Some(begins) if begins > now + LEEWAY_SECONDS => Err(Flaw::Claims("The token is not valid yet")),
        _ => Ok(()),
    }
}

/// The whole seconds of a NumericDate.
fn numeric_date(value: &Value) -> Option<i64> {
    let number = value.as_number()?.to_string();
    let decimal = Decimal::from_str_exact(&number).or_else(|_| Decimal::from_scientific(&number)).ok()?;
    decimal.floor().to_i64()
}

fn flaw(kind: &ErrorKind) -> Flaw {
    match kind {
        ErrorKind::InvalidIssuer => Flaw::Claims("The token is from another issuer"),
        ErrorKind::InvalidAudience => Flaw::Claims("The token is meant for somebody else"),
        ErrorKind::MissingRequiredClaim(_) => Flaw::Claims("The token lacks one of the claims iss and aud"),
        ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => MALFORMED,
        _ => Flaw::Unproven,
    }
}

/// Signs claims with an HS256 key.
pub(crate) fn sign(claims: &impl Serialize, key: &TokenKey) -> Result<String, JwtError> {
    install_cryptography();
    let header = Header { kid: Some(key.key_id.clone()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(key.material.as_bytes()))
}

/// A key as it was stored: an HS256 secret, a public key as PEM, or a JSON Web Key.
fn decoding_key(algorithm: &str, material: &str) -> Option<DecodingKey> {
    match algorithm {
        "HS256" => Some(DecodingKey::from_secret(material.as_bytes())),
        _ if material.starts_with('{') => {
            serde_json::from_str::<Jwk>(material).ok().and_then(|jwk| DecodingKey::from_jwk(&jwk).ok())
        }
        "RS256" => DecodingKey::from_rsa_pem(material.as_bytes()).ok(),
        "ES256" => DecodingKey::from_ec_pem(material.as_bytes()).ok(),
        _ => None,
    }
}

/// Refuses a key that could never check a token of this algorithm, or is too weak for it.
pub(crate) fn check_key(algorithm: &str, material: &str) -> Result<(), &'static str> {
    if algorithm == "HS256" {
        let long_enough = material.len() >= SECRET_BYTES_MIN;
        return if long_enough { Ok(()) } else { Err("must be a secret of at least 32 bytes") };
    }
    if material.contains("PRIVATE KEY") {
        return Err("must be a public key, not a private one");
    }
    let key = decoding_key(algorithm, material)
        .ok_or("must be a public key for RS256 or ES256, as PEM or JSON Web Key")?;
    match (algorithm, key.kind()) {
        ("RS256", DecodingKeyKind::RsaModulusExponent { n, .. }) if n.len() < RSA_MODULUS_BYTES_MIN => {
            Err("must have at least 2048 bits")
        }
        ("RS256", DecodingKeyKind::SecretOrDer(der)) if der.len() < RSA_MODULUS_BYTES_MIN => {
            Err("must have at least 2048 bits")
        }
        ("ES256", DecodingKeyKind::SecretOrDer(point)) if point.len() != 65 => {
            Err("must be a key on the curve P-256")
        }
        _ => Ok(()),
    }
}

/// A signing key of a JWKS document that can check tokens here.
pub(crate) struct PublishedKey {
    pub(crate) key_id: Option<String>,
    pub(crate) algorithm: &'static str,
    pub(crate) material: String,
}

/// The keys of a JWKS document that sign with RS256 or ES256. Others, such as keys for encryption, are left out;
/// private parts are not kept.
pub(crate) fn published_keys(document: &str) -> Result<Vec<PublishedKey>, &'static str> {
    let set: JwkSet = serde_json::from_str(document).map_err(|_| "must be a JSON Web Key Set")?;
    Ok(set.keys.iter().filter_map(published_key).collect())
}

fn published_key(jwk: &Jwk) -> Option<PublishedKey> {
    let signs =
        !matches!(&jwk.common.public_key_use, Some(public_use) if *public_use != PublicKeyUse::Signature);
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => "RS256",
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => "ES256",
        _ => return None,
    };
    let named = jwk.common.key_algorithm.as_ref().map(ToString::to_string);
    if !signs || named.is_some_and(|named| named != algorithm) {
        return None;
    }
    let material = serde_json::to_string(jwk).ok()?;
    check_key(algorithm, &material).ok()?;
    Some(PublishedKey { key_id: jwk.common.key_id.clone(), algorithm, material })
}
