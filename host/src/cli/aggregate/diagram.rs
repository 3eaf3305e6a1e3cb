//! `cim aggregate diagram`.

use cim_core::domain::model::{Diagram as Drawn, Model};
use cim_core::domain::registry::{self, ModelVisitor};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::failure::{Exit, Failure};
use crate::cli::model;
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::cli::read::limit;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim aggregate diagram compute
  cim aggregate diagram compute --number 1 > compute.mmd
  cim aggregate diagram compute --json

Each diagram is a document of Mermaid, which Markdown pages draw between ```mermaid and ```.")]
pub(crate) struct Diagram {
    /// The entity: `compute`, `domain/compute` or the whole `organization.unit.domain.compute`
    entity: String,
    /// Print this one alone, counted from 1
    #[arg(long, value_name = "N", value_parser = limit)]
    number: Option<u64>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Draws the state machines of a model.
struct Draw;

impl ModelVisitor for Draw {
    type Output = Vec<Drawn>;

    fn visit<M: Model>(self) -> Vec<Drawn> {
        M::diagrams()
    }
}

impl Diagram {
    pub(super) fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let entity = model::entity(&self.entity, place)?;
        let Some(mut drawn) = registry::visit(entity.as_str(), Draw) else {
            return Err(model::no_model(&entity));
        };
        if let Some(number) = self.number {
            let there = drawn.len();
            let at = usize::try_from(number - 1).ok();
            let Some(at) = at.filter(|at| *at < there) else {
                let message = format!("`{entity}` has no diagram {number}");
                return Err(
                    Failure::new(Exit::NotFound, "diagram-not-found", message).help(format!(
                        "`cim aggregate diagram {entity}` prints all {there}"
                    )),
                );
            };
            drawn = vec![drawn.swap_remove(at)];
        }
        if self.json {
            let diagrams: Vec<Value> = drawn
                .iter()
                .map(|drawn| json!({"title": drawn.title, "mermaid": drawn.mermaid}))
                .collect();
            return out.json(&json!({
                "schema": "cim.aggregate.diagram/v1",
                "entity": entity.as_str(),
                "diagrams": diagrams,
            }));
        }
        for (at, drawn) in drawn.iter().enumerate() {
            if at > 0 {
                out.line("")?;
            }
            // Comments of Mermaid.
            out.line(&format!("%% {}", drawn.title))?;
            out.bytes(drawn.mermaid.as_bytes())?;
        }
        Ok(())
    }
}
