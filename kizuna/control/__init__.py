"""Control store: what was loaded, built, judged, published and sent. SQLite by default, PostgreSQL by URL."""
