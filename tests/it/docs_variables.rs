//! `.env.example` and the table of variables are in step.

use infra_health::config::VARIABLES;

#[test]
fn env_example_lists_every_variable_with_its_default_and_its_line() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example");
    let text = std::fs::read_to_string(path).unwrap();
    let expected: Vec<String> = VARIABLES
        .iter()
        .map(|variable| {
            let default = variable.default.unwrap_or_default();
            format!("# {}\n#{}={default}\n", variable.doc, variable.name)
        })
        .collect();
    let (head, list) = text
        .split_once("\n\n")
        .expect("a head, an empty line, the list");
    assert!(
        head.lines().all(|line| line.starts_with("# ")),
        "the head is a comment"
    );
    assert!(
        head.contains("_FILE"),
        "the head says that secrets can be files"
    );
    assert_eq!(list, expected.join("\n"));
}
