//! What exists: the one list of endpoints. Routing, `Allow`, credentials, limits, log levels and the
//! message of a 404 come from here.

use http::Method;
use tracing::Level;

/// An endpoint, for code that treats it in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The folded state of every check.
    Health,
    /// The process and its monitor run.
    Livez,
    /// Whether this replica should get traffic.
    Readyz,
    /// A fresh fan-out now.
    Refresh,
    /// One check by its name.
    Check,
    /// The OpenAPI document.
    OpenApi,
    /// What this service counts.
    Metrics,
    /// The status page; the JSON of `/health` for who does not ask for HTML.
    Page,
    /// What the video API tells of its jobs.
    JobWebhook,
    /// What RunPod tells of its jobs.
    RunPodWebhook,
    /// One job by its id.
    Job,
    /// Jobs, newest change first.
    Jobs,
    /// The signals of the jobs.
    Signals,
}

impl Route {
    /// Whether the form of its answer follows `Accept`.
    pub const fn is_negotiated(self) -> bool {
        matches!(self, Route::Health | Route::Check | Route::Page)
    }
}

/// The methods of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// `GET`, and `HEAD`, which is the same less the body.
    Read,
    /// `POST`.
    Post,
}

impl Methods {
    /// The value of `Allow`.
    pub const fn allow(self) -> &'static str {
        match self {
            Methods::Read => "GET, HEAD",
            Methods::Post => "POST",
        }
    }

    /// Whether `method` is one of them.
    pub fn contain(self, method: &Method) -> bool {
        match self {
            Methods::Read => *method == Method::GET || *method == Method::HEAD,
            Methods::Post => *method == Method::POST,
        }
    }
}

/// What an endpoint wants to know of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// Never looked at.
    Ignored,
    /// None is fine unless `HEALTH_REQUIRE_API_KEY`; a wrong one is not.
    Optional,
    /// A valid key as soon as `API_KEYS` is set, as `X-Api-Key` or as `Authorization: Bearer`, which is all
    /// that scrapers can send; none while no key is configured.
    Scraper,
    /// A valid key.
    Key,
    /// The signature of a webhook, which is its handler's to judge.
    Signature,
    /// The token in the path, which is its handler's to judge.
    Token,
}

/// What counts against a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Nothing.
    Never,
    /// Every request, before it is answered.
    Requests,
    /// What has turned out to be a guess of a signature or a token, as wrong keys do; nothing else ever, so that a
    /// sender's burst is taken whole.
    Guesses,
}

/// What has to be there for an endpoint to exist. One that does not exist is 404 like any unknown path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// It always exists.
    Nothing,
    /// The job room, which a build can leave out (cargo feature `jobs`).
    Jobs,
    /// `JOB_WEBHOOK_SECRET`.
    JobWebhook,
    /// `RUNPOD_WEBHOOK_TOKEN`.
    RunPodWebhook,
    /// Either of the two.
    AnyWebhook,
}

/// Which webhooks are configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Webhooks {
    /// `JOB_WEBHOOK_SECRET` is set.
    pub jobs: bool,
    /// `RUNPOD_WEBHOOK_TOKEN` is set.
    pub runpod: bool,
}

impl Webhooks {
    /// Both.
    pub const ALL: Self = Webhooks {
        jobs: true,
        runpod: true,
    };

    /// Whether an endpoint that needs `needs` exists.
    const fn meet(self, needs: Needs) -> bool {
        const BUILT: bool = cfg!(feature = "jobs");
        match needs {
            Needs::Nothing => true,
            Needs::Jobs => BUILT,
            Needs::JobWebhook => BUILT && self.jobs,
            Needs::RunPodWebhook => BUILT && self.runpod,
            Needs::AnyWebhook => BUILT && (self.jobs || self.runpod),
        }
    }
}

/// One endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Which one.
    pub route: Route,
    /// Its path; at most one parameter, the last segment.
    pub path: &'static str,
    /// Its methods.
    pub methods: Methods,
    /// What it wants to know of the caller.
    pub credentials: Credentials,
    /// What counts against a rate limit.
    pub counted: Counted,
    /// What has to be there for it to exist.
    pub needs: Needs,
    /// Whether it is served on `PROBE_ADDR` too.
    pub on_probe_listener: bool,
    /// The level of the log line of a 2xx.
    pub success_level: Level,
}

/// Every endpoint; literal paths come before the pattern that would take them in.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        route: Route::Health,
        path: "/health",
        methods: Methods::Read,
        credentials: Credentials::Optional,
        counted: Counted::Requests,
        needs: Needs::Nothing,
        on_probe_listener: false,
        success_level: Level::DEBUG,
    },
    Endpoint {
        route: Route::Livez,
        path: "/livez",
        methods: Methods::Read,
        credentials: Credentials::Ignored,
        counted: Counted::Never,
        needs: Needs::Nothing,
        on_probe_listener: true,
        success_level: Level::DEBUG,
    },
    Endpoint {
        route: Route::Readyz,
        path: "/readyz",
        methods: Methods::Read,
        credentials: Credentials::Ignored,
        counted: Counted::Never,
        needs: Needs::Nothing,
        on_probe_listener: true,
        success_level: Level::DEBUG,
    },
    Endpoint {
        route: Route::Refresh,
        path: "/health/refresh",
        methods: Methods::Post,
        credentials: Credentials::Key,
        counted: Counted::Requests,
        needs: Needs::Nothing,
        on_probe_listener: false,
        success_level: Level::DEBUG,
    },
    Endpoint {
        route: Route::Check,
        path: "/health/{check}",
        methods: Methods::Read,
        credentials: Credentials::Optional,
        counted: Counted::Requests,
        needs: Needs::Nothing,
        on_probe_listener: false,
        success_level: Level::DEBUG,
    },
    Endpoint {
        route: Route::OpenApi,
        path: "/openapi.json",
        methods: Methods::Read,
        credentials: Credentials::Ignored,
        counted: Counted::Requests,
        needs: Needs::Nothing,
        on_probe_listener: false,
        success_level: Level::INFO,
    },
    Endpoint {
        route: Route::Metrics,
        path: "/metrics",
        methods: Methods::Read,
        credentials: Credentials::Scraper,
        counted: Counted::Requests,
        needs: Needs::Nothing,
        on_probe_listener: false,
        success_level: Level::DEBUG,
    },
    Endpoint {
        route: Route::Page,
        path: "/",
        methods: Methods::Read,
        credentials: Credentials::Optional,
        counted: Counted::Requests,
        needs: Needs::Nothing,
        on_probe_listener: false,
        // An open page asks every few seconds.
        success_level: Level::DEBUG,
    },
    Endpoint {
        route: Route::JobWebhook,
        path: "/webhooks/jobs",
        methods: Methods::Post,
        credentials: Credentials::Signature,
        counted: Counted::Guesses,
        needs: Needs::JobWebhook,
        on_probe_listener: false,
        success_level: Level::INFO,
    },
    Endpoint {
        route: Route::RunPodWebhook,
        path: "/webhooks/runpod/{token}",
        methods: Methods::Post,
        credentials: Credentials::Token,
        counted: Counted::Guesses,
        needs: Needs::RunPodWebhook,
        on_probe_listener: false,
        success_level: Level::INFO,
    },
    Endpoint {
        route: Route::Job,
        path: "/jobs/{job_id}",
        methods: Methods::Read,
        credentials: Credentials::Key,
        counted: Counted::Requests,
        needs: Needs::AnyWebhook,
        on_probe_listener: false,
        success_level: Level::INFO,
    },
    Endpoint {
        route: Route::Jobs,
        path: "/jobs",
        methods: Methods::Read,
        credentials: Credentials::Key,
        counted: Counted::Requests,
        needs: Needs::AnyWebhook,
        on_probe_listener: false,
        success_level: Level::INFO,
    },
    Endpoint {
        route: Route::Signals,
        path: "/signals",
        methods: Methods::Read,
        credentials: Credentials::Key,
        counted: Counted::Requests,
        needs: Needs::Jobs,
        on_probe_listener: false,
        success_level: Level::INFO,
    },
];

impl Endpoint {
    fn matches(&self, path: &str) -> bool {
        if self.path == path {
            return true;
        }
        self.path
            .split_once('{')
            .and_then(|(literal, _)| path.strip_prefix(literal))
            .is_some_and(|parameter| !parameter.is_empty() && !parameter.contains('/'))
    }
}

/// Which endpoints a listener has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that exist with these webhooks.
    Everything(Webhooks),
    /// What `PROBE_ADDR` serves.
    Probes,
    /// What `METRICS_ADDR` serves, to whoever can reach it.
    Metrics,
}

impl Scope {
    /// Everything that can exist in this build: what documents tell of.
    pub const DOCUMENTED: Self = Scope::Everything(Webhooks::ALL);

    /// The endpoints in it, in the order of the table.
    pub fn endpoints(self) -> impl Iterator<Item = &'static Endpoint> {
        ENDPOINTS.iter().filter(move |endpoint| match self {
            Scope::Everything(webhooks) => webhooks.meet(endpoint.needs),
            Scope::Probes => endpoint.on_probe_listener,
            Scope::Metrics => endpoint.route == Route::Metrics,
        })
    }

    /// What `endpoint` wants to know of a caller of this listener.
    pub fn credentials(self, endpoint: &Endpoint) -> Credentials {
        match self {
            Scope::Everything(_) | Scope::Probes => endpoint.credentials,
            Scope::Metrics => Credentials::Ignored,
        }
    }

    /// Whether every request for `endpoint` counts against a rate limit. On `METRICS_ADDR` they do not: callers of the
    /// main port who share Prometheus' address, as behind a NAT, would blind it in the very moment that matters.
    pub fn limits(self, endpoint: &Endpoint) -> bool {
        match self {
            Scope::Everything(_) | Scope::Probes => endpoint.counted == Counted::Requests,
            Scope::Metrics => false,
        }
    }

    /// The endpoint at `path`.
    pub fn find(self, path: &str) -> Option<&'static Endpoint> {
        self.endpoints().find(|endpoint| endpoint.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Option<Route> {
        let endpoint = Scope::DOCUMENTED.find(path);
        endpoint.map(|endpoint| endpoint.route)
    }

    #[test]
    fn paths_lead_to_their_endpoints_and_nowhere_else() {
        for endpoint in Scope::DOCUMENTED.endpoints() {
            assert_eq!(route(endpoint.path), Some(endpoint.route));
        }
        assert_eq!(route("/health/r2_configured"), Some(Route::Check));
        for nowhere in [
            "",
            "*",
            "//",
            "/health/",
            "/health/a/b",
            "/healthy",
            "/livez/",
            "//health",
            "/Health",
            "/jobs/",
            "/jobs/a/b",
            "/webhooks",
            "/webhooks/runpod/",
            "/webhooks/runpod/a/b",
        ] {
            assert_eq!(route(nowhere), None, "{nowhere}");
        }
    }

    #[cfg(feature = "jobs")]
    #[test]
    fn what_is_not_configured_does_not_exist() {
        let further = |jobs, runpod| {
            let all = Scope::Everything(Webhooks { jobs, runpod }).endpoints();
            let further = all.filter(|endpoint| endpoint.needs != Needs::Nothing);
            further.map(|endpoint| endpoint.path).collect::<Vec<_>>()
        };
        let (ours, runpods) = ("/webhooks/jobs", "/webhooks/runpod/{token}");
        let (job, jobs, signals) = ("/jobs/{job_id}", "/jobs", "/signals");
        assert_eq!(further(false, false), [signals]);
        assert_eq!(further(true, false), [ours, job, jobs, signals]);
        assert_eq!(further(false, true), [runpods, job, jobs, signals]);
        assert_eq!(further(true, true), [ours, runpods, job, jobs, signals]);
        assert_eq!(route("/jobs/a%2Fb"), Some(Route::Job));
        assert_eq!(Scope::Everything(Webhooks::default()).find("/jobs"), None);
    }

    #[cfg(not(feature = "jobs"))]
    #[test]
    fn a_build_without_the_job_room_has_none_of_its_endpoints() {
        assert!(
            Scope::DOCUMENTED
                .endpoints()
                .all(|e| e.needs == Needs::Nothing)
        );
    }

    #[test]
    fn the_probe_listener_has_the_two_probes_only() {
        let paths: Vec<_> = Scope::Probes.endpoints().map(|e| e.path).collect();
        assert_eq!(paths, ["/livez", "/readyz"]);
        assert!(Scope::Probes.find("/health").is_none());
    }

    #[test]
    fn the_metrics_listener_has_the_metrics_only_and_neither_asks_for_a_key_nor_limits() {
        let endpoints: Vec<_> = Scope::Metrics.endpoints().collect();
        assert_eq!(endpoints.len(), 1);
        assert_eq!(endpoints[0].path, "/metrics");
        let credentials = |scope: Scope| scope.credentials(endpoints[0]);
        assert_eq!(credentials(Scope::DOCUMENTED), Credentials::Scraper);
        assert_eq!(credentials(Scope::Metrics), Credentials::Ignored);
        let limits = |scope: Scope| scope.limits(endpoints[0]);
        assert!(limits(Scope::DOCUMENTED) && !limits(Scope::Metrics));
    }
}
