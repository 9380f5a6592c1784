//! Text in columns.

const GAP: &str = "  ";

/// Lines the columns up: the first to the left, figures to the right.
pub(crate) fn lay_out(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let cell = |(column, cell): (usize, &String)| match column {
        0 => format!("{cell:<width$}", width = widths[column]),
        _ => format!("{cell:>width$}", width = widths[column]),
    };
    let line = |row: &Vec<String>| row.iter().enumerate().map(cell).collect::<Vec<_>>().join(GAP);
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A figure as a person reads it: `12,345`, `123`, `12.3`, `1.23`.
pub(crate) fn figure(figure: f64) -> String {
    match figure {
        1000.0.. => with_commas(figure.round() as u64),
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["measured", "floor"], ["one", "123,456"], ["µs", "1"]];
        let text = lay_out(&rows.map(|row| row.map(str::to_owned).to_vec()));
        assert_eq!(text, "measured    floor\none       123,456\nµs              1");
    }

    #[test]
    fn figures_have_three_digits_or_more() {
        let figures = [0.126_f64, 9.99, 12.34, 999.4, 1000.0, 1_234_567.8];
        assert_eq!(figures.map(figure), ["0.13", "9.99", "12.3", "999", "1,000", "1,234,568"]);
    }
}
