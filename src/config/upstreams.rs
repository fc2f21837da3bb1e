//! Where the checks call.

use reqwest::Url;

use super::proxy::{self, ProxyUrl};
use super::r2_endpoint::{Endpoint, Jurisdiction};
use super::raw::RawUpstreams;
use super::urls;
use super::values::{self, Fault, Parsed, Reader};

/// Where the checks call. URLs are the service's values: a wrong one could send keys astray.
pub(super) struct Upstreams {
    pub(super) api_health_url: Option<Url>,
    /// Without a trailing slash in its path; `None` if it is malformed.
    pub(super) runpod_base_url: Option<Url>,
    /// Without a path.
    pub(super) r2_endpoint: Endpoint,
    pub(super) r2_jurisdiction: Option<Jurisdiction>,
    pub(super) https_proxy: Option<ProxyUrl>,
    /// `ALLOW_INSECURE_UPSTREAMS`.
    pub(super) insecure: bool,
}

/// URLs and what is allowed in them.
pub(super) fn upstreams(raw: &RawUpstreams, reader: &mut Reader) -> Upstreams {
    let insecure = reader.value(
        "ALLOW_INSECURE_UPSTREAMS",
        raw.allow_insecure_upstreams.as_ref(),
        values::boolean,
    );
    // A malformed switch is told by itself, not by what follows from it.
    let insecure = insecure.unwrap_or(true);
    let api_health_url = reader.optional("API_HEALTH_URL", raw.api_health_url.as_ref(), |text| {
        let accepted = "an https:// URL without user info, query and fragment";
        urls::upstream(text, insecure, accepted)
    });
    let runpod = raw.runpod_endpoint_base_url.as_ref();
    let runpod_base_url = reader.value("RUNPOD_ENDPOINT_BASE_URL", runpod, |text| {
        let accepted = "an https:// URL without user info, query and fragment, such as https://api.runpod.ai/v2";
        let mut url = urls::upstream(text, insecure, accepted)?;
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    });
    let r2_endpoint = reader.optional("R2_ENDPOINT_URL", raw.r2_endpoint_url.as_ref(), |text| {
        r2_endpoint(text, insecure)
    });
    let r2_jurisdiction =
        reader.optional("R2_JURISDICTION", raw.r2_jurisdiction.as_ref(), |text| {
            let words = [("eu", Jurisdiction::Eu), ("fedramp", Jurisdiction::FedRamp)];
            values::word(text, &words, "eu or fedramp, or not set")
        });
    let https_proxy = reader.optional("HTTPS_PROXY", raw.https_proxy.as_ref(), proxy::parse);
    let r2_endpoint = match (&raw.r2_endpoint_url, r2_endpoint) {
        (None, _) => Endpoint::Unset,
        (Some(_), None) => Endpoint::Malformed,
        (Some(_), Some(url)) => Endpoint::Url(url),
    };
    Upstreams {
        api_health_url,
        runpod_base_url,
        r2_endpoint,
        r2_jurisdiction,
        https_proxy,
        insecure,
    }
}

fn r2_endpoint(text: &str, insecure: bool) -> Parsed<Url> {
    const ACCEPTED: &str = "https://<account id>.r2.cloudflarestorage.com";
    let url = urls::upstream(text, insecure, ACCEPTED)?;
    if url.path() != "/" {
        // The dashboard shows the endpoint with the bucket appended.
        return Err(Fault::new(
            "has a path",
            "https://<account id>.r2.cloudflarestorage.com alone: the bucket belongs in R2_BUCKET",
        ));
    }
    Ok(url)
}
