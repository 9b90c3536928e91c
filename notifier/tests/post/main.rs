//! Alerts to people: against sinks that fail, hang and answer nonsense, a mail server, and a push service that decrypts.

mod audience;
mod crowd;
mod mail;
mod push;
mod rig;
mod sink;
mod telegram;
mod webhook;
