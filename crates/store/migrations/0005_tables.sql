-- Tables of a vehicle are exported in pages, in an order in which each row has a place of its own.
DROP INDEX event_time;
CREATE INDEX event_time ON event (vin, at_ts, id);
CREATE INDEX alert_vehicle ON alert (vin, opened, id);
