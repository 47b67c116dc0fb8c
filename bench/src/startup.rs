//! How long a server takes from its start to its first answer.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::http;
use crate::procfs;

const PATIENCE: Duration = Duration::from_secs(60);

/// One start.
struct Start {
    to_first_answer: Duration,
    /// Bytes resident after the first answer.
    resident: u64,
}

/// Starts `BINARY serve` so many times on one database and prints the times. The first start may have to make the
/// schema, so it is told apart.
pub(crate) fn startup(binary: &Path, database: &str, runs: usize) -> Result<()> {
    let first = start(binary, database)?;
    println!("first start (makes the schema where there is none): {} ms", millis(first.to_first_answer));
    let mut starts = (0..runs).map(|_| start(binary, database)).collect::<Result<Vec<_>>>()?;
    ensure!(!starts.is_empty(), "--runs must be at least 1");
    starts.sort_by_key(|start| start.to_first_answer);
    let (min, median, max) = spread(&starts);
    println!(
        "{runs} starts, spawn to first 200 of /healthz: min {} ms, median {} ms, max {} ms",
        millis(min.to_first_answer),
        millis(median.to_first_answer),
        millis(max.to_first_answer)
    );
    starts.sort_by_key(|start| start.resident);
    let (min, median, max) = spread(&starts);
    let megabytes = |start: &Start| format!("{:.1}", start.resident as f64 / 1e6);
    println!(
        "resident after that answer: min {} MB, median {} MB, max {} MB",
        megabytes(min),
        megabytes(median),
        megabytes(max)
    );
    Ok(())
}

/// Of a sorted slice that is not empty; the median is the lower one of an even number.
fn spread<T>(sorted: &[T]) -> (&T, &T, &T) {
    (&sorted[0], &sorted[(sorted.len() - 1) / 2], &sorted[sorted.len() - 1])
}

fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

/// A server that is ended with this value, whatever happens in between.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(binary: &Path, database: &str) -> Result<Start> {
    let mut command = Command::new(binary);
    command.args(["serve", "--force", "--listen", "127.0.0.1:0", "--database", database]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let spawned = Instant::now();
    let mut running = Running(command.spawn().with_context(|| binary.display().to_string())?);
    let output = running.0.stdout.take().context("no output")?;
    let mut lines = BufReader::new(output).lines();
    let address = loop {
        let Some(line) = lines.next() else {
            bail!("it ended before it listened; see why with: {command:?}");
        };
        if let Some(address) = listening(&line?)? {
            break address;
        }
    };
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    // Whoever listens may still answer 503 for a moment: only a 200 counts.
    while http::call(address, request.as_bytes(), PATIENCE)?.0 != 200 {
        ensure!(spawned.elapsed() < PATIENCE, "no 200 from /healthz within {PATIENCE:?}");
    }
    let to_first_answer = spawned.elapsed();
    let resident = procfs::resident_of_tree(running.0.id())?;
    terminate(running)?;
    Ok(Start { to_first_answer, resident })
}

/// Asks it to end in order, so that the next start finds nothing to recover.
fn terminate(mut running: Running) -> Result<()> {
    let pid = running.0.id().to_string();
    ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "kill -TERM {pid} failed");
    running.0.wait()?;
    Ok(())
}

/// The address in `listening on http://127.0.0.1:PORT`.
fn listening(line: &str) -> Result<Option<SocketAddr>> {
    let Some((_, url)) = line.split_once("listening on http://") else {
        return Ok(None);
    };
    let address = url.split([' ', '/']).next().unwrap_or("");
    Ok(Some(address.parse().with_context(|| line.to_owned())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_recognised() {
        let address = listening("listening on http://127.0.0.1:41234").unwrap();
        assert_eq!(address, Some("127.0.0.1:41234".parse().unwrap()));
        assert_eq!(listening("admin password: x").unwrap(), None);
        assert!(listening("listening on http://somewhere").is_err());
    }

    #[test]
    fn the_median_is_the_lower_middle() {
        assert_eq!(spread(&[1]), (&1, &1, &1));
        assert_eq!(spread(&[1, 2, 3, 4]), (&1, &2, &4));
        assert_eq!(spread(&[1, 2, 3, 4, 5]), (&1, &3, &5));
    }
}
