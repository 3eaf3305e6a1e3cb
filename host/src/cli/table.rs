//! Documents as a table for people: the key, then the fields of flat JSON objects.
//!
//! A field that repeats a part of the key is left out. A document that is no object is shown whole.

use serde_json::{Map, Value};

/// How many rows decide what the columns are and how wide.
pub(crate) const SAMPLE: usize = 200;

/// The widest cell; longer ones are cut.
const MAX_WIDTH: usize = 60;

/// The columns of a table.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    /// `None` for the key.
    field: Option<String>,
    width: usize,
    numbers: bool,
}

impl Table {
    /// Lays the table out for its first rows.
    pub(crate) fn new(sample: &[(String, String)]) -> Self {
        let rows: Vec<_> = sample
            .iter()
            .map(|(key, document)| (key, object(document)))
            .collect();
        let mut fields: Vec<String> = Vec::new();
        for (key, object) in &rows {
            for (name, value) in object {
                if !repeats(key, value) && !fields.contains(name) {
                    fields.push(name.clone());
                }
            }
        }
        let mut columns = vec![Column {
            field: None,
            width: width(rows.iter().map(|(key, _)| shown(key)), "key"),
            numbers: false,
        }];
        for name in fields {
            let values: Vec<&Value> = rows.iter().filter_map(|(_, row)| row.get(&name)).collect();
            columns.push(Column {
                width: width(values.iter().map(|value| cell(value)), &name),
                numbers: values.iter().all(|value| value.is_number()),
                field: Some(name),
            });
        }
        Self { columns }
    }

    /// The names of the columns.
    pub(crate) fn head(&self) -> String {
        self.line(|column| column.field.clone().unwrap_or_else(|| "key".to_owned()))
    }

    /// A document.
    pub(crate) fn row(&self, key: &str, document: &str) -> String {
        let object = object(document);
        self.line(|column| match &column.field {
            None => shown(key),
            Some(name) => object.get(name).map(cell).unwrap_or_default(),
        })
    }

    fn line(&self, text: impl Fn(&Column) -> String) -> String {
        let cells = self.columns.iter().map(|column| {
            let (text, width) = (text(column), column.width);
            if column.numbers {
                format!("{text:>width$}")
            } else {
                format!("{text:<width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// The fields of a document; one that is no object has a single field.
fn object(document: &str) -> Map<String, Value> {
    match serde_json::from_str(document) {
        Ok(Value::Object(object)) => object,
        Ok(other) => Map::from_iter([("document".to_owned(), other)]),
        Err(_) => Map::from_iter([("document".to_owned(), Value::from(document))]),
    }
}

fn repeats(key: &str, value: &Value) -> bool {
    let Value::String(text) = value else {
        return false;
    };
    key.split('/').any(|part| part == text)
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}

/// One line of bounded width, without what a terminal would obey.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_WIDTH)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(MAX_WIDTH).is_some() {
        shown.push('…');
    }
    shown
}

fn width(cells: impl Iterator<Item = String>, name: &str) -> usize {
    let widths = cells.map(|cell| cell.chars().count());
    widths.max().unwrap_or(0).max(name.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[(&str, &str)], expect: &[&str]) {
        let rows: Vec<_> = rows
            .iter()
            .map(|(key, document)| ((*key).to_owned(), (*document).to_owned()))
            .collect();
        let table = Table::new(&rows);
        let mut lines = vec![table.head()];
        lines.extend(rows.iter().map(|(key, document)| table.row(key, document)));
        assert_eq!(lines, expect);
    }

    #[test]
    fn fields_are_columns_but_those_that_repeat_the_key() {
        check(
            &[
                ("o/Made", r#"{"type":"Made","events":7,"note":"a"}"#),
                ("o/Lost", r#"{"type":"Lost","events":1200}"#),
            ],
            &[
                "key     events  note",
                "o/Made       7  a",
                "o/Lost    1200",
            ],
        );
    }

    #[test]
    fn other_documents_are_shown_whole_and_on_one_line() {
        check(
            &[("a", "[1,2]"), ("b", "\"x\\ny\"")],
            &["key  document", "a    [1,2]", "b    x\u{fffd}y"],
        );
    }
}
