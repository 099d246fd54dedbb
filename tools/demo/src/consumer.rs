// SPDX-License-Identifier: GPL-2.0
//! One field of the demo's second table: a consumer on a filesystem, on one
//! side.

use anyhow::Result;
use selftests::{
    consumers::{self, Consumer, Measured},
    harness::Side,
    support::Filesystem,
};
use serde::{Deserialize, Serialize};

/// A line that the guest prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Consumed {
    /// The filesystem.
    pub fs: Filesystem,
    /// The consumer's name.
    pub consumer: String,
    /// The side.
    pub side: Side,
    /// What was found, or why nothing was.
    pub result: Result<Measured, String>,
}

impl Consumed {
    /// Whether the consumer is refused by the stock kernel, as far as it is, and
    /// gets durable memory under pinlease.
    pub fn as_it_should_be(&self) -> bool {
        let (Ok(measured), Some(consumer)) = (&self.result, self.consumer()) else {
            return false;
        };
        match self.side {
            Side::Stock => measured.registered == consumer.refusal.is_none(),
            Side::Pinlease | Side::Grant => measured.registered && measured.durable,
        }
    }

    /// As it is written to demo.json; nothing for what could not be measured.
    pub fn cell(&self) -> Option<ConsumerCell<'_>> {
        let measured = self.result.as_ref().ok()?;
        Some(ConsumerCell {
            name: &self.consumer,
            fs: self.fs,
            side: self.side,
            registered: measured.registered,
            durable: measured.durable,
        })
    }

    fn consumer(&self) -> Option<&'static Consumer> {
        consumers::ALL
            .iter()
            .find(|consumer| consumer.name == self.consumer)
    }
}

/// A field of demo.json.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ConsumerCell<'a> {
    name: &'a str,
    fs: Filesystem,
    side: Side,
    registered: bool,
    durable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumed(name: &str, side: Side, registered: bool, durable: bool) -> Consumed {
        Consumed {
            fs: Filesystem::Ext4,
            consumer: name.into(),
            side,
            result: Ok(Measured {
                registered,
                durable,
                detail: String::new(),
            }),
        }
    }

    #[test]
    fn the_stock_kernel_must_refuse() {
        assert!(consumed("io_uring", Side::Stock, false, false).as_it_should_be());
        assert!(!consumed("io_uring", Side::Stock, true, true).as_it_should_be());
        assert!(consumed("direct_nvme", Side::Stock, true, true).as_it_should_be());
        assert!(!consumed("unknown", Side::Stock, false, false).as_it_should_be());
    }

    #[test]
    fn pinlease_must_keep() {
        assert!(consumed("io_uring", Side::Pinlease, true, true).as_it_should_be());
        assert!(!consumed("io_uring", Side::Pinlease, true, false).as_it_should_be());
        assert!(!consumed("direct_nvme", Side::Pinlease, false, false).as_it_should_be());
    }

    #[test]
    fn cells_look_as_promised() {
        let consumed = consumed("io_uring", Side::Stock, false, false);
        assert_eq!(
            serde_json::to_string(&consumed.cell().unwrap()).unwrap(),
            r#"{"name":"io_uring","fs":"ext4","side":"stock","registered":false,"durable":false}"#
        );
    }
}
