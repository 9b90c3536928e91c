//! Samples as CSV, GPX, GeoJSON, JSON and Parquet, a piece at a time.
