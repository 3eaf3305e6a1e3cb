//! JSON lines: each line is an object, and its bytes are the payload.
//!
//! Line ends are LF or CRLF, empty lines are skipped, a byte order mark is ignored.

use bytes::Bytes;

use super::error::{Column, ImportError, RowFault};
use super::json::Json;
use super::rows::{Fields, Mapping, Rows};

/// Reads the rows of a file of JSON lines.
///
/// # Errors
///
/// [`ImportError`], with line and column of the first fault.
pub fn read_jsonl(bytes: &[u8], mapping: &Mapping) -> Result<Rows, ImportError> {
    // One copy of the file, which all payloads share.
    let file = Bytes::copy_from_slice(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes));
    let mut rows = Rows::default();
    for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            row(number, file.slice_ref(line), mapping, &mut rows)?;
        }
    }
    Ok(rows)
}

fn row(number: u64, line: Bytes, mapping: &Mapping, rows: &mut Rows) -> Result<(), ImportError> {
    let at = |column, fault| ImportError::row(number, Some(Column::Number(column)), fault);
    if let Err(error) = str::from_utf8(&line) {
        return Err(at(error.valid_up_to() + 1, RowFault::Utf8));
    }
    let json = Json::parse(&line).map_err(|error| at(error.column, RowFault::Json(error)))?;
    if !matches!(json, Json::Object(_)) {
        return Err(at(1, RowFault::NotObject { found: json.kind() }));
    }
    let field = |name: &str, numbers| {
        let column = Column::Field(name.to_owned());
        match text(&json, name, numbers) {
            Ok(text) => Ok((text, Some(column))),
            Err(fault) => Err(ImportError::row(number, Some(column), fault)),
        }
    };
    let fields = Fields {
        line: number,
        id: field(&mapping.id_field, Numbers::Take)?,
        event_type: field(&mapping.type_field, Numbers::Refuse)?,
        time: field(&mapping.time_field, Numbers::Refuse)?,
    };
    rows.push(mapping, fields, line)
}

/// Whether an integer is as good as a string: an id often is one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Numbers {
    Take,
    Refuse,
}

pub(super) fn text<'a>(json: &'a Json, field: &str, numbers: Numbers) -> Result<&'a str, RowFault> {
    let expected = match numbers {
        Numbers::Take => "a string or an integer",
        Numbers::Refuse => "a string",
    };
    match (json.at(field), numbers) {
        (Some(Json::Text(text)), _) | (Some(Json::Integer(text)), Numbers::Take) => Ok(text),
        (Some(other), _) => Err(RowFault::Kind {
            expected,
            found: other.kind(),
        }),
        (None, _) => Err(RowFault::Missing),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Rows, ImportError> {
        let mapping = Mapping {
            namespace: "o.u.d".parse().expect("a namespace"),
            entity: "e".parse().expect("an entity"),
            id_field: "/of/id".to_owned(),
            type_field: "type".to_owned(),
            time_field: "at".to_owned(),
            id_encode: false,
        };
        read_jsonl(text, &mapping)
    }

    #[track_caller]
    fn refused(text: &[u8], expect: &str) {
        assert_eq!(read(text).expect_err("a fault").to_string(), expect);
    }

    #[test]
    fn a_payload_is_the_line_s_bytes() {
        let one = r#"{ "of":{"id":7},"type":"made","at":"2020-01-01T00:00:00Z", "n":1.50 }"#;
        let rows = read(format!("{one}\r\n\n{one}").as_bytes())
            .expect("rows")
            .rows;
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3]);
        assert!(
            rows.iter()
                .all(|row| row.payload == one && row.id.as_str() == "7")
        );
        assert_eq!(rows[0].event_type.as_str(), "Made");
    }

    #[test]
    fn a_fault_is_named_with_line_and_column() {
        refused(
            b"\n[]",
            "line 2, column 1: expected a JSON object, found an array",
        );
        refused(
            b"{\"a\":}",
            "line 1, column 6: not valid JSON: expected value",
        );
        refused(
            b"{\"a\":1,\"a\":2}",
            "line 1, column 10: not valid JSON: the name `a` stands twice",
        );
        refused(
            b"{\"a\":\"\xff\"}",
            "line 1, column 7: the bytes are not UTF-8",
        );
        refused(
            b"{\"of\":{}}",
            "line 1, field `/of/id`: there is no such field",
        );
        refused(
            b"{\"of\":{\"id\":1.5}}",
            "line 1, field `/of/id`: expected a string or an integer, found a number",
        );
        refused(
            b"{\"of\":{\"id\":1},\"type\":\"a\",\"at\":1}",
            "line 1, field `at`: expected a string, found a number",
        );
    }
}
