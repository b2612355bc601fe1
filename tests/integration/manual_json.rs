//! Each section of "JSON" in the manual against the schema of the command, both ways.

use std::collections::BTreeSet;
use std::fs;

use clap::Command;
use git_credential_pat::cli::command_line;
use serde_json::Value;

use crate::documents::{MANUAL, project, read, section};
use crate::forge::schema;
use crate::manual_sections::{assert_found, codes, find, known, leaves};
use crate::sandbox::Sandbox;

#[test]
fn the_manual_says_of_the_json_what_the_schemas_have() {
    assert_eq!(gaps(&read(MANUAL)), [""; 0], "{MANUAL}");
}

#[test]
fn each_kind_of_change_in_the_json_is_found() {
    let manual = read(MANUAL);
    for (from, to, expected) in [
        (
            "| `exit_status` | number | the exit",
            "| `status_code` | number | the exit",
            "status --json: no row `exit_status`; status --json: there is no field `status_code`",
        ),
        (
            "| `socket` | text | the path of its socket |\n",
            "",
            "cache status --json: no row `socket`",
        ),
        (
            "`before` and `after` name other helpers.",
            "`before` names other helpers.",
            "status --json: `after` is missing",
        ),
        (
            "`git` has four lists.",
            "`git` has four lists and `mood`.",
            "status --json: there is no `mood`",
        ),
        (
            "| `hint` | text or null | the command to run first |",
            "| `hint` | text | the command to run first |",
            "status --json: `hint` is text, and null in the schema",
        ),
        (
            "| `second` | another source comes first |\n",
            "",
            "import --json: no row `second`",
        ),
        (
            "### doctor --json\n",
            "### rotate --json\n",
            "no section doctor --json; there is no rotate --json",
        ),
        (
            "The schema is [check.schema.json](check.schema.json).",
            "",
            "check --json: no link to check.schema.json",
        ),
    ] {
        assert_found(&manual, (from, to, expected), gaps);
    }
}

/// All differences between the sections of "JSON" and the schemas.
fn gaps(manual: &str) -> Vec<String> {
    let mut line = command_line();
    line.build();
    let mut gaps = Vec::new();
    let json = section(manual, "\n## JSON\n", "\n## ");
    let mut wanted: Vec<String> = leaves(&line, "");
    wanted.retain(|name| known(find(&line, name).unwrap(), "--json").is_some());
    let mut headings = Vec::new();
    let mut linked: BTreeSet<String> = BTreeSet::new();
    for part in json.split("\n### ").skip(1) {
        let (heading, text) = part.split_once('\n').unwrap();
        let name = heading.strip_suffix(" --json").unwrap_or(heading);
        headings.push(name.to_owned());
        if !wanted.iter().any(|wanted| wanted == name) {
            gaps.push(format!("there is no {heading}"));
            continue;
        }
        let schema = if name == "cache status" {
            of_output(name)
        } else {
            let file = if name == "account list" {
                "accounts"
            } else {
                name
            };
            let path = format!("{file}.schema.json");
            if !text.contains(&format!("]({path})")) {
                gaps.push(format!("{heading}: no link to {path}"));
            }
            linked.insert(path);
            schema::of(file)
        };
        field_gaps(heading, text, &schema, &line, &mut gaps);
    }
    wanted.retain(|name| !headings.contains(name));
    gaps.splice(
        0..0,
        wanted
            .iter()
            .map(|name| format!("no section {name} --json")),
    );
    if wanted.is_empty() {
        for entry in fs::read_dir(project("docs")).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            if file.ends_with(".schema.json") && !linked.contains(&file) {
                gaps.push(format!("no section links to {file}"));
            }
        }
    }
    gaps
}

/// A schema with the fields that a command prints, for one that has none in `docs`.
fn of_output(command: &str) -> Value {
    let sandbox = Sandbox::new();
    let output = sandbox
        .ask(&format!("--storage memory {command} --json"), b"")
        .stdout;
    let object: Value = serde_json::from_slice(&output).unwrap();
    let mut schema = serde_json::json!({ "properties": {} });
    for (name, value) in object.as_object().unwrap() {
        // Without a daemon, what it alone knows is null.
        let types = if value.is_null() { "null" } else { "any" };
        schema["properties"][name] = serde_json::json!({ "type": types });
    }
    schema
}

/// The table of a section has the fields of an object, and its sentences the fields within them.
fn field_gaps(heading: &str, text: &str, schema: &Value, line: &Command, gaps: &mut Vec<String>) {
    let (mut fields, mut values) = (BTreeSet::new(), BTreeSet::new());
    collect(schema, &mut fields, &mut values);
    let object = if schema["items"].is_object() {
        &schema["items"]
    } else {
        schema
    };
    let object = object["properties"].as_object().unwrap();
    for table in text.split("\n\n| ").skip(1) {
        let rows: Vec<&str> = table
            .lines()
            .take_while(|row| row.contains(" | ") || row.starts_with('|'))
            .collect();
        let title = rows[0].split(" | ").next().unwrap();
        let wanted: BTreeSet<&str> = if title == "field" {
            object.keys().map(String::as_str).collect()
        } else {
            object[title]["enum"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect()
        };
        let mut found = BTreeSet::new();
        for row in &rows[2..] {
            let mut cells = row.split('|').map(str::trim).skip(1);
            let names = codes(cells.next().unwrap());
            let kind = cells.next().unwrap_or_default();
            for name in names {
                found.insert(name);
                let Some(field) = object
                    .get(name)
                    .filter(|_| title == "field" && !kind.is_empty())
                else {
                    continue;
                };
                let is_null = is_nullable(field);
                if is_null != kind.contains("null") {
                    let is = if is_null { "null" } else { "never null" };
                    gaps.push(format!(
                        "{heading}: `{name}` is {kind}, and {is} in the schema"
                    ));
                }
            }
        }
        gaps.extend(
            wanted
                .difference(&found)
                .map(|name| format!("{heading}: no row `{name}`")),
        );
        let kind = if title == "field" { "field" } else { title };
        gaps.extend(
            found
                .difference(&wanted)
                .map(|name| format!("{heading}: there is no {kind} `{name}`")),
        );
    }
    let mut named: BTreeSet<&str> = codes(text).collect();
    gaps.extend(
        fields
            .iter()
            .filter(|name| !object.contains_key(**name) && !named.contains(*name))
            .map(|name| format!("{heading}: `{name}` is missing")),
    );
    let first_cells: BTreeSet<&str> = text
        .lines()
        .filter(|row| row.starts_with("| `"))
        .flat_map(|row| codes(row.split(" | ").next().unwrap()).collect::<Vec<_>>())
        .collect();
    named.retain(|name| {
        let is_name = name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || "_-".contains(letter));
        is_name
            && !first_cells.contains(name)
            && !fields.contains(name)
            && !values.contains(name)
            && line.find_subcommand(name).is_none()
    });
    gaps.extend(
        named
            .iter()
            .map(|name| format!("{heading}: there is no `{name}`")),
    );
}

/// The names of all fields, at any depth, and the words that they may be.
fn collect<'a>(schema: &'a Value, fields: &mut BTreeSet<&'a str>, values: &mut BTreeSet<&'a str>) {
    match schema {
        Value::Object(rules) => {
            for (keyword, rule) in rules {
                match keyword.as_str() {
                    "properties" => {
                        for (name, field) in rule.as_object().unwrap() {
                            fields.insert(name);
                            collect(field, fields, values);
                        }
                    }
                    "enum" => {
                        values.extend(rule.as_array().unwrap().iter().filter_map(Value::as_str));
                    }
                    "const" => values.extend(rule.as_str()),
                    _ => collect(rule, fields, values),
                }
            }
        }
        Value::Array(all) => all
            .iter()
            .for_each(|schema| collect(schema, fields, values)),
        _ => {}
    }
}

fn is_nullable(schema: &Value) -> bool {
    let is_null = |value: &Value| value.is_null() || value == "null";
    let has_null = |rule: &Value| rule.as_array().is_some_and(|all| all.iter().any(is_null));
    let ways = ["anyOf", "oneOf"]
        .iter()
        .filter_map(|way| schema[*way].as_array());
    schema["type"] == "null"
        || has_null(&schema["type"])
        || has_null(&schema["enum"])
        || ways.flatten().any(is_nullable)
}
