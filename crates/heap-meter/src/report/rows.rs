//! Rows of anything: in columns for people, as CSV for programs.

use comfy_table::Cell;
use serde::Serialize;

use super::text::{lines_of, plain_table, right};
use human_text::printable;

/// A column of [`rows_table`], with what stands above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Words.
    Left(&'static str),
    /// Figures.
    Right(&'static str),
}

/// Rows in columns, without lines between; control characters in a cell are escaped.
pub fn rows_table<const N: usize>(columns: [Column; N], rows: &[[String; N]]) -> String {
    let header = columns.iter().map(|column| match column {
        Column::Left(title) => Cell::new(title),
        Column::Right(title) => right(title),
    });
    let mut table = plain_table(header.collect());
    for row in rows {
        let cells = columns.iter().zip(row).map(|(column, text)| match column {
            Column::Left(_) => Cell::new(printable(text)),
            Column::Right(_) => right(&printable(text)),
        });
        table.add_row(cells);
    }
    lines_of(&table)
}

/// Rows as CSV with a header, which is made of the names of their fields. No rows, no header.
///
/// # Errors
///
/// When a row can't be written: it must be a structure of plain fields.
pub fn rows_csv<R: Serialize>(rows: &[R]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_on_the_right() {
        let columns = [Column::Left("name"), Column::Right("bytes")];
        let rows = [["a\nb", "5"], ["c", "1,000"]].map(|row| row.map(str::to_owned));
        let lines: Vec<String> = rows_table(columns, &rows)
            .lines()
            .map(str::to_owned)
            .collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].contains("a\\nb"), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    }

    #[test]
    fn a_comma_in_a_field_is_no_column() {
        #[derive(Serialize)]
        struct Row {
            name: &'static str,
            bytes: Option<u64>,
        }
        let row = |name, bytes| Row { name, bytes };
        let text = rows_csv(&[row("a,b", Some(1)), row("c", None)]).unwrap();
        assert_eq!(text, "name,bytes\n\"a,b\",1\nc,\n");
    }
}
