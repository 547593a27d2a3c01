"""The database: schema, migrations and queries."""
