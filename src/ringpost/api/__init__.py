"""JSON over HTTP: routes by resource, and the mapping of errors to status and code."""
