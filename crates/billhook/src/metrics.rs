//! `/metrics` in Prometheus' text format. Counting a request is two additions; all work is done when somebody asks.

use crate::crowd::Crowd;
use http::{Method, StatusCode};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use storage::due_work::DueWorkStatistics;
use storage::{GROUP_SIZE_BOUNDS, Store};

/// Upper bounds of the classes of latency, in microseconds.
const LATENCY_BOUNDS: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// The statuses that are counted apart; the others are counted as 0.
const STATUSES: [u16; 23] = [
    200, 201, 202, 204, 302, 304, 400, 401, 402, 403, 404, 405, 406, 408, 409, 412, 413, 415, 422, 429, 500,
    503, 0,
];

/// The counters of one operation.
pub(crate) struct RouteMetrics {
    desk: &'static str,
    method: String,
    path: String,
    statuses: [AtomicU64; STATUSES.len()],
    latencies: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl RouteMetrics {
    fn new(desk: &'static str, method: &str, path: &str) -> RouteMetrics {
        RouteMetrics {
            desk,
            method: method.to_owned(),
            path: path.to_owned(),
            statuses: Default::default(),
            latencies: Default::default(),
            micros: AtomicU64::new(0),
        }
    }

    /// The route, with parameters as `{name}`; `-` for what is no route.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Counts one answer.
    pub(crate) fn count(&self, status: StatusCode, took: Duration) {
        let class = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.statuses[class].fetch_add(1, Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latencies[LATENCY_BOUNDS.partition_point(|bound| *bound < micros)].fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }
}

/// All counters of this process.
pub(crate) struct Metrics {
    routes: HashMap<String, Vec<RouteMetrics>>,
    other: RouteMetrics,
}

impl Metrics {
    /// Counters for these operations: desk, method and path of each.
    pub(crate) fn new<'a>(operations: impl Iterator<Item = (&'static str, &'a str, &'a str)>) -> Metrics {
        let mut routes: HashMap<String, Vec<RouteMetrics>> = HashMap::new();
        for (desk, method, path) in operations {
            routes.entry(path.to_owned()).or_default().push(RouteMetrics::new(desk, method, path));
        }
        Metrics { routes, other: RouteMetrics::new("none", "-", "-") }
    }

    /// The counters of an operation. `HEAD` counts as the `GET` that it is; what is no operation counts together.
    pub(crate) fn route(&self, method: &Method, path: &str) -> &RouteMetrics {
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
        let methods = self.routes.get(path);
        methods.and_then(|all| all.iter().find(|route| route.method == method)).unwrap_or(&self.other)
    }

    /// Everything as Prometheus reads it.
    pub(crate) fn render(&self, store: &Store, crowd: &Crowd) -> String {
        let mut out = String::with_capacity(16 * 1024);
        self.render_requests(&mut out);
        let (under_way, waiting) = crowd.counts();
        gauge(&mut out, "billhook_http_requests_under_way", "Requests that are worked on.", under_way as u64);
        gauge(&mut out, "billhook_http_requests_waiting", "Requests that wait for a place.", waiting as u64);
        render_store(&mut out, store);
        render_process(&mut out);
        out
    }

    fn render_requests(&self, out: &mut String) {
        let mut routes: Vec<&RouteMetrics> = self.routes.values().flatten().chain([&self.other]).collect();
        routes.sort_by(|a, b| (a.desk, &a.path, &a.method).cmp(&(b.desk, &b.path, &b.method)));
        routes.retain(|route| route.statuses.iter().any(|count| count.load(Relaxed) > 0));
        head(out, "billhook_http_requests_total", "counter", "Answers, by desk, operation and status.");
        for route in &routes {
            let labels = route.labels();
            for (status, count) in STATUSES.iter().zip(&route.statuses) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let status = if *status == 0 { "other".to_owned() } else { status.to_string() };
                    let _ =
                        writeln!(out, "billhook_http_requests_total{{{labels},status=\"{status}\"}} {count}");
                }
            }
        }
        let name = "billhook_http_request_duration_seconds";
        head(out, name, "histogram", "From the whole request's arrival at the desks' front to its answer.");
        for route in &routes {
            let labels = route.labels();
            let counts = route.latencies.iter().map(|count| count.load(Relaxed));
            let mut total = 0;
            for (bound, count) in
                LATENCY_BOUNDS.iter().map(|bound| seconds(*bound)).chain(["+Inf".into()]).zip(counts)
            {
                total += count;
                let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {total}");
            }
            let _ = writeln!(out, "{name}_sum{{{labels}}} {}", seconds(route.micros.load(Relaxed)));
            let _ = writeln!(out, "{name}_count{{{labels}}} {total}");
        }
    }
}

impl RouteMetrics {
    fn labels(&self) -> String {
        format!("desk=\"{}\",method=\"{}\",route=\"{}\"", self.desk, self.method, self.path)
    }
}

fn render_store(out: &mut String, store: &Store) {
    let now = store.statistics();
    let counts = |out: &mut String, name: &str, help: &str, value: u64| {
        head(out, name, "counter", help);
        let _ = writeln!(out, "{name} {value}");
    };
    for (name, help, write, read) in [
        ("billhook_store_queue_depth", "Requests that wait for a worker.", now.write_queue, now.read_queue),
        ("billhook_store_busy_workers", "Workers at work.", now.busy_writers, now.busy_readers),
    ] {
        head(out, name, "gauge", help);
        let _ = writeln!(out, "{name}{{lane=\"write\"}} {write}\n{name}{{lane=\"read\"}} {read}");
    }
    counts(out, "billhook_store_commits_total", "Durable commits.", now.commits);
    counts(
        out,
        "billhook_store_committed_requests_total",
        "Writes that were committed.",
        now.committed_requests,
    );
    counts(
        out,
        "billhook_store_rolled_back_requests_total",
        "Writes that were rolled back.",
        now.rolled_back_requests,
    );
    counts(
        out,
        "billhook_store_retries_total",
        "Runs again after a conflict or a lost connection.",
        now.retries,
    );
    counts(
        out,
        "billhook_store_connections_opened_total",
        "Connections opened to PostgreSQL.",
        now.connections_opened,
    );
    counts(
        out,
        "billhook_store_overloads_total",
        "Requests turned away because too many waited.",
        now.overloads,
    );
    let name = "billhook_store_commit_size";
    head(out, name, "histogram", "Writes in one commit.");
    let mut total = 0;
    for (bound, count) in GROUP_SIZE_BOUNDS.iter().zip(now.group_sizes) {
        total += count;
        let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {total}");
    }
    let _ = writeln!(
        out,
        "{name}_bucket{{le=\"+Inf\"}} {}\n{name}_sum {}\n{name}_count {}",
        now.commits, now.committed_requests, now.commits
    );
}

/// How due work stands, over all tenants whose clock is the real one.
pub(crate) fn render_due_work(out: &mut String, work: &DueWorkStatistics) {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    gauge(out, "billhook_due_work_overdue", "Pieces of work whose time has come.", count(work.overdue));
    gauge(out, "billhook_due_work_failed", "Pieces of work that wait for a person.", count(work.failed));
    let name = "billhook_due_work_lag_seconds";
    head(out, name, "gauge", "For how long the oldest of the overdue pieces has waited.");
    let micros = u64::try_from(work.lag.as_micros()).unwrap_or_default();
    let _ = writeln!(out, "{name} {}", seconds(micros));
}

/// What Linux says of this process, in the customary names.
fn render_process(out: &mut String) {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    if let Some(kib) = kib {
        gauge(out, "process_resident_memory_bytes", "Resident memory.", kib * 1024);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        gauge(out, "process_open_fds", "Open files and connections.", files.count() as u64);
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn gauge(out: &mut String, name: &str, help: &str, value: u64) {
    head(out, name, "gauge", help);
    let _ = writeln!(out, "{name} {value}");
}

/// Microseconds as decimal seconds.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_in_its_classes() {
        let metrics = Metrics::new([("togai", "GET", "/customers/{id}")].into_iter());
        metrics.route(&Method::HEAD, "/customers/{id}/").count(StatusCode::OK, Duration::from_micros(500));
        metrics
            .route(&Method::PUT, "/customers/{id}")
            .count(StatusCode::IM_A_TEAPOT, Duration::from_secs(20));
        let mut out = String::new();
        metrics.render_requests(&mut out);
        let route = "desk=\"togai\",method=\"GET\",route=\"/customers/{id}\"";
        for line in [
            format!("billhook_http_requests_total{{{route},status=\"200\"}} 1"),
            format!("billhook_http_request_duration_seconds_bucket{{{route},le=\"0.00025\"}} 0"),
            format!("billhook_http_request_duration_seconds_bucket{{{route},le=\"0.0005\"}} 1"),
            format!("billhook_http_request_duration_seconds_sum{{{route}}} 0.0005"),
            "billhook_http_requests_total{desk=\"none\",method=\"-\",route=\"-\",status=\"other\"} 1"
                .to_owned(),
        ] {
            assert!(out.lines().any(|found| found == line), "{line}\n{out}");
        }
    }
}
