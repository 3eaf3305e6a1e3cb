//! What each permit has paid.

use cim_plugin::{Documents, Event, Failure, Keys, Projection};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default)]
pub struct Paid;

#[derive(Default, Deserialize, Serialize)]
struct Total {
    payments: u64,
    cents: u64,
}

#[derive(Deserialize)]
struct Payment {
    cents: u64,
}

impl Projection for Paid {
    const NAME: &str = "paid";
    const VERSION: &str = "1";
    const EVENT_TYPES: &[&str] = &["PermitPaid"];
    const COLLECTIONS: &[&str] = &["totals"];

    fn keys(&self, event: Event<'_>, keys: &mut Keys) -> Result<(), Failure> {
        keys.add("totals", event.aggregate_id())
    }

    fn apply(&self, event: Event<'_>, documents: &mut Documents) -> Result<(), Failure> {
        let payment: Payment = event.json()?;
        let total: &mut Total = documents.edit_json("totals", event.aggregate_id())?;
        total.payments += 1;
        total.cents += payment.cents;
        Ok(())
    }
}

cim_plugin::export!(Paid);
