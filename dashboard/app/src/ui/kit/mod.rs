//! What all pages are made of.

mod choice;
mod empty;
mod field;
mod sheet;
mod tabs;
mod toast;

pub use choice::{Check, Select};
pub use empty::{Empty, Refused};
pub use field::{Field, TextArea};
pub use sheet::Sheet;
pub use tabs::Tabs;
pub use toast::{Toasts, Tray, use_new_toasts, use_toasts};
