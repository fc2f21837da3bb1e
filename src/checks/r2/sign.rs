//! One signed request: AWS's own signer as a pure function, sent by our own client. Public for the benchmark that
//! tells what a signature costs.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SignatureLocation, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use secrecy::ExposeSecret;
use time::OffsetDateTime;

use crate::config::R2;

/// R2's one region. The empty string and `us-east-1` are aliases of it; no other is accepted.
const REGION: &str = "auto";

/// The settings hold something that no header can carry. Says no more: the signer's own words may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsignable;

/// A `ListObjectsV2` of one key, path style, signed for `now`: what every kind of token may call. Every value of the
/// header fields is marked sensitive.
pub fn list_one(r2: &R2, now: OffsetDateTime) -> Result<(Url, HeaderMap), Unsignable> {
    let mut url = r2.endpoint.clone();
    url.path_segments_mut()
        .map_err(|()| Unsignable)?
        .clear()
        .push(r2.bucket.as_str());
    // Sorted by key: what is signed is, byte for byte, what is sent.
    url.set_query(Some("list-type=2&max-keys=1"));

    let token = r2
        .session_token
        .as_ref()
        .map(|token| token.expose_secret().to_owned());
    let identity = Credentials::new(
        r2.access_key_id.expose_secret(),
        r2.secret_access_key.expose_secret(),
        token,
        None,
        "configuration",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(now.into())
        .settings(settings())
        .build()
        .map_err(|_| Unsignable)?
        .into();
    // `Host`, with the port if it is not the scheme's own, is taken from the URL by the signer and
    // by the client alike.
    let body = SignableBody::Bytes(b"");
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), body)
        .map_err(|_| Unsignable)?;
    let (instructions, _) = sign(request, &params).map_err(|_| Unsignable)?.into_parts();

    let mut headers = HeaderMap::new();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unsignable)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| Unsignable)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok((url, headers))
}

/// What S3, unlike AWS's other services, wants. R2 refuses requests without `x-amz-content-sha256`.
fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.session_token_mode = SessionTokenMode::Include;
    settings.signature_location = SignatureLocation::Headers;
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detail::Label;
    use secrecy::SecretString;
    use time::macros::datetime;

    fn settings(secret: &str, token: Option<&str>) -> R2 {
        R2 {
            endpoint: "https://0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com"
                .parse()
                .unwrap(),
            bucket: Label::new("videos").unwrap(),
            access_key_id: SecretString::from("0123456789abcdef0123456789abcdef"),
            secret_access_key: SecretString::from(secret),
            session_token: token.map(SecretString::from),
        }
    }

    #[test]
    fn signs_host_hash_date_and_token_for_region_auto() {
        let now = datetime!(2026-11-23 18:06:59.5 UTC);
        let (url, headers) = list_one(&settings("s3cret", Some("t0ken")), now).unwrap();
        assert_eq!(url.path(), "/videos");
        assert_eq!(url.query(), Some("list-type=2&max-keys=1"));
        assert_eq!(headers["x-amz-date"], "20261123T180659Z");
        assert_eq!(headers["x-amz-security-token"], "t0ken");
        assert_eq!(
            headers["x-amz-content-sha256"],
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let authorization = headers["authorization"].to_str().unwrap();
        for part in [
            "AWS4-HMAC-SHA256 Credential=0123456789abcdef0123456789abcdef/20261123/auto/s3/aws4_request",
            "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
        ] {
            assert!(authorization.contains(part), "{authorization}");
        }
        assert!(headers.values().all(HeaderValue::is_sensitive));
        assert!(!format!("{headers:?}").contains("t0ken"));
    }

    #[test]
    fn what_no_header_can_carry_is_an_error_and_not_a_panic() {
        let mut bad = settings("s3cret", None);
        bad.access_key_id = SecretString::from("a\nb");
        let now = datetime!(2026-11-23 18:06:59 UTC);
        assert_eq!(list_one(&bad, now).unwrap_err(), Unsignable);
    }
}
