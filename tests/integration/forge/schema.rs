//! A small judge of JSON by a JSON Schema: the keywords that `docs` uses, and a failure for any other, so that none is
//! passed over in silence.

use std::fs;

use serde_json::{Map, Value};

/// The schema in `docs` of what a command prints with `--json`.
pub fn of(command: &str) -> Value {
    let path = format!("{}/docs/{command}.schema.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Checks the output of a command with `--json` against its schema.
#[track_caller]
pub fn check(command: &str, output: &[u8]) -> Value {
    let json = serde_json::from_slice(output).unwrap();
    assert_eq!(faults(&of(command), &json), [""; 0], "{json:#}");
    json
}

/// Everything that is wrong with `value`, each with its place.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut judge = Judge {
        root: schema,
        faults: Vec::new(),
    };
    judge.judge(schema, value, "$");
    judge.faults
}

struct Judge<'a> {
    root: &'a Value,
    faults: Vec<String>,
}

impl Judge<'_> {
    fn judge(&mut self, schema: &Value, value: &Value, at: &str) {
        let rules = match schema {
            Value::Bool(true) => return,
            Value::Object(rules) => rules,
            _ => return self.fault(at, "nothing may be here"),
        };
        for (keyword, rule) in rules {
            self.apply(rules, keyword, rule, value, at);
        }
    }

    fn apply(
        &mut self,
        rules: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        at: &str,
    ) {
        match keyword {
            "$ref" => {
                let pointer = rule.as_str().and_then(|text| text.strip_prefix('#'));
                match pointer.and_then(|pointer| self.root.pointer(pointer)) {
                    Some(schema) => self.judge(&schema.clone(), value, at),
                    None => self.fault(at, &format!("the schema has no {rule}")),
                }
            }
            "type" if !types(rule).any(|name| is_a(value, name)) => {
                self.fault(at, &format!("{value} is not {rule}"));
            }
            "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                self.fault(at, &format!("{value} is none of {rule}"));
            }
            "const" if rule != value => self.fault(at, &format!("{value} is not {rule}")),
            "required" => {
                let Some(object) = value.as_object() else {
                    return;
                };
                for name in rule
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                {
                    if !object.contains_key(name) {
                        self.fault(at, &format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in rule.as_object().into_iter().flatten() {
                    if let Some(value) = value.get(name) {
                        self.judge(schema, value, &format!("{at}.{name}"));
                    }
                }
            }
            "additionalProperties" => {
                let known = rules.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if !known.is_some_and(|known| known.contains_key(name)) {
                        self.judge(rule, value, &format!("{at}.{name}"));
                    }
                }
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.judge(rule, item, &format!("{at}[{number}]"));
                }
            }
            "minimum"
                if value
                    .as_f64()
                    .is_some_and(|value| value < rule.as_f64().unwrap()) =>
            {
                self.fault(at, &format!("{value} is less than {rule}"));
            }
            "minLength"
                if value
                    .as_str()
                    .is_some_and(|text| (text.chars().count() as u64) < rule.as_u64().unwrap()) =>
            {
                self.fault(at, &format!("{value} is too short"));
            }
            "minItems" => {
                let least = rule.as_u64().unwrap();
                if value
                    .as_array()
                    .is_some_and(|items| (items.len() as u64) < least)
                {
                    self.fault(at, &format!("{value} has fewer than {rule}"));
                }
            }
            "oneOf" | "anyOf" => {
                let ways = rule.as_array().into_iter().flatten();
                let fits = ways.filter(|way| self.matches(way, value)).count();
                if fits == 0 || (keyword == "oneOf" && fits > 1) {
                    self.fault(at, &format!("{value} fits {fits} of {rule}"));
                }
            }
            "allOf" => {
                for schema in rule.as_array().into_iter().flatten() {
                    self.judge(schema, value, at);
                }
            }
            // Kept, or not for judging.
            "type" | "enum" | "const" | "minimum" | "minLength" | "$schema" | "$id" | "$defs"
            | "$comment" | "title" | "description" | "examples" | "format" => {}
            _ => self.fault(at, &format!("the judge does not know {keyword:?}")),
        }
    }

    fn matches(&self, schema: &Value, value: &Value) -> bool {
        let mut judge = Judge {
            root: self.root,
            faults: Vec::new(),
        };
        judge.judge(schema, value, "$");
        judge.faults.is_empty()
    }

    fn fault(&mut self, at: &str, what: &str) {
        self.faults.push(format!("{at}: {what}"));
    }
}

fn types(rule: &Value) -> impl Iterator<Item = &str> {
    let more = rule.as_array().into_iter().flatten();
    std::iter::once(rule).chain(more).filter_map(Value::as_str)
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let schema = serde_json::json!({
        "type": "array",
        "items": {"$ref": "#/$defs/token"},
        "$defs": {"token": {
            "type": "object",
            "required": ["state"],
            "properties": {
                "storages": {"type": "array", "minItems": 1},
                "state": {"enum": ["good", "ended"]},
                "ends": {"type": ["integer", "null"], "minimum": 0},
                "user": {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 1}]},
            },
            "additionalProperties": false,
        }},
    });
    let faults_of = |text: &str| faults(&schema, &serde_json::from_str(text).unwrap()).len();
    assert_eq!(
        faults_of(
            r#"[{"state": "good", "ends": 5, "user": null}, {"state": "ended", "ends": null, "user": "a"}]"#
        ),
        0
    );
    for wrong in [
        "{}",
        "[5]",
        "[{}]",
        r#"[{"state": "bad"}]"#,
        r#"[{"state": "good", "ends": "5"}]"#,
        r#"[{"state": "good", "ends": -5}]"#,
        r#"[{"state": "good", "user": ""}]"#,
        r#"[{"state": "good", "storages": []}]"#,
        r#"[{"state": "good", "more": 1}]"#,
    ] {
        assert!(faults_of(wrong) > 0, "{wrong}");
    }
    assert_eq!(
        faults(&serde_json::json!({"uniqueItems": true}), &schema).len(),
        1
    );
}
