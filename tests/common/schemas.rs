//! Holds every sidecar and journal that a test produces to the schemas in `docs/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

static RECORDING: LazyLock<Validator> = LazyLock::new(|| schema("recording"));
static JOURNAL: LazyLock<Validator> = LazyLock::new(|| schema("journal"));

/// Readers pass over members that they do not know; here each must be described, unless the schema
/// says that others may stand beside it.
fn schema(name: &str) -> Validator {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let text = fs::read(docs.join(format!("{name}.schema.json"))).expect("a schema");
    let mut schema = serde_json::from_slice(&text).expect("a schema is JSON");
    jsonschema::meta::validate(&schema).expect("a schema is one");
    close(&mut schema);
    jsonschema::validator_for(&schema).expect("a schema")
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object)
                && members.get("type") == Some(&json!("object"))
            {
                members
                    .entry("additionalProperties")
                    .or_insert(json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[track_caller]
fn hold(validator: &Validator, document: &Value, path: &Path) {
    let faults: Vec<_> = validator
        .iter_errors(document)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{}: {faults:#?}", path.display());
}

/// Checks every sidecar and journal in and below a directory; says how many documents they were.
#[track_caller]
pub fn check(directory: &Path) -> usize {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let mut checked = 0;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            checked += check(&path);
        } else if name.ends_with(".json") {
            let text = fs::read(&path).expect("readable");
            let document: Value = serde_json::from_slice(&text).expect("a sidecar is JSON");
            // Tests put files of other people there too.
            if document["schema"] == "evr/recording/1" {
                hold(&RECORDING, &document, &path);
                checked += 1;
            }
        } else if name.starts_with("events.jsonl") {
            let text = fs::read_to_string(&path).expect("readable");
            for line in text.lines() {
                let document = serde_json::from_str(line).expect("a line is JSON");
                hold(&JOURNAL, &document, &path);
                checked += 1;
            }
        }
    }
    checked
}

/// Where an eventsink with this `location` puts its recordings, as far as that never changes.
pub fn directory(location: &str) -> PathBuf {
    let fixed = &location[..location.find(['%', '{']).unwrap_or(location.len())];
    PathBuf::from(
        fixed
            .rsplit_once('/')
            .map_or(".", |(directory, _)| directory),
    )
}
