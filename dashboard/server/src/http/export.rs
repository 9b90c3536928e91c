//! `/api/frontend/vehicles/{vin}/export`: a vehicle's samples as a file, sent as it is read.
//!
//! A task of its own reads ahead of the connection by a piece, so that a reader that stalls can be told from one that is
//! slow: hyper asks for nothing while its buffer is full.

use std::{io, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bugbrother_export::{ExportError, Format, Vehicle};
use bugbrother_wire::{UnixMs, Vin, api::Right, codec::LATEST};
use bytes::Bytes;
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::timeout,
};
use tracing::{error, info};

use super::{
    App,
    body::{Params, PathVin},
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    span::{SignalKeys, Signals, Span},
};
use crate::{
    export::{ExportFailure, Part, SampleExport},
    pass::Pass,
};

/// What is handed to a connection at once.
const PIECE_BYTES: usize = 64 * 1024;
const RETRY_AFTER: Duration = Duration::from_secs(30);

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Order {
    format: String,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/vehicles/{vin}/export", Access::May(Right::Export), vehicle)
        .says("What a vehicle sent in a span, as a file")
        .asks::<Span>()
        .asks::<Order>()
        .asks::<SignalKeys>();
}

pub(crate) async fn vehicle(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
    Params(Order { format }): Params<Order>,
    Signals(signals): Signals,
) -> Result<Response, Failure> {
    let (from, to) = span.or_all()?;
    let format: Format = format.parse()?;
    let state = caller.sees(&app, vin).await?;
    let seat = app.exports.take(&caller.name).ok_or_else(|| {
        let message = "too many exports are under way; wait for one to end";
        Failure::too_many("too_many_exports", message, RETRY_AFTER)
    })?;
    let vehicle = Vehicle { vin, name: state.name, plate: state.plate };
    let signals = Some(signals).filter(|signals| !signals.is_empty());
    let parts = vec![Part { vehicle, from, to }];
    let export = SampleExport::begin(app.config.store.clone(), parts, format, signals).await?;

    let (pieces, body) = mpsc::channel(1);
    let tracked = app.sockets.token();
    tokio::spawn(async move {
        let end = attend(export, &pieces, &app, &caller.pass).await;
        metrics::counter!("bugbrother_dashboard_exports_total", "end" => end.word()).increment(1);
        end.tell(vin);
        drop((seat, tracked));
    });
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", file_name(vin, span, format)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::CONTENT_DISPOSITION, name.expect("a VIN, digits and an extension are a header value")),
    ];
    Ok((headers, stream_of(body)).into_response())
}

/// Such as `WVWZZZ1JZ3W386752-2026-09-21T141320Z-2026-09-22T141320Z.csv`: from and to as far as they were given.
fn file_name(vin: Vin, span: Span, format: Format) -> String {
    let [from, to] = span.given().map(|given| given.map(|ts| format!("-{}", second(ts))).unwrap_or_default());
    format!("{vin}{from}{to}.{}", format.extension())
}

/// A moment in UTC, without the colons that not every file system takes.
fn second(ts: UnixMs) -> String {
    let time = OffsetDateTime::from_unix_timestamp(ts.clamp(0, LATEST).div_euclid(1000))
        .expect("the years until 2100 are in the calendar");
    let ((year, month, day), (hour, minute, second)) = (time.to_calendar_date(), time.to_hms());
    format!("{year}-{:02}-{day:02}T{hour:02}{minute:02}{second:02}Z", u8::from(month))
}

/// How an export ended.
enum End {
    Whole,
    /// The reader hung up.
    Gone,
    /// The reader took nothing for too long.
    Stalled,
    SessionOver,
    Failed(ExportFailure),
}

impl End {
    fn word(&self) -> &'static str {
        match self {
            End::Whole => "whole",
            End::Gone => "gone",
            End::Stalled => "stalled",
            End::SessionOver => "session_over",
            End::Failed(_) => "failed",
        }
    }

    fn tell(&self, vin: Vin) {
        match self {
            End::Failed(problem) => {
                error!(%vin, %problem, cause = std::error::Error::source(problem), "an export failed and was cut short");
            }
            end => info!(%vin, end = end.word(), "an export ended"),
        }
    }
}

/// A piece of a file, or its end: without it the file is not whole.
enum Piece {
    Of(Bytes),
    End,
}

async fn attend(export: SampleExport, pieces: &Sender<Piece>, app: &App, pass: &Pass) -> End {
    tokio::select! {
        biased;
        () = pieces.closed() => End::Gone,
        () = app.passes.over(pass) => End::SessionOver,
        end = send(export, pieces, app.config.limits.export_time) => end,
    }
}

async fn send(mut export: SampleExport, pieces: &Sender<Piece>, patience: Duration) -> End {
    loop {
        let mut page = match export.next().await {
            Ok(Some(page)) => Bytes::from(page),
            Ok(None) => return hand_over(Piece::End, pieces, patience).await.err().unwrap_or(End::Whole),
            Err(problem) => return End::Failed(problem),
        };
        while !page.is_empty() {
            let piece = page.split_to(page.len().min(PIECE_BYTES));
            if let Err(end) = hand_over(Piece::Of(piece), pieces, patience).await {
                return end;
            }
        }
    }
}

async fn hand_over(piece: Piece, pieces: &Sender<Piece>, patience: Duration) -> Result<(), End> {
    match timeout(patience, pieces.send(piece)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Stalled),
    }
}

/// The body. One that is cut short ends the connection in the middle of a chunk, which no client takes for the end.
fn stream_of(pieces: Receiver<Piece>) -> Body {
    Body::from_stream(stream::unfold(Some(pieces), async |pieces| {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Piece::Of(bytes)) => Some((Ok(bytes), Some(pieces))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the export was cut short")), None)),
        }
    }))
}

impl From<ExportError> for Failure {
    fn from(refused: ExportError) -> Self {
        match refused {
            ExportError::UnknownFormat { .. } => {
                Failure::new(StatusCode::BAD_REQUEST, "invalid_format", refused.to_string())
            }
            ExportError::Columns(_) => {
                let message = format!("{refused}; name those that you want in `signals`");
                Failure::new(StatusCode::BAD_REQUEST, "too_many_signals", message)
            }
            refused => Failure::internal(&refused, "the file could not be begun; the server's log says why"),
        }
    }
}

impl From<ExportFailure> for Failure {
    fn from(failure: ExportFailure) -> Self {
        match failure {
            ExportFailure::Read(error) => error.into(),
            ExportFailure::Write(refused) => refused.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_whose_and_of_when_it_is() {
        let vin: Vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        assert_eq!(file_name(vin, Span::new(None, None), Format::Gpx), "WVWZZZ1JZ3W386752.gpx");
        let span = Span::new(Some(1_790_000_000_999), Some(i64::MAX));
        let expected = "WVWZZZ1JZ3W386752-2026-09-21T141320Z-2100-01-01T000000Z.parquet";
        assert_eq!(file_name(vin, span, Format::Parquet), expected);
    }
}
