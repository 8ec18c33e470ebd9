//! The bodies of `fuzz/bodies` on any compiler. How they run for hours stands in docs/design.md.

#![expect(
    clippy::disallowed_methods,
    reason = "core touches no file, but its corpus is files"
)]

#[path = "../../../fuzz/bodies/mod.rs"]
mod bodies;
#[path = "../../../fuzz/near.rs"]
mod near;

#[test]
fn nothing_in_the_corpus_nor_near_it_breaks_a_promise() {
    near::nothing_near_the_corpus_breaks_a_promise();
}

#[test]
fn random_bytes_break_no_promise() {
    near::random_bytes_break_no_promise();
}

#[test]
fn each_body_has_its_target_and_its_corpus() {
    near::each_body_has_its_target_and_its_corpus("bodies");
}

#[test]
fn no_target_and_no_corpus_is_without_a_body() {
    let mut bodies = near::entries("bodies");
    bodies.extend(near::entries("zed"));
    bodies.remove("mod");
    assert_eq!(bodies, near::entries("targets"));
    assert_eq!(bodies, near::entries("corpus"));
}
