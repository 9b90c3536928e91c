use bugbrother_wire::{
    UnixMs,
    message::{Birth, Diagnostics, Event, Media, Reply},
};

use crate::{StoreError, command, commit::Writer, word};

/// What is stored of each message but telemetry and status.
impl Writer<'_> {
    pub(crate) async fn birth(&mut self, birth: &Birth, now: UnixMs) -> Result<(), StoreError> {
        self.vehicle(birth.vin, now).await?;
        sqlx::query(
            "INSERT INTO birth (vin, epoch, agent, received_ts, body, cameras) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (vin) DO UPDATE SET epoch = excluded.epoch, agent = excluded.agent, \
             received_ts = excluded.received_ts, body = excluded.body, cameras = excluded.cameras",
        )
        .bind(birth.vin.as_str())
        .bind(birth.epoch.0.cast_signed())
        .bind(&birth.agent)
        .bind(now)
        .bind(word::json(birth))
        .bind(i64::try_from(birth.cameras.len()).unwrap_or(i64::MAX))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// The newest picture by the vehicle's time, and every code with the first and the last time that it was told. A code
    /// that an older picture has is no news of whether it is there. What was told when is kept, too.
    pub(crate) async fn diagnose(&mut self, diagnostics: &Diagnostics, now: UnixMs) -> Result<(), StoreError> {
        self.vehicle(diagnostics.vin, now).await?;
        let newest = sqlx::query(
            "INSERT INTO diagnostics (vin, at_ts, received_ts, body) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (vin) DO UPDATE SET at_ts = excluded.at_ts, received_ts = excluded.received_ts, \
             body = excluded.body WHERE excluded.at_ts >= diagnostics.at_ts",
        )
        .bind(diagnostics.vin.as_str())
        .bind(diagnostics.at)
        .bind(now)
        .bind(word::json(diagnostics))
        .execute(&mut *self.tx)
        .await?
        .rows_affected();
        if newest == 1 {
            // Those that are told again are back right after this.
            sqlx::query("UPDATE dtc SET gone_ts = $2 WHERE vin = $1 AND gone_ts IS NULL AND last_seen <= $2")
                .bind(diagnostics.vin.as_str())
                .bind(diagnostics.at)
                .execute(&mut *self.tx)
                .await?;
        }
        let picture = Diagnostics { freeze_frame: None, ..diagnostics.clone() };
        sqlx::query(
            "INSERT INTO picture (vin, at_ts, received_ts, body) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (vin, at_ts) DO NOTHING",
        )
        .bind(diagnostics.vin.as_str())
        .bind(diagnostics.at)
        .bind(now)
        .bind(word::json(&picture))
        .execute(&mut *self.tx)
        .await?;
        for dtc in &diagnostics.dtcs {
            sqlx::query(
                "INSERT INTO dtc (vin, code, status, ecu, first_seen, last_seen) VALUES ($1, $2, $3, $4, $5, $5) \
                 ON CONFLICT (vin, code, status, ecu) DO UPDATE SET \
                 first_seen = CASE WHEN excluded.first_seen < dtc.first_seen THEN excluded.first_seen \
                 ELSE dtc.first_seen END, \
                 last_seen = CASE WHEN excluded.last_seen > dtc.last_seen THEN excluded.last_seen \
                 ELSE dtc.last_seen END, \
                 times = dtc.times + CASE WHEN dtc.gone_ts < excluded.last_seen THEN 1 ELSE 0 END, \
                 gone_ts = CASE WHEN $6 = 1 THEN NULL ELSE dtc.gone_ts END",
            )
            .bind(diagnostics.vin.as_str())
            .bind(&dtc.code)
            .bind(word::of(&dtc.status))
            .bind(dtc.ecu.as_deref().unwrap_or_default())
            .bind(diagnostics.at)
            .bind(newest.cast_signed())
            .execute(&mut *self.tx)
            .await?;
        }
        Ok(())
    }

    pub(crate) async fn event(&mut self, event: &Event, now: UnixMs) -> Result<(), StoreError> {
        self.vehicle(event.vin, now).await?;
        sqlx::query(
            "INSERT INTO event (vin, id, kind, at_ts, received_ts, body) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (vin, id) DO NOTHING",
        )
        .bind(event.vin.as_str())
        .bind(event.id.to_string())
        .bind(word::of(&event.kind))
        .bind(event.at)
        .bind(now)
        .bind(word::json(event))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// The step of a photo's or clip's life that was taken last.
    pub(crate) async fn media(&mut self, media: &Media, now: UnixMs) -> Result<(), StoreError> {
        self.vehicle(media.vin, now).await?;
        sqlx::query(
            "INSERT INTO media (vin, id, camera, kind, state, at_ts, from_ts, received_ts, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (vin, id) DO UPDATE SET \
             state = excluded.state, at_ts = excluded.at_ts, from_ts = excluded.from_ts, \
             received_ts = excluded.received_ts, body = excluded.body WHERE excluded.at_ts >= media.at_ts",
        )
        .bind(media.vin.as_str())
        .bind(media.id.to_string())
        .bind(media.camera.as_str())
        .bind(word::of(&media.kind))
        .bind(word::of(&media.state))
        .bind(media.at)
        .bind(media.from)
        .bind(now)
        .bind(word::json(media))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    pub(crate) async fn reply(&mut self, reply: &Reply, now: UnixMs) -> Result<(), StoreError> {
        self.vehicle(reply.vin, now).await?;
        sqlx::query(
            "INSERT INTO reply (vin, epoch, seq, command, state, at_ts, received_ts, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (vin, epoch, seq) DO NOTHING",
        )
        .bind(reply.vin.as_str())
        .bind(reply.epoch.0.cast_signed())
        .bind(reply.seq.0.cast_signed())
        .bind(reply.command.to_string())
        .bind(word::of(&reply.state))
        .bind(reply.at)
        .bind(now)
        .bind(word::json(reply))
        .execute(&mut *self.tx)
        .await?;
        command::advance(&mut self.tx, reply).await?;
        Ok(())
    }
}
