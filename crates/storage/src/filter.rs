//! Conditions that callers make up, as SQL over a whitelist of columns.
//!
//! Texts compare byte by byte on both engines: SQLite does so by itself (LIKE by a pragma), PostgreSQL because every
//! TEXT column has the collation "C". So an index on a column serves equality, ranges and the beginning of a pattern.

use crate::{Engine, Param};
use billing::search::{Clause, Kind, Operand, Operator};
use rust_decimal::prelude::{Decimal, ToPrimitive};
use uuid::Uuid;

/// A condition with the values of its placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// SQL text.
    pub sql: String,
    values: Vec<Bound>,
}

#[derive(Clone, Debug, PartialEq)]
enum Bound {
    Text(String),
    Id(Uuid),
    Integer(i64),
    Boolean(bool),
}

impl Condition {
    /// The values of the placeholders, in order, to follow those that the query has before.
    pub fn params(&self) -> impl Iterator<Item = Param<'_>> {
        self.values.iter().map(|value| match value {
            Bound::Text(text) => Param::Text(text),
            Bound::Id(id) => Param::Uuid(*id),
            Bound::Integer(number) => Param::Integer(*number),
            Bound::Boolean(flag) => Param::Bool(*flag),
        })
    }
}

/// The condition that all clauses hold, an alternative together with the one before it. Placeholders begin at
/// `$first`.
pub fn condition(engine: Engine, clauses: &[Clause], first: usize) -> Condition {
    let mut builder = Builder { engine, first, values: Vec::new() };
    let mut groups: Vec<Vec<String>> = Vec::new();
    for clause in clauses {
        let sql = builder.clause(clause);
        match groups.last_mut() {
            Some(group) if clause.is_alternative => group.push(sql),
            _ => groups.push(vec![sql]),
        }
    }
    let joined = |group: Vec<String>| {
        if group.len() == 1 { group.concat() } else { format!("({})", group.join(" OR ")) }
    };
    let sql = groups.into_iter().map(joined).collect::<Vec<_>>().join(" AND ");
    Condition { sql, values: builder.values }
}

struct Builder {
    engine: Engine,
    first: usize,
    values: Vec<Bound>,
}

const NEVER: &str = "1 = 0";
const ALWAYS: &str = "1 = 1";

impl Builder {
    fn bind(&mut self, value: Bound) -> String {
        self.values.push(value);
        format!("${}", self.first + self.values.len() - 1)
    }

    fn clause(&mut self, clause: &Clause) -> String {
        let Clause { column, operator, operand, .. } = clause;
        let stored = column.stored;
        match operand {
            Operand::Nothing => NEVER.to_owned(),
            Operand::Text(pattern) if *operator == Operator::Like => match column.kind {
                Kind::Text => self.like(stored, pattern),
                Kind::Id => self.like(&id_text(self.engine, stored), pattern),
                _ => self.like(&format!("CAST({stored} AS TEXT)"), pattern),
            },
            // No id, so it is none of them; the others compare as texts do.
            Operand::Text(_) if column.kind == Kind::Id && *operator == Operator::Equal => NEVER.to_owned(),
            Operand::Text(text) if column.kind == Kind::Id => {
                self.compare(&id_text(self.engine, stored), *operator, Bound::Text(text.to_lowercase()))
            }
            Operand::Text(text) => self.compare(stored, *operator, Bound::Text(text.clone())),
            Operand::Id(id) => self.compare(stored, *operator, Bound::Id(*id)),
            Operand::Integer(number) => self.compare(stored, *operator, Bound::Integer(*number)),
            Operand::Boolean(flag) => self.compare(stored, *operator, Bound::Boolean(*flag)),
            Operand::Instant(at) => self.instant(stored, *operator, at.as_millisecond()),
            Operand::Money(amount) => self.money(stored, *operator, *amount),
        }
    }

    fn compare(&mut self, expression: &str, operator: Operator, value: Bound) -> String {
        let bound = self.bind(value);
        format!("{expression} {} {bound}", sign(operator))
    }

    /// Besides the pattern itself, bounds on what can begin so: those an index serves on both engines.
    fn like(&mut self, expression: &str, pattern: &str) -> String {
        let (pattern, prefix) = parse_pattern(pattern);
        let mut sql = String::new();
        if !prefix.is_empty() {
            if let Some(end) = successor(&prefix) {
                let bound = self.bind(Bound::Text(end));
                sql = format!("{expression} < {bound} AND ");
            }
            let bound = self.bind(Bound::Text(prefix));
            sql = format!("{expression} >= {bound} AND {sql}");
        }
        let bound = self.bind(Bound::Text(pattern));
        format!("{sql}{expression} LIKE {bound} ESCAPE '\\'")
    }

    /// Instants are kept to the microsecond and shown to the millisecond: what is shown is what compares.
    fn instant(&mut self, stored: &str, operator: Operator, millis: i64) -> String {
        let begin = Bound::Integer(millis.saturating_mul(1000));
        let end = Bound::Integer(millis.saturating_add(1).saturating_mul(1000));
        let mut side = |sign: &str, value: Bound| format!("{stored} {sign} {}", self.bind(value));
        match operator {
            Operator::Greater => side(">=", end),
            Operator::GreaterOrEqual => side(">=", begin),
            Operator::Less => side("<", begin),
            Operator::LessOrEqual => side("<", end),
            Operator::NotEqual => format!("({} OR {})", side("<", begin), side(">=", end)),
            Operator::Equal | Operator::Like => format!("{} AND {}", side(">=", begin), side("<", end)),
        }
    }

    /// An amount in the row's own currency. Rows where nothing is owed are no candidates for most questions, which
    /// lets an index of the others serve.
    fn money(&mut self, stored: &str, operator: Operator, amount: Decimal) -> String {
        let by_digits = CURRENCIES_BY_DIGITS.iter().map(|(digits, codes)| {
            let branch = self.minor(stored, operator, amount, *digits);
            format!("WHEN currency IN ({codes}) THEN {branch}")
        });
        let branches = by_digits.collect::<Vec<_>>().join(" ");
        let usual = self.minor(stored, operator, amount, USUAL_DIGITS);
        let exact = format!("CASE {branches} ELSE {usual} END");
        let zero = Decimal::ZERO;
        let side = match operator {
            Operator::Equal if amount > zero => Some(">"),
            Operator::Equal if amount < zero => Some("<"),
            Operator::Greater if amount >= zero => Some(">"),
            Operator::GreaterOrEqual if amount > zero => Some(">"),
            Operator::Less if amount <= zero => Some("<"),
            Operator::LessOrEqual if amount < zero => Some("<"),
            _ => None,
        };
        match side {
            Some(side) => format!("{stored} <> 0 AND {stored} {side} 0 AND {exact}"),
            None => exact,
        }
    }

    /// The comparison of minor units with an amount that may lie between two of them.
    fn minor(&mut self, stored: &str, operator: Operator, amount: Decimal, digits: u32) -> String {
        let scale = Decimal::from(10_u64.pow(digits));
        let never = if operator == Operator::NotEqual { ALWAYS } else { NEVER };
        let Some(minor) = amount.checked_mul(scale) else {
            return self.beyond(operator, amount).to_owned();
        };
        let rounded = match operator {
            Operator::Greater | Operator::LessOrEqual => minor.floor(),
            Operator::GreaterOrEqual | Operator::Less => minor.ceil(),
            _ if minor.fract().is_zero() => minor,
            _ => return never.to_owned(),
        };
        match rounded.to_i64() {
            Some(value) => self.compare(stored, operator, Bound::Integer(value)),
            None => self.beyond(operator, amount).to_owned(),
        }
    }

    /// The comparison with an amount that no row can have.
    fn beyond(&self, operator: Operator, amount: Decimal) -> &'static str {
        let is_high = amount > Decimal::ZERO;
        match operator {
            Operator::NotEqual => ALWAYS,
            Operator::Less | Operator::LessOrEqual if is_high => ALWAYS,
            Operator::Greater | Operator::GreaterOrEqual if !is_high => ALWAYS,
            _ => NEVER,
        }
    }
}

/// Decimals of amounts in most currencies, and of accounts without one.
const USUAL_DIGITS: u32 = 2;

/// The currencies whose amounts have other decimals; a test compares the list with all currencies.
const CURRENCIES_BY_DIGITS: &[(u32, &str)] = &[
    (
        0,
        "'BIF', 'BYR', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', \
         'XAF', 'XOF', 'XPF'",
    ),
    (3, "'BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'"),
    (4, "'CLF', 'UYW'"),
    (8, "'BTC'"),
];

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal | Operator::Like => "=",
        Operator::NotEqual => "<>",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
    }
}

/// An id as callers write it.
fn id_text(engine: Engine, column: &str) -> String {
    match engine {
        Engine::Postgres => format!("CAST({column} AS TEXT) COLLATE \"C\""),
        Engine::Sqlite => {
            let part = |from: u32, length: u32| format!("substr(hex({column}), {from}, {length})");
            let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)];
            format!("CASE WHEN {column} IS NOT NULL THEN lower({}) END", parts.join(" || '-' || "))
        }
    }
}

/// A pattern in which every `\` stands before a character that it makes literal, and the literal text it begins with.
fn parse_pattern(pattern: &str) -> (String, String) {
    let (mut normal, mut prefix) = (String::with_capacity(pattern.len()), String::new());
    let mut in_prefix = true;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let literal = match character {
            '\\' => Some(characters.next_if(|next| matches!(next, '%' | '_' | '\\')).unwrap_or('\\')),
            '%' | '_' => None,
            other => Some(other),
        };
        match literal {
            Some(literal) => {
                if matches!(literal, '%' | '_' | '\\') {
                    normal.push('\\');
                }
                normal.push(literal);
                if in_prefix {
                    prefix.push(literal);
                }
            }
            None => {
                normal.push(character);
                in_prefix = false;
            }
        }
    }
    (normal, prefix)
}

/// The least text above all that begin with `prefix`; none when there is no higher character.
fn successor(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The step over the surrogates, which are no characters.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing::Currency;
    use billing::search::Column;

    static NAME: Column = Column { name: "name", stored: "name", kind: Kind::Text };
    static BALANCE: Column = Column { name: "balance", stored: "balance_minor", kind: Kind::Money };
    static AT: Column = Column { name: "created_date", stored: "created_at", kind: Kind::Instant };

    fn clause(column: &'static Column, operator: Operator, operand: Operand) -> Clause {
        Clause { column, operator, operand, is_alternative: false }
    }

    fn text(value: &str) -> Operand {
        Operand::Text(value.to_owned())
    }

    #[test]
    fn the_beginning_of_a_pattern_becomes_a_range() {
        let like = clause(&NAME, Operator::Like, text("Jo\\_h%n"));
        let made = condition(Engine::Sqlite, &[like], 2);
        assert_eq!(made.sql, "name >= $3 AND name < $2 AND name LIKE $4 ESCAPE '\\'");
        let params: Vec<_> = made.params().collect();
        assert_eq!(params, [Param::Text("Jo_i"), Param::Text("Jo_h"), Param::Text("Jo\\_h%n")]);
    }

    #[test]
    fn a_backslash_at_the_end_is_a_backslash() {
        assert_eq!(parse_pattern("a\\"), ("a\\\\".to_owned(), "a\\".to_owned()));
        assert_eq!(parse_pattern("a\\b%"), ("a\\\\b%".to_owned(), "a\\b".to_owned()));
        assert_eq!(parse_pattern("%a"), ("%a".to_owned(), String::new()));
    }

    #[test]
    fn successors_are_higher_than_everything_with_the_prefix() {
        assert_eq!(successor("ab").as_deref(), Some("ac"));
        assert_eq!(successor("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(successor("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(successor("\u{10FFFF}"), None);
    }

    #[test]
    fn alternatives_join_the_clause_before() {
        let either = Clause { is_alternative: true, ..clause(&NAME, Operator::Equal, text("b")) };
        let clauses =
            [clause(&NAME, Operator::NotEqual, text("x")), clause(&NAME, Operator::Equal, text("a")), either];
        let made = condition(Engine::Postgres, &clauses, 1);
        assert_eq!(made.sql, "name <> $1 AND (name = $2 OR name = $3)");
    }

    #[test]
    fn instants_compare_as_they_are_shown() {
        let at = Operand::Instant("2024-01-01T00:00:00.123456Z".parse().unwrap());
        let made = condition(Engine::Sqlite, &[clause(&AT, Operator::Equal, at)], 1);
        assert_eq!(made.sql, "created_at >= $1 AND created_at < $2");
        let params: Vec<_> = made.params().collect();
        assert_eq!(params, [Param::Integer(1_704_067_200_123_000), Param::Integer(1_704_067_200_124_000)]);
    }

    #[test]
    fn amounts_between_two_minor_units_round_to_the_side_that_holds() {
        let minor = |operator, amount: &str| {
            let clause = clause(&BALANCE, operator, Operand::Money(amount.parse().unwrap()));
            let made = condition(Engine::Sqlite, &[clause], 1);
            let usual = made.sql.rsplit("ELSE ").next().unwrap().trim_end_matches(" END").to_owned();
            let last = made.params().last();
            (usual.split(" $").next().unwrap().to_owned(), last.map(|param| format!("{param:?}")))
        };
        let is = |sql: &str, value: i64| (sql.to_owned(), Some(format!("{:?}", Param::Integer(value))));
        assert_eq!(minor(Operator::Greater, "1.005"), is("balance_minor >", 100));
        assert_eq!(minor(Operator::GreaterOrEqual, "1.005"), is("balance_minor >=", 101));
        assert_eq!(minor(Operator::Less, "1.005"), is("balance_minor <", 101));
        assert_eq!(minor(Operator::LessOrEqual, "-1.005"), is("balance_minor <=", -101));
        assert_eq!(minor(Operator::Equal, "1.5"), is("balance_minor =", 150));
        assert_eq!(minor(Operator::Equal, "1.505").0, NEVER);
        assert_eq!(minor(Operator::NotEqual, "1.505").0, ALWAYS);
        assert_eq!(minor(Operator::Greater, "99999999999999999999").0, NEVER);
        assert_eq!(minor(Operator::Less, "99999999999999999999").0, ALWAYS);
    }

    #[test]
    fn the_list_of_unusual_currencies_is_complete() {
        let letters = || (b'A'..=b'Z').map(char::from);
        for code in letters()
            .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| String::from_iter([a, b, c]))))
        {
            let listed = CURRENCIES_BY_DIGITS.iter().find(|(_, codes)| codes.contains(&format!("'{code}'")));
            let digits = Currency::known(&code).map(Currency::minor_digits);
            match digits {
                Some(USUAL_DIGITS) | None => assert!(listed.is_none(), "{code} is listed"),
                Some(digits) => assert_eq!(listed.map(|(listed, _)| *listed), Some(digits), "{code}"),
            }
        }
    }
}
