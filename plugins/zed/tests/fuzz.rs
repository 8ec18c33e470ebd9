//! The bodies of `fuzz/zed` on any compiler. How they run for hours stands in docs/design.md.

#[path = "../../../fuzz/zed/mod.rs"]
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
    near::each_body_has_its_target_and_its_corpus("zed");
}
