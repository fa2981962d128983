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
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.0 {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                let cell = if column == 0 { format!("{cell}{gap}") } else { format!("   {gap}{cell}") };
                line.push_str(&cell);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
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
}
