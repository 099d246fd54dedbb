// SPDX-License-Identifier: GPL-2.0
//! `af-xdp`, a program of ours, receives frames at one end of a veth pair.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{ensure, Result};

use super::{packet::Packets, Equipment, Layout};
use crate::{
    harness::{Context, Skip},
    support::{command::output, stamp, Program},
};

/// Pages of the memory: each holds one frame.
const PAGES: u64 = 16;

/// Bytes that the kernel leaves free before a frame.
const HEADROOM: usize = 256;
/// An Ethernet header, and what makes the rest of the frame aligned.
const HEADER: usize = 16;
/// As much of a frame as fits the interface and is a multiple of 8.
const PAYLOAD: usize = 1496;

/// The end that receives, and the one that sends.
const ENDS: [&str; 2] = ["pinlease0", "pinlease1"];

/// An ethertype for experiments.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];

#[derive(Debug)]
struct Receiver(Packets);

/// Makes the interfaces; they stay for the next test.
pub fn prepare(_: &Context) -> Result<Box<dyn Equipment>> {
    output("modprobe", &["veth"]).map_err(|error| Skip(format!("{error:#}")))?;
    let [receiver, sender] = ENDS;
    if !Path::new("/sys/class/net").join(receiver).exists() {
        let add = [
            "link", "add", receiver, "type", "veth", "peer", "name", sender,
        ];
        output("ip", &add)?;
        for end in ENDS {
            // Nobody is to send frames but us.
            fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1")?;
            output("ip", &["link", "set", end, "up"])?;
        }
    }
    Ok(Box::new(Receiver(Packets::on(sender)?)))
}

impl Receiver {
    /// As many frames as there are pages.
    fn send(&self, generation: u64) -> Result<()> {
        let mut frame = vec![0; HEADER + PAYLOAD];
        frame[..6].fill(0xff);
        frame[12..14].copy_from_slice(&ETHERTYPE);
        stamp(&mut frame[HEADER..], 0, generation);
        for _ in 0..PAGES {
            if !self.0.send(&frame)? {
                break;
            }
        }
        Ok(())
    }
}

impl Equipment for Receiver {
    fn layout(&self) -> Layout {
        let begin = HEADROOM + HEADER;
        Layout {
            window: begin..begin + PAYLOAD,
            // Which frame goes to which page is the kernel's choice.
            numbered: false,
            ..Layout::whole(PAGES, 0..PAGES)
        }
    }

    fn command(&self, memory: &Path) -> Command {
        let mut command = Command::new("af-xdp");
        command.arg(ENDS[0]).arg(memory);
        command
    }

    fn publish(&mut self, _: &mut Program, generation: u64) -> Result<()> {
        self.send(generation)
    }

    fn with_anonymous_memory(&mut self) -> Result<()> {
        let mut program = Program::start(Command::new("af-xdp").arg(ENDS[0]))?;
        ensure!(program.line()? == "registered", "not registered");
        let mut received = None;
        for _ in 0..20 {
            self.send(1)?;
            received = program.line_within(Duration::from_millis(500))?;
            if received.is_some() {
                break;
            }
        }
        ensure!(received.as_deref() == Some("received"), "no frame arrives");
        program.end_input();
        let (status, text) = program.everything(Duration::from_secs(20))?;
        ensure!(status.success(), "{status}: {text}");
        Ok(())
    }
}
