"""The node's local REST API and event stream (``/api/v1``), for the page, the command line and bots."""
