//! A desk's API document, put together from a file per resource.

use serde_json::{Map, Value, json};

/// What a document says besides its operations.
pub struct About {
    /// The desk's name for people.
    pub title: &'static str,
    /// What to know before the first call, in Markdown.
    pub description: &'static str,
    /// The security schemes by name; any one of `security` is enough for a call.
    pub security_schemes: Value,
    /// The desk's requirement, as OpenAPI writes it: alternatives, each with the schemes that go together.
    pub security: Value,
}

/// An OpenAPI 3.1 document of `parts`, each `{"paths": …, "schemas": …}`. A path or schema that two parts have is an
/// error, as is a part that is no JSON.
pub fn openapi_document(about: About, parts: &[(&str, &str)]) -> Result<Value, String> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for (name, text) in parts {
        let part: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        for (section, members) in part {
            let into = match section.as_str() {
                "paths" => &mut paths,
                "schemas" => &mut schemas,
                _ => return Err(format!("{name}: unknown section {section}")),
            };
            merge(into, members).map_err(|why| format!("{name}: {section}: {why}"))?;
        }
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "description": about.description,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "security": about.security,
        "paths": paths,
        "components": { "securitySchemes": about.security_schemes, "schemas": schemas }
    }))
}

/// Adds members. A path that is there already gets the methods that it has not.
fn merge(into: &mut Map<String, Value>, members: Value) -> Result<(), String> {
    let Value::Object(members) = members else { return Err("not an object".to_owned()) };
    for (name, member) in members {
        match (into.get_mut(&name), member) {
            (None, member) => drop(into.insert(name, member)),
            (Some(Value::Object(known)), Value::Object(more)) if name.starts_with('/') => {
                for (method, operation) in more {
                    if known.insert(method.clone(), operation).is_some() {
                        return Err(format!("{method} {name} is there twice"));
                    }
                }
            }
            (Some(known), member) if *known == member => {}
            _ => return Err(format!("{name} is there twice")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(parts: &[(&str, &str)]) -> Result<Value, String> {
        let about = About { title: "T", description: "", security_schemes: json!({}), security: json!([]) };
        openapi_document(about, parts)
    }

    #[test]
    fn parts_are_merged_and_never_overwritten() {
        let get = (
            "a",
            r#"{"paths": {"/x": {"get": {"operationId": "a"}}}, "schemas": {"A": {"type": "object"}}}"#,
        );
        let put = ("b", r#"{"paths": {"/x": {"put": {"operationId": "b"}}}}"#);
        let merged = document(&[get, put]).unwrap();
        assert_eq!(merged["paths"]["/x"]["get"]["operationId"], "a");
        assert_eq!(merged["paths"]["/x"]["put"]["operationId"], "b");
        assert!(document(&[get, ("c", r#"{"paths": {"/x": {"get": {}}}}"#)]).unwrap_err().contains("twice"));
        assert!(document(&[get, ("d", r#"{"schemas": {"A": {"type": "string"}}}"#)]).is_err());
        assert!(document(&[("e", "{")]).is_err());
    }
}
