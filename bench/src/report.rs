//! The table, in Markdown that also reads well on a terminal.

use std::time::Duration;

use crate::load::Outcome;
use crate::measure::{Figures, Surroundings};

/// Column titles; a second server adds its own and the ratios.
pub(crate) fn titles(two: bool) -> Vec<String> {
    const NAMES: [&str; 9] = [
        "requests/s",
        "p50 ms",
        "p99 ms",
        "CPU µs/request",
        "resident MB",
        "bytes/answer",
        "errors",
        "non-2xx",
        "wrong",
    ];
    let mut titles = vec!["operation".to_owned()];
    for name in NAMES {
        titles.push(name.to_owned());
        if two {
            titles.push("vs".to_owned());
        }
        if two && matches!(name, "requests/s" | "CPU µs/request") {
            titles.push("ratio".to_owned());
        }
    }
    titles
}

/// One operation; `figures` holds one or two servers.
pub(crate) fn row(operation: &str, figures: &[Figures]) -> Vec<String> {
    let mut row = vec![operation.to_owned()];
    let mut cells = |show: &dyn Fn(&Figures) -> String| row.extend(figures.iter().map(show));
    cells(&|figures| whole(rate(&figures.outcome)));
    if let [one, two] = figures {
        cells_ratio(&mut row, Some(rate(&one.outcome)), Some(rate(&two.outcome)));
    }
    let mut cells = |show: &dyn Fn(&Figures) -> String| row.extend(figures.iter().map(show));
    cells(&|figures| millis(figures.outcome.latencies.percentile(500)));
    cells(&|figures| millis(figures.outcome.latencies.percentile(990)));
    cells(&cpu_cell);
    if let [one, two] = figures {
        // Turned round, so that a ratio above 1 is in favour of the first server in both columns.
        cells_ratio(&mut row, cpu_total(two), cpu_total(one));
    }
    let mut cells = |show: &dyn Fn(&Figures) -> String| row.extend(figures.iter().map(show));
    cells(&resident_cell);
    cells(&|figures| whole(per_answer(figures.outcome.body_bytes as f64, &figures.outcome)));
    cells(&|figures| figures.outcome.errors.to_string());
    cells(&|figures| non_2xx(&figures.outcome).to_string());
    cells(&|figures| wrong(&figures.outcome).to_string());
    row
}

/// What the counts of bad answers were, one line each.
pub(crate) fn details(operation: &str, url: &str, outcome: &Outcome) -> Vec<String> {
    let statuses = outcome.other_statuses.iter().map(|(status, count)| format!("status {status}: {count}"));
    let errors = outcome.error_examples.iter().map(|(text, count)| format!("{text}: {count}"));
    let unlike = (outcome.wrong > 0)
        .then(|| format!("right status, but not what was asked for in the answer: {}", outcome.wrong));
    statuses.chain(errors).chain(unlike).map(|text| format!("{operation} on {url}: {text}")).collect()
}

/// How far the figures can be trusted.
pub(crate) fn surroundings(around: &Surroundings, cores: usize) -> String {
    let own = if around.answers == 0 {
        "-".to_owned()
    } else {
        format!("{:.1}", micros(around.own) / around.answers as f64)
    };
    let others = around.others.map_or("not known, as --pid is not given".to_owned(), |others| {
        let share = others.as_secs_f64() / around.elapsed.as_secs_f64() / cores as f64;
        format!("{:.0} % of {cores} cores", share * 100.0)
    });
    format!(
        "The load generator used {own} µs CPU per request on the same machine; other processes and the kernel: {others}."
    )
}

/// Pads the cells so that the columns stand under each other.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            text += &if column == 0 { format!("| {cell:<width$} ") } else { format!("| {cell:>width$} ") };
        }
        text += "|\n";
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                text += &format!("|{}{}", "-".repeat(width + 1), if column == 0 { "-" } else { ":" });
            }
            text += "|\n";
        }
    }
    text
}

/// Right answers per second.
fn rate(outcome: &Outcome) -> f64 {
    if outcome.elapsed.is_zero() { 0.0 } else { outcome.in_time as f64 / outcome.elapsed.as_secs_f64() }
}

/// Answers outside 200–299.
fn non_2xx(outcome: &Outcome) -> u64 {
    outcome
        .other_statuses
        .iter()
        .filter(|(status, _)| !(200..300).contains(*status))
        .map(|(_, count)| count)
        .sum()
}

/// Answers within 200–299 that still are not the right one.
fn wrong(outcome: &Outcome) -> u64 {
    outcome.other_statuses.values().sum::<u64>() - non_2xx(outcome) + outcome.wrong
}

fn cells_ratio(row: &mut Vec<String>, one: Option<f64>, two: Option<f64>) {
    row.push(match (one, two) {
        (Some(one), Some(two)) if two > 0.0 => format!("{:.1}×", one / two),
        _ => "-".to_owned(),
    });
}

fn per_answer(sum: f64, outcome: &Outcome) -> f64 {
    if outcome.answers == 0 { 0.0 } else { sum / outcome.answers as f64 }
}

/// CPU per answer of server and database together, in microseconds.
fn cpu_total(figures: &Figures) -> Option<f64> {
    let cpu = figures.server.cpu? + figures.database.cpu.unwrap_or_default();
    Some(per_answer(micros(cpu), &figures.outcome))
}

/// `server` or `server+database`.
fn cpu_cell(figures: &Figures) -> String {
    let each = |cpu: Duration| whole(per_answer(micros(cpu), &figures.outcome));
    pair(figures.server.cpu.map(each), figures.database.cpu.map(each))
}

fn resident_cell(figures: &Figures) -> String {
    let each = |bytes: u64| whole(bytes as f64 / 1e6);
    pair(figures.server.resident.map(each), figures.database.resident.map(each))
}

fn pair(server: Option<String>, database: Option<String>) -> String {
    match (server, database) {
        (None, None) => "-".to_owned(),
        (server, None) => server.unwrap_or_default(),
        (server, Some(database)) => format!("{}+{database}", server.unwrap_or_else(|| "?".to_owned())),
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Two digits after the point below ten, fewer above.
fn millis(micros: Option<u64>) -> String {
    match micros {
        None => "-".to_owned(),
        Some(micros) if micros < 10_000 => format!("{:.2}", micros as f64 / 1000.0),
        Some(micros) if micros < 100_000 => format!("{:.1}", micros as f64 / 1000.0),
        Some(micros) => whole(micros as f64 / 1000.0),
    }
}

/// Rounded, with thousands set apart.
fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Usage;
    use std::collections::BTreeMap;

    fn figures(answers: u64, seconds: u64) -> Figures {
        let mut outcome = Outcome::new();
        (outcome.answers, outcome.in_time, outcome.elapsed) =
            (answers, answers, Duration::from_secs(seconds));
        for _ in 0..answers {
            outcome.latencies.record(Duration::from_micros(18_000));
        }
        let usage = Usage { cpu: Some(Duration::from_secs(1)), resident: Some(50_000_000) };
        Figures { outcome, server: usage, database: usage }
    }

    #[test]
    fn a_row_has_a_cell_for_each_title() {
        assert_eq!(row("get", &[figures(10, 1)]).len(), titles(false).len());
        assert_eq!(row("get", &[figures(10, 1), figures(5, 1)]).len(), titles(true).len());
    }

    #[test]
    fn ratios_favour_the_first_server() {
        let row = row("get", &[figures(2000, 1), figures(1000, 2)]);
        assert_eq!(row[1..4], ["2,000", "500", "4.0×"]);
        assert_eq!(row[8..11], ["500+500", "1,000+1,000", "2.0×"]);
        assert_eq!(row[11], "50+50");
    }

    #[test]
    fn no_answers_make_no_figures() {
        let mut none = figures(0, 1);
        none.server = Usage::default();
        none.database = Usage::default();
        let row = row("get", &[none]);
        assert_eq!(row[1..6], ["0", "-", "-", "-", "-"]);
    }

    #[test]
    fn bad_answers_are_never_hidden() {
        let mut outcome = Outcome::new();
        outcome.other_statuses = BTreeMap::from([(200, 2), (401, 3), (500, 4)]);
        outcome.wrong = 5;
        assert_eq!((non_2xx(&outcome), wrong(&outcome)), (7, 7));
        assert_eq!(
            details("create", "http://x", &outcome),
            [
                "create on http://x: status 200: 2",
                "create on http://x: status 401: 3",
                "create on http://x: status 500: 4",
                "create on http://x: right status, but not what was asked for in the answer: 5",
            ]
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            (whole(1234567.4), whole(999.5), whole(0.0)),
            ("1,234,567".into(), "1,000".into(), "0".into())
        );
        assert_eq!(
            (millis(Some(1_234)), millis(Some(65_000)), millis(Some(188_000))),
            ("1.23".into(), "65.0".into(), "188".into())
        );
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["a".to_owned(), "µs".to_owned()], vec!["long".to_owned(), "1".to_owned()]];
        assert_eq!(table(&rows), "| a    | µs |\n|------|---:|\n| long |  1 |\n");
    }
}
