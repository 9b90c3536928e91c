use std::io::Write;

use bugbrother_wire::{Message, Seq, Topic, decode};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{Ties, UplinkError, session::birth};
use crate::outbox::Outbox;

/// So many records are read at a time.
const STEP: usize = 64;

/// Prints what would be sent, a line of JSON for each message, until `stop` or nobody reads any more.
pub async fn print(
    outbox: Outbox,
    mut ties: Ties,
    mut to: impl Write + Send,
    stop: CancellationToken,
) -> Result<(), UplinkError> {
    let vin = outbox.identity().vin;
    let started = ties.time.estimate();
    let mut tally = outbox.tally();
    let mut next = tally.borrow().top.next();
    let (mut signals_known, mut car_known) = (true, true);
    let mut says_birth = true;
    loop {
        if std::mem::take(&mut says_birth) {
            let birth = birth(&outbox, started, &mut ties.signals, &ties.cameras, &mut ties.car);
            if !line(&mut to, "up/birth", &birth) {
                return Ok(());
            }
        }
        let top = tally.borrow_and_update().top;
        while next <= top {
            let records = outbox.read(next..top.next(), STEP).await?;
            let Some(last) = records.last().map(|record| record.place) else { break };
            for record in records {
                let topic = Topic::new(vin, record.kind);
                if !decode(&topic, &record.body).is_ok_and(|message| show(&mut to, &message)) {
                    return Ok(());
                }
            }
            next = last.next();
        }
        next = next.max(Seq(top.0 + 1));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Ok(()) = tally.changed() => {}
            changed = ties.signals.changed(), if signals_known => {
                signals_known = changed.is_ok();
                says_birth = signals_known;
            }
            changed = ties.car.changed(), if car_known => {
                car_known = changed.is_ok();
                says_birth = car_known;
            }
        }
    }
}

fn show(to: &mut impl Write, message: &Message) -> bool {
    match message {
        Message::Telemetry(batch) => line(to, "up/telemetry", batch),
        Message::Diagnostics(diagnostics) => line(to, "up/diagnostics", diagnostics),
        Message::Event(event) => line(to, "up/event", event),
        Message::Reply(reply) => line(to, "up/reply", reply),
        // The outbox holds no others.
        _ => true,
    }
}

/// False when nobody reads any more.
fn line(to: &mut impl Write, topic: &str, message: &impl Serialize) -> bool {
    #[derive(Serialize)]
    struct Line<'a, M> {
        topic: &'a str,
        message: &'a M,
    }
    let text = serde_json::to_string(&Line { topic, message }).expect("messages have a form in JSON");
    let written = writeln!(to, "{text}").and_then(|()| to.flush());
    if let Err(error) = &written {
        debug!(%error, "nobody reads what is printed");
    }
    written.is_ok()
}
