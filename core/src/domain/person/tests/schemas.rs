#[test]
fn print() {
    let s = crate::schema::ModelSchemas::of::<super::Person>();
    println!("{:#}", s.events[0].schema);
    println!("{:#}", s.events[11].schema);
    println!("{:#}", s.events[2].schema);
    println!("{:#}", s.state);
    println!("{:#}", s.commands[1].schema);
}
