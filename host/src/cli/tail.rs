//! `cim tail`.

use cim_core::subject::SubjectFilter;
use cim_core::version::Position;
use clap::Args;
use futures_util::TryStreamExt as _;

use super::failure::{Exit, Failure};
use super::output::{Output, say};
use super::place::{Absent, Place};
use super::show;
use crate::store::{Delivery, InvalidEvent};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim tail
  cim tail 'local.main.events.order.>' --json
  cim tail --all

Events of other processes are seen within 100 ms. Ctrl-C ends it.")]
pub(crate) struct Tail {
    /// Only events whose subject matches, with the wildcards `*` and `>`
    filter: Option<SubjectFilter>,
    /// From this position on, exclusive, instead of from now
    #[arg(long, value_name = "POSITION")]
    from: Option<Position>,
    /// From the first event on
    #[arg(long, conflicts_with = "from")]
    all: bool,
    /// End once everything that was there is printed
    #[arg(long)]
    once: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Tail {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        let after = match (self.all, self.from) {
            (true, _) => None,
            (false, Some(position)) => Some(position),
            (false, None) => store.last_position().await?,
        };
        let template = &store.info().template;
        let mut deliveries = store.subscribe(after, self.filter);
        loop {
            let delivery = tokio::select! {
                delivery = deliveries.try_next() => delivery?,
                _ = tokio::signal::ctrl_c() => return Ok(()),
            };
            match delivery {
                None => return Ok(()),
                Some(Delivery::CaughtUp) if self.once => return Ok(()),
                Some(Delivery::CaughtUp) => {
                    out.flush()?;
                    say("Caught up; new events follow.");
                }
                Some(Delivery::Event(read)) => {
                    out.line(&if self.json {
                        show::json(&read, template)
                    } else {
                        show::line(&read)
                    })?;
                    out.flush()?;
                }
                Some(Delivery::Invalid(invalid)) => return Err(broken(&invalid)),
            }
        }
    }
}

fn broken(invalid: &InvalidEvent) -> Failure {
    Failure::new(Exit::Broken, invalid.code, invalid.to_string()).help(format!(
        "`cim verify` looks at the whole store; `cim tail --from {}` goes on behind this event",
        invalid.position
    ))
}
