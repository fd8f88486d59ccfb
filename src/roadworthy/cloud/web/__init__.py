"""The pages: frozen views in, HTML out; no route, no store, no clock."""
