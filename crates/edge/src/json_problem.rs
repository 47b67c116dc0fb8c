//! What is wrong with a JSON body, in words that name nothing of the program.

/// The parser's sentence, with JSON's words in the place of the program's types, and with the place in the body.
pub fn json_problem(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    let (what, place) = match sentence.rsplit_once(" at line ") {
        Some((what, place)) => (what, format!(" at line {place}")),
        None => (sentence.as_str(), String::new()),
    };
    format!("{}{place}", plain(what))
}

fn plain(what: &str) -> String {
    if what.starts_with("data did not match any variant") {
        return "a text, a number, true or false is expected".to_owned();
    }
    let Some((found, expected)) =
        what.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected "))
    else {
        return what.to_owned();
    };
    let expected = match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        struct_ if struct_.starts_with("struct ") || struct_ == "a map" => "an object",
        "a sequence" => "a list",
        other => other,
    };
    let found = match found {
        // The parser hands numbers with a fraction on as objects, so as to lose none of their digits.
        "map" if expected == "a whole number" => "a fraction or an object",
        "map" => "an object",
        "sequence" => "a list",
        other => other,
    };
    format!("{found} stands where {expected} is expected")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Body {
        count: Option<i64>,
        names: Option<Vec<String>>,
    }

    #[test]
    fn no_type_of_the_program_is_named() {
        let problem = |text: &str| json_problem(&serde_json::from_str::<Body>(text).err().unwrap());
        let fraction = problem(r#"{"count": 1.5}"#);
        assert!(
            fraction.ends_with("stands where a whole number is expected at line 1 column 13"),
            "{fraction}"
        );
        assert!(problem("[1]").contains("expected"));
        assert!(problem(r#"{"names": {}}"#).starts_with("an object stands where a list is expected"));
        assert!(problem("7").starts_with("integer `7` stands where an object is expected"));
        assert!(problem(r#"{"size": 1}"#).starts_with("unknown field `size`, expected `count` or `names`"));
        assert!(problem("{").starts_with("EOF while parsing"));
    }
}
