//! What the derives say of an enum that they refuse: a file for each message in `ui/`, and what the
//! compiler says of it beside.
//!
//! After a message is changed on purpose, `TRYBUILD=overwrite cargo test -p cim-macros` writes them anew.

#[test]
fn a_refused_enum_is_told_what_to_change() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
