//! What a caller searches for: conditions on columns, joined by "and", some by "or".

use crate::Refusal;
use crate::time::parse_instant;
use jiff::Timestamp;
use rust_decimal::Decimal;
use uuid::Uuid;

/// What a column holds, and so what it can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text; compared byte by byte.
    Text,
    /// An id; compared as its text.
    Id,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// An instant; compared to the millisecond, as it is shown.
    Instant,
    /// An amount in the currency of its row.
    Money,
}

/// A column that can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// What callers call it.
    pub name: &'static str,
    /// What the storage calls it.
    pub stored: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// How a column is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Like,
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A text, a pattern, or a part of an id.
    Text(String),
    /// A whole id.
    Id(Uuid),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// An instant.
    Instant(Timestamp),
    /// An amount.
    Money(Decimal),
    /// Nothing: no row matches, as SQL has it of NULL.
    Nothing,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The column.
    pub column: &'static Column,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub operand: Operand,
    /// Whether it is enough that this clause holds, or the one before it; else both must.
    pub is_alternative: bool,
}

/// Most clauses of one search.
const CLAUSES_LIMIT: usize = 50;

/// Longest value, in characters: longer than any text that is kept.
const VALUE_LIMIT: usize = 4096;

/// Reads `column[operator]=value&column=value…`. A value reaches to the next `&`; the operator is `eq` when absent.
/// `and` compares as `eq`; `or` as well, and joins its clause with the one before it. An empty value of a column that
/// is no text, and a clause without `=`, match nothing. As at Kill Bill, a clause on a column that there is not is passed
/// over beside others.
pub fn parse(text: &str, columns: &'static [Column]) -> Result<Vec<Clause>, Refusal> {
    let clauses = text
        .split('&')
        .filter(|part| !part.is_empty())
        .filter_map(|part| clause(part, columns).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    match clauses.len() {
        0 if !text.trim_matches('&').is_empty() => {
            Err(Refusal::invalid("searchKey", "has conditions on unknown columns alone"))
        }
        0 => Err(Refusal::invalid("searchKey", "needs a condition, such as name=John")),
        1..=CLAUSES_LIMIT => Ok(clauses),
        _ => Err(Refusal::invalid("searchKey", format!("has more than {CLAUSES_LIMIT} conditions"))),
    }
}

/// A condition; none on a column that there is not.
fn clause(part: &str, columns: &'static [Column]) -> Result<Option<Clause>, Refusal> {
    let (left, value) = match part.split_once('=') {
        Some((left, value)) => (left, Some(value)),
        None => (part, None),
    };
    let (name, operator, is_alternative) = match left.split_once('[') {
        None => (left, Operator::Equal, false),
        Some((name, rest)) => {
            let (operator, is_alternative) = rest
                .strip_suffix(']')
                .and_then(operator)
                .ok_or_else(|| Refusal::invalid("searchKey", format!("has an unknown operator: {left}")))?;
            (name, operator, is_alternative)
        }
    };
    let Some(column) = columns.iter().find(|column| column.name == name) else {
        return Ok(None);
    };
    let operand = value.map_or(Ok(Operand::Nothing), |value| operand(column, operator, value))?;
    Ok(Some(Clause { column, operator, operand, is_alternative }))
}

/// The operator of this name, in any case, and whether it joins by "or".
fn operator(name: &str) -> Option<(Operator, bool)> {
    let plain = |operator| Some((operator, false));
    match name.to_ascii_lowercase().as_str() {
        "eq" | "and" => plain(Operator::Equal),
        "or" => Some((Operator::Equal, true)),
        "neq" => plain(Operator::NotEqual),
        "gt" => plain(Operator::Greater),
        "gte" => plain(Operator::GreaterOrEqual),
        "lt" => plain(Operator::Less),
        "lte" => plain(Operator::LessOrEqual),
        "like" => plain(Operator::Like),
        _ => None,
    }
}

fn operand(column: &Column, operator: Operator, value: &str) -> Result<Operand, Refusal> {
    let refuse = |what: &str| {
        let name = column.name;
        Err(Refusal::invalid("searchKey", format!("compares {name} with {value}, which is not {what}")))
    };
    if value.chars().count() > VALUE_LIMIT || value.chars().any(|c| c == '\0') {
        return Err(Refusal::invalid(
            "searchKey",
            format!("has a value for {} that no text is", column.name),
        ));
    }
    let text = || Operand::Text(value.to_owned());
    match (column.kind, operator) {
        (Kind::Text, _) | (Kind::Id | Kind::Integer, Operator::Like) => Ok(text()),
        (_, Operator::Like) => {
            Err(Refusal::invalid("searchKey", format!("compares {} by like: it is no text", column.name)))
        }
        _ if value.is_empty() => Ok(Operand::Nothing),
        (Kind::Id, _) => Ok(Uuid::parse_str(value).map_or_else(|_| text(), Operand::Id)),
        (Kind::Integer, _) => value.parse().map(Operand::Integer).or_else(|_| refuse("a whole number")),
        (Kind::Boolean, _) => match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Operand::Boolean(true)),
            "false" | "0" => Ok(Operand::Boolean(false)),
            _ => refuse("true or false"),
        },
        (Kind::Instant, _) => {
            parse_instant(value).map_or_else(|| refuse("a date or date-time"), |at| Ok(Operand::Instant(at)))
        }
        (Kind::Money, _) => {
            value.parse().map_or_else(|_| refuse("an amount"), |amount| Ok(Operand::Money(amount)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    static COLUMNS: &[Column] = &[
        Column { name: "id", stored: "id", kind: Kind::Id },
        Column { name: "name", stored: "name", kind: Kind::Text },
        Column { name: "day", stored: "day", kind: Kind::Integer },
        Column { name: "migrated", stored: "is_migrated", kind: Kind::Boolean },
        Column { name: "created_date", stored: "created_at", kind: Kind::Instant },
        Column { name: "balance", stored: "balance_minor", kind: Kind::Money },
    ];

    type Parsed = (&'static str, Operator, Operand, bool);

    fn parsed(text: &str) -> Result<Vec<Parsed>, Refusal> {
        let clauses = parse(text, COLUMNS)?;
        Ok(clauses.into_iter().map(|c| (c.column.name, c.operator, c.operand, c.is_alternative)).collect())
    }

    #[test]
    fn clauses_have_columns_operators_and_values() {
        let text = |value: &str| Operand::Text(value.to_owned());
        let cases: &[(&str, Vec<Parsed>)] = &[
            ("name=John Doe", vec![("name", Operator::Equal, text("John Doe"), false)]),
            ("name[LIKE]=Jo%", vec![("name", Operator::Like, text("Jo%"), false)]),
            ("name=a=b", vec![("name", Operator::Equal, text("a=b"), false)]),
            ("name=", vec![("name", Operator::Equal, text(""), false)]),
            ("name", vec![("name", Operator::Equal, Operand::Nothing, false)]),
            ("day[gte]=", vec![("day", Operator::GreaterOrEqual, Operand::Nothing, false)]),
            ("migrated=TRUE", vec![("migrated", Operator::Equal, Operand::Boolean(true), false)]),
            ("id[neq]=x", vec![("id", Operator::NotEqual, text("x"), false)]),
            (
                "balance[lt]=-1.5",
                vec![("balance", Operator::Less, Operand::Money(Decimal::new(-15, 1)), false)],
            ),
            (
                "&&day[gt]=3&name[or]=Ann",
                vec![
                    ("day", Operator::Greater, Operand::Integer(3), false),
                    ("name", Operator::Equal, text("Ann"), true),
                ],
            ),
        ];
        for (key, expected) in cases {
            assert_eq!(parsed(key).as_ref(), Ok(expected), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let many = "name=a&".repeat(51);
        let long = format!("name={}", "x".repeat(4097));
        let wrong = [
            "",
            "&",
            "color=red",
            "NAME=a",
            "name[is]=a",
            "name[eq=a",
            "name[]=a",
            "day=x",
            "day=1.5",
            "migrated=maybe",
            "created_date=soon",
            "created_date[like]=2020%",
            "balance=ten",
            "name=a\0b",
            &many,
            &long,
            "day=99999999999999999999",
            "name[eq]x=a",
        ];
        for key in wrong {
            assert!(parsed(key).is_err(), "{key}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = parse(&text, COLUMNS);
        }

        #[test]
        fn what_looks_like_a_search_never_panics(
            parts in prop::collection::vec(("(id|name|day|migrated|created_date|balance|x)", "(\\[[a-zA-Z]{0,5}\\]?)?",
                "(=.{0,40})?"), 0..8)
        ) {
            let parts: Vec<String> = parts.into_iter().map(|(a, b, c)| format!("{a}{b}{c}")).collect();
            if let Ok(clauses) = parse(&parts.join("&"), COLUMNS) {
                prop_assert!(!clauses.is_empty());
                prop_assert!(clauses.len() <= CLAUSES_LIMIT);
            }
        }

        #[test]
        fn every_value_without_an_ampersand_is_taken_whole(value in "[^&\0]{0,100}") {
            let clauses = parse(&format!("name={value}"), COLUMNS).unwrap();
            prop_assert_eq!(&clauses[0].operand, &Operand::Text(value));
        }
    }
}
