use super::*;
use crate::time::SECOND;

fn fact(line: &str) -> Result<Fact, FactError> {
    Fact::from_line("door", line.as_bytes(), Some(7 * SECOND), |running| {
        1000 * SECOND + running.unwrap_or(0)
    })
}

#[test]
fn a_line_is_about_its_own_time_else_about_that_at_which_it_came() {
    let time = |line: &str| fact(line).expect("a fact").time / SECOND;
    assert_eq!(time(r#"{"media_time":2000000000}"#), 1002);
    assert_eq!(time(r#"{"time":"1970-01-01T00:00:05Z"}"#), 5);
    assert_eq!(time("{}"), 1007);
    assert_eq!(
        time(r#"{"media_time":3000000000,"seq":0,"objects":[]}"#),
        1003
    );
    assert_eq!(time(r#"{"seq":0,"objects":[]}"#), 1007);
}

#[test]
fn a_line_that_tells_nothing_says_why() {
    assert!(
        fact("hello")
            .expect_err("no JSON")
            .to_string()
            .contains("JSON")
    );
    let wrong = fact(r#"{"seq":1,"objects":[{}]}"#).expect_err("no object");
    assert!(wrong.to_string().contains("object 0"), "{wrong}");
    let none = Fact::from_journal(b"{\"type\":\"other\"}").expect_err("not ours");
    assert!(none.to_string().contains("other"), "{none}");
}

#[test]
fn the_same_fact_has_the_same_id_and_any_other_another_unless_the_sender_named_it() {
    let id = |line: &str| fact(line).expect("a fact").id();
    assert_eq!(id(r#"{"media_time":1}"#), id(r#"{"media_time":1}"#));
    assert_ne!(id(r#"{"media_time":1}"#), id(r#"{"media_time":2}"#));
    assert_ne!(id(r#"{"count":1}"#), id(r#"{"count":2}"#));
    assert_eq!(id(r#"{"id":"a"}"#), "a");
}
