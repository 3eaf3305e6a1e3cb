//! The types of the npm package are those of the schemas.

use cim_core::domain::registry;
use cim_tests::typescript::{self, domains};

#[test]
fn are_what_the_schemas_say() {
    let expected = domains(&registry::schemas()).expect("every schema has a type");
    let path = typescript::file();
    let found = std::fs::read_to_string(&path).expect("the file is there");
    assert!(
        found == expected,
        "`{}` is not what the schemas say: run `cargo xtask types`",
        path.display()
    );
}
