//! What a body is, and what it says of an input.

/// What came of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused, as most are.
    Refused,
    /// It got as far as the code's ordinary results, and they were sound.
    Taken,
}

/// One body.
pub struct Target {
    /// Of its file here, its file in `targets/` and its folder in `corpus/`.
    pub name: &'static str,
    /// What is called.
    pub body: fn(&[u8]) -> Outcome,
}
