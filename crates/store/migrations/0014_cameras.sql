-- How many cameras a vehicle's agent has told of. Agents say their births again whenever they connect.
ALTER TABLE birth ADD COLUMN cameras BIGINT NOT NULL DEFAULT 0;
CREATE INDEX birth_cameras ON birth (vin) WHERE cameras > 0;
