//! What processes use, as Linux tells it in `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// `/proc` counts CPU time in ticks of this many milliseconds (USER_HZ is 100 on Linux).
const TICK_MILLIS: u64 = 10;

/// CPU time of a process and all its descendants, ended ones included once their parent has waited for them.
pub(crate) fn cpu_of_tree(root: u32) -> Result<Duration> {
    let processes = processes()?;
    let ticks = tree(root, &processes)?.iter().map(|pid| processes[pid].ticks).sum::<u64>();
    Ok(Duration::from_millis(ticks * TICK_MILLIS))
}

/// Resident bytes of a process and all its descendants. Pages that several of them share count once (Linux'
/// proportional set size), as the backends of PostgreSQL share most of theirs.
pub(crate) fn resident_of_tree(root: u32) -> Result<u64> {
    let processes = processes()?;
    let members = tree(root, &processes)?;
    if let [alone] = members[..] {
        let status = fs::read_to_string(format!("/proc/{alone}/status"))?;
        return kilobytes(&status, "VmRSS:").context("no VmRSS");
    }
    let mut sum = 0;
    for pid in members {
        // A backend may have ended since the listing: it holds nothing any more.
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            sum += kilobytes(&text, "Pss:").unwrap_or(0);
        }
    }
    Ok(sum)
}

/// CPU time of the whole machine that was not idle.
pub(crate) fn cpu_of_machine() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let first = text.lines().next().unwrap_or("");
    Ok(Duration::from_millis(busy_ticks(first).context("/proc/stat")? * TICK_MILLIS))
}

/// Fields: user nice system idle iowait irq softirq steal (then guest times, which user already holds).
fn busy_ticks(line: &str) -> Option<u64> {
    let fields: Vec<u64> = line.strip_prefix("cpu ")?.split_whitespace().flat_map(str::parse).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = fields[..] else {
        return None;
    };
    Some(user + nice + system + irq + softirq)
}

struct Process {
    parent: u32,
    /// Own and of the children that were waited for, user and system.
    ticks: u64,
}

fn processes() -> Result<HashMap<u32, Process>> {
    let mut found = HashMap::new();
    for entry in fs::read_dir("/proc").context("/proc: this needs Linux")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ended since the listing is no loss: its parent has its time.
        if let Some(process) =
            fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|text| parse_stat(&text))
        {
            found.insert(pid, process);
        }
    }
    Ok(found)
}

/// The name of the program is in parentheses and may hold anything: fields are counted from the last one.
fn parse_stat(text: &str) -> Option<Process> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Process {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
    })
}

fn tree(root: u32, processes: &HashMap<u32, Process>) -> Result<Vec<u32>> {
    anyhow::ensure!(processes.contains_key(&root), "no process {root}");
    let mut members = vec![root];
    let mut next = 0;
    while let Some(&parent) = members.get(next) {
        members.extend(processes.iter().filter(|(_, process)| process.parent == parent).map(|(pid, _)| pid));
        next += 1;
    }
    Ok(members)
}

/// The value of a `Name: 123 kB` line, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_parentheses_in_the_name() {
        let process = parse_stat("7 (a) b (c)) S 3 7 7 0 -1 1 2 3 4 5 100 20 3 4 20 0 1").unwrap();
        assert_eq!((process.parent, process.ticks), (3, 127));
    }

    #[test]
    fn a_tree_holds_grandchildren_and_no_strangers() {
        let process = |parent| Process { parent, ticks: 1 };
        let all = HashMap::from([(1, process(0)), (2, process(1)), (3, process(2)), (4, process(1))]);
        let mut members = tree(2, &all).unwrap();
        members.sort_unstable();
        assert_eq!(members, [2, 3]);
        assert!(tree(9, &all).is_err());
    }

    #[test]
    fn own_figures_are_there() {
        let own = std::process::id();
        assert!(resident_of_tree(own).unwrap() > 100_000);
        assert!(cpu_of_tree(own).unwrap() <= cpu_of_machine().unwrap());
    }

    #[test]
    fn lines_of_kilobytes_and_of_ticks() {
        assert_eq!(kilobytes("Rss:  9 kB\nPss:   12 kB\n", "Pss:"), Some(12 * 1024));
        assert_eq!(kilobytes("Rss: 9 kB", "Pss:"), None);
        assert_eq!(busy_ticks("cpu  10 1 5 900 50 2 3 7 0 0"), Some(21));
    }
}
