// SPDX-License-Identifier: GPL-2.0
//! The terminal: keys, and when to look again.

use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pinlease::Device;
use ratatui::{
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    widgets::TableState,
    DefaultTerminal,
};

use super::{
    list::{List, Order},
    sample::Sample,
    view,
};
use crate::wait;

/// How long a signal may have to wait for its effect.
const PATIENCE: Duration = Duration::from_millis(200);

/// Shows leases until it is ended; the terminal is as before then.
pub fn run(device: &Device, delay: Duration, order: Order, iterations: Option<u32>) -> Result<()> {
    let first = Sample::take(device)?;
    let end = wait::catch_end()?;
    let mut terminal = ratatui::try_init().context("the terminal cannot be used; try --batch")?;
    let mut top = Screen {
        before: None,
        now: first,
        order,
        reversed: false,
        state: TableState::default(),
    };
    let result = top.run(device, delay, iterations, &end, &mut terminal);
    ratatui::restore();
    result
}

struct Screen {
    before: Option<Sample>,
    now: Sample,
    order: Order,
    reversed: bool,
    state: TableState,
}

/// What comes next.
#[derive(Debug, Eq, PartialEq)]
enum Next {
    Draw,
    Look,
    End,
}

impl Screen {
    fn run(
        &mut self,
        device: &Device,
        delay: Duration,
        iterations: Option<u32>,
        end: &impl AsFd,
        terminal: &mut DefaultTerminal,
    ) -> Result<()> {
        let mut looks = 0;
        while iterations.is_none_or(|iterations| looks < iterations) {
            let due = Instant::now() + delay;
            loop {
                terminal.draw(|frame| {
                    view::draw(frame, &self.list(), self.order, &mut self.state);
                })?;
                match self.wait(due, end)? {
                    Next::Draw => {}
                    Next::Look => break,
                    Next::End => return Ok(()),
                }
            }
            let now = Sample::take(device)?;
            self.before = Some(std::mem::replace(&mut self.now, now));
            looks += 1;
        }
        Ok(())
    }

    fn list(&self) -> List {
        let before = self.before.as_ref().unwrap_or(&self.now);
        List::new(before, &self.now, self.order, self.reversed)
    }

    /// Waits for a key, a new size, a signal, or the time.
    fn wait(&mut self, due: Instant, end: &impl AsFd) -> Result<Next> {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Next::Look);
            }
            if wait::for_one_within(end.as_fd(), Duration::ZERO)? {
                return Ok(Next::End);
            }
            if !event::poll(left.min(PATIENCE))? {
                continue;
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => return Ok(self.key(key)),
                Event::Resize(..) => return Ok(Next::Draw),
                _ => {}
            }
        }
    }

    fn key(&mut self, key: KeyEvent) -> Next {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Next::End
            }
            KeyCode::Char('q') | KeyCode::Esc => return Next::End,
            KeyCode::Char(' ') => return Next::Look,
            KeyCode::Char('>' | 's') | KeyCode::Right => self.order = self.order.step(1),
            KeyCode::Char('<') | KeyCode::Left => self.order = self.order.step(-1),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Down | KeyCode::Char('j') => self.state.select_next(),
            KeyCode::Up | KeyCode::Char('k') => self.state.select_previous(),
            KeyCode::PageDown => self.state.scroll_down_by(PAGE),
            KeyCode::PageUp => self.state.scroll_up_by(PAGE),
            KeyCode::Home => self.state.select_first(),
            KeyCode::End => self.state.select_last(),
            _ => {}
        }
        Next::Draw
    }
}

/// Lines that PageDown goes on.
const PAGE: u16 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::list::tests::sample;

    fn screen() -> Screen {
        Screen {
            before: None,
            now: sample(1),
            order: Order::Bounced,
            reversed: false,
            state: TableState::default(),
        }
    }

    #[test]
    fn keys() {
        let mut screen = screen();
        for (code, next) in [
            (KeyCode::Char('q'), Next::End),
            (KeyCode::Esc, Next::End),
            (KeyCode::Char(' '), Next::Look),
            (KeyCode::Char('x'), Next::Draw),
        ] {
            assert_eq!(screen.key(code.into()), next, "{code:?}");
        }
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(screen.key(interrupt), Next::End);
        screen.key(KeyCode::Char('>').into());
        assert_eq!(screen.order, Order::Rearmed);
        screen.key(KeyCode::Left.into());
        assert_eq!(screen.order, Order::Bounced);
        screen.key(KeyCode::Char('r').into());
        assert!(screen.reversed);
        screen.key(KeyCode::Down.into());
        assert_eq!(screen.state.selected(), Some(0));
    }

    #[test]
    fn the_first_look_has_no_rates_above_zero() {
        let list = screen().list();
        assert!(list
            .lines
            .iter()
            .all(|line| line.rates == Some(Default::default())));
    }
}
