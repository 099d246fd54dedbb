// SPDX-License-Identifier: GPL-2.0
//! How the list is drawn, on a terminal of any size.

use ratatui::{
    layout::{Constraint, Layout},
    style::{Modifier, Style},
    text::Line as TextLine,
    widgets::{Cell, Row, Table, TableState},
    Frame,
};

use super::{
    line::Line,
    list::{List, Order},
};

/// Columns from which on holders have their names.
const WIDE: u16 = 100;

/// Widths of the columns but that of the file, which has what is left.
const WIDTHS: [u16; 11] = [5, 0, 8, 7, 6, 9, 5, 7, 6, 5, 3];
const FILE: usize = 1;
const HOLDER: usize = 3;

/// The holder's on a wide terminal: a process, and its name of 15 characters.
const WIDE_HOLDER: u16 = 23;

/// What the keys do.
const KEYS: &str = "q quit  <> sort  r reverse  arrows move";

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, list: &List, order: Order, state: &mut TableState) {
    let notes = u16::from(list.missing.is_some());
    let [summary, missing, table, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(notes),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(TextLine::raw(&list.summary), summary);
    if let Some(text) = &list.missing {
        frame.render_widget(TextLine::raw(text), missing);
    }
    frame.render_stateful_widget(rows(list, order, table.width), table, state);
    frame.render_widget(TextLine::raw(KEYS), keys);
}

fn rows(list: &List, order: Order, width: u16) -> Table<'static> {
    let mut widths = WIDTHS;
    let wide = width >= WIDE;
    if wide {
        widths[HOLDER] = WIDE_HOLDER;
    }
    // One between two columns.
    let others = widths.iter().sum::<u16>() + widths.len() as u16 - 1;
    widths[FILE] = width.saturating_sub(others);
    let rows = list.lines.iter().map(|line| {
        let cells = line.cells(Some(widths[FILE].into()), wide);
        Row::new(cells.map(Cell::from))
    });
    let header = Line::HEADER.iter().enumerate().map(|(column, name)| {
        let style = match column == order.column() {
            true => Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            false => Style::new(),
        };
        Cell::from(*name).style(style)
    });
    let header = Row::new(header).style(Style::new().add_modifier(Modifier::REVERSED));
    Table::new(rows, widths.map(Constraint::Length))
        .header(header)
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
}

#[cfg(test)]
mod tests {
    use ratatui::{backend::TestBackend, Terminal};

    use super::*;
    use crate::top::list::tests::sample;

    /// What is on a terminal of that size.
    fn drawn(list: &List, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let mut state = TableState::default();
        let draw = |frame: &mut Frame<'_>| draw(frame, list, Order::Bounced, &mut state);
        terminal.draw(draw).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(move |x| buffer[(x, y)].symbol());
        let rows = (0..height).map(|y| row(y).collect::<String>());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    fn list() -> List {
        List::new(&sample(1), &sample(3), Order::Bounced, false)
    }

    #[test]
    fn an_ordinary_terminal() {
        let rows = drawn(&list(), 80, 24);
        assert!(rows[0].starts_with("3 leases, 3 pins of 6.0M; dirty 400K/s"));
        assert_eq!(
            rows[1..5],
            [
                "LEASE FILE      RANGE    HOLDER  POLICY STATE     PIN   DIRTY/s COPY/s ARM/s BRK",
                "2     /m/2      0,8K     100     kill   held      2.0M  400K    800K   100   0",
                "1     /m/3      0,8K     100     kill   held      3.0M  0       0      0     0",
                "3     /m/1      0,8K     100     kill   held      1.0M  0       0      0     7",
            ]
        );
        assert_eq!(rows[23], KEYS);
    }

    #[test]
    fn what_is_missing_is_said() {
        let list = List {
            missing: Some("rates are not known".into()),
            ..list()
        };
        let rows = drawn(&list, 80, 24);
        assert_eq!(rows[1], "rates are not known");
        assert!(rows[2].starts_with("LEASE"));
    }

    #[test]
    fn any_size() {
        for (width, height) in [(1, 1), (10, 3), (40, 5), (80, 4), (300, 100)] {
            assert_eq!(drawn(&list(), width, height).len(), usize::from(height));
        }
        assert!(drawn(&list(), 120, 10)[2].contains("  100 "));
    }
}
