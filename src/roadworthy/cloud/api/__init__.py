"""The operator API `/api/v1`: one module per path, about ten lines per route."""
