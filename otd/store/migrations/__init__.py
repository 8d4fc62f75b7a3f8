"""The way from an empty database, or an older one, to the tables of today; walked by `SqlStore` itself."""
