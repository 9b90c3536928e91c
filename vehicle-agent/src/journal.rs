//! Lines for the journal of systemd: each begins with its priority (sd-daemon(3)), and without a time, for the journal
//! has its own.

use std::{fmt, fs::File, io, os::fd::AsFd, os::unix::fs::MetadataExt};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Full, Writer},
    },
    registry::LookupSpan,
};

/// How a line is written.
pub struct Journal(Format<Full, ()>);

impl Journal {
    /// Where what is said on standard error goes to the journal.
    pub fn if_it_listens() -> Option<Self> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let file = File::from(io::stderr().as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
        // systemd.exec(5): a program that was started by the service may have put something else in its place.
        (stream == format!("{}:{}", file.dev(), file.ino())).then(|| Journal(Format::default().without_time()))
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(to, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, to, event)
    }
}

/// As in syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
