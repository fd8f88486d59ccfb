"""The pages for people: sign-in, overview, campaigns, vehicles, releases, ledger."""
