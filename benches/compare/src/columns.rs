//! Tables as text.

/// Columns with nothing below their heading go.
pub fn drop_empty(cells: &mut [Vec<String>]) {
    for column in (0..cells[0].len()).rev() {
        if cells[1..].iter().all(|line| line[column].is_empty()) {
            cells.iter_mut().for_each(|line| drop(line.remove(column)));
        }
    }
}

/// The columns named are words, the others numbers.
pub fn aligned(cells: &[Vec<String>], words: &[usize]) -> String {
    let width = |column: usize| cells.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for line in cells {
        let padded = line.iter().enumerate().map(|(column, cell)| match words.contains(&column) {
            true => format!("{cell:<0$}", width(column)),
            false => format!("{cell:>0$}", width(column)),
        });
        text += padded.collect::<Vec<_>>().join("  ").trim_end();
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let cells = [["name", "hits", "at"], ["a", "1.25", "x"], ["longer", "31.25", ""]]
            .map(|line| line.map(String::from).to_vec());
        assert_eq!(aligned(&cells, &[0, 2]), "name     hits  at\na        1.25  x\nlonger  31.25\n");
    }

    #[test]
    fn empty_columns_go() {
        let mut cells =
            [["name", "bytes", "hits"], ["a", "", "1"]].map(|line| line.map(String::from).to_vec());
        drop_empty(&mut cells);
        assert_eq!(cells, [["name", "hits"], ["a", "1"]]);
    }
}
