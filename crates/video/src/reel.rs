//! A live stream cut for viewers: a fragment for each picture, and a new beginning whenever what a decoder must know changes.

use std::{num::NonZeroU32, sync::Arc};

use bytes::Bytes;

use crate::{
    access_unit::{AccessUnit, Parameters},
    fragment::{Fragment, Fragmenter, MuxingError},
};

/// A live stream that is being cut.
#[derive(Debug, Default)]
pub struct Reel {
    cutting: Option<Cutting>,
    next: u16,
}

#[derive(Debug)]
struct Cutting {
    parameters: Arc<Parameters>,
    clock_hz: NonZeroU32,
    fragmenter: Fragmenter,
    number: u16,
}

/// A picture that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// What a decoder must know from here on, `ftyp` and `moov`, where that is new.
    pub beginning: Option<Bytes>,
    /// Which beginning the picture belongs to, counted from 0.
    pub number: u16,
    /// The picture.
    pub fragment: Fragment,
}

impl Reel {
    /// Whether that picture would have a new beginning, and therefore be a key frame if a decoder is to show it.
    pub fn begins_anew(&self, parameters: &Arc<Parameters>, unit: &AccessUnit) -> bool {
        self.cutting.as_ref().is_none_or(|known| known.parameters != *parameters || known.clock_hz != unit.clock_hz)
    }

    /// Whether there has been a beginning.
    pub fn has_begun(&self) -> bool {
        self.cutting.is_some()
    }

    /// The next picture; `parameters` are those that hold for it.
    pub fn cut(&mut self, parameters: &Arc<Parameters>, unit: &AccessUnit) -> Result<Cut, MuxingError> {
        let begins = self.begins_anew(parameters, unit);
        let cutting = match self.cutting.take().filter(|_| !begins) {
            Some(known) => self.cutting.insert(known),
            None => {
                let fragmenter = Fragmenter::new(parameters, unit.clock_hz)?;
                let (parameters, number) = (parameters.clone(), self.next);
                self.next = self.next.wrapping_add(1);
                self.cutting.insert(Cutting { parameters, clock_hz: unit.clock_hz, fragmenter, number })
            }
        };
        let beginning = begins.then(|| cutting.fragmenter.init().clone());
        let number = cutting.number;
        match cutting.fragmenter.push(unit) {
            Ok(fragment) => Ok(Cut { beginning, number, fragment }),
            Err(error) => {
                // A beginning that nobody was told begins again.
                self.cutting.take_if(|_| begins);
                Err(error)
            }
        }
    }
}
