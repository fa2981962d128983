//! A table in a terminal: the first column on the left, the others on the right, as wide as what is in them.

/// Rows of cells; the first row has the names.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    /// With these names.
    pub(crate) fn new<const N: usize>(names: [&str; N]) -> Self {
        Self(vec![names.map(str::to_owned).to_vec()])
    }

    /// One more row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.to_vec());
    }

    /// Whether there is nothing under the names.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() < 2
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((names, rows)) = self.0.split_first() else { return Ok(()) };
        let columns = shown(names.len(), rows);
        let width =
            |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
        for row in &self.0 {
            let mut line = String::new();
            for column in &columns {
                let cell = row.get(*column).map_or("", String::as_str);
                let gap = " ".repeat(width(*column).unwrap_or(0).saturating_sub(cell.chars().count()));
                // Names and notes are read from their beginning, numbers from their end.
                let words = *column == 0 || names.get(*column).is_some_and(|name| name == NOTE);
                let cell = if words { format!("{cell}{gap}") } else { format!("{gap}{cell}") };
                line.push_str(if line.is_empty() { "" } else { "   " });
                line.push_str(&cell);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The name of a column of words.
const NOTE: &str = "note";

/// Which columns have anything in them; the first, with the names of rows, always.
pub(crate) fn shown(columns: usize, rows: &[Vec<String>]) -> Vec<usize> {
    let says = |row: &Vec<String>, column: usize| {
        row.get(column).is_some_and(|cell| !cell.is_empty() && cell != "-")
    };
    (0..columns).filter(|column| *column == 0 || rows.iter().any(|row| says(row, *column))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(["", "p50", "p99"]);
        assert!(table.is_empty());
        table.row(["ack".to_owned(), "820 µs".to_owned(), "1.24 ms".to_owned()]);
        table.row(["deliver".to_owned(), "1 s".to_owned(), String::new()]);
        assert_eq!(
            table.to_string(),
            "             p50       p99\nack       820 µs   1.24 ms\ndeliver      1 s\n"
        );
    }

    #[test]
    fn columns_with_nothing_in_them_are_left_out_and_notes_begin_together() {
        let mut table = Table::new(["part", "p50", "faults", "note"]);
        for (name, note) in [("one", "short"), ("two", "a longer one")] {
            table.row([name.to_owned(), "-".to_owned(), "0".to_owned(), note.to_owned()]);
        }
        assert_eq!(
            table.to_string(),
            "part   faults   note\none         0   short\ntwo         0   a longer one\n"
        );
    }
}
