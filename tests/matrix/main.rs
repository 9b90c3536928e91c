//! Vehicle A against vehicle B: nothing that it says for others is heard, and nothing that others say reaches it.
//!
//! # Layout
//! - `field`: a broker with two vehicles and somebody who may say and hear everything
//! - `topics`: what A may not write, and the filters it may try
//! - `speaking`: publish and will, retained or not
//! - `listening`: subscriptions of every kind
//! - `entering`: as somebody else

mod entering;
mod field;
mod listening;
mod speaking;
mod topics;
