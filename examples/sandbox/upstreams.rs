//! Both stand-ins, and the switches of their faults: one fault an upstream at a time.

use std::io;

use crate::faults::{Fault, Kind};
use crate::r2::R2;
use crate::runpod::RunPod;

pub(crate) struct Upstreams {
    pub(crate) runpod: RunPod,
    pub(crate) r2: R2,
}

impl Upstreams {
    pub(crate) async fn start() -> io::Result<Upstreams> {
        Ok(Upstreams {
            runpod: RunPod::start().await?,
            r2: R2::start().await?,
        })
    }

    pub(crate) fn has(&self, fault: &Fault) -> bool {
        match fault.kind {
            Kind::RunPod(kind) => self.runpod.fault() == Some(kind),
            Kind::R2(kind) => self.r2.fault() == Some(kind),
        }
    }

    /// Switches a fault on, in place of the upstream's other one.
    pub(crate) fn switch_on(&self, fault: &Fault) -> io::Result<()> {
        match fault.kind {
            Kind::RunPod(kind) => {
                self.runpod.set(Some(kind));
                Ok(())
            }
            Kind::R2(kind) => self.r2.set(Some(kind)),
        }
    }

    /// Switches a fault off if it is on.
    pub(crate) fn switch_off(&self, fault: &Fault) -> io::Result<()> {
        match fault.kind {
            _ if !self.has(fault) => Ok(()),
            Kind::RunPod(_) => {
                self.runpod.set(None);
                Ok(())
            }
            Kind::R2(_) => self.r2.set(None),
        }
    }

    /// Everything healthy.
    pub(crate) fn switch_all_off(&self) -> io::Result<()> {
        self.runpod.set(None);
        self.r2.set(None)
    }
}
