"""Search over every commit that was reported or received: an SQLite index per host, made from the ledger."""
