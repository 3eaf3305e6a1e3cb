use cim_plugin::test::{Harness, TestEvent, assert_cuts_agree, history};
use first_plugin::Paid;

#[test]
fn sums_what_was_paid() {
    let events = history([
        TestEvent::new("permit", "p-1", "PermitMade"),
        TestEvent::new("permit", "p-1", "PermitPaid").body(r#"{"cents":1200}"#),
        TestEvent::new("permit", "p-2", "PermitPaid").body(r#"{"cents":500}"#),
        TestEvent::new("permit", "p-1", "PermitPaid").body(r#"{"cents":80}"#),
    ]);
    let mut harness = Harness::<Paid>::new(b"");
    harness.apply(&events).unwrap();
    let total = harness.document("totals", "p-1");
    assert_eq!(total, Some(r#"{"payments":2,"cents":1280}"#));
    assert_cuts_agree::<Paid>(b"", &events);
}

#[test]
fn a_payment_without_an_amount_is_refused() {
    let events = history([TestEvent::new("permit", "p-1", "PermitPaid")]);
    let fault = Harness::<Paid>::new(b"").apply(&events).unwrap_err();
    assert_eq!(fault.code, "payload-invalid");
    assert_eq!(fault.index, Some(0));
}
