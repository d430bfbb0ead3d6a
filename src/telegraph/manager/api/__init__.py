"""The manager's REST API (Litestar) and its event stream: Table 1 of the report, one file per subject."""
